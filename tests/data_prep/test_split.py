"""Which faces train, validate and test: sizes, groups that stay together, the published rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_prep.split import few_faces, sizes_text, split, split_sizes
from facial_keypoints.errors import InputError


def test_split_sizes_are_the_published_ones() -> None:
    assert split_sizes(7049) == (5639, 705, 705)
    assert split_sizes(100) == (80, 10, 10)


def test_published_split_has_the_published_test_rows_in_order() -> None:
    parts = split("published", np.arange(7049), seed=7)
    assert [len(parts[name]) for name in ("train", "val", "test")] == [5639, 705, 705]
    assert parts["test"][:5].tolist() == [5687, 6035, 4793, 5111, 4077]


@given(groups=st.lists(st.integers(0, 40), min_size=30, max_size=300), seed=st.integers(0, 5))
def test_every_face_is_in_one_split_and_no_group_in_two(groups: list[int], seed: int) -> None:
    names = np.array(groups)
    if len(np.unique(names)) < 3:
        return
    try:
        parts = split("grouped", names, seed)
    except InputError:
        assert np.bincount(names).max() > 0.4 * len(names)  # one group is most of the set
        return
    everything = np.concatenate(list(parts.values()))
    assert sorted(everything) == list(range(len(names)))
    groups_of_splits = [set(names[indexes]) for indexes in parts.values()]
    assert sum(map(len, groups_of_splits)) == len(set.union(*groups_of_splits))
    largest = np.bincount(names).max()
    for name, size in zip(("train", "val", "test"), split_sizes(len(names)), strict=True):
        assert abs(len(parts[name]) - size) <= 2 * largest


def test_single_faces_and_pairs_are_split_to_the_exact_sizes() -> None:
    groups = np.arange(7049)
    groups[:60] = np.arange(100, 160)
    parts = split("grouped", groups, seed=0)
    assert [len(parts[name]) for name in ("train", "val", "test")] == [5639, 705, 705]


def test_random_split_depends_on_the_seed_and_published_does_not() -> None:
    groups = np.arange(200)
    assert not np.array_equal(split("random", groups, 0)["test"], split("random", groups, 1)["test"])
    assert np.array_equal(split("published", groups, 0)["test"], split("published", groups, 1)["test"])


def test_all_test_puts_every_face_into_test() -> None:
    parts = split("all-test", np.zeros(4, int), seed=0)
    assert parts["test"].tolist() == [0, 1, 2, 3]
    assert len(parts["train"]) == len(parts["val"]) == 0


def test_too_few_faces_or_groups_are_refused() -> None:
    with pytest.raises(InputError, match="9 faces are not enough"):
        split("grouped", np.arange(9), seed=0)
    with pytest.raises(InputError, match="2 groups"):
        split("grouped", np.arange(50) % 2, seed=0)
    with pytest.raises(InputError, match="too large to give"):
        split("grouped", np.array([0, 1, *[2] * 48]), seed=0)


def test_split_sizes_are_as_close_as_whole_groups_allow() -> None:
    threes = split("grouped", np.arange(45) // 3, seed=0)  # test wants 5 of 45 faces: 6 is nearer than 3
    assert [len(indexes) for indexes in threes.values()] == [36, 3, 6]
    assert sizes_text("grouped", threes) == "as close to 36/4/5 as whole groups allow: 36/3/6 faces to train/val/test"
    assert sizes_text("random", split("random", np.arange(45), seed=0)) == "exactly 36/4/5 faces to train/val/test"
    four = np.arange(200) // 50
    assert [len(indexes) for indexes in split("grouped", four, seed=0).values()] == [100, 50, 50]


@pytest.mark.parametrize(
    ("groups", "text"),
    [
        ([], ""),
        ([7], "val has 1 face"),
        (list(range(9)), "val has 9 faces"),
        (list(range(10)), ""),
        ([1] * 1000 + [2] * 500, "val has 1,500 faces in 2 groups"),  # of two people only
        ([1, 1], "val has 2 faces in 1 group"),
    ],
)
def test_splits_with_fewer_than_10_groups_are_reported(groups: list[int], text: str) -> None:
    assert few_faces("val", np.array(groups, np.int64)) == text

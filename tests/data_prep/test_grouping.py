"""Facts found in the data: label sources, identical pictures, groups that belong together."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from data_prep.quality import duplicate_groups, join_groups, label_sources


def test_two_sources_are_found_from_their_labels_in_any_order() -> None:
    labelled = np.ones((10, 6), bool)
    labelled[[2, 5, 7, 8], 2:] = False
    labelled[8, 0] = False  # a gap in the few that the second source marks
    labelled[3, 4] = False  # a gap in the first
    assert label_sources(labelled).tolist() == [0, 0, 1, 0, 0, 1, 0, 1, 1, 0]


def test_a_few_stray_gaps_are_no_second_source() -> None:
    labelled = np.ones((100, 6), bool)
    assert not label_sources(labelled).any()
    labelled[0, 2:] = False
    assert not label_sources(labelled).any()


def test_the_sources_of_the_real_label_file(real_data: object) -> None:
    from pathlib import Path

    from data_prep.faces import labelled_points
    from data_prep.labels import read_keypoints
    from facial_keypoints.keypoint_set import FACE15

    for name in ("kaggle15_labels", "faces15"):
        keypoints = read_keypoints(Path(str(real_data)) / name / "facial_keypoints.csv", FACE15)
        assert np.array_equal(label_sources(labelled_points(keypoints)), np.arange(7049) >= 2284)


def test_identical_pictures_share_a_group() -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 1), np.uint8)
    images[3] = images[1]
    assert duplicate_groups(images).tolist() == [0, 1, 2, 1, 4]


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=1, max_size=60))
def test_joined_groups_keep_together_what_either_keeps_together_and_no_more(pairs: list[tuple[int, int]]) -> None:
    a, b = np.array(pairs).T
    joined = join_groups(a, b)
    linked = (a[:, None] == a) | (b[:, None] == b)
    for _ in range(len(pairs)):  # paths through the links
        linked = (linked.astype(int) @ linked.astype(int)) > 0
    assert np.array_equal(joined[:, None] == joined, linked)

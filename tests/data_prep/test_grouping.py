"""Label sources, identical images and connected groups, found in the data."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from common.csv_table import read_lines
from data_prep.faces import labelled_points
from data_prep.grouping import duplicate_groups, join_groups, label_sources
from data_prep.readers.labels import read_keypoints
from facial_keypoints.array_types import Bool
from facial_keypoints.keypoint_set import FACE15, KeypointSet, LabelSource, Normalizer

SIX = KeypointSet(
    name="six",
    names=tuple("abcdef"),
    mirror=tuple(range(6)),
    normalizers=(Normalizer("ends", (0,), (1,)),),
    regions=(),
    skeleton=(),
    label_sources=(
        LabelSource("all", (0, 1, 2, 3, 4, 5)),
        LabelSource("two", (0, 1)),
        LabelSource("three", (0, 1, 2)),
        LabelSource("last", (4, 5), own=(5,)),
    ),
)


def faces(*labelled: Sequence[int], times: int = 1) -> Bool:
    """Returns bool (N, 6): the keypoints that each face labels."""
    return np.array([np.isin(np.arange(6), keypoints) for keypoints in labelled for _ in range(times)])


def test_label_sources_are_found_for_faces_in_any_order() -> None:
    everything = range(6)
    labelled = faces(everything, everything, (0, 1), everything, everything, (0, 1), everything, (0, 1), (1,), (5,))
    labelled[3, 4] = False  # a missing label of the first source
    assert label_sources(labelled, SIX).tolist() == [0, 0, 1, 0, 0, 1, 0, 1, 1, 0]


def test_rare_label_pattern_is_not_a_source() -> None:
    labelled = np.ones((100, 6), bool)
    assert not label_sources(labelled, SIX).any()
    labelled[:4] = faces((0, 1))
    assert not label_sources(labelled, SIX).any()
    labelled[4] = faces((0, 1))
    assert label_sources(labelled, SIX).sum() == 5


def test_ambiguous_face_gets_the_source_with_the_fewest_missing_labels() -> None:
    rest = faces((0,), (1, 2), (4, 5), (0, 2))
    for twos, threes in ((5, 3), (3, 5)):
        labelled = np.concatenate([faces((0, 1), times=twos), faces((0, 1, 2), times=threes), rest])
        assert label_sources(labelled, SIX).tolist() == [1] * twos + [2] * threes + [1, 2, 3, 2]
    only_threes = np.concatenate([faces((0, 1, 2), times=30), faces((0, 1), (0,))])  # one face of 32 is no source
    assert label_sources(only_threes, SIX).tolist() == [2] * 32


def test_face_that_fits_two_sources_equally_gets_the_more_common_one() -> None:
    sources = (SIX.label_sources[0], LabelSource("one", (0, 1)), LabelSource("other", (1, 2)))
    for one, other, expected in ((4, 2, 1), (2, 4, 2)):
        labelled = np.concatenate([faces((0, 1), times=one), faces((1, 2), times=other), faces((1,))])
        assert label_sources(labelled, replace(SIX, label_sources=sources))[-1] == expected


def test_face_without_labels_gets_the_first_source() -> None:
    assert label_sources(faces((), (0, 1), (0, 1)), SIX).tolist() == [0, 1, 1]
    assert label_sources(faces((), ()), SIX).tolist() == [0, 0]


def test_three_label_sources_of_face15_are_found() -> None:
    labelled = np.array([np.isin(np.arange(15), source.keypoints) for source in FACE15.label_sources])
    assert label_sources(np.repeat(labelled, 4, axis=0), FACE15).tolist() == [0] * 4 + [1] * 4 + [2] * 4


def test_two_label_sources_of_the_real_files_are_found(real_data: Path) -> None:
    for name in ("kaggle15_labels", "faces15"):
        keypoints, keypoint_set, *_ = read_keypoints(real_data / name / "facial_keypoints.csv")
        assert np.array_equal(label_sources(labelled_points(keypoints), keypoint_set), np.arange(7049) >= 2284)


def test_three_label_sources_in_one_real_set_are_found(real_data: Path) -> None:
    keypoints, *_ = read_keypoints(real_data / "faces15" / "facial_keypoints.csv")
    header, body = read_lines(real_data / "faces5" / "keypoints.csv")
    five = np.zeros((len(body), 15), bool)
    five[:, [k for k, name in enumerate(FACE15.names) if f"{name}_x" in header]] = True
    labelled = np.concatenate([labelled_points(keypoints), five])
    assert np.array_equal(label_sources(labelled, FACE15), np.repeat([0, 1, 2], [2284, 4765, len(body)]))


def test_identical_images_share_a_group() -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 1), np.uint8)
    images[3] = images[1]
    assert duplicate_groups(images).tolist() == [0, 1, 2, 1, 4]


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=1, max_size=60))
def test_joined_groups_are_the_connected_components_of_both(pairs: list[tuple[int, int]]) -> None:
    a, b = np.array(pairs).T
    joined = join_groups(a, b)
    linked = (a[:, None] == a) | (b[:, None] == b)
    for _ in range(len(pairs)):  # paths through the links
        linked = (linked.astype(int) @ linked.astype(int)) > 0
    assert np.array_equal(joined[:, None] == joined, linked)
    first_faces = np.unique(joined, return_index=True)[1]
    assert first_faces.tolist() == sorted(first_faces)  # numbered by their first faces, from 0

"""The facts of a mark-up hang together."""

import numpy as np
import pytest

from facial_keypoints.codec import output_points
from facial_keypoints.keypoint_set import FACE15, FACE68, KEYPOINT_SETS, KeypointSet, as_face15

every_set = pytest.mark.parametrize("keypoint_set", KEYPOINT_SETS.values(), ids=KEYPOINT_SETS.keys())


@every_set
def test_mirrored_twice_every_keypoint_is_where_it_was(keypoint_set: KeypointSet) -> None:
    mirror = keypoint_set.mirror
    assert [mirror[k] for k in mirror] == list(range(len(keypoint_set)))


@every_set
def test_left_becomes_right_in_a_mirrored_face_and_the_middle_stays(keypoint_set: KeypointSet) -> None:
    for k, name in enumerate(keypoint_set.names):
        assert ("left" in name) == ("right" in keypoint_set.names[keypoint_set.mirror[k]])


@every_set
def test_the_first_label_source_labels_all_keypoints(keypoint_set: KeypointSet) -> None:
    first = keypoint_set.label_sources[0]
    assert first.keypoints == tuple(range(len(keypoint_set)))
    assert first.own == ()


@every_set
def test_a_mirrored_face_of_a_source_has_the_keypoints_of_that_source(keypoint_set: KeypointSet) -> None:
    for source in keypoint_set.label_sources:
        assert set(source.own) <= set(source.keypoints)
        for keypoints in (source.keypoints, source.own):
            assert {keypoint_set.mirror[k] for k in keypoints} == set(keypoints)


@every_set
def test_what_is_drawn_and_what_normalizes_are_keypoints(keypoint_set: KeypointSet) -> None:
    known = range(len(keypoint_set))
    assert all(k in known for run in keypoint_set.skeleton for k in run)
    for normalizer in keypoint_set.normalizers:
        assert {keypoint_set.mirror[k] for k in normalizer.first} == set(normalizer.second)


@every_set
def test_every_keypoint_is_in_one_group_and_across_from_another_of_it(keypoint_set: KeypointSet) -> None:
    assert sorted(k for _, keypoints in keypoint_set.regions for k in keypoints) == list(range(len(keypoint_set)))
    for _, keypoints in keypoint_set.regions:
        assert {keypoint_set.mirror[k] for k in keypoints} == set(keypoints)


@every_set
def test_no_two_partial_label_sources_label_the_same_keypoints(keypoint_set: KeypointSet) -> None:
    """Readers tell sources that do not mark all keypoints apart by what they mark."""
    some = [source.keypoints for source in keypoint_set.label_sources if len(source.keypoints) < len(keypoint_set)]
    assert len(set(some)) == len(some)


def test_the_columns_of_a_label_file() -> None:
    assert FACE15.columns[:3] == ["left_eye_center_x", "left_eye_center_y", "right_eye_center_x"]
    assert len(FACE15.columns) == 30
    assert FACE15.columns[2 * FACE15.index("nose_tip")] == "nose_tip_x"


def test_the_output_points_of_the_15_points_and_their_label_sources() -> None:
    assert [len(output_points(FACE15, sources)) for sources in [(), (0,), (0, 1), (0, 2), (0, 1, 2)]] == [
        15,
        15,
        15 + 2,
        15 + 5,
        15 + 2 + 5,
    ]


def test_the_68_points_are_those_of_300_w() -> None:
    names = FACE68.names
    assert [names[k] for k in (0, 8, 16, 27, 30, 33)] == [
        "jaw_1",
        "jaw_9",
        "jaw_17",
        "nose_bridge_1",
        "nose_bridge_4",
        "nose_base_3",
    ]
    assert (names[36], names[45], names[48], names[67]) == ("right_eye_1", "left_eye_4", "outer_lip_1", "inner_lip_8")
    assert len(output_points(FACE68, (0, 1))) == 68 + 68


def test_the_15_points_of_68() -> None:
    """Eye centers are means of six points; the sparse source means the base of the nose by its tip."""
    points = np.stack([np.arange(68.0), np.zeros(68)], axis=-1)
    assert as_face15(points)[:4, 0].tolist() == [44.5, 38.5, 42, 45]
    nose = FACE15.index("nose_tip")
    assert (as_face15(points)[nose, 0], as_face15(points, 1)[nose, 0]) == (30, 33)


@pytest.mark.parametrize("source", [0, 1])
def test_a_mirrored_face_has_the_mirrored_15_points(source: int) -> None:
    points = np.random.default_rng(0).normal(size=(68, 2))
    straight = as_face15(points, source)[list(FACE15.mirror)]
    np.testing.assert_allclose(as_face15(points[list(FACE68.mirror)], source), straight, atol=1e-12)

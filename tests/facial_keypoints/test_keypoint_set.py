"""The facts of a mark-up hang together."""

import pytest

from facial_keypoints.codec import landmarks
from facial_keypoints.keypoint_set import FACE15, KEYPOINT_SETS, KeypointSet

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
def test_the_first_source_marks_all_and_its_places_are_the_set_s_own(keypoint_set: KeypointSet) -> None:
    first = keypoint_set.sources[0]
    assert first.keypoints == tuple(range(len(keypoint_set)))
    assert first.own == ()


@every_set
def test_a_mirrored_face_of_a_source_has_the_keypoints_of_that_source(keypoint_set: KeypointSet) -> None:
    for source in keypoint_set.sources:
        assert set(source.own) <= set(source.keypoints)
        for keypoints in (source.keypoints, source.own):
            assert {keypoint_set.mirror[k] for k in keypoints} == set(keypoints)


@every_set
def test_what_is_drawn_and_what_normalises_are_keypoints(keypoint_set: KeypointSet) -> None:
    known = range(len(keypoint_set))
    assert all(k in known for run in keypoint_set.skeleton for k in run)
    left, right = keypoint_set.normaliser
    assert keypoint_set.mirror[left] == right


@every_set
def test_no_two_sources_mark_the_same_keypoints(keypoint_set: KeypointSet) -> None:
    """Readers tell sources apart by what they mark."""
    assert len({source.keypoints for source in keypoint_set.sources}) == len(keypoint_set.sources)


def test_the_columns_of_a_label_file() -> None:
    assert FACE15.columns[:3] == ["left_eye_center_x", "left_eye_center_y", "right_eye_center_x"]
    assert len(FACE15.columns) == 30
    assert FACE15.columns[2 * FACE15.index("nose_tip")] == "nose_tip_x"


def test_the_landmarks_of_the_15_points_and_their_sources() -> None:
    assert [len(landmarks(FACE15, sources)) for sources in [(), (0,), (0, 1), (0, 2), (0, 1, 2)]] == [
        15,
        15,
        15 + 2,
        15 + 5,
        15 + 2 + 5,
    ]

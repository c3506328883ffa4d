"""The facts of a mark-up hang together."""

import pytest

from data_prep.keypoint_set import KEYPOINT_SETS, KeypointSet


@pytest.mark.parametrize("keypoint_set", KEYPOINT_SETS.values(), ids=KEYPOINT_SETS.keys())
def test_mirrored_twice_every_mark_is_where_it_was(keypoint_set: KeypointSet) -> None:
    mirror = keypoint_set.mark_mirror
    assert sorted(mirror) == list(range(keypoint_set.marks))
    assert [mirror[m] for m in mirror] == list(range(keypoint_set.marks))


def test_the_second_source_means_other_places_by_some_keypoints() -> None:
    pair = KeypointSet("three", ("left_ear", "right_ear", "chin"), (1, 0, 2), (0, 1), (), second_marks=(0, 1))
    assert pair.marks == 5
    assert pair.marks_of(0) == (0, 1, 2)
    assert pair.marks_of(1) == (3, 4, 2)
    assert pair.mark_mirror == (1, 0, 2, 4, 3)

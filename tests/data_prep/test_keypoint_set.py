"""The facts of a mark-up hang together."""

import pytest

from facial_keypoints.keypoint_set import FACE15, KEYPOINT_SETS, KeypointSet, points_of_68


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


def test_the_few_of_the_second_source_are_as_many_in_a_mirrored_face() -> None:
    assert sorted(FACE15.mirror[keypoint] for keypoint in FACE15.few) == list(FACE15.few)
    assert set(FACE15.second_marks) < set(FACE15.few)


def test_of_68_points_the_sources_take_others_for_the_second_marks_alone() -> None:
    first, second = points_of_68(0), points_of_68(1)
    assert [k for k in range(len(FACE15)) if first[k] != second[k]] == list(FACE15.second_marks)
    nose, lip = FACE15.second_marks
    assert [first[nose], second[nose], first[lip], second[lip]] == [(30,), (33,), (57,), (66,)]

"""Measures: openness calculated by hand, the measures of each keypoint set, and openness without smoothing."""

import numpy as np
import pytest

from facial_keypoints.array_types import Float64
from facial_keypoints.head_pose import MEAN_FACE
from facial_keypoints.keypoint_set import FACE15, FACE68, from_names
from facial_keypoints.measures import COLUMNS, measures, openness

EYE = np.array([[0, 0], [1, -1], [3, -1], [4, 0], [3, 1], [1, 1]], float)  # 4 wide, 2 high
LIPS = np.array([[0, 0], [1, -1], [2, -2], [3, -1], [4, 0], [3, 1], [2, 2], [1, 1]], float)  # 2, 4, 2 high; 4 wide


def face68(lids_px: float, gap_px: float) -> Float64:
    """Returns a frontal face whose eyes and mouth are open by these distances, (68, 2)."""
    points = np.zeros((68, 2))
    for first, x in ((36, 100), (42, 160)):
        points[first : first + 6] = EYE * (5, lids_px / 2) + (x, 100)
    points[60:68] = LIPS * (10, gap_px / 4) + (125, 170)
    return points


def test_openness_is_height_over_width() -> None:
    assert openness(EYE) == pytest.approx(2 / 4)
    assert openness(LIPS) == pytest.approx((2 + 4 + 2) / 3 / 4)


def test_openness_is_independent_of_size_and_rotation() -> None:
    turn = np.array([[0, -3.0], [3.0, 0]])
    assert openness(EYE @ turn + 7) == pytest.approx(openness(EYE))


def test_openness_of_a_closed_or_zero_width_eye_is_0() -> None:
    assert openness(EYE * (1, 0)) == 0
    assert openness(EYE * 0) == 0


def test_face68_has_every_measure() -> None:
    found = measures(face68(lids_px=6, gap_px=9), FACE68)
    assert found.left_eye_openness == found.right_eye_openness == pytest.approx(6 / 20)
    assert found.mouth_openness == pytest.approx(9 * 2 / 3 / 40)
    assert found.pupil_distance_px == pytest.approx(60)
    assert None not in found


def test_left_is_the_persons_own_left() -> None:
    points = face68(lids_px=6, gap_px=0)
    points[42:48, 1] = 100  # close the eye on the right of the picture
    found = measures(points, FACE68)
    assert found.left_eye_openness == 0
    assert found.right_eye_openness == pytest.approx(6 / 20)


def test_face15_has_a_pose_but_no_openness() -> None:
    points = np.array([MEAN_FACE[name][:2] for name in FACE15.names])
    found = measures(points, FACE15)
    assert found[:3] == pytest.approx((0, 0, 0), abs=0.05)
    assert found[3:6] == (None, None, None)
    assert found.pupil_distance_px == pytest.approx(63)


def test_set_without_roles_has_no_measures() -> None:
    assert measures(np.zeros((2, 2)), from_names("hand", ["thumb", "wrist"], "hand.csv")) == (None,) * len(COLUMNS)


def test_keypoint_named_like_an_outline_is_not_used_as_one() -> None:
    assert measures(np.zeros((1, 2)), from_names("odd", ["inner_lip"], "odd.csv")).mouth_openness is None


def test_openness_uses_unsmoothed_keypoints_unlike_other_measures() -> None:
    smoothed, blinking = face68(lids_px=8, gap_px=2), face68(lids_px=0, gap_px=2)
    blinking[:, 0] *= 1.5
    found = measures(smoothed, FACE68, unsmoothed=blinking)
    assert found.left_eye_openness == 0
    assert found.pupil_distance_px == pytest.approx(60)

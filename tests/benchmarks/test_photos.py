"""Counts over photos, compared with hand calculations."""

import numpy as np
import pytest

from benchmarks.photos import Photo, eyes_in, near, rotated, row_of
from facial_keypoints.boxes import USUAL_EYES, Boxes
from facial_keypoints.face import Face
from facial_keypoints.keypoint_set import FACE15


def boxes(*xywh: tuple[float, ...], scores: tuple[float, ...]) -> Boxes:
    return Boxes(np.array(xywh, np.float64), np.array(scores), np.zeros(len(xywh)), USUAL_EYES)


def face_at(x: float, size: float) -> Face:
    return Face((x - size / 2, 0, size, size), np.full((15, 2), x, np.float32), None, np.eye(2, 3), FACE15)


def test_eye_position_is_relative_to_the_best_scored_box_around_the_eyes() -> None:
    found = boxes((0, 0, 200, 100), (0, 0, 100, 100), (300, 0, 100, 100), scores=(1, 2, 9))
    assert eyes_in(found, np.array([50.0, 40.0]), 35.0) == pytest.approx([0.5, 0.4, 0.35])
    assert eyes_in(found, np.array([900.0, 40.0]), 35.0) is None


def test_faces_are_near_if_their_centers_are_within_half_the_larger_box() -> None:
    assert near(face_at(0, 100), face_at(30, 20))
    assert not near(face_at(0, 100), face_at(40, 20))


def test_rotating_a_photo_clockwise_rotates_its_keypoints() -> None:
    picture = np.zeros((3, 5, 3), np.uint8)
    picture[0, 4] = 200
    copy, keypoints = rotated(picture, np.array([[4.0, 0.0]]), 90)
    assert copy.shape == (5, 3, 3)
    assert keypoints == pytest.approx(np.array([[2.0, 4.0]]))
    assert copy[4, 2].tolist() == [200, 200, 200]


def test_row_without_a_found_face_has_no_error() -> None:
    missed = Photo(None, None, ([], [], [], []), None, 0.4)
    assert row_of([missed]) == ["1", "0 (0.0 %)", "0.00", "0.00", "", "", "", "400"]


def test_row_counts_found_missed_and_false_faces() -> None:
    found = Photo(5.5, 5.0, ([0.01], [0.02, 0.03], [0.03], []), None, 0.2)
    missed = Photo(None, None, ([], [], [], [0.04]), None, 0.4)
    assert row_of([found, missed]) == ["2", "1 (50.0 %)", "1.00", "0.50", "5.50 %", "5.00 %", "+10.0 %", "300"]

"""What is drawn on a face is as large as suits it, and hides nothing of it."""

from dataclasses import replace

import numpy as np
import pytest

from facial_keypoints.array_types import Float32, UInt8
from facial_keypoints.drawing import BOX_RGB, POINT_RGB, draw_faces
from facial_keypoints.face import Face
from facial_keypoints.keypoint_set import FACE15, FACE68, KeypointSet
from facial_keypoints.predictor import Predictor

GRAY = 100
SMOOTHED_PX = 1.5  # by which a point is wider on pixels: what lies between two of them is painted on both
WIDTHS_PX = (20, 30, 50, 80, 120, 165, 170, 300, 1000)


def face_of(keypoint_set: KeypointSet, width_px: float) -> Face:
    """Returns a face of the mean shape that a shipped network knows, in the middle of a picture of `ground`."""
    model = {"face15": "v2", "face68": "v2-68"}[keypoint_set.name]
    mean = np.array(Predictor(model, threads=1).spec.crop.mean_keypoints)
    eyes = eyes_px(mean, keypoint_set)
    points = ((mean - mean.mean(axis=0)) * 0.35 * width_px / eyes + width_px).astype(np.float32)
    return Face((width_px / 2, width_px / 2, width_px, width_px), points, None, np.eye(2, 3), keypoint_set)


def eyes_px(points: Float32, keypoint_set: KeypointSet) -> float:
    eyes = keypoint_set.normalizers[-1]
    return float(np.linalg.norm(points[list(eyes.first)].mean(axis=0) - points[list(eyes.second)].mean(axis=0)))


def ground(width_px: float) -> UInt8:
    return np.full((int(2 * width_px), int(2 * width_px), 3), GRAY, np.uint8)


@pytest.mark.parametrize("box_line_px", [1, 10])
@pytest.mark.parametrize("width_px", WIDTHS_PX)
def test_a_point_is_at_most_a_tenth_of_the_eyes_distance_across(width_px: int, box_line_px: float) -> None:
    """The tip of the nose stands alone: no line leads to it."""
    face = face_of(FACE15, width_px)
    x, y = face.keypoints[FACE15.index("nose_tip")].round().astype(int)
    half = max(1, width_px // 12)
    drawn = draw_faces(ground(width_px), [face], box_line_px=box_line_px)
    around = np.abs(drawn[y - half : y + half + 1, x - half : x + half + 1].astype(int) - GRAY).max(axis=-1) > 30
    assert around.any()
    for across in (around.any(axis=0).sum(), around.any(axis=1).sum()):
        assert across <= 0.1 * eyes_px(face.keypoints, FACE15) + SMOOTHED_PX


@pytest.mark.parametrize("width_px", WIDTHS_PX)
def test_most_of_a_face_stays_as_it_is_however_small(width_px: int) -> None:
    """Of the 68 points' box, counting a pixel by how much of it is painted over."""
    face = face_of(FACE68, width_px)
    drawn = draw_faces(ground(width_px), [face], box_line_px=10)
    (left, top), (right, bottom) = face.keypoints.min(axis=0).astype(int), face.keypoints.max(axis=0).astype(int) + 1
    changed = np.abs(drawn[top:bottom, left:right].astype(int) - GRAY).max(axis=-1) / (255 - GRAY)
    assert changed.mean() < 0.25


def test_points_lie_where_the_keypoints_do_on_faces_small_and_large() -> None:
    for width_px in WIDTHS_PX[2:]:
        face = face_of(FACE15, width_px)
        drawn = draw_faces(ground(width_px), [face]).astype(float)
        x, y = face.keypoints[FACE15.index("nose_tip")]
        rows, columns = (np.arange(np.floor(at - width_px / 20), np.ceil(at + width_px / 20) + 1) for at in (y, x))
        painted = np.abs(drawn[np.ix_(rows.astype(int), columns.astype(int))] - GRAY).sum(axis=-1)
        center = (painted.sum(axis=0) @ columns, painted.sum(axis=1) @ rows) / painted.sum()
        assert center == pytest.approx((x, y), abs=0.15)


def test_points_have_the_colors_that_are_given() -> None:
    face = face_of(FACE15, 400)
    colors = np.arange(45, dtype=np.uint8).reshape(15, 3) * 5
    drawn = draw_faces(ground(400), [face], colors=[colors])
    at = face.keypoints.round().astype(int)
    np.testing.assert_array_equal(drawn[at[:, 1], at[:, 0]], colors)
    plain = draw_faces(ground(400), [face])
    assert (plain[at[:, 1], at[:, 0]] == POINT_RGB).all()


def test_the_number_of_a_small_face_stands_over_it_or_under_it_and_that_of_a_large_one_in_its_box() -> None:
    for width_px, over, under in ((40, True, False), (20, False, True), (200, False, False)):
        face = face_of(FACE15, width_px)
        drawn = draw_faces(ground(width_px), [face])
        top, bottom = round(face.box[1]), round(face.box[1] + face.box[3])
        green = drawn[..., 1] > (GRAY + BOX_RGB[1]) / 2
        assert green[: top - 2].any() == over
        assert green[bottom + 3 :].any() == under


def test_faces_beyond_the_picture_are_drawn_as_far_as_they_reach_in() -> None:
    face = face_of(FACE68, 60)
    for shift in (-1000.0, -60.0, 60.0, 1000.0):
        points = (face.keypoints + (shift, 0)).astype(np.float32)
        drawn = draw_faces(ground(60), [replace(face, box=(30 + shift, 30, 60, 60), keypoints=points)])
        assert drawn.shape == (120, 120, 3)
        assert (np.abs(drawn[50:] - POINT_RGB).sum(axis=-1) < 150).any() == (abs(shift) < 1000)

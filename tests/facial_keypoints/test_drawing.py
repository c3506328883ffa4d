"""Drawings scale with the face and leave most of it visible."""

from dataclasses import replace

import numpy as np
import pytest

from facial_keypoints.array_types import Float32, UInt8
from facial_keypoints.drawing import BOX_RGB, POINT_RGB, draw_faces
from facial_keypoints.face import Face
from facial_keypoints.keypoint_set import FACE15, FACE68, KeypointSet
from facial_keypoints.predictor import Predictor

GRAY = 100
SMOOTHED_PX = 1.5  # antialiasing widens a point: its edge is painted on two pixels
WIDTHS_PX = (20, 30, 50, 80, 120, 165, 170, 300, 1000)


def face_of(keypoint_set: KeypointSet, width_px: float) -> Face:
    """Returns a face of the mean shape stored with a shipped network, in the middle of a picture of `background`."""
    model = {"face15": "v2", "face68": "v2-68"}[keypoint_set.name]
    mean = np.array(Predictor(model, threads=1).spec.crop.mean_keypoints)
    eyes = eyes_px(mean, keypoint_set)
    points = ((mean - mean.mean(axis=0)) * 0.35 * width_px / eyes + width_px).astype(np.float32)
    return Face((width_px / 2, width_px / 2, width_px, width_px), points, None, np.eye(2, 3), keypoint_set)


def eyes_px(points: Float32, keypoint_set: KeypointSet) -> float:
    eyes = keypoint_set.normalizers[-1]
    return float(np.linalg.norm(points[list(eyes.first)].mean(axis=0) - points[list(eyes.second)].mean(axis=0)))


def background(width_px: float) -> UInt8:
    return np.full((int(2 * width_px), int(2 * width_px), 3), GRAY, np.uint8)


@pytest.mark.parametrize("box_line_px", [1, 10])
@pytest.mark.parametrize("width_px", WIDTHS_PX)
def test_point_diameter_is_at_most_a_tenth_of_the_eye_distance(width_px: int, box_line_px: float) -> None:
    """Measured at the tip of the nose, to which no line leads."""
    face = face_of(FACE15, width_px)
    x, y = face.keypoints[FACE15.index("nose_tip")].round().astype(int)
    radius = max(1, width_px // 12)
    drawn = draw_faces(background(width_px), [face], box_line_px=box_line_px)
    painted = (
        np.abs(drawn[y - radius : y + radius + 1, x - radius : x + radius + 1].astype(int) - GRAY).max(axis=-1) > 30
    )
    assert painted.any()
    for diameter in (painted.any(axis=0).sum(), painted.any(axis=1).sum()):
        assert diameter <= 0.1 * eyes_px(face.keypoints, FACE15) + SMOOTHED_PX


@pytest.mark.parametrize("width_px", WIDTHS_PX)
def test_drawing_leaves_most_of_a_face_visible_at_any_size(width_px: int) -> None:
    """At most a quarter of the 68 points' box is painted; each pixel counts by how much its color changes."""
    face = face_of(FACE68, width_px)
    drawn = draw_faces(background(width_px), [face], box_line_px=10)
    (left, top), (right, bottom) = face.keypoints.min(axis=0).astype(int), face.keypoints.max(axis=0).astype(int) + 1
    changed = np.abs(drawn[top:bottom, left:right].astype(int) - GRAY).max(axis=-1) / (255 - GRAY)
    assert changed.mean() < 0.25


def test_points_are_drawn_at_the_keypoints_at_any_size() -> None:
    for width_px in WIDTHS_PX[2:]:
        face = face_of(FACE15, width_px)
        drawn = draw_faces(background(width_px), [face]).astype(float)
        x, y = face.keypoints[FACE15.index("nose_tip")]
        rows, columns = (np.arange(np.floor(at - width_px / 20), np.ceil(at + width_px / 20) + 1) for at in (y, x))
        painted = np.abs(drawn[np.ix_(rows.astype(int), columns.astype(int))] - GRAY).sum(axis=-1)
        center = (painted.sum(axis=0) @ columns, painted.sum(axis=1) @ rows) / painted.sum()
        assert center == pytest.approx((x, y), abs=0.15)


def test_points_have_the_given_colors_or_the_default() -> None:
    face = face_of(FACE15, 400)
    colors = np.arange(45, dtype=np.uint8).reshape(15, 3) * 5
    drawn = draw_faces(background(400), [face], colors=[colors])
    at = face.keypoints.round().astype(int)
    np.testing.assert_array_equal(drawn[at[:, 1], at[:, 0]], colors)
    plain = draw_faces(background(400), [face])
    assert (plain[at[:, 1], at[:, 0]] == POINT_RGB).all()


def test_number_is_inside_the_box_of_a_large_face_and_outside_a_small_one() -> None:
    for width_px, above, below in ((40, True, False), (20, False, True), (200, False, False)):
        face = face_of(FACE15, width_px)
        drawn = draw_faces(background(width_px), [face])
        top, bottom = round(face.box[1]), round(face.box[1] + face.box[3])
        green = drawn[..., 1] > (GRAY + BOX_RGB[1]) / 2
        assert green[: top - 2].any() == above
        assert green[bottom + 3 :].any() == below


def test_face_partly_outside_the_picture_is_drawn_in_part() -> None:
    face = face_of(FACE68, 60)
    for shift in (-1000.0, -60.0, 60.0, 1000.0):
        points = (face.keypoints + (shift, 0)).astype(np.float32)
        drawn = draw_faces(background(60), [replace(face, box=(30 + shift, 30, 60, 60), keypoints=points)])
        assert drawn.shape == (120, 120, 3)
        assert (np.abs(drawn[50:] - POINT_RGB).sum(axis=-1) < 150).any() == (abs(shift) < 1000)

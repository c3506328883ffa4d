"""Crop matrices from keypoints and boxes and back, and crops of pictures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facial_keypoints import geometry
from facial_keypoints.array_types import Float64
from facial_keypoints.boxes import Boxes, EyesInBox, eyes_in, given_boxes, rotation_matrices
from facial_keypoints.crops import (
    box_of,
    crop_faces,
    crop_of,
    crop_of_boxes,
    crop_of_whole,
    eye_centers,
    largest_shift_px,
)
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15, FACE68, from_names
from facial_keypoints.predictor import Predictor
from facial_keypoints.spec import Crop, ModelSpec

SPEC = Predictor(threads=1).spec
SIMILARITIES = st.tuples(*[st.floats(-500, 500)] * 2, st.floats(0.1, 10), st.floats(-180, 180))


def similarity(x: float, y: float, scale: float, degrees: float) -> Float64:
    return np.column_stack([scale * rotation_matrices(np.array([degrees]), np.zeros((1, 2)))[0, :, :2], (x, y)])


@given(SIMILARITIES)
def test_crop_of_a_mean_face_shows_it_at_the_mean_keypoints(values: tuple[float, ...]) -> None:
    mean = np.array(SPEC.crop.mean_keypoints)
    to_picture = similarity(*values)
    crop = crop_of(geometry.transform(mean, to_picture)[None], SPEC)
    np.testing.assert_allclose(crop[0], geometry.inverse(to_picture), atol=1e-6)


@given(st.floats(-500, 500), st.floats(-500, 500), st.floats(4, 900))
def test_box_of_a_crop_is_the_box_it_was_made_from(x: float, y: float, side: float) -> None:
    crop = crop_of_boxes(given_boxes([[x, y, side, side]]), SPEC)[0]
    np.testing.assert_allclose(box_of(crop, SPEC), (x, y, side, side), atol=1e-6)


HAND = ModelSpec(from_names("hand", ["0", "1"], "hand.csv"), (0,), False, Crop(4, 6, 1, ((1.0, 2.0), (2.0, 1.0))))


def test_box_of_a_set_without_eyes_is_cropped_as_a_centered_square() -> None:
    crop = crop_of_boxes(given_boxes([[10, 20, 40, 30]]), HAND)[0]  # a square of 48 px around (30, 35), scaled to 4 px
    np.testing.assert_allclose(crop, [[1 / 12, 0, 2.5 - 30 / 12], [0, 1 / 12, 1.5 - 35 / 12]])
    np.testing.assert_allclose(box_of(crop, HAND), (10, 15, 40, 40))
    assert crop_of_boxes(given_boxes([]), HAND).shape == (0, 2, 3)


@given(st.floats(-500, 500), st.floats(-500, 500), st.floats(4, 900))
def test_square_box_of_a_set_without_eyes_is_restored_from_its_crop(x: float, y: float, side: float) -> None:
    crop = crop_of_boxes(given_boxes([[x, y, side, side]]), HAND)[0]
    np.testing.assert_allclose(box_of(crop, HAND), (x, y, side, side), atol=1e-6)


def test_eyes_in_boxes_match_hand_calculation() -> None:
    eyes = EyesInBox(middle_x=0.5, middle_y=0.25, apart=0.5)
    xywh = np.array([[100.0, 200, 40, 80], [100, 200, 40, 80]])
    upright, quarter = eyes_in(Boxes(xywh, np.ones(2), np.array([0.0, 90]), eyes))
    np.testing.assert_allclose(upright, [[110, 220], [130, 220]])
    np.testing.assert_allclose(quarter, [[140, 230], [140, 250]], atol=1e-9)  # the forehead points to the right


def test_boxes_with_invalid_or_huge_numbers_are_refused() -> None:
    sizes = [[0, 0, 0, 5]], [[0, 0, 5, -1]], [[0, 0, float("nan"), 5]], [[0, 0, 1e-200, 1e-200]]
    positions = [[1e200, 0, 5, 5]], [[0, -2e6, 5, 5]], [[0, 0, 1e200, 1e200]], [[0, 0, float("inf"), 5]]
    for bad in (*sizes, *positions, [1, 2, 3], "box"):
        with pytest.raises(InputError, match="x, y, width, height of each face in px, the last two above 0"):
            given_boxes(bad)
    assert given_boxes([]).xywh.shape == (0, 4)


def test_eye_centers_are_ordered_left_to_right_in_the_picture() -> None:
    points = np.zeros((68, 2))
    points[36:42] = 10, 5  # the right eye is on the left
    points[42:48] = 30, 6
    np.testing.assert_array_equal(eye_centers(points, FACE68), [[10, 5], [30, 6]])
    points = np.zeros((15, 2))
    points[0], points[1] = (30, 6), (10, 5)
    np.testing.assert_array_equal(eye_centers(points, FACE15), [[10, 5], [30, 6]])


@given(SIMILARITIES)
def test_crop_faces_matches_a_crop_of_the_whole_picture(values: tuple[float, ...]) -> None:
    ys, xs = np.mgrid[:150, :200]
    picture = ((xs + ys) * 255 // 350).astype(np.uint8)[..., None]  # a gradient, exact to a gray value when shrunk
    matrix = geometry.inverse(similarity(values[0] / 3 + 100, values[1] / 3 + 75, values[2] / 5, values[3]))
    whole = geometry.crop(picture, matrix, 96, 96)
    np.testing.assert_allclose(crop_faces(picture, matrix[None], SPEC)[0].astype(int), whole.astype(int), atol=6)


def test_crop_far_outside_the_picture_repeats_the_nearest_pixel() -> None:
    picture = np.zeros((4, 6, 1), np.uint8)
    picture[3, 5] = 200
    far = similarity(-5000, -5000, 1, 0)
    assert (crop_faces(picture, far[None], SPEC) == 200).all()


def test_crops_have_the_channels_of_the_network() -> None:
    red = np.zeros((96, 96, 3), np.uint8)
    red[..., 0] = 255
    assert (crop_faces(red, np.eye(2, 3)[None], SPEC) == 76).all()  # 0.299 of 255
    rgb = ModelSpec(FACE15, (0,), False, Crop(96, 96, 3, SPEC.crop.mean_keypoints))
    np.testing.assert_array_equal(crop_faces(red, np.eye(2, 3)[None], rgb)[0], red)
    assert crop_faces(red[..., :1], np.eye(2, 3)[None], rgb).shape == (1, 96, 96, 3)


def test_crop_of_a_whole_picture_is_scaled_to_fit_and_centered() -> None:
    same = crop_of_whole(np.zeros((96, 96, 1), np.uint8), SPEC)
    np.testing.assert_array_equal(same, np.eye(2, 3))
    wide = crop_of_whole(np.zeros((96, 192, 1), np.uint8), SPEC)  # scaled by half and centered
    np.testing.assert_allclose(geometry.transform([[95.5, 47.5]], wide), [[47.5, 47.5]])
    assert wide[0, 0] == 0.5


def test_moved_px_measures_shift_and_scale_of_crops() -> None:
    still, shifted, larger = np.eye(2, 3), similarity(3, 4, 1, 0), similarity(0, 0, 2, 0)
    moved = largest_shift_px(np.stack([still] * 3), np.stack([still, shifted, larger]), SPEC)
    np.testing.assert_allclose(moved, [0, 5, 95 * np.sqrt(2)])

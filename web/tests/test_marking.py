"""Drawing: the color of a keypoint shows its expected error."""

from dataclasses import replace

import numpy as np
import pytest

from facial_keypoints.drawing import BOX_RGB, draw_faces
from facial_keypoints.face import Face
from facial_keypoints.keypoint_set import FACE15
from web.marking import ERROR_RGB, error_colors, mark, shrunk

GRAY = np.full((200, 200, 3), 100, np.uint8)


def face_with_errors(errors: np.ndarray) -> Face:
    keypoints = np.stack(np.meshgrid(np.arange(30, 180, 30), (40, 100, 160)), -1).reshape(15, 2).astype(np.float32)
    return Face((0, 0, 200, 200), keypoints, errors.astype(np.float32), np.eye(2, 3), FACE15)


def test_error_colors_go_from_blue_through_yellow_to_red() -> None:
    blue, yellow, red = ERROR_RGB
    np.testing.assert_array_equal(error_colors(np.array([0, 0.005, 0.0125, 0.02, 1])), [blue, blue, yellow, red, red])
    np.testing.assert_array_equal(error_colors(np.array([0.00875])), [[142, 162, 148]])  # half-way, rounded to even


def test_each_keypoint_has_the_color_of_its_expected_error() -> None:
    errors = np.linspace(0, 0.03, 15) * 200
    face = face_with_errors(errors)
    drawn = mark(GRAY, [face])
    at = face.keypoints.astype(int)
    np.testing.assert_array_equal(drawn[at[:, 1], at[:, 0]], error_colors(errors / 200))


def test_input_picture_is_not_changed() -> None:
    before = GRAY.copy()
    mark(GRAY, [face_with_errors(np.ones(15))], filter="blur")
    plain = mark(GRAY, [], keypoints=False)
    assert plain is not GRAY
    np.testing.assert_array_equal(GRAY, before)


@pytest.mark.parametrize(("side_px", "line_px"), [(400, 10), (100, 3)])
def test_box_lines_grow_with_the_picture_but_keypoint_dots_do_not(side_px: int, line_px: int) -> None:
    """A phone shows 3500 px in 350 px, so a box of 400 px has lines of 10 px instead of 2; the dots are as usual."""
    large, face = np.full((3500, 2000, 3), 100, np.uint8), face_with_errors(np.zeros(15))
    keypoints = face.keypoints * side_px / face.box[2]
    drawn = mark(large, [replace(face, box=(0, 0, side_px, side_px), keypoints=keypoints)])
    edge = (drawn[side_px * 19 // 20, side_px // 2 :] == BOX_RGB).all(axis=-1).sum()
    assert line_px <= edge <= line_px + 2  # OpenCV's lines are a little thicker than requested
    inside = np.s_[side_px // 10 : side_px * 9 // 10, side_px // 10 : side_px * 9 // 10]
    alone = draw_faces(np.full_like(large, 100), [replace(face, box=(0, 0, side_px, side_px), keypoints=keypoints)])
    assert (drawn != large)[inside].any(axis=-1).sum() == (alone != large)[inside].any(axis=-1).sum()


def test_only_pictures_above_the_limit_are_shrunk() -> None:
    assert shrunk(np.zeros((100, 400, 3), np.uint8), 200).shape == (50, 200, 3)
    assert shrunk(np.zeros((1, 400, 3), np.uint8), 200).shape == (1, 200, 3)
    assert shrunk(GRAY, 200) is GRAY

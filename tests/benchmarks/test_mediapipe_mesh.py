"""The input of MediaPipe's face mesh, and the mapping of its points back to the picture."""

import numpy as np
import pytest

from benchmarks import mediapipe_mesh
from facial_keypoints import geometry
from tests.benchmarks.conftest import needs_mesh

SIDE_PX = mediapipe_mesh.SIDE_PX


def test_fixed_square_may_extend_beyond_the_picture() -> None:
    matrix = mediapipe_mesh.fixed_square((96, 96, 1), side=2, center=0.5)
    # The edges of the square lie 48 px outside the picture, at -48.5 and 143.5: 192 px, so nothing is scaled.
    assert geometry.transform(np.array([[-48, -48], [143, 143]]), matrix).tolist() == [[0, 0], [191, 191]]


def test_square_around_points_follows_the_eye_line_and_has_margins() -> None:
    points = np.full((1, 468, 2), 50.0)
    points[0, :4] = [[10, 50], [90, 50], [50, 10], [50, 90]]  # a box of 80 px about (50, 50)
    points[0, list(mediapipe_mesh.OUTER_EYE_CORNERS)] = [[40, 40], [50, 50]]  # rotated by 45 degrees
    matrix = mediapipe_mesh.squares_around(points)
    # Along the line of the eyes, the edge is half of 1.5 times 80 px from the middle.
    edge = 50 + 60 * np.sqrt(0.5)
    middle = (SIDE_PX - 1) / 2
    moved = geometry.transform(np.array([[[50, 50], [edge, edge]]]), matrix)[0]
    assert moved == pytest.approx(np.array([[middle, middle], [middle + SIDE_PX / 2, middle]]))


def test_network_input_is_the_square_with_values_from_0_to_1() -> None:
    image = np.zeros((96, 96, 1), np.uint8)
    image[48:] = 255
    network_image = mediapipe_mesh.network_input(image, mediapipe_mesh.fixed_square(image.shape, side=1, center=0.5))
    assert network_image.shape == (1, SIDE_PX, SIDE_PX, 3)
    assert (network_image[0, :94] == 0).all()
    assert (network_image[0, 98:] == 1).all()


def test_points_are_mapped_back_to_the_picture() -> None:
    corner = np.zeros((468, 2), np.float32)  # a network that predicts all points at the top left pixel of its input
    squares = np.stack([mediapipe_mesh.fixed_square((96, 96, 1), side, 0.5) for side in (1, 2)])
    found = mediapipe_mesh.points_in(lambda _: corner, np.zeros((2, 96, 96, 1), np.uint8), squares)
    # Pixels of the first square are half as large as the picture's, so the center of its corner pixel is at -0.25;
    # pixels of the second square are as large as the picture's.
    assert found[:, 7].tolist() == [[-0.25, -0.25], [-48, -48]]


@needs_mesh
def test_mesh_points_move_with_the_face() -> None:
    from data_prep.synthetic import dataset

    image = dataset.read(count=1).images[0]
    moved = np.roll(image, 4, axis=1)
    mesh, square = mediapipe_mesh.load_mesh(), mediapipe_mesh.fixed_square(image.shape, 1.4, 0.5)
    here, there = mediapipe_mesh.find_points(mesh, np.stack([image, moved]), square)
    assert np.median(there - here, axis=0) == pytest.approx(np.array([4, 0]), abs=0.7)

"""The loss of a face finder against hand calculations."""

import numpy as np
import pytest

from detection.losses import FACE_WEIGHT, POINTS_WEIGHT, SMOOTH, finder_loss
from detection.targets import COUNTS, IS_FACE, PER_SIDE, TARGETS
from facial_keypoints.array_types import Float32
from facial_keypoints.detectors.finder import OUTPUTS

pytestmark = pytest.mark.any_backend


def cells(*rows: tuple[int, int]) -> Float32:
    """Returns the targets (1, A, 13) of cells: whether each has a face, and whether it counts."""
    targets = np.zeros((1, len(rows), TARGETS), np.float32)
    for index, (is_face, counts) in enumerate(rows):
        targets[0, index, [IS_FACE, COUNTS, PER_SIDE]] = is_face, counts, 0.25 * is_face
    return targets


def loss(targets: Float32, outputs: Float32) -> float:
    return float(np.asarray(finder_loss(targets, outputs)).mean())


def test_loss_of_an_undecided_cell_matches_hand_calculation() -> None:
    undecided = 0.5**2 * np.log(2)
    outputs = np.zeros((1, 1, OUTPUTS), np.float32)
    assert loss(cells((1, 1)), outputs) == pytest.approx(FACE_WEIGHT * undecided, rel=1e-5)
    assert loss(cells((0, 1)), outputs) == pytest.approx((1 - FACE_WEIGHT) * undecided, rel=1e-5)
    assert loss(cells((0, 0)), outputs) == 0


def test_point_loss_is_relative_to_the_box_and_ignores_background() -> None:
    outputs = np.zeros((1, 2, OUTPUTS), np.float32)
    outputs[0, :, 0] = 20, -20  # correct and certain
    outputs[0, :, 1] = 0.4  # cells; a quarter of it in sides of the box
    expected = POINTS_WEIGHT * (0.1 - SMOOTH / 2) / SMOOTH / 10
    assert loss(cells((1, 1), (0, 1)), outputs) == pytest.approx(expected, rel=1e-4)


def test_loss_is_summed_over_cells_and_divided_by_the_face_count() -> None:
    one, outputs = cells((1, 1)), np.zeros((1, 1, OUTPUTS), np.float32)
    assert loss(np.repeat(one, 3, axis=1), np.repeat(outputs, 3, axis=1)) == pytest.approx(loss(one, outputs), rel=1e-5)

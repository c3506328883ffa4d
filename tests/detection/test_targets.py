"""Targets of the cells: checked by hand, and decoded back to the same faces by the detector."""

import numpy as np
import pytest

from detection.mosaic import Composed
from detection.targets import COUNTS, IS_FACE, PER_SIDE, targets_of
from facial_keypoints.array_types import Float32, Float64
from facial_keypoints.detectors.finder import OUTPUTS, STRIDES_PX, decode, one_per_face
from facial_keypoints.detectors.five_points import fitted_boxes
from tests.detection.scenes import mean_face

SIDE_PX = 128
CELLS = [(SIDE_PX // stride) ** 2 for stride in STRIDES_PX]


def composed(points: Float64, sure: bool = True) -> Composed:
    return Composed(np.zeros((SIDE_PX, SIDE_PX), np.uint8), points, np.full(len(points), sure))


def grids_of(targets: Float32) -> list[Float32]:
    """Returns the targets as a network that has learned them would output them."""
    logits = np.where(targets[:, IS_FACE] > 0, 5.0, -5.0).astype(np.float32)
    outputs = np.column_stack([logits, targets[:, PER_SIDE + 1 :]])
    parts = np.split(outputs, np.cumsum(CELLS)[:-1])
    return [part.reshape(SIDE_PX // s, SIDE_PX // s, OUTPUTS) for part, s in zip(parts, STRIDES_PX, strict=True)]


def test_small_face_is_assigned_to_its_cell_of_the_finest_grid() -> None:
    targets = targets_of(composed(mean_face(43.5, 43.5, 24)))  # the center of the cell in row 5, column 5
    own = np.flatnonzero(targets[:, IS_FACE])
    assert own.tolist() == [5 * 16 + 5]
    assert targets[own[0], PER_SIDE] == pytest.approx(8 / 24)
    np.testing.assert_allclose(targets[own[0], PER_SIDE + 1 :].reshape(5, 2), (mean_face(0, 0, 24)[0]) / 8, atol=1e-6)
    near = [4 * 16 + 5, 6 * 16 + 5, 5 * 16 + 4, 5 * 16 + 6]  # 8 px from the middle: unsure
    assert not targets[near, COUNTS].any()
    assert targets[8 * 16 + 5, COUNTS] == 1
    assert not targets[8 * 16 + 5, IS_FACE]


def test_face_in_two_size_ranges_is_assigned_to_both_grids() -> None:
    by_grid = np.split(targets_of(composed(mean_face(64, 64, 40)))[:, IS_FACE], np.cumsum(CELLS)[:-1])
    assert [bool(grid.any()) for grid in by_grid] == [True, True, False]


def test_an_unsure_face_is_neither_face_nor_background() -> None:
    targets = targets_of(composed(mean_face(64, 64, 60), sure=False))
    assert not targets[:, IS_FACE].any()
    assert 0 < (targets[:, COUNTS] == 0).sum() < len(targets) / 2


def test_picture_without_faces_is_all_background() -> None:
    targets = targets_of(composed(np.zeros((0, 5, 2))))
    assert targets.shape == (sum(CELLS), 13)
    assert targets[:, COUNTS].all()
    assert not targets[:, IS_FACE].any()


@pytest.mark.parametrize("side", [14, 30, 40, 70, 95, 120])
def test_targets_decode_to_the_same_faces(side: float) -> None:
    rng = np.random.default_rng(round(side))
    for _ in range(10):
        x, y = rng.uniform(30, 98, 2).tolist()
        points = mean_face(x, y, side) + rng.normal(0, 0.01 * side, (1, 5, 2))
        found, scores = one_per_face(*decode(grids_of(targets_of(composed(points))), 0.5))
        assert len(found) == 1
        np.testing.assert_allclose(found, points, atol=1e-3)
        assert scores[0] == pytest.approx(1 / (1 + np.exp(-5)))


def test_neighboring_faces_are_decoded_separately() -> None:
    points = np.concatenate([mean_face(30, 40, 36), mean_face(66, 40, 36), mean_face(100, 90, 20)])
    found, _ = one_per_face(*decode(grids_of(targets_of(composed(points))), 0.5))
    middle = np.sort(fitted_boxes(found)[0][:, 0])
    np.testing.assert_allclose(middle, [30, 66, 100], atol=1e-3)

"""Converts faces to the training targets of a network's cells. F faces, A cells of all grids.

The network has grids of cells at `finder.STRIDES_PX`. Each face belongs to the grids whose range of sizes contains its
box. In each grid, its cells are those whose centers are near the box's middle.
"""

import numpy as np

from detection.mosaic import Composed
from facial_keypoints.array_types import Float32, Float64
from facial_keypoints.detectors.finder import OUTPUTS, STRIDES_PX, cell_centers_px
from facial_keypoints.detectors.five_points import POINTS, fitted_boxes

SIDES_PX = ((0, 46), (34, 104), (80, np.inf))  # of the boxes of each grid; both grids of an overlap learn the face
IGNORED_FACTOR = 1.35  # a grid ignores faces that are beyond its range by up to this factor
NEAR_CELLS, NEAR_SIDES = 0.8, 0.14  # distance of a face's cells from its middle, in cells or in sides of the box
IGNORED_NEAR = 1.7  # times this distance: cells within it are neither face nor background
IGNORED_SIDES = 0.45  # the same around the middle of an uncertain face
IS_FACE, COUNTS, PER_SIDE = 0, 1, 2  # columns of the targets, before the points
TARGETS = 3 + 2 * POINTS
assert OUTPUTS == 1 + 2 * POINTS


def targets_of(composed: Composed) -> Float32:
    """Returns the targets of a square picture, float32 (A, 13), grid by grid, row by row.

    Columns: 1 for a face, else 0; 1 if this is certain, 0 if the loss ignores the cell; the grid's cells per side of
    the face's box, 0 without a face; x and y of the five points, in cells from the cell's center.
    """
    side_px = len(composed.picture)
    middle, side, _ = fitted_boxes(composed.points)
    grids = [
        _grid(composed, middle, side, stride, sides, side_px // stride)
        for stride, sides in zip(STRIDES_PX, SIDES_PX, strict=True)
    ]
    return np.concatenate(grids)


def _grid(
    composed: Composed, middle: Float64, side: Float64, stride: int, sides: tuple[float, float], cells: int
) -> Float32:
    """Returns the targets of one grid of cells x cells, float32 (cells**2, 13)."""
    centers = cell_centers_px(cells, cells, stride).reshape(-1, 2)
    targets = np.zeros((len(centers), TARGETS), np.float32)
    targets[:, COUNTS] = 1
    if not len(middle):
        return targets
    distance = np.linalg.norm(centers[:, None] - middle[None], axis=-1)  # (A, F)
    near = np.maximum(NEAR_CELLS * stride, NEAR_SIDES * side)
    low, high = sides
    fits = (side >= low) & (side <= high) & composed.sure
    nearly_fits = (side >= low / IGNORED_FACTOR) & (side <= high * IGNORED_FACTOR) & composed.sure
    radius = np.where(
        composed.sure, np.where(nearly_fits, IGNORED_NEAR * near, 0), np.maximum(IGNORED_SIDES * side, near)
    )
    targets[(distance < radius).any(axis=1), COUNTS] = 0
    relative_distance = np.where(fits & (distance <= near), distance / side, np.inf)
    nearest, has_face = relative_distance.argmin(axis=1), np.isfinite(relative_distance).any(axis=1)
    faces = nearest[has_face]
    targets[has_face, IS_FACE] = targets[has_face, COUNTS] = 1
    targets[has_face, PER_SIDE] = stride / side[faces]
    offsets = (composed.points[faces] - centers[has_face, None]) / stride
    targets[has_face, PER_SIDE + 1 :] = offsets.reshape(-1, 2 * POINTS)
    return targets

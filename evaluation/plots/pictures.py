"""Plots of labels and predictions on the original pictures. N faces, K keypoints; px of the pictures."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from common.draw import PREDICTION, TRUTH, Figure, subplots
from data_prep.faces import Split
from evaluation.metrics import face_nme
from facial_keypoints.array_types import Bool, Float32, Float64, Int64, UInt8
from facial_keypoints.keypoint_set import KeypointSet

ROWS = ("worst", "median", "best")
FACES_PER_ROW = 4
CELL_INCHES = 2.6
MARGIN = 0.6  # of the keypoints' box, shown on each side of it


def worst_median_best(nme: Float64) -> list[Int64]:
    """Returns the indexes of the faces to show for each of `ROWS`, at most `FACES_PER_ROW`, none twice.

    Args:
        nme: float64 (N,) in %, NaN for a face without NME, which is not shown.
    """
    order = np.argsort(-nme, kind="stable")[: np.isfinite(nme).sum()]  # NaN comes last
    each = min(FACES_PER_ROW, len(order) // len(ROWS))
    middle = (len(order) - each) // 2
    return [order[:each], order[middle : middle + each], order[len(order) - each :]]


def draw_on_pictures(
    pictures: Sequence[UInt8],
    faces: Sequence[Int64],
    predicted: Float32,
    test: Split,
    keypoint_set: KeypointSet,
    *,
    title: str,
    side_by_side: bool = False,
) -> Figure:
    """Draws faces on their pictures, a row for each of `ROWS`: the real labels green, the prediction magenta.

    Large pictures are cropped around the face.

    Args:
        pictures: of all the faces, in order, each uint8 (H, W, 3).
        faces: for each row, int64 (n,), from `worst_median_best`.
        predicted: float32 (N, K, 2) in px of the pictures.
        test: its keypoints in px of the pictures.
        side_by_side: each face twice, with the labels on the left and the prediction on the right.
    """
    nme = face_nme(predicted, test.keypoints, test.labelled, keypoint_set.normalizers[0])
    panels_per_face = 2 if side_by_side else 1
    columns = len(faces[0]) * panels_per_face
    size = CELL_INCHES * columns / (1.3 if side_by_side else 1)
    height = size / columns * len(faces) * 1.12 + 0.6
    figure, panels = subplots(len(faces), columns, figsize=(size, height), layout="constrained")
    figure.suptitle(title, fontsize=11)
    cells = iter(np.ravel(panels))
    remaining = iter(pictures)
    for row, row_faces in zip(ROWS, faces, strict=True):
        for face in row_faces:
            picture, truth = next(remaining), (test.keypoints[face], test.labelled[face], TRUTH, 1.6)
            prediction = (predicted[face], np.ones(len(keypoint_set), bool), PREDICTION, 0.7)
            window = _window(picture, np.concatenate([test.keypoints[face][test.labelled[face]], predicted[face]]))
            caption = f"{row}: row {test.rows[face]}, NME {nme[face]:.1f} %"
            for layers in [[truth], [prediction]] if side_by_side else [[truth, prediction]]:
                axes = next(cells)
                axes.imshow(picture, extent=(-0.5, picture.shape[1] - 0.5, picture.shape[0] - 0.5, -0.5))
                for points, visible, color, width in layers:
                    _draw_face(axes, points, visible, color, width, keypoint_set)
                axes.set(xlim=window[0], ylim=window[1][::-1])
                axes.axis("off")
                axes.set_anchor("N")
                axes.set_title(caption if layers[0] is truth else "prediction", fontsize=7)
    handles = [figure.axes[0].plot([], [], "o", color=color, markersize=4)[0] for color in (TRUTH, PREDICTION)]
    labels = ["truth (real labels)", "prediction"]
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize=8)
    return figure


def _draw_face(axes: Any, points: Float32, visible: Bool, color: str, width: float, keypoint_set: KeypointSet) -> None:
    """Draws the visible keypoints (K, 2), and the lines of the skeleton between them."""
    for chain in keypoint_set.skeleton:
        line = np.where(visible[list(chain), None], points[list(chain)], np.nan)
        axes.plot(line[:, 0], line[:, 1], color=color, linewidth=width, alpha=0.8)
    axes.scatter(*points[visible].T, s=6 * width, color=color, linewidths=0, zorder=3)


def _window(picture: UInt8, points: Float32) -> tuple[tuple[float, float], tuple[float, float]]:
    """Returns the window of a picture to show, from and to in x and in y: a square around the points."""
    height, width = picture.shape[:2]
    low, high = points.min(axis=0), points.max(axis=0)
    half = (0.5 + MARGIN) * float((high - low).max())
    (left, top), (right, bottom) = (low + high) / 2 - half, (low + high) / 2 + half
    return (max(left, -0.5), min(right, width - 0.5)), (max(top, -0.5), min(bottom, height - 0.5))

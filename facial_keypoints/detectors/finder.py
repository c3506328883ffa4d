"""The project's own face detector: a small network in an ONNX file that finds faces and five points on each.

`python -m detection.train` trains it. F faces, C cells of the network's grids.
"""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from facial_keypoints import geometry
from facial_keypoints.array_types import Float32, Float64, UInt8
from facial_keypoints.boxes import Boxes
from facial_keypoints.detectors.five_points import POINTS, boxes_of, fitted_boxes
from facial_keypoints.errors import InputError, one_line
from facial_keypoints.model_file import export_again, load_session, read_content
from facial_keypoints.pictures import Picture, as_rgb
from facial_keypoints.pretrained import FINDER, INT8_FILE, ONNX_FILE, shipped_finder

EXPORT = "detection.export"  # the stage that writes the file
STRIDES_PX = (8, 16, 32)  # between the cells of each grid; the sides of a picture are multiples of the last
OUTPUTS = 1 + 2 * POINTS  # of a cell: the logit of a face, and x and y of each point
GRAY_LEVEL = 127  # beyond the picture's edge
MIN_SCORE = 0.4
SURE_SCORE = 0.9  # see `boxes.Boxes`
SAME_FACE_OVERLAP = 0.6  # of two boxes, as a share of the smaller one
MOST_CELLS = 3000  # the best ones are kept; far more than the largest crowd needs
SEARCHED_EYES_PX = 6.0  # distance of the smallest eyes in the searched picture
SMALLEST_EYES_PX = 9.0  # the default in the user's picture, or if larger:
SMALLEST_EYES_SHARE = 0.006  # of the picture's longer side
LARGEST_SIDE_PX = 2560  # of the searched picture, for any `smallest_px`
ONE_SEARCH_PX, COARSE_SIDE_PX = (
    256,
    192,
)  # longer sides: up to the first, one search finds all faces; a second search uses the second


class FaceFinder:
    """Detects faces from the front and from the side, rotated by up to 50 degrees, with a network of this project.

    It is a callable that takes a picture and returns `boxes.Boxes`, for `Predictor.predict(detector=...)`. Several
    threads may use it at once.

    Example:
        >>> from facial_keypoints import FaceFinder, Predictor
        >>> len(Predictor("v2").predict("photo.jpg", detector=FaceFinder()))
        2
    """

    def __init__(
        self,
        model: str | Path = FINDER,
        *,
        smallest_px: float | None = None,
        min_score: float = MIN_SCORE,
        int8: bool = False,
        threads: int | None = None,
    ) -> None:
        """Loads the network.

        Args:
            model: a model folder that `detection.train` wrote; the shipped one by default.
            smallest_px: the distance between the eyes of the smallest faces to be found, in px of the picture. Smaller
                values take longer. None: 0.6 % of the picture's longer side, but at least 9 px.
            min_score: the lowest score of a face, between 0 and 1. A lower one finds more faces and more false
                ones, most of which `Predictor.predict` drops.
            int8: load `model_int8.onnx`, which is smaller.
            threads: the number of threads for one picture; None: as many as OpenCV uses (`cv2.getNumThreads()`).

        Raises:
            InputError: a value is not valid, or the folder or a file is missing or damaged.
        """
        if smallest_px is not None and not 0 < smallest_px < np.inf:
            raise InputError(f"smallest_px: is {smallest_px}, expected a distance between the eyes above 0 px")
        if not 0 < min_score < 1:
            raise InputError(f"min_score: is {min_score}, expected a value between 0 and 1")
        if threads is not None and threads < 1:
            raise InputError(f"threads: is {threads}, expected at least 1")
        folder = shipped_finder() if model == FINDER else Path(model)
        if not folder.is_dir():
            raise InputError(f"{model}: no such folder; give one that `python -m detection.train` wrote")
        self._path = folder.absolute() / (INT8_FILE if int8 else ONNX_FILE)
        self._options: dict[str, Any] = {
            "smallest_px": smallest_px,
            "min_score": min_score,
            "int8": int8,
            "threads": threads,
        }
        self._model = model if model == FINDER else folder.absolute()
        self._smallest_px, self._min_score = smallest_px, min_score
        content, _ = read_content(self._path, EXPORT, checked=True)
        self._session = load_session(self._path, content, EXPORT, threads or cv2.getNumThreads())
        self._input = str(self._session.get_inputs()[0].name)
        self._grids(np.zeros((STRIDES_PX[-1], STRIDES_PX[-1]), np.uint8))  # fails here if the file is not a face finder

    def __reduce__(self) -> tuple[Callable[..., "FaceFinder"], tuple[()]]:
        """Returns how `pickle` and `copy` create it again."""
        return functools.partial(FaceFinder, self._model, **self._options), ()

    def __call__(self, picture: Picture) -> Boxes:
        """Returns boxes around the faces in a picture: a path, an array or a PIL image, as in `Predictor.predict`."""
        points, scores = self.points(picture)
        return boxes_of(points, scores)._replace(sure_score=SURE_SCORE)

    def points(self, picture: Picture) -> tuple[Float64, Float64]:
        """Returns the five points of each face, float64 (F, 5, 2) in px of the picture, and the scores (F,)."""
        pixels = as_rgb(picture)
        searched = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)
        size = np.array(searched.shape[::-1])
        points, scores = [], []
        for scale in search_scales(searched.shape, self._smallest_px):
            # Scaling the last search's picture is faster than scaling the whole one.
            searched = geometry.scaled(searched, scale * size.max() / max(searched.shape))
            in_searched, score = decode(self._grids(pad(searched)), self._min_score)
            points.append((in_searched + 0.5) * (size / searched.shape[::-1]) - 0.5)
            scores.append(score)
        best = np.argsort(-np.concatenate(scores), kind="stable")[:MOST_CELLS]
        return one_per_face(np.concatenate(points)[best], np.concatenate(scores)[best])

    def _grids(self, gray: UInt8) -> list[Float32]:
        """Returns the grids of a picture (H, W) whose sides are multiples of 32, each float32 (h, w, 11)."""
        try:
            outputs = self._session.run(None, {self._input: gray[None, ..., None].astype(np.float32)})
        except Exception as error:  # onnxruntime's errors have no common base class
            raise InputError(f"{self._path}: fails on a picture ({one_line(error)}); {export_again(EXPORT)}") from None
        expected = [(1, gray.shape[0] // stride, gray.shape[1] // stride, OUTPUTS) for stride in STRIDES_PX]
        if [np.shape(output) for output in outputs] != expected:
            raise InputError(f"{self._path}: is not a face finder; {export_again(EXPORT)}")
        return [output[0] for output in outputs]


def search_scales(shape: Sequence[int], smallest_px: float | None) -> list[float]:
    """Returns the one or two scales, at most 1, at which to search a picture (H, W).

    The second scale is smaller and finds large faces.

    Args:
        shape: the shape of the picture.
        smallest_px: the distance between the eyes of the smallest faces; None: the default for the picture.
    """
    longest = max(shape)
    smallest = smallest_px or max(SMALLEST_EYES_PX, SMALLEST_EYES_SHARE * longest)
    scale = min(1.0, SEARCHED_EYES_PX / smallest, LARGEST_SIDE_PX / longest)
    return [scale] if scale * longest <= ONE_SEARCH_PX else [scale, COARSE_SIDE_PX / longest]


def pad(gray: UInt8) -> UInt8:
    """Returns a picture (H, W), padded with gray on the right and below to sides that are multiples of 32."""
    below, right = (-side % STRIDES_PX[-1] for side in gray.shape)
    if not below and not right:
        return gray
    return np.asarray(cv2.copyMakeBorder(gray, 0, below, 0, right, cv2.BORDER_CONSTANT, value=GRAY_LEVEL), np.uint8)


def decode(grids: Sequence[Float32], min_score: float) -> tuple[Float64, Float64]:
    """Returns the points (C, 5, 2), in px, and the scores (C,) of the cells with a face, grid by grid.

    Args:
        grids: float32 (h, w, 11) for each of `STRIDES_PX`.
        min_score: the lowest score of a cell with a face.
    """
    min_logit = np.log(min_score / (1 - min_score))
    points, logits = [], []
    for grid, stride in zip(grids, STRIDES_PX, strict=True):
        rows, columns = np.nonzero(grid[..., 0] > min_logit)
        cells = grid[rows, columns].astype(np.float64)
        centers = stride * np.column_stack([columns, rows]) + (stride - 1) / 2
        points.append(centers[:, None] + stride * cells[:, 1:].reshape(-1, POINTS, 2))
        logits.append(cells[:, 0])
    return np.concatenate(points), 1 / (1 + np.exp(-np.concatenate(logits)))


def cell_centers_px(rows: int, columns: int, stride_px: int) -> Float64:
    """Returns x and y of the centers of a grid's cells, float64 (rows, columns, 2) in px."""
    y, x = np.mgrid[:rows, :columns]
    return np.asarray(stride_px * np.stack([x, y], axis=-1) + (stride_px - 1) / 2)


def one_per_face(points: Float64, scores: Float64) -> tuple[Float64, Float64]:
    """Returns the points (F, 5, 2) and scores (F,) of the best cell of each face.

    Cells whose boxes overlap belong to the same face, or a part of it. Their mean is no better than the best cell,
    because those of a search at another scale are often far too small or too large.

    Args:
        points, scores: those of all cells, (C, 5, 2) and (C,), the best first.
    """
    middle, side, _ = fitted_boxes(points)
    low, high = middle - side[:, None] / 2, middle + side[:, None] / 2
    best: list[int] = []
    remaining = np.arange(len(points))
    while len(remaining):
        first = remaining[0]
        best.append(first)
        size = (np.minimum(high[remaining], high[first]) - np.maximum(low[remaining], low[first])).clip(0)
        same = size.prod(axis=1) > SAME_FACE_OVERLAP * np.minimum(side[remaining], side[first]) ** 2
        same[0] = True  # even if its box has no size
        remaining = remaining[~same]
    return points[best], scores[best]

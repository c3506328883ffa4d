"""Runs MediaPipe's face detectors (BlazeFace, Bazarevsky et al. 2019, arXiv 1907.05047). A anchors, F faces.

The short-range network sees the whole picture in 128 x 128 px, the full-range one in 192 x 192 px, both padded to a
square. Each anchor is the center of a cell; the network outputs, in px from it, a box and six points.
"""

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import cv2
import numpy as np

from benchmarks.mediapipe_mesh import MODULE, PACKAGE
from benchmarks.optional import optional, package_file
from facial_keypoints import geometry
from facial_keypoints.array_types import Float32, Float64, UInt8
from facial_keypoints.boxes import USUAL_EYES, Boxes
from facial_keypoints.detectors.five_points import MEAN
from facial_keypoints.pictures import Picture, as_rgb

MIN_SCORE, SAME_FACE_OVERLAP = 0.5, 0.3  # as in MediaPipe
POINTS = 4  # of its six: right eye, left eye, tip of the nose, middle of the mouth
MEAN_POINTS = np.concatenate([MEAN[:3], MEAN[3:].mean(axis=0, keepdims=True)])


class Range(NamedTuple):
    """One of the networks: its file, the side of its input, and its grids as (stride, anchors in each cell)."""

    file: str
    side_px: int
    grids: tuple[tuple[int, int], ...]


SHORT = Range("data/face_detection_short_range.tflite", 128, ((8, 2), (16, 6)))
FULL = Range("data/face_detection_full_range.tflite", 192, ((4, 1),))
RANGES = {"mediapipe-short": SHORT, "mediapipe-full": FULL}

Network = Callable[[Float32], tuple[Float32, Float32]]  # a picture (1, S, S, 3) to values (A, 16) and logits (A,)


def load_network(variant: Range) -> Network:
    """Returns a network, on one thread; raises InputError if an optional package is missing."""
    path, tensorflow = package_file(PACKAGE, MODULE, variant.file), optional("tensorflow")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*tf.lite.Interpreter is deprecated", category=UserWarning)
        interpreter: Any = tensorflow.lite.Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    in_index = interpreter.get_input_details()[0]["index"]
    by_width = {int(output["shape"][-1]): output["index"] for output in interpreter.get_output_details()}

    def network(picture: Float32) -> tuple[Float32, Float32]:
        interpreter.set_tensor(in_index, picture)
        interpreter.invoke()
        return interpreter.get_tensor(by_width[16])[0], interpreter.get_tensor(by_width[1])[0, :, 0]

    return network


def anchors_of(variant: Range) -> Float64:
    """Returns the anchors, float64 (A, 2), x and y in px of the network's input."""
    grids = []
    for stride, count in variant.grids:
        cells = variant.side_px // stride
        y, x = np.mgrid[:cells, :cells]
        centers = (np.stack([x, y], axis=-1).reshape(-1, 2) + 0.5) * stride
        grids.append(np.repeat(centers, count, axis=0))
    return np.concatenate(grids)


def network_input(picture: UInt8, side_px: int) -> tuple[Float32, Float64]:
    """Returns the network's input for a picture (H, W, 3), and the matrix (2, 3) from the input to the picture."""
    height, width = picture.shape[:2]
    scale = side_px / max(height, width)
    shift = (side_px - scale * np.array([width, height])) / 2
    small = geometry.crop(picture, np.array([[scale, 0, shift[0]], [0, scale, shift[1]]]), side_px, side_px)
    y, x = np.mgrid[:side_px, :side_px]
    outside = (x < shift[0]) | (x >= side_px - shift[0]) | (y < shift[1]) | (y >= side_px - shift[1])
    small[outside] = 0
    back = np.array([[1 / scale, 0, -shift[0] / scale], [0, 1 / scale, -shift[1] / scale]])
    return np.asarray(small[None] / np.float32(127.5) - 1, np.float32), back


class MediaPipe:
    """A detector of MediaPipe's, for `Predictor.predict(detector=...)`."""

    def __init__(self, variant: Range) -> None:
        """Loads the network; raises InputError if an optional package is missing."""
        self.variant, self.network, self.anchors = variant, load_network(variant), anchors_of(variant)

    def __call__(self, picture: Picture) -> Boxes:
        """Returns the boxes around the faces in a picture, from the points of each."""
        image, back = network_input(as_rgb(picture), self.variant.side_px)
        values, logits = self.network(image)
        points, scores = decode_faces(values, logits, self.anchors)
        return boxes_of(geometry.transform(points, back), scores)


def decode_faces(values: Float32, logits: Float32, anchors: Float64) -> tuple[Float64, Float64]:
    """Returns four points (F, 4, 2), in px of the input, and the scores (F,) of the faces.

    Args:
        values: (A, 16), the middle, width and height of a box, and six points, in px from the anchor.
        logits: (A,).
        anchors: (A, 2) px.
    """
    near = np.flatnonzero(logits > np.log(MIN_SCORE / (1 - MIN_SCORE)))
    scores = 1 / (1 + np.exp(-logits[near].astype(np.float64)))
    boxes = values[near, :4].astype(np.float64)
    boxes[:, :2] += anchors[near] - boxes[:, 2:] / 2
    kept = np.asarray(cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), MIN_SCORE, SAME_FACE_OVERLAP), int).ravel()
    points = values[near, 4 : 4 + 2 * POINTS].reshape(-1, POINTS, 2) + anchors[near, None]
    return points[kept], scores[kept]


def boxes_of(points: Float64, scores: Float64) -> Boxes:
    """Returns the boxes in which the mean face, fitted to the four points (F, 4, 2), has its usual position."""
    to_picture = geometry.inverse(geometry.fit_similarity(points, MEAN_POINTS))
    across = to_picture[:, :, 0]
    middle = geometry.transform(np.full((len(points), 1, 2), 0.5), to_picture)[:, 0]
    side = np.hypot(across[:, 0], across[:, 1])[:, None]
    turns = np.degrees(np.arctan2(across[:, 1], across[:, 0]))
    return Boxes(np.column_stack([middle - side / 2, side, side]), scores, turns, USUAL_EYES)

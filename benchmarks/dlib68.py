"""Runs dlib's downloadable 68-point predictor on close crops of faces. N faces, P points.

Everything around the call of the predictor was chosen on training faces, to get the best from dlib. Pictures are
enlarged, because dlib returns whole pixels, with a margin that repeats their edge, because dlib sees black outside a
picture. The box comes from dlib's detector, or is a fixed one if that finds no face. A second prediction uses a box
around the points of the first.

A box is float64 (4,): left, top, right, bottom in px of the original picture.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from benchmarks.calibration import map_by_hand
from benchmarks.optional import optional, package_file
from data_prep.faces import Split
from evaluation.metrics import mae_rmse
from facial_keypoints.array_types import Float64, UInt8
from facial_keypoints.keypoint_set import KeypointSet

MODELS_PACKAGE, MODEL_FILE = "face_recognition_models", "models/shape_predictor_68_face_landmarks.dat"
SIDES = (0.75, 0.83, 0.92, 1.0)  # sides of the fixed boxes to try, as shares of the picture's height
CENTERS = (0.46, 0.5, 0.54, 0.58, 0.62)  # rows of their centers, as shares of the picture's height
ENLARGED = 2  # scale
MARGIN = 1 / 3  # of the picture's height, on each side


@dataclass(frozen=True)
class Boxes:
    """How a face's box is found.

    Attributes:
        fixed: float64 (4,), the box to use if the detector finds no face.
        relation: float64 (4,), the box of the second prediction relative to the points of the first; see
            `box_relation`.
    """

    fixed: Float64
    relation: Float64


def load_predictor() -> Any:
    """Returns dlib's 68-point `shape_predictor`; raises InputError if an optional package is missing."""
    dlib = optional("dlib")
    return dlib.shape_predictor(str(package_file(MODELS_PACKAGE, MODELS_PACKAGE, MODEL_FILE)))


def enlarge(image: UInt8) -> UInt8:
    """Returns a picture (H, W, C) with a margin, enlarged `ENLARGED` times, uint8; (H', W') if C is 1."""
    margin = margin_px(image)
    framed = cv2.copyMakeBorder(image, margin, margin, margin, margin, cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(framed, None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_CUBIC), np.uint8)


def margin_px(image: UInt8) -> int:
    return round(MARGIN * len(image))


def to_enlarged(px: Any, margin: int) -> Float64:
    """Converts coordinates of the picture to the enlarged picture; 0 is the center of the first pixel in both."""
    return np.asarray((np.asarray(px, np.float64) + margin + 0.5) * ENLARGED - 0.5)


def from_enlarged(px: Any, margin: int) -> Float64:
    """Converts coordinates of the enlarged picture to the picture; the inverse of `to_enlarged`."""
    return np.asarray((np.asarray(px, np.float64) + 0.5) / ENLARGED - 0.5 - margin)


def predictor_arguments(image: UInt8, box: Float64) -> tuple[UInt8, Any]:
    """Returns the predictor's arguments: the enlarged picture, and dlib's rectangle in it."""
    corners = np.rint(to_enlarged(box, margin_px(image))).astype(int).tolist()
    return enlarge(image), optional("dlib").rectangle(*corners)


def output_points(predictor: Any, images: UInt8, boxes: Float64) -> Float64:
    """Predicts points for images uint8 (N, H, W, C), N >= 1, and boxes (N, 4); returns float64 (N, P, 2) in px."""
    outputs = []
    for image, box in zip(images, boxes, strict=True):
        points = predictor(*predictor_arguments(image, box)).parts()
        outputs.append(from_enlarged([(point.x, point.y) for point in points], margin_px(image)))
    return np.stack(outputs)


def detected_boxes(images: UInt8, fallback: Float64) -> tuple[Float64, int]:
    """Returns the boxes of dlib's detector, float64 (N, 4), the fallback if it finds no face, and the number found."""
    detector, boxes, detected = optional("dlib").get_frontal_face_detector(), np.tile(fallback, (len(images), 1)), 0
    for i, image in enumerate(images):
        best = next(iter(detector(enlarge(image))), None)  # the best comes first
        if best is not None:
            edges = (best.left(), best.top(), best.right(), best.bottom())
            boxes[i], detected = from_enlarged(edges, margin_px(image)), detected + 1
    return boxes, detected


def fixed_box(shape: tuple[int, ...], side: float, center: float) -> Float64:
    """Returns a square box, horizontally centered, for pictures (H, W, C); side and center row are shares of H."""
    height, width = shape[:2]
    x, y, half = (width - 1) / 2, center * height - 0.5, side * height / 2
    return np.array([x - half, y - half, x + half, y + half])


def box_relation(points: Float64, boxes: Float64) -> Float64:
    """Returns boxes (N, 4) relative to the points (N, 68, 2) predicted in them, float64 (4,): the median over faces.

    It is the offset of the box's sides from the mean of the points, divided by the points' RMS distance from it.
    """
    center, size = _center_and_size(points)
    return np.asarray(np.median((boxes - np.tile(center, 2)) / size, axis=0))


def boxes_around(points: Float64, relation: Float64) -> Float64:
    """Returns boxes, float64 (N, 4), around points (N, 68, 2), from a relation of `box_relation`."""
    center, size = _center_and_size(points)
    return np.asarray(np.tile(center, 2) + relation * size)


def _center_and_size(points: Float64) -> tuple[Float64, Float64]:
    center = points.mean(1)
    return center, np.sqrt(((points - center[:, None]) ** 2).sum(-1).mean(-1, keepdims=True))


def find_points(predictor: Any, images: UInt8, boxes: Boxes) -> tuple[Float64, int]:
    """Returns the points of the second prediction, float64 (N, 68, 2) in px, and the number of detected faces."""
    first_boxes, detected = detected_boxes(images, boxes.fixed)
    first = output_points(predictor, images, first_boxes)
    return output_points(predictor, images, boxes_around(first, boxes.relation)), detected


def choose_boxes(predictor: Any, split: Split, keypoint_set: KeypointSet) -> tuple[Boxes, dict[str, float]]:
    """Returns the boxes that fit these training faces best, and the RMSE by hand in px after each step."""

    def rmse(points: Float64) -> float:
        hand = map_by_hand(points, split.label_sources, keypoint_set)
        return mae_rmse(hand, split.keypoints, split.labelled)[1]

    candidates = [fixed_box(split.images.shape[1:], side, center) for side in SIDES for center in CENTERS]
    error_of = [rmse(output_points(predictor, split.images, np.tile(box, (len(split), 1)))) for box in candidates]
    fixed = candidates[int(np.argmin(error_of))]
    detected, _ = detected_boxes(split.images, fixed)
    first = output_points(predictor, split.images, detected)
    boxes = Boxes(fixed, box_relation(first, detected))
    second, _ = find_points(predictor, split.images, boxes)
    return boxes, {"fixed box": min(error_of), "detector's box": rmse(first), "second prediction": rmse(second)}


def next_face(predictor: Any, images: UInt8, box: Float64) -> Callable[[], Any]:
    """Returns a call of the predictor alone, on another face each time; the pictures are enlarged beforehand.

    Repeated on one face, dlib would be faster than in real use, because that face's path stays in the CPU cache.
    """
    faces = itertools.cycle([predictor_arguments(image, box) for image in images])
    return lambda: predictor(*next(faces))

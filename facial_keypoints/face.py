"""A face in a picture."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from facial_keypoints.array_types import Float32, Float64

# Multiples of the network's typical uncertainty (`Predictor.typical_uncertainty`), so that they hold for any network.
MAX_FIRST_UNCERTAINTY = 10  # above it after the first pass: no face
MAX_UNCERTAINTY = 2.0  # above it after the last pass: no face; 99 % of faces had at most 1.9, most others 2.1 or more
SAME = 0.15  # keypoints that are nearer on average, in widths of the box, are those of one face


@dataclass(frozen=True, eq=False)
class Face:
    """What is known of one face; K keypoints. Pixel centers lie at whole numbers.

    Attributes:
        box: (x, y, width, height) of an upright square around the face, in px of the picture; it may reach outside.
        keypoints: float32 (K, 2) in px of the picture.
        expected_error: float32 (K,), the absolute error of x and of y to expect, in px of the picture; None where the
            network says nothing of it.
        crop: float64 (2, 3), picture to crop: what the keypoints were predicted from.
        score: what the detector says of it, higher is surer; 1 where none was asked.
    """

    box: tuple[float, float, float, float]
    keypoints: Float32
    expected_error: Float32 | None
    crop: Float64
    score: float = 1.0


def uncertainty(face: Face) -> float:
    """Returns the mean error to expect of a face's keypoints in widths of its box; 0 where the network says none."""
    return 0.0 if face.expected_error is None else float(face.expected_error.mean()) / face.box[2]


def each_once(faces: Iterable[Face]) -> list[Face]:
    """Returns the faces, in their order, without those whose keypoints are where an earlier one has them."""
    kept: list[Face] = []
    for face in faces:
        if not any(_apart(face, other) < SAME * max(face.box[2], other.box[2]) for other in kept):
            kept.append(face)
    return kept


def _apart(one: Face, other: Face) -> float:
    return float(np.linalg.norm(one.keypoints - other.keypoints, axis=1).mean())

"""Draws polygons, lines and discs with soft edges on arrays, for the other modules of this package."""

from functools import cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from facial_keypoints.array_types import Float32, UInt8

Points = npt.NDArray[np.floating[Any]]  # (n, 2) or (n, 3), floats of 32 or 64 bits

SIZE = 96  # px, height and width of a picture
BITS = 4  # fractional bits in OpenCV's drawing calls


@cache
def pixels() -> Float32:
    """Returns float32 (SIZE, SIZE, 2): x and y of every pixel."""
    return np.stack(np.meshgrid(np.arange(SIZE), np.arange(SIZE)), -1).astype(np.float32)


def fixed_point(points: Points) -> npt.NDArray[np.int32]:
    """Returns points as OpenCV's fixed-point integers with BITS fractional bits."""
    return np.rint(points * 2**BITS).astype(np.int32)


def fill(canvas: UInt8, points: Points, gray: float) -> None:
    cv2.fillPoly(canvas, [fixed_point(points)], gray, cv2.LINE_AA, BITS)


def stroke(canvas: UInt8, points: Points, gray: float, thickness: int) -> None:
    cv2.polylines(canvas, [fixed_point(points)], False, gray, thickness, cv2.LINE_AA, BITS)


def disc(canvas: UInt8, center: Points, radius: float, gray: float) -> None:
    x, y = fixed_point(center)
    cv2.circle(canvas, (int(x), int(y)), int(radius * 2**BITS), gray, -1, cv2.LINE_AA, BITS)


def mix(canvas: UInt8, layer: UInt8, cover: UInt8) -> None:
    """Blends the layer into the canvas, in place, with the opacity `cover` (0..255)."""
    weight = cover * np.float32(1 / 255)
    canvas[:] = cv2.blendLinear(layer, canvas, weight, 1 - weight)


def blend(canvas: Float32, gray: Points | float, cover: Float32) -> None:
    """Blends a gray level into the canvas, in place, with the opacity `cover` (0..1)."""
    canvas += (gray - canvas) * cover


def polygon_cover(polygon: Points, softness: float = 0.0) -> Float32:
    """Returns float32 (SIZE, SIZE), 0..1: how much of each pixel a polygon (n, 2) in px covers."""
    mask = np.zeros((SIZE, SIZE), np.uint8)
    fill(mask, polygon, 255)
    if softness:
        mask = cv2.GaussianBlur(mask, (0, 0), softness)
    return mask * np.float32(1 / 255)

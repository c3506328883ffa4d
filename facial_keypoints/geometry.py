"""Similarity fits, crops and their inverses. N faces, K points; pixel centers are at whole numbers."""

import cv2
import numpy as np
import numpy.typing as npt

from facial_keypoints.array_types import Bool, Float64, Int64, UInt8

TINY = 1e-12  # keeps a division finite if all points coincide


def fit_similarity(source: npt.ArrayLike, target: npt.ArrayLike, mask: Bool | None = None) -> Float64:
    """Returns matrices (N, 2, 3) that shift, rotate and scale source to target points with the least squared error.

    A matrix M maps a point p to M @ (p, 1). The method is that of Umeyama 1991 in two dimensions, without reflection. A
    face with one point, or whose points all coincide, is only shifted. A face without points has the identity matrix.

    Args:
        source: float (N, K, 2) or (K, 2), finite where the mask is True.
        target: as `source`.
        mask: bool (N, K), the points to use; None uses all.
    """
    before, after = (np.asarray(points, np.float64) @ np.array([1, 1j]) for points in (source, target))
    before, after = np.broadcast_arrays(np.atleast_2d(before), np.atleast_2d(after))
    count: int | Int64 = max(before.shape[1], 1)
    if mask is not None:
        mask = np.broadcast_to(mask, before.shape)
        count = np.maximum(mask.sum(axis=1, keepdims=True), 1)
        before, after = np.where(mask, before, 0), np.where(mask, after, 0)
    from_center = before.sum(axis=1, keepdims=True) / count
    to_center = after.sum(axis=1, keepdims=True) / count
    spread = before - from_center if mask is None else np.where(mask, before - from_center, 0)
    power = (np.abs(spread) ** 2).sum(axis=1)
    product = (spread.conj() * (after - to_center)).sum(axis=1)
    factor = np.where(power > TINY, product / np.maximum(power, TINY), 1)
    shift = to_center[:, 0] - factor * from_center[:, 0]
    matrices = np.empty((len(factor), 2, 3))
    matrices[:, 0, 0] = matrices[:, 1, 1] = factor.real
    matrices[:, 1, 0], matrices[:, 0, 1] = factor.imag, -factor.imag
    matrices[:, 0, 2], matrices[:, 1, 2] = shift.real, shift.imag
    return matrices


def transform(points: npt.ArrayLike, matrices: Float64) -> Float64:
    """Maps points (N, K, 2) by matrices (N, 2, 3), or by one (2, 3); NaN stays NaN."""
    moved = np.asarray(points, np.float64) @ np.swapaxes(matrices[..., :2], -1, -2) + matrices[..., None, :, 2]
    return np.asarray(moved)


def inverse(matrices: Float64) -> Float64:
    """Returns the inverse matrices (..., 2, 3)."""
    linear = np.linalg.inv(matrices[..., :2])
    return np.concatenate([linear, -linear @ matrices[..., 2:]], axis=-1)


def about_middle(
    side_px: int, turn_degrees: float = 0.0, scale: float = 1.0, right_px: float = 0.0, down_px: float = 0.0
) -> Float64:
    """Returns the matrix (2, 3) that rotates a square crop clockwise about its middle, scales it, then shifts it."""
    middle = (side_px - 1) / 2
    matrix = cv2.getRotationMatrix2D((middle, middle), -turn_degrees, scale)
    matrix[:, 2] += right_px, down_px
    return np.asarray(matrix)


def chained(first: Float64, second: Float64) -> Float64:
    """Returns the matrices (..., 2, 3) that apply `first`, then `second`."""
    linear = second[..., :2] @ first[..., :2]
    return np.concatenate([linear, second[..., :2] @ first[..., 2:] + second[..., 2:]], axis=-1)


def scaled(picture: UInt8, scale: float) -> UInt8:
    """Returns a picture (H, W) or (H, W, C) with its sides multiplied by `scale` (at most 1), each at least 1 px."""
    if scale == 1:
        return picture
    height, width = (max(1, round(side * scale)) for side in picture.shape[:2])
    smaller = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(smaller, np.uint8).reshape(height, width, *picture.shape[2:])  # OpenCV drops a single channel


def shrink(picture: UInt8, matrix: Float64) -> tuple[UInt8, Float64]:
    """Returns a picture shrunk to the scale of a matrix (2, 3) by averaging areas, and the remaining matrix.

    Returns both unchanged if the matrix does not make the picture smaller.
    """
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if scale >= 1:
        return picture, matrix
    smaller = scaled(picture, scale)
    ratio = np.array(picture.shape[1::-1]) / smaller.shape[1::-1]
    linear = matrix[:, :2] * ratio  # for the smaller picture, which has other pixel centers
    shift = matrix[:, :2] @ (ratio - 1) / 2 + matrix[:, 2]
    return smaller, np.column_stack([linear, shift])


def crop(picture: UInt8, matrix: Float64, height_px: int, width_px: int) -> UInt8:
    """Returns the crop of a picture under a matrix (2, 3), picture to crop; outside the picture its edge is repeated.

    If the matrix reduces the picture, it is first shrunk by averaging areas, which avoids aliasing.

    Args:
        picture: uint8 (H, W) or (H, W, C); the crop has as many axes.
        matrix: (2, 3).
        height_px, width_px: the size of the crop.
    """
    channels = picture.shape[2:]
    picture, matrix = shrink(picture, matrix)
    flags = {"flags": cv2.INTER_LINEAR, "borderMode": cv2.BORDER_REPLICATE}
    warped = np.asarray(cv2.warpAffine(picture, matrix, (width_px, height_px), **flags), np.uint8)
    return warped.reshape(height_px, width_px, *channels)  # OpenCV drops the axis of a single channel

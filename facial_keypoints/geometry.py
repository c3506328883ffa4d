"""Similarity fits, and crops with the way back. N faces, K points; pixel centers lie at whole numbers."""

import cv2
import numpy as np
import numpy.typing as npt

from facial_keypoints.array_types import Bool, Float64, UInt8

TINY = 1e-12  # keeps a division by the spread of points that all coincide finite


def fit_similarity(source: npt.ArrayLike, target: npt.ArrayLike, mask: Bool | None = None) -> Float64:
    """Returns (N, 2, 3): the shift, turn and scale that lay source points on target points with least squared error.

    A point p goes to M @ (p, 1). Umeyama 1991 in two dimensions, without reflection. A face with one point, or with
    points all in one place, is only shifted; one without points stays where it is.

    Args:
        source: float (N, K, 2) or (K, 2), finite where the mask is True.
        target: the same.
        mask: bool (N, K), the points that count; all where None.
    """
    before, after = (np.asarray(points, np.float64) @ np.array([1, 1j]) for points in (source, target))
    before, after = np.broadcast_arrays(np.atleast_2d(before), np.atleast_2d(after))
    mask = np.ones(before.shape, bool) if mask is None else np.broadcast_to(mask, before.shape)
    count = np.maximum(mask.sum(axis=1, keepdims=True), 1)
    before, after = np.where(mask, before, 0), np.where(mask, after, 0)
    from_center = before.sum(axis=1, keepdims=True) / count
    to_center = after.sum(axis=1, keepdims=True) / count
    spread = np.where(mask, before - from_center, 0)
    power = (np.abs(spread) ** 2).sum(axis=1)
    product = (spread.conj() * np.where(mask, after - to_center, 0)).sum(axis=1)
    factor = np.where(power > TINY, product / np.maximum(power, TINY), 1)
    shift = to_center[:, 0] - factor * from_center[:, 0]
    top = np.stack([factor.real, -factor.imag, shift.real], axis=-1)
    bottom = np.stack([factor.imag, factor.real, shift.imag], axis=-1)
    return np.stack([top, bottom], axis=1)


def transform(points: npt.ArrayLike, matrices: Float64) -> Float64:
    """Returns where (N, 2, 3) matrices, or one (2, 3), take points (N, K, 2); NaN stays NaN."""
    moved = np.asarray(points, np.float64) @ np.swapaxes(matrices[..., :2], -1, -2) + matrices[..., None, :, 2]
    return np.asarray(moved)


def inverse(matrices: Float64) -> Float64:
    """Returns the matrices (..., 2, 3) that take points back where they came from."""
    linear = np.linalg.inv(matrices[..., :2])
    return np.concatenate([linear, -linear @ matrices[..., 2:]], axis=-1)


def about_middle(
    side_px: int, turn_degrees: float = 0.0, scale: float = 1.0, right_px: float = 0.0, down_px: float = 0.0
) -> Float64:
    """Returns the matrix (2, 3) that turns (clockwise as a viewer sees it), scales and then moves a square crop."""
    middle = (side_px - 1) / 2
    matrix = cv2.getRotationMatrix2D((middle, middle), -turn_degrees, scale)
    matrix[:, 2] += right_px, down_px
    return np.asarray(matrix)


def chained(first: Float64, second: Float64) -> Float64:
    """Returns the matrices (..., 2, 3) that do what the first ones do, and after that what the second ones do."""
    linear = second[..., :2] @ first[..., :2]
    return np.concatenate([linear, second[..., :2] @ first[..., 2:] + second[..., 2:]], axis=-1)


def shrunk(picture: UInt8, matrix: Float64) -> tuple[UInt8, Float64]:
    """Returns the picture as small as a matrix (2, 3) makes it, shrunk by areas, and what is left for a matrix to do.

    A matrix that makes nothing smaller is returned with the picture as they are.
    """
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if scale >= 1:
        return picture, matrix
    height, width = picture.shape[:2]
    size = max(1, round(width * scale)), max(1, round(height * scale))
    smaller = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    ratio = np.array([width / size[0], height / size[1]])
    linear = matrix[:, :2] * ratio  # of the smaller picture, whose pixel centers lie elsewhere
    shift = matrix[:, :2] @ (ratio - 1) / 2 + matrix[:, 2]
    return smaller, np.column_stack([linear, shift])


def crop(picture: UInt8, matrix: Float64, height_px: int, width_px: int) -> UInt8:
    """Returns the picture under a matrix (2, 3), picture to crop, its edge repeated outside.

    Where the crop is smaller than what it shows, the picture is shrunk by areas first, so that nothing flickers.

    Args:
        picture: uint8 (H, W) or (H, W, C); the crop has as many axes.
    """
    channels = picture.shape[2:]
    picture, matrix = shrunk(picture, matrix)
    flags = {"flags": cv2.INTER_LINEAR, "borderMode": cv2.BORDER_REPLICATE}
    cut = np.asarray(cv2.warpAffine(picture, matrix, (width_px, height_px), **flags), np.uint8)
    return cut.reshape(height_px, width_px, *channels)  # OpenCV drops the axis of a single channel

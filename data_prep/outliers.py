"""Finds label outliers: unusual shapes, and labels outside the image. N faces, K keypoints."""

import warnings

import numpy as np

from data_prep.faces import evenly_spread, labelled_points
from facial_keypoints.array_types import Bool, Float32, Float64, Int64
from facial_keypoints.geometry import fit_similarity, transform

OUTLIER = 5.0  # a `shape_outlyingness` above this is worth checking
ALIGN_ROUNDS, FIT_ROUNDS = 3, 3
TYPICAL_SHARE = 0.9  # the spread of shapes is measured without the farthest tenth
SMALLEST_VARIANCE_PX2 = 0.25  # half a pixel: smaller deviations are not significant
POSE_VARIANCE_PX2 = 1e5  # so large that differences in pose have no effect
MAX_KEYPOINTS = 150  # evenly spread ones are used of more: the time grows with the cube of their number
TINY = 1e-9  # avoids divisions by zero


def outside_image(keypoints: Float32, height_px: int, width_px: int) -> Bool:
    """Returns bool (N, K): the keypoint is labelled outside the image."""
    beyond = (keypoints < -0.5) | (keypoints > (width_px - 0.5, height_px - 0.5))  # False at NaN
    return np.asarray(beyond.any(axis=-1))


def outlyingness(keypoints: Float32, label_sources: Int64) -> Float64:
    """Returns `shape_outlyingness` (N,) of each face among those of its label source, int64 (N,)."""
    scores = np.zeros(len(keypoints))
    keypoints = keypoints[:, evenly_spread(keypoints.shape[1], MAX_KEYPOINTS)]
    for label_source in np.unique(label_sources):
        scores[label_sources == label_source] = shape_outlyingness(keypoints[label_sources == label_source])
    return scores


def shape_outlyingness(keypoints: Float32) -> Float64:
    """Returns how unusual the shape of each face is, float64 (N,): typically about 0, worth checking above 5.

    Each face is aligned to the median shape by a similarity transform. The Mahalanobis distance of the residuals, over
    the labelled keypoints only and with the center and spread of the typical faces, is converted to a normal deviate
    (Wilson and Hilferty 1931), so faces with few and with many labels are comparable. Shift, rotation and scale have
    no effect, whichever keypoints are labelled. Faces with two keypoints or fewer have no shape and get 0; faces whose
    labels are all at one point get infinity.

    Args:
        keypoints: float32 (N, K, 2) of one label source, NaN where unlabelled.
    """
    residuals, pose = _residuals(keypoints)
    freedom = (~np.isnan(residuals)).sum(axis=1) - len(pose)
    has_shape = freedom > 0
    scores = np.zeros(len(keypoints))
    if not has_shape.any():
        return scores
    typical = has_shape
    for _ in range(FIT_ROUNDS):
        center, covariance = _center_and_covariance(residuals[typical])
        covariance += POSE_VARIANCE_PX2 * pose.T @ pose
        squared = _squared_distance(residuals, center, covariance)[has_shape]
        spread = 2 / (9 * freedom[has_shape])
        scores[has_shape] = (np.cbrt(squared / freedom[has_shape]) - (1 - spread)) / np.sqrt(spread)
        typical = has_shape & (scores <= np.quantile(scores[has_shape], TYPICAL_SHARE))
    first = np.take_along_axis(keypoints, labelled_points(keypoints).argmax(axis=1)[:, None, None], axis=1)
    collapsed = ~(keypoints != first).any(axis=(1, 2), where=~np.isnan(keypoints))
    scores[has_shape & collapsed] = np.inf
    return scores


def _residuals(keypoints: Float32) -> tuple[Float64, Float64]:
    """Returns the residuals of each face aligned to the median shape, (N, 2K), and the directions of pose, (4, 2K).

    Gaps are NaN. The directions have length 1: shift in x, shift in y, scale, rotation.
    """
    shape = _median(keypoints)
    for _ in range(ALIGN_ROUNDS):
        shape = _median(_aligned(keypoints, shape))
    x, y = (shape - shape.mean(axis=0)).T
    zero, one = np.zeros_like(x), np.ones_like(x)
    pose = np.stack([one, zero, zero, one, x, y, -y, x]).reshape(4, 2, -1).swapaxes(1, 2).reshape(4, -1)
    lengths = np.linalg.norm(pose, axis=1, keepdims=True)
    residuals = _aligned(keypoints, shape) - shape
    return residuals.reshape(len(keypoints), -1), pose / np.maximum(lengths, TINY)


def _aligned(keypoints: Float32, shape: Float64) -> Float64:
    """Returns each face shifted and rotated to fit `shape` (K, 2), and scaled to its size, float64 (N, K, 2).

    The best-fitting scale would shrink an unusual face to a point and hide the outlier.
    """
    labelled = labelled_points(keypoints)
    fitted = transform(keypoints, fit_similarity(keypoints, shape, labelled))
    is_labelled = labelled[..., None]
    target = np.broadcast_to(shape, fitted.shape)
    count = np.maximum(is_labelled.sum(axis=1, keepdims=True), 1)
    center = target.sum(axis=1, keepdims=True, where=is_labelled) / count  # also that of the fitted face
    sizes = [np.linalg.norm(np.where(is_labelled, points - center, 0), axis=(1, 2)) for points in (target, fitted)]
    ratio = sizes[0] / np.maximum(sizes[1], TINY)
    return center + ratio[:, None, None] * (fitted - center)


def _median(keypoints: Float32 | Float64) -> Float64:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # keypoints without a label
        return np.nan_to_num(np.nanmedian(keypoints.astype(np.float64), axis=0))


def _center_and_covariance(residuals: Float64) -> tuple[Float64, Float64]:
    """Returns mean (D,) and covariance (D, D) of the labelled values, with a lower bound on eigenvalues."""
    labelled = (~np.isnan(residuals)).astype(np.float64)
    center = np.nansum(residuals, axis=0) / np.maximum(labelled.sum(axis=0), 1)
    deviation = np.where(labelled > 0, residuals - center, 0)
    covariance = deviation.T @ deviation / np.maximum(labelled.T @ labelled, 1)
    variances, axes = np.linalg.eigh(covariance)
    return center, (axes * np.maximum(variances, SMALLEST_VARIANCE_PX2)) @ axes.T


def _squared_distance(residuals: Float64, center: Float64, covariance: Float64) -> Float64:
    """Returns the squared Mahalanobis distance (N,) over the labelled values, solved once per pattern of gaps."""
    squared = np.zeros(len(residuals))
    patterns, pattern_of_face = np.unique(~np.isnan(residuals), axis=0, return_inverse=True)
    for number, labelled in enumerate(patterns):
        faces = pattern_of_face == number
        deviation = residuals[np.ix_(faces, labelled)] - center[labelled]
        solved = np.linalg.solve(covariance[np.ix_(labelled, labelled)], deviation.T)
        squared[faces] = np.einsum("ij,ji->i", deviation, solved)
    return squared

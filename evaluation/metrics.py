"""Metrics of predicted keypoints.

Each metric is a ratio of two sums over faces (for RMSE, its root), kept as two sums per face, so pooling faces is one
sum and resampling them is one matrix product. The last axis of these arrays is numerator, denominator.
N faces, K keypoints, F metrics.
"""

from typing import Any

import numpy as np

from facial_keypoints.array_types import Bool, Float32, Float64
from facial_keypoints.keypoint_set import BOX_DIAGONAL, Normalizer

THRESHOLDS_PX = (5, 10, 15)
NME_LIMIT_PCT = 8.0  # end of the error curve and limit of failed faces: Trigeorgis et al. 2016 (MDM)
NME_LIMITS_PCT = (NME_LIMIT_PCT, 10.0)  # the second is the other common limit: Wu et al. 2018 (WFLW)
PCK_THRESHOLDS = (0.05, 0.1)  # of the normalizer; the percentage of correct keypoints of Yang & Ramanan 2013

WITHIN = tuple(f"within_{t}px_pct" for t in THRESHOLDS_PX)
POINTS_WITHIN = tuple(f"points_within_{t}px_pct" for t in THRESHOLDS_PX)
PCK = tuple(f"pck_at_{t:g}_pct" for t in PCK_THRESHOLDS)
METRICS = ("mae_px", "rmse_px", *WITHIN, *POINTS_WITHIN, "nme_pct", "auc", "failure_rate_pct", *PCK)
NME_METRICS = (
    "nme_pct",
    *(name for t in NME_LIMITS_PCT for name in (f"auc_at_{t:g}", f"failure_rate_at_{t:g}_pct")),
    *PCK,
)
KEYPOINT_METRICS = ("mae_px", "rmse_px", "point_error_px", "bias_x_px", "bias_y_px", *WITHIN, *POINTS_WITHIN)


def face_sums(
    predicted: Float32, true: Float32, scored: Bool, normalizer: Normalizer, known: Bool | None = None
) -> Float64:
    """Returns the sums behind `METRICS`, float64 (N, F, 2).

    `mae_px`, `rmse_px` and `within_` are over single coordinates, `points_within_` and `pck_` over points (Euclidean),
    the others over faces. Within means strictly below the threshold.

    Args:
        predicted: float32 (N, K, 2) in px.
        true: float32 (N, K, 2) in px.
        scored: bool (N, K), the keypoints to score.
        normalizer: the distance that normalizes a face's error.
        known: bool (N, K), the keypoints from which this distance can be measured; None: the scored ones.
    """
    error, distance = np.abs(_difference(predicted, true)), point_errors(predicted, true)
    by_coordinate = [error, error**2, *(100.0 * (error < t) for t in THRESHOLDS_PX)]
    by_point = [100.0 * (distance < t) for t in THRESHOLDS_PX]
    both_axes = np.repeat(scored[..., None], 2, axis=-1)
    sums = [_sums(values, both_axes) for values in by_coordinate] + [_sums(values, scored) for values in by_point]
    normalized = nme_sums(predicted, true, scored, normalizer, known)
    return np.concatenate([np.stack(sums, axis=1), normalized[:, :3], normalized[:, -len(PCK) :]], axis=1)


def nme_sums(
    predicted: Float32, true: Float32, scored: Bool, normalizer: Normalizer, known: Bool | None = None
) -> Float64:
    """Returns the sums behind `NME_METRICS`, float64 (N, F, 2): the mean, area and failures at each limit, then PCK.

    The area is that under the cumulative error curve up to the limit, as a share of the largest possible area. PCK is
    the share of points whose error is smaller than a fraction of the normalizer. Faces without that distance (see
    `spans`) do not count.
    """
    nme = face_nme(predicted, true, scored, normalizer, known)
    by_face: list[Float64] = [nme]
    for limit in NME_LIMITS_PCT:
        by_face += [np.maximum(0, 1 - nme / limit), np.where(nme > limit, 100.0, 0.0)]
    sums = [_sums(each, np.isfinite(nme)) for each in by_face]
    share = point_errors(predicted, true) / spans(true, scored if known is None else known, normalizer)[:, None]
    sums += [_sums(100.0 * (share < t), scored & np.isfinite(share)) for t in PCK_THRESHOLDS]
    return np.stack(sums, axis=1)


def keypoint_sums(predicted: Float32, true: Float32, scored: Bool) -> Float64:
    """Returns the sums behind `KEYPOINT_METRICS` for each keypoint, float64 (N, K, F, 2).

    `point_error_px` is the mean Euclidean error; `bias_x_px` and `bias_y_px` are mean signed errors (right, down).
    """
    signed = _difference(predicted, true)
    error, distance = np.abs(signed), point_errors(predicted, true)
    by_point = [
        error.mean(-1),
        (error**2).mean(-1),
        distance,
        signed[..., 0],
        signed[..., 1],
        *(100.0 * (error < t).mean(-1) for t in THRESHOLDS_PX),
        *(100.0 * (distance < t) for t in THRESHOLDS_PX),
    ]
    return np.stack([np.stack([np.where(scored, values, 0.0), scored], axis=-1) for values in by_point], axis=2)


def point_nme_sums(predicted: Float32, true: Float32, scored: Bool, distances: Float64) -> Float64:
    """Returns the sums behind the NME of each keypoint, float64 (N, K, 1, 2): its errors in % of the faces' distances.

    Args:
        predicted, true, scored: as of `face_sums`.
        distances: of `spans`, float64 (N,); faces without a distance do not count.
    """
    nme = 100.0 * point_errors(predicted, true) / distances[:, None]
    counts = scored & np.isfinite(nme)
    return np.stack([np.where(counts, nme, 0.0), counts], axis=-1)[:, :, None]


def ratios(sums: Float64, metrics: tuple[str, ...]) -> Float64:
    """Returns the metrics of sums (..., F, 2) as float64 (..., F); NaN if nothing was scored."""
    with np.errstate(divide="ignore", invalid="ignore"):
        values: Float64 = sums[..., 0] / sums[..., 1]
    for f in (f for f, metric in enumerate(metrics) if metric.startswith("rmse")):
        values[..., f] = np.sqrt(values[..., f])
    return values


def mae_rmse(predicted: Float32, true: Float32, scored: Bool) -> tuple[float, float]:
    """Returns MAE and RMSE in px over the coordinates of all scored points; NaN where there are none."""
    sums = keypoint_sums(predicted, true, scored)[:, :, :2].sum((0, 1))
    mae, rmse = ratios(sums, KEYPOINT_METRICS[:2])
    return float(mae), float(rmse)


def point_errors(predicted: Float32, true: Float32) -> Float64:
    """Returns the Euclidean distance of every pair of points (N, K, 2), float64 (N, K) in px."""
    difference = _difference(predicted, true)
    return np.hypot(difference[..., 0], difference[..., 1])


def face_errors(predicted: Float32, true: Float32, scored: Bool) -> Float64:
    """Returns the mean Euclidean error of each face's scored points, float64 (N,) in px; NaN without scored points."""
    sums = _sums(point_errors(predicted, true), scored)
    return np.where(sums[:, 1] > 0, sums[:, 0] / np.maximum(sums[:, 1], 1), np.nan)


def face_nme(
    predicted: Float32, true: Float32, scored: Bool, normalizer: Normalizer, known: Bool | None = None
) -> Float64:
    """Returns the normalized mean error of each face, float64 (N,) in %.

    NME is the mean point error divided by the true distance of the `normalizer`: of the eye centers, the pupils or the
    outer eye corners (Sagonas et al. 2016, 300 Faces in-the-wild), or the diagonal of the box around the face's scored
    keypoints. NaN for a face without that distance (see `spans`) of its `known` keypoints, the scored ones if None.
    """
    return 100.0 * face_errors(predicted, true, scored) / spans(true, scored if known is None else known, normalizer)


def spans(true: Float32, scored: Bool, normalizer: Normalizer) -> Float64:
    """Returns the true distance of a normalizer in each face, float64 (N,) in px.

    NaN for a face where one of the normalizer's keypoints is not scored, or where the distance is 0.
    """
    first, second = list(normalizer.first), list(normalizer.second)
    if not first:
        points = true.astype(np.float64)
        low, high = (np.where(scored[..., None], points, end) for end in (np.inf, -np.inf))
        span = np.hypot(*(high.max(axis=1) - low.min(axis=1)).T)  # infinite for a face without a scored keypoint
    else:
        span = point_errors(true[:, first].mean(axis=1), true[:, second].mean(axis=1))
    usable = scored[:, first + second].all(axis=1) & (span > 0) & np.isfinite(span)
    return np.where(usable, span, np.nan)


def divisor_text(normalizer: str) -> str:
    """Returns in words what errors are divided by, from the name of a normalizer."""
    return f"the {normalizer}" if normalizer == BOX_DIAGONAL.name else f"the distance of the {normalizer}"


def _difference(predicted: Float32, true: Float32) -> Float64:
    return predicted.astype(np.float64) - true.astype(np.float64)


def _sums(values: Any, mask: Bool) -> Float64:
    """Returns for each face the sum of the masked values (N, ...) and their number, float64 (N, 2)."""
    count = len(values)
    return np.stack([np.where(mask, values, 0.0).reshape(count, -1).sum(1), mask.reshape(count, -1).sum(1)], axis=-1)

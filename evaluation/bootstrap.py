"""95 % intervals by resampling whole groups of faces (cluster bootstrap: Davison & Hinkley 1997, sections 3.8 and 4.4).

Pictures of one person, and copies of one picture, are not independent, so whole groups are drawn.
N faces, G groups, B resamples, F metrics; sums end in an axis of two, see `evaluation.metrics`.
"""

from typing import NamedTuple

import numpy as np

from evaluation.metrics import ratios
from facial_keypoints.array_types import Float64, Int64

RESAMPLES = 2000
INTERVAL_PCT = (2.5, 97.5)
# With fewer groups, even the range of all values misses the median in over 5 % of samples: G independent values all lie
# on one side of it with probability 2^(1 - G), which is 6 % for 5 groups and 3 % for 6.
MIN_GROUPS = 6


class Estimate(NamedTuple):
    """Metrics with their 95 % percentile intervals: three float64 arrays of one shape.

    The ends are NaN where fewer than MIN_GROUPS groups are scored.
    """

    value: Float64
    low: Float64
    high: Float64


class Difference(NamedTuple):
    """How much higher one model's metric is than another's on the same faces, with its 95 % interval and p value."""

    value: float
    low: float
    high: float
    p_value: float


def resampling_weights(groups: Int64, resamples: int = RESAMPLES, seed: int = 0) -> Float64:
    """Returns how often each resample draws each group, in sorted order: float64 (B, G), from int64 (N,)."""
    count = len(np.unique(groups))
    draws = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=resamples)
    return draws.astype(np.float64)


def group_sums(sums: Float64, groups: Int64) -> Float64:
    """Returns the total of each group, in sorted order: float64 (G, ..., 2), from the sums of faces (N, ..., 2)."""
    names, group = np.unique(groups, return_inverse=True)
    totals = np.zeros((len(names), *sums.shape[1:]))
    np.add.at(totals, group, sums)
    return totals


def estimate(sums: Float64, metrics: tuple[str, ...], groups: Int64, weights: Float64) -> Estimate:
    """Returns the metrics of all faces with intervals, each (..., F).

    Args:
        sums: float64 (N, ..., F, 2).
        metrics: the F names.
        groups: int64 (N,).
        weights: float64 (B, G) of `resampling_weights`.
    """
    value, resampled = ratios(sums.sum(0), metrics), ratios(_resampled(sums, groups, weights), metrics)
    return Estimate(value, *_interval(resampled, _scored_groups(sums, groups)))


def paired_difference(sums: Float64, base_sums: Float64, groups: Int64, weights: Float64) -> Difference:
    """Returns the difference of a ratio between a model and the base, with the same resamples for both.

    The p value is two-sided: twice the share of resamples on the less frequent side of zero, counting the sample itself
    (Davison & Hinkley 1997, section 4.2), so never under 2 / (B + 1).

    Args:
        sums: float64 (N, 2), the model's.
        base_sums: float64 (N, 2), the base's on the same faces.
        groups: int64 (N,).
        weights: float64 (B, G).
    """
    metric = ("difference",)
    value = ratios(sums[:, None].sum(0), metric) - ratios(base_sums[:, None].sum(0), metric)
    model, base = (ratios(_resampled(each[:, None], groups, weights), metric) for each in (sums, base_sums))
    resampled = model - base
    low, high = _interval(resampled, _scored_groups(sums[:, None], groups))
    less_frequent = min((resampled <= 0).sum(), (resampled >= 0).sum())
    p_value = min(1.0, 2 * (1 + less_frequent) / (1 + len(resampled)))
    return Difference(float(value[0]), float(low[0]), float(high[0]), float(p_value) if np.isfinite(low[0]) else np.nan)


def paired_ratio(
    sums: Float64, base_sums: Float64, metrics: tuple[str, ...], groups: Int64, weights: Float64
) -> Estimate:
    """Returns the metrics of a model divided by those of the base, each (..., F), with the same resamples for both.

    NaN if the metric of the base is 0 or unknown.

    Args:
        sums: float64 (N, ..., F, 2), the model's.
        base_sums: float64 (N, ..., F, 2), the base's on the same faces.
        metrics: the F names.
        groups: int64 (N,).
        weights: float64 (B, G).
    """

    def ratio(model: Float64, base: Float64) -> Float64:
        numerators, denominators = ratios(model, metrics), ratios(base, metrics)
        return np.divide(numerators, denominators, out=np.full_like(numerators, np.nan), where=denominators > 0)

    resampled = ratio(_resampled(sums, groups, weights), _resampled(base_sums, groups, weights))
    return Estimate(ratio(sums.sum(0), base_sums.sum(0)), *_interval(resampled, _scored_groups(sums, groups)))


def _resampled(sums: Float64, groups: Int64, weights: Float64) -> Float64:
    """Returns the sums of every resample, float64 (B, ..., 2)."""
    return np.tensordot(weights, group_sums(sums, groups), axes=1)


def _scored_groups(sums: Float64, groups: Int64) -> Int64:
    """Returns how many groups have a scored face, int64 (...), from sums float64 (N, ..., 2)."""
    return (group_sums(sums, groups)[..., 1] > 0).sum(axis=0)


def _interval(resampled: Float64, scored_groups: Int64) -> tuple[Float64, Float64]:
    """Returns the ends of the percentile interval over the first axis; resamples without a value are ignored."""
    has_interval = (scored_groups >= MIN_GROUPS) & np.isfinite(resampled).any(axis=0)
    low, high = np.nanpercentile(np.where(has_interval, resampled, 0.0), INTERVAL_PCT, axis=0)
    return np.where(has_interval, low, np.nan), np.where(has_interval, high, np.nan)

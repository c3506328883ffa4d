"""Intervals against known answers: theory for independent faces, wider intervals for groups."""

import numpy as np
import pytest

from evaluation.bootstrap import estimate, group_sums, paired_difference, paired_ratio, resampling_weights
from evaluation.metrics import ratios
from facial_keypoints.array_types import Float64

MEAN = ("mean",)


def as_sums(values: Float64) -> Float64:
    """Returns the sums behind a mean, (N, 1, 2)."""
    return np.stack([values, np.ones_like(values)], axis=-1)[:, None]


def test_resample_with_every_group_once_is_the_estimate() -> None:
    rng = np.random.default_rng(0)
    sums, groups = rng.uniform(1, 2, (20, 3, 2)), rng.integers(0, 6, 20)
    once = np.ones((1, len(np.unique(groups))))
    metrics = ("a", "rmse", "c")
    assert ratios(np.tensordot(once, group_sums(sums, groups), 1)[0], metrics) == pytest.approx(
        ratios(sums.sum(0), metrics)
    )


def test_interval_width_and_coverage_match_theory() -> None:
    rng = np.random.default_rng(1)
    groups = np.arange(200)
    weights = resampling_weights(groups, resamples=500)
    covered = []
    for _ in range(200):
        values = rng.exponential(3.0, 200)
        _, low, high = estimate(as_sums(values), MEAN, groups, weights)
        covered.append(low[0] < 3.0 < high[0])
    assert high[0] - low[0] == pytest.approx(2 * 1.96 * values.std() / np.sqrt(200), rel=0.15)
    assert 0.89 <= np.mean(covered) <= 0.99


def test_grouping_faces_by_person_widens_the_interval() -> None:
    values = np.repeat(np.random.default_rng(2).normal(0, 1, 50), 8)  # eight copies of each value add no information
    people, faces = np.repeat(np.arange(50), 8), np.arange(400)
    widths = []
    for groups in (people, faces):
        _, low, high = estimate(as_sums(values), MEAN, groups, resampling_weights(groups))
        widths.append(high[0] - low[0])
    assert widths[0] / widths[1] == pytest.approx(np.sqrt(8), rel=0.1)


def test_paired_difference_detects_what_separate_intervals_hide() -> None:
    rng = np.random.default_rng(3)
    groups = np.arange(100)
    hard = rng.exponential(3.0, 100)  # faces differ far more than the models do
    base, better = as_sums(hard)[:, 0], as_sums(hard - 0.2 + rng.normal(0, 0.1, 100))[:, 0]
    weights = resampling_weights(groups)
    difference = paired_difference(better, base, groups, weights)
    assert difference.value == pytest.approx(-0.2, abs=0.03)
    assert difference.low < difference.value < difference.high < 0
    assert difference.p_value == pytest.approx(2 / 2001)
    same = paired_difference(base, base, groups, weights)
    assert (same.value, same.low, same.high, same.p_value) == (0, 0, 0, 1)


@pytest.mark.parametrize(("count", "known"), [(1, False), (5, False), (6, True)])
def test_interval_needs_six_groups(count: int, known: bool) -> None:
    groups = np.repeat(np.arange(count), 4)  # four faces in each group
    values = np.random.default_rng(4).normal(3, 1, len(groups))
    weights = resampling_weights(groups)
    value, low, high = estimate(as_sums(values), MEAN, groups, weights)
    assert value[0] == pytest.approx(values.mean())
    assert np.isfinite([low[0], high[0]]).all() == known
    difference = paired_difference(as_sums(values)[:, 0], as_sums(values + 1)[:, 0], groups, weights)
    assert difference.value == pytest.approx(-1)
    assert np.isfinite([difference.low, difference.high, difference.p_value]).all() == known
    ratio = paired_ratio(as_sums(values), as_sums(2 * values), MEAN, groups, weights)
    assert ratio.value[0] == pytest.approx(0.5)
    assert np.isfinite([ratio.low[0], ratio.high[0]]).all() == known


@pytest.mark.parametrize(("scored", "known"), [(1, False), (5, False), (6, True)])
def test_metric_scored_in_fewer_than_six_groups_has_no_interval(scored: int, known: bool) -> None:
    sums, groups = as_sums(np.arange(20.0)), np.arange(20)
    sums[scored:] = 0
    _, low, high = estimate(sums, MEAN, groups, resampling_weights(groups))
    assert np.isfinite([low[0], high[0]]).all() == known


def test_percentile_interval_of_five_groups_is_too_narrow() -> None:
    """Why six groups are needed: with 5, the percentile interval covers the truth in far fewer than 95 % of samples."""
    rng = np.random.default_rng(5)
    groups, samples = np.arange(5), rng.normal(0, 1, (400, 5))
    weights = resampling_weights(groups, resamples=400)
    low, high = np.percentile(samples @ weights.T / 5, (2.5, 97.5), axis=1)
    assert np.mean((low < 0) & (high > 0)) < 0.9

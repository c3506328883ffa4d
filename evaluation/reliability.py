"""`reliability.csv`: is the error as large as the network says? N faces, K keypoints, B resamples, G groups."""

import numpy as np
import pandas as pd

from data_prep.faces import Part
from evaluation.bootstrap import estimate
from evaluation.tables import DECIMALS
from facial_keypoints.array_types import Float32, Float64

BINS = 10


def reliability_table(keypoints: Float32, sigma: Float32, test: Part, weights: Float64) -> pd.DataFrame:
    """Returns a row for each bin of labelled points, bins of equal count, in order of sigma.

    `sigma_px` is the mean that was predicted, `error_px` the mean absolute error of the points' coordinates with its
    interval (the bins stay where they are in every resample), `ratio` the second over the first. Fewer points than
    `BINS` have a bin each.

    Args:
        keypoints: float32 (N, K, 2) in px.
        sigma: float32 (N, K) in px.
        weights: float64 (B, G) of `resampling_weights(test.groups)`.
    """
    of_point = np.full(sigma.shape, -1)
    order = np.argsort(sigma[test.labelled], kind="stable")
    runs = [run for run in np.array_split(order, BINS) if len(run)]
    bins = np.arange(len(runs))
    of_labelled = np.empty(len(order), np.int64)
    of_labelled[order] = np.repeat(bins, [len(run) for run in runs])
    of_point[test.labelled] = of_labelled
    in_bin = of_point[..., None] == bins  # (N, K, bins)

    error = np.abs(keypoints.astype(np.float64) - test.keypoints).mean(-1)
    count = in_bin.sum(1)
    sums = np.stack([(error[..., None] * in_bin).sum(1), count], axis=-1)
    value, low, high = estimate(sums, ("error_px",) * len(runs), test.groups, weights)
    predicted = (sigma[..., None].astype(np.float64) * in_bin).sum((0, 1)) / count.sum(0)
    columns = {
        "bin": bins + 1,
        "points": count.sum(0),
        "sigma_px": predicted,
        "error_px": value,
        "error_px_low": low,
        "error_px_high": high,
        "ratio": value / predicted,
    }
    return pd.DataFrame(columns).round(DECIMALS)

"""`reliability.csv`: measured and expected errors. N faces, K keypoints, B resamples, G groups."""

import numpy as np
import pandas as pd

from data_prep.faces import Split
from evaluation.bootstrap import estimate
from evaluation.tables import DECIMALS
from facial_keypoints.array_types import Float32, Float64

BINS = 10


def reliability_table(coordinates: Float32, expected_error: Float32, test: Split, weights: Float64) -> pd.DataFrame:
    """Returns a row for each bin of labelled points; the bins have equal counts and are in order of expected error.

    `expected_error_px` is the mean expected error, `error_px` the mean absolute error of the coordinates with its
    interval (the bins are the same in every resample), `ratio` the second divided by the first. With fewer points than
    `BINS`, each has its own bin.

    Args:
        coordinates: float32 (N, K, 2) in px.
        expected_error: float32 (N, K) in px.
        weights: float64 (B, G) of `resampling_weights(test.groups)`.
    """
    bin_of_point = np.full(expected_error.shape, -1)
    order = np.argsort(expected_error[test.labelled], kind="stable")
    chunks = [chunk for chunk in np.array_split(order, BINS) if len(chunk)]
    bins = np.arange(len(chunks))
    bin_of_labelled = np.empty(len(order), np.int64)
    bin_of_labelled[order] = np.repeat(bins, [len(chunk) for chunk in chunks])
    bin_of_point[test.labelled] = bin_of_labelled
    in_bin = bin_of_point[..., None] == bins  # (N, K, bins)

    error = np.abs(coordinates.astype(np.float64) - test.keypoints).mean(-1)
    count = in_bin.sum(1)
    sums = np.stack([(error[..., None] * in_bin).sum(1), count], axis=-1)
    value, low, high = estimate(sums, ("error_px",) * len(chunks), test.groups, weights)
    expected = (expected_error[..., None].astype(np.float64) * in_bin).sum((0, 1)) / count.sum(0)
    columns = {
        "bin": bins + 1,
        "points": count.sum(0),
        "expected_error_px": expected,
        "error_px": value,
        "error_px_low": low,
        "error_px_high": high,
        "ratio": value / expected,
    }
    return pd.DataFrame(columns).round(DECIMALS)

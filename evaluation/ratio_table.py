"""`ratios.csv`: the error of each model as a multiple of the base's, keypoint by keypoint. N faces, K keypoints."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from data_prep.faces import Split
from evaluation.bootstrap import paired_ratio, resampling_weights
from evaluation.comparison import Entry
from evaluation.inputs import EvaluationData
from evaluation.metrics import KEYPOINT_METRICS, keypoint_sums
from evaluation.tables import DECIMALS
from facial_keypoints.array_types import Float32, Float64

ALL_KEYPOINTS = "all"
ERRORS = ("rmse_px", "mae_px")
RATIOS = ("rmse_ratio", "mae_ratio")
COLUMNS = ("name", "keypoint", "points", *(f"{ratio}{end}" for ratio in RATIOS for end in ("", "_low", "_high")))


def ratio_table(entries: Sequence[Entry], data: EvaluationData, base: str) -> pd.DataFrame:
    """Returns a row for each keypoint and one for all of them, for every model other than the base, on labelled points.

    Both intervals are from the same resamples. There are no rows if no entry is named `base`.
    """
    groups, labelled = data.test.groups, data.test.labelled
    weights = resampling_weights(groups)
    sums = {entry.name: _error_sums(entry.predicted, data.test) for entry in entries}
    keypoints = [*data.keypoint_set.names, ALL_KEYPOINTS]
    points = [*labelled.sum(0), labelled.sum()]
    rows = []
    for name in (entry.name for entry in entries if not entry.baseline and base in sums and entry.name != base):
        estimates = paired_ratio(sums[name], sums[base], ERRORS, groups, weights)  # each (K + 1, F)
        cells = np.round(np.stack(estimates, axis=-1), DECIMALS).reshape(len(keypoints), -1)
        rows += [[name, *row] for row in zip(keypoints, points, *cells.T, strict=True)]
    return pd.DataFrame(rows, columns=COLUMNS)


def _error_sums(predicted: Float32, test: Split) -> Float64:
    """Returns the sums behind `ERRORS` for each keypoint and then for all, float64 (N, K + 1, F, 2)."""
    indexes = [KEYPOINT_METRICS.index(metric) for metric in ERRORS]
    sums = keypoint_sums(predicted, test.keypoints, test.labelled)[:, :, indexes]
    return np.concatenate([sums, sums.sum(1, keepdims=True)], axis=1)

"""The CSV tables of an evaluation. N faces, K keypoints, B resamples, G groups."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from data_prep.faces import Part
from evaluation.bootstrap import Estimate, estimate
from evaluation.metrics import FIGURES, KEYPOINT_FIGURES, face_sums, keypoint_sums
from facial_keypoints.array_types import Bool, Float32, Float64
from facial_keypoints.keypoint_set import KeypointSet

LABELS = ("labelled", "all")  # scored on the real labels only; on the imputed ones too
COST = ("parameters", "epochs", "seconds", "file_mb")  # of training; of `model.keras`, in 1e6 bytes
DECIMALS = 4


def scored(test: Part, labels: str) -> Bool:
    """Returns bool (N, K): the keypoints that count under a value of `LABELS`."""
    return test.labelled if labels == "labelled" else np.ones_like(test.labelled)


def accuracy_table(predicted: Float32, test: Part, keypoint_set: KeypointSet, weights: Float64) -> pd.DataFrame:
    """Returns `accuracy.csv`: a row for each of `LABELS`, every one of `FIGURES`, then its `_low` and `_high`.

    Args:
        predicted: float32 (N, K, 2) in px.
        weights: float64 (B, G) of `resampling_weights(test.groups)`.
    """
    rows = []
    for labels in LABELS:
        mask = scored(test, labels)
        sums = face_sums(predicted, test.keypoints, mask, keypoint_set.normaliser)
        figures = estimate(sums, FIGURES, test.groups, weights)
        rows.append({"labels": labels, "coordinates": 2 * int(mask.sum()), **_cells(FIGURES, figures)})
    return pd.DataFrame(rows)


def keypoint_table(predicted: Float32, test: Part, keypoint_set: KeypointSet, weights: Float64) -> pd.DataFrame:
    """Returns `per_keypoint.csv`: a row for each keypoint and each of `LABELS`; `count` is the points scored.

    Args:
        predicted: float32 (N, K, 2) in px.
        weights: float64 (B, G) of `resampling_weights(test.groups)`.
    """
    rows = []
    for labels in LABELS:
        mask = scored(test, labels)
        figures = estimate(keypoint_sums(predicted, test.keypoints, mask), KEYPOINT_FIGURES, test.groups, weights)
        for k, name in enumerate(keypoint_set.names):
            of_keypoint = Estimate(*(values[k] for values in figures))
            cells = _cells(KEYPOINT_FIGURES, of_keypoint)
            rows.append({"keypoint": name, "labels": labels, "count": int(mask[:, k].sum()), **cells})
    return pd.DataFrame(rows)


def _cells(figures: Sequence[str], values: Estimate) -> dict[str, float]:
    value, low, high = (np.round(each, DECIMALS) for each in values)
    cells = dict(zip(figures, value, strict=True))
    for f, figure in enumerate(figures):
        cells |= {f"{figure}_low": low[f], f"{figure}_high": high[f]}
    return cells


def with_interval(row: "pd.Series[float]", figure: str, decimals: int = 2) -> str:
    """Returns a figure of a table's row as text, `1.83 [1.79, 1.88]`; without the ends where they are unknown."""
    value, low, high = (row[name] for name in (figure, f"{figure}_low", f"{figure}_high"))
    if np.isnan(value):
        return "-"
    ends = "" if np.isnan(low) else f" [{low:.{decimals}f}, {high:.{decimals}f}]"
    return f"{value:.{decimals}f}{ends}"

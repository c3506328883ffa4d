"""The CSV tables of an evaluation. N faces, K keypoints, B resamples, G groups."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from data_prep.faces import Part
from evaluation.bootstrap import Estimate, estimate
from evaluation.metrics import KEYPOINT_METRICS, METRICS, face_sums, keypoint_sums
from facial_keypoints.array_types import Bool, Float32, Float64
from facial_keypoints.keypoint_set import KeypointSet

LABELS = ("labelled", "all")  # scored on the real labels only; on the imputed ones too
COST = ("parameters", "epochs", "seconds", "file_mb")  # of training; of `model.keras`, in 1e6 bytes
DECIMALS = 4


def known_cost(metrics: Mapping[str, Any]) -> dict[str, float | None]:
    """Returns the values of `COST` in a manifest's metrics; None for what is no number there."""
    return {key: value if isinstance(value := metrics.get(key), int | float) else None for key in COST}


def accuracy_table(predicted: Float32, test: Part, keypoint_set: KeypointSet, weights: Float64) -> pd.DataFrame:
    """Returns `accuracy.csv`: a row for each of `LABELS`, every one of `METRICS`, then its `_low` and `_high`.

    Args:
        predicted: float32 (N, K, 2) in px.
        weights: float64 (B, G) of `resampling_weights(test.groups)`.
    """

    def sums(scored: Bool) -> Float64:
        return face_sums(predicted, test.keypoints, scored, keypoint_set.normalisers[0])

    return pd.DataFrame(
        {"labels": labels, "coordinates": 2 * int(scored.sum()), **_cells(METRICS, values)}
        for labels, scored, values in _by_labels(sums, METRICS, test, weights)
    )


def keypoint_table(predicted: Float32, test: Part, keypoint_set: KeypointSet, weights: Float64) -> pd.DataFrame:
    """Returns `per_keypoint.csv`: a row for each keypoint and each of `LABELS`; `count` is the points scored.

    Args: as of `accuracy_table`.
    """

    def sums(scored: Bool) -> Float64:
        return keypoint_sums(predicted, test.keypoints, scored)

    rows = []
    for labels, scored, values in _by_labels(sums, KEYPOINT_METRICS, test, weights):
        for k, name in enumerate(keypoint_set.names):
            cells = _cells(KEYPOINT_METRICS, Estimate(*(each[k] for each in values)))
            rows.append({"keypoint": name, "labels": labels, "count": int(scored[:, k].sum()), **cells})
    return pd.DataFrame(rows)


def _by_labels(
    sums: Callable[[Bool], Float64], metrics: tuple[str, ...], test: Part, weights: Float64
) -> Iterator[tuple[str, Bool, Estimate]]:
    """Yields each of `LABELS`, the keypoints that count under it, bool (N, K), and their metrics."""
    for labels in LABELS:
        scored = test.labelled if labels == "labelled" else np.ones_like(test.labelled)
        yield labels, scored, estimate(sums(scored), metrics, test.groups, weights)


def _cells(metrics: Sequence[str], values: Estimate) -> dict[str, float]:
    value, low, high = (np.round(each, DECIMALS) for each in values)
    cells = dict(zip(metrics, value, strict=True))
    for m, metric in enumerate(metrics):
        cells |= {f"{metric}_low": low[m], f"{metric}_high": high[m]}
    return cells


def with_interval(row: "pd.Series[float]", metric: str, decimals: int = 2) -> str:
    """Returns a metric of a table's row as text, `1.83 [1.79, 1.88]`; without the ends where they are unknown."""
    value, low, high = (row[name] for name in (metric, f"{metric}_low", f"{metric}_high"))
    if np.isnan(value):
        return "-"
    ends = "" if np.isnan(low) else f" [{low:.{decimals}f}, {high:.{decimals}f}]"
    return f"{value:.{decimals}f}{ends}"

"""The CSV tables of an evaluation. N faces, K keypoints, B resamples, G groups."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from data_prep.faces import Split
from evaluation.bootstrap import Estimate, estimate, resampling_weights
from evaluation.conditions import conditions
from evaluation.inputs import EvaluationData
from evaluation.metrics import (
    KEYPOINT_METRICS,
    METRICS,
    NME_METRICS,
    face_sums,
    keypoint_sums,
    nme_sums,
    point_nme_sums,
    spans,
)
from facial_keypoints.array_types import Bool, Float32, Float64
from facial_keypoints.keypoint_set import KeypointSet, Normalizer

LABELS = ("labelled", "all")  # real labels only; imputed labels too
VISIBLE, OCCLUDED = "visible", "occluded"  # real labels of visible and of occluded keypoints, if both occur
COST = ("parameters", "epochs", "seconds", "file_mb")  # of training; file_mb: `model.keras`, in 1e6 bytes
DECIMALS = 4
KEYPOINTS_AT_ONCE = 100  # whose resamples are in memory together; 2,000 resamples take 50 MB


def known_cost(metrics: Mapping[str, Any]) -> dict[str, float | None]:
    """Returns the values of `COST` in the metrics of a manifest; None if there is no number."""
    return {key: value if isinstance(value := metrics.get(key), int | float) else None for key in COST}


def accuracy_table(predicted: Float32, test: Split, keypoint_set: KeypointSet, weights: Float64) -> pd.DataFrame:
    """Returns `accuracy.csv`: a row for each of `LABELS`, every one of `METRICS`, then its `_low` and `_high`.

    If the labels mark some keypoints as occluded, there are also rows `visible` and `occluded`. For their NME, errors
    are divided by the distance between labels of either kind.

    Args:
        predicted: float32 (N, K, 2) in px.
        weights: float64 (B, G) of `resampling_weights(test.groups)`.
    """

    def sums(scored: Bool) -> Float64:
        return face_sums(predicted, test.keypoints, scored, keypoint_set.normalizers[0], scored | test.labelled)

    return pd.DataFrame(
        {"labels": labels, "coordinates": 2 * int(scored.sum()), **_cells(METRICS, values)}
        for labels, scored, values in _by_labels(sums, METRICS, test, weights, by_visibility(test))
    )


def by_visibility(test: Split) -> dict[str, Bool]:
    """Returns the labels, bool (N, K), of visible and of occluded keypoints; empty unless both occur."""
    if test.visible is None or not (occluded := test.labelled & ~test.visible).any() or not test.visible.any():
        return {}
    return {VISIBLE: test.visible, OCCLUDED: occluded}


def nme_table(predicted: Float32, test: Split, keypoint_set: KeypointSet, weights: Float64) -> pd.DataFrame:
    """Returns `nme.csv`: a row for each normalizer of the set and each of `LABELS`.

    `faces` counts those with an NME; `faces_left_out` those with scored keypoints but no distance to divide errors by.

    Args: see `accuracy_table`.
    """
    rows = []
    for normalizer in keypoint_set.normalizers:

        def sums(scored: Bool, normalizer: Normalizer = normalizer) -> Float64:
            return nme_sums(predicted, test.keypoints, scored, normalizer)

        for labels, scored, values in _by_labels(sums, NME_METRICS, test, weights):
            has_nme = np.isfinite(spans(test.keypoints, scored, normalizer))
            counts = {"faces": int(has_nme.sum()), "faces_left_out": int((scored.any(axis=1) & ~has_nme).sum())}
            cells = _cells(NME_METRICS, values)
            rows.append({"normalizer": normalizer.name, "labels": labels, **counts, **cells})
    return pd.DataFrame(rows)


def keypoint_table(predicted: Float32, test: Split, keypoint_set: KeypointSet, weights: Float64) -> pd.DataFrame:
    """Returns `per_keypoint.csv`: a row for each keypoint and each of `LABELS`; `count` is the points scored.

    Args: see `accuracy_table`.
    """
    each = [(name, (k,)) for k, name in enumerate(keypoint_set.names)]
    return _point_table("keypoint", each, predicted, test, keypoint_set, weights)


def region_table(predicted: Float32, test: Split, keypoint_set: KeypointSet, weights: Float64) -> pd.DataFrame:
    """Returns `per_region.csv`: a row for each region and each of `LABELS`; `count` is the points scored.

    Args: see `accuracy_table`.
    """
    return _point_table("region", keypoint_set.regions, predicted, test, keypoint_set, weights)


def _point_table(
    column: str,
    members: Sequence[tuple[str, tuple[int, ...]]],
    predicted: Float32,
    test: Split,
    keypoint_set: KeypointSet,
    weights: Float64,
) -> pd.DataFrame:
    """Returns metrics pooled over the keypoints of each of `members`, (name, keypoints); the name is in `column`."""

    _, *others = keypoint_set.normalizers
    metrics = (*KEYPOINT_METRICS, "nme_pct", *(f"nme_pct_{other.name.replace(' ', '_')}" for other in others))

    rows = []
    for start in range(0, len(members), KEYPOINTS_AT_ONCE):
        batch = members[start : start + KEYPOINTS_AT_ONCE]
        kept = sorted({k for _, keypoints in batch for k in keypoints})
        positions = [[kept.index(k) for k in keypoints] for _, keypoints in batch]

        def sums(scored: Bool, kept: list[int] = kept, positions: list[list[int]] = positions) -> Float64:
            points = predicted[:, kept], test.keypoints[:, kept], scored[:, kept]
            distances = [spans(test.keypoints, scored, each) for each in keypoint_set.normalizers]
            both = np.concatenate([keypoint_sums(*points), *(point_nme_sums(*points, d) for d in distances)], axis=2)
            return np.stack([both[:, keypoints].sum(1) for keypoints in positions], axis=1)

        for labels, scored, values in _by_labels(sums, metrics, test, weights):
            for m, (name, keypoints) in enumerate(batch):
                cells = _cells(metrics, Estimate(*(each[m] for each in values)))
                rows.append({column: name, "labels": labels, "count": int(scored[:, list(keypoints)].sum()), **cells})
    return pd.DataFrame(sorted(rows, key=lambda row: LABELS.index(row["labels"])))


def subset_tables(predictions: Mapping[str, Float32], data: EvaluationData) -> dict[str, pd.DataFrame]:
    """Returns `by_origin.csv` and `by_condition.csv`: the rows of `accuracy.csv` for subsets of the faces.

    The first has each label source and each origin, the second each of `evaluation.conditions`.

    Args:
        predictions: of each model or baseline, by name: float32 (N, K, 2) in px.
    """
    subsets = {"by_origin": data.subsets(), "by_condition": conditions(data.test, data.keypoint_set)}
    return {name: _table_of_subsets(predictions, data, faces_by_kind) for name, faces_by_kind in subsets.items()}


def _table_of_subsets(
    predictions: Mapping[str, Float32], data: EvaluationData, subsets: Sequence[tuple[str, str, Bool]]
) -> pd.DataFrame:
    """Returns the rows of `accuracy.csv` for subsets of the faces.

    `by` is the kind of the subset and `which` its name; the intervals resample `groups`.

    Args:
        subsets: `by`, `which`, and the faces, bool (N,).
    """
    tables = []
    for by, which, kept in subsets:
        test = data.test.only(kept)
        weights = resampling_weights(test.groups)
        for name, predicted in predictions.items():
            table = accuracy_table(predicted[kept], test, data.keypoint_set, weights)
            about = {"by": by, "which": which, "name": name, "faces": len(test), "groups": weights.shape[1]}
            for position, (column, value) in enumerate(about.items()):
                table.insert(position, column, value)
            tables.append(table)
    return pd.concat(tables, ignore_index=True)


# The tables of one prediction, by the name of their file.
MakeTable = Callable[[Float32, Split, KeypointSet, Float64], pd.DataFrame]
TABLES: dict[str, MakeTable] = {
    "accuracy": accuracy_table,
    "nme": nme_table,
    "per_keypoint": keypoint_table,
    "per_region": region_table,
}


def _by_labels(
    sums: Callable[[Bool], Float64],
    metrics: tuple[str, ...],
    test: Split,
    weights: Float64,
    others: Mapping[str, Bool] = MappingProxyType({}),
) -> Iterator[tuple[str, Bool, Estimate]]:
    """Yields each of `LABELS` and of the others, its scored keypoints, bool (N, K), and their metrics."""
    of_labels = dict(zip(LABELS, (test.labelled, np.ones_like(test.labelled)), strict=True))
    for labels, scored in {**of_labels, **others}.items():
        yield labels, scored, estimate(sums(scored), metrics, test.groups, weights)


def _cells(metrics: Sequence[str], values: Estimate) -> dict[str, float]:
    value, low, high = (np.round(each, DECIMALS) for each in values)
    cells = dict(zip(metrics, value, strict=True))
    for m, metric in enumerate(metrics):
        cells |= {f"{metric}_low": low[m], f"{metric}_high": high[m]}
    return cells


def with_interval(row: "pd.Series[float]", metric: str, decimals: int = 2) -> str:
    """Returns a metric of a table's row as text, `1.83 [1.79, 1.88]`; without an unknown interval."""
    value, low, high = (row[name] for name in (metric, f"{metric}_low", f"{metric}_high"))
    if np.isnan(value):
        return "-"
    ends = "" if np.isnan(low) else f" [{low:.{decimals}f}, {high:.{decimals}f}]"
    return f"{value:.{decimals}f}{ends}"

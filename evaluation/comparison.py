"""Compares models on the same test faces."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluation.bootstrap import Difference, paired_difference, resampling_weights
from evaluation.inputs import EvaluationData
from evaluation.metrics import METRICS, face_sums
from evaluation.tables import COST, DECIMALS, LABELS, accuracy_table
from facial_keypoints.array_types import Float32, Float64

MEAN_FACE = "mean_face"
TO_REFERENCE = ("mae_minus_reference_px", "mae_minus_reference_px_low", "mae_minus_reference_px_high", "p_value")
BASELINE = "baseline"  # the verdict of a baseline


@dataclass(frozen=True)
class Entry:
    """One model or baseline to compare.

    Attributes:
        predicted: float32 (N, K, 2) in px, for the test faces.
        cost: the values of `COST` that are known.
        baseline: whether it is one of `BASELINES`, not a model.
        models: hashes of the models that predicted; several for an ensemble, none if they are unknown.
        seed: the seed of its training; None if unknown.
        trained: how it was trained, equal for runs that differ only in their seeds; empty if unknown.
    """

    name: str
    predicted: Float32
    cost: Mapping[str, float | None]
    baseline: bool = False
    models: frozenset[str] = frozenset()
    seed: int | None = None
    trained: str = ""

    @property
    def network(self) -> str:
        """The name without the seed that `training.train --seeds` appends."""
        return self.name.replace(f"_seed{self.seed}", "")


def comparison_table(entries: Sequence[Entry], data: EvaluationData, base: str) -> pd.DataFrame:
    """Returns `comparison.csv`: a row for each entry and each of `LABELS`, labelled first, in order of labelled MAE.

    The difference to base, its interval, p value and the verdict are in the labelled rows only, because imputed
    values prove nothing.
    """
    groups = data.test.groups
    weights = resampling_weights(groups)
    sums = {entry.name: labelled_mae_sums(entry.predicted, data) for entry in entries}

    def difference(name: str, other: str) -> Difference | None:
        if name == other or other not in sums:
            return None
        return paired_difference(sums[name], sums[other], groups, weights)

    tables = []
    for entry in entries:
        table = accuracy_table(entry.predicted, data.test, data.keypoint_set, weights)
        table.insert(0, "name", entry.name)
        for key in COST:
            table[key] = entry.cost.get(key)
        to_base = difference(entry.name, base)
        for column, value in zip(TO_REFERENCE, to_base or [np.nan] * len(TO_REFERENCE), strict=True):
            table[column] = np.where(table["labels"] == "labelled", np.round(value, DECIMALS), np.nan)
        verdict_text = BASELINE if entry.baseline else verdict(difference(entry.name, MEAN_FACE), to_base, base)
        table["verdict"] = np.where(table["labels"] == "labelled", verdict_text, "")
        tables.append(table)
    tables.sort(key=lambda table: table["mae_px"].iloc[0])
    return pd.concat([table[table["labels"] == labels] for labels in LABELS for table in tables], ignore_index=True)


def labelled_mae_sums(predicted: Float32, data: EvaluationData) -> Float64:
    """Returns the sums behind the MAE on real labels, float64 (N, 2); see `evaluation.metrics.face_sums`."""
    sums = face_sums(predicted, data.test.keypoints, data.test.labelled, data.keypoint_set.normalizers[0])
    return sums[:, METRICS.index("mae_px")]


def verdict(to_mean_face: Difference | None, to_base: Difference | None, base: str) -> str:
    """Returns the verdict on a model from its differences in labelled MAE, each None if there is no other model.

    A difference counts if its 95 % interval does not contain zero. A model is called better than the mean face only if
    there is no base to compare it with.
    """
    if any(d and not np.isfinite([d.low, d.high]).all() for d in (to_mean_face, to_base)):
        return "too few groups to tell"
    phrases = []
    if to_mean_face and not to_mean_face.high < 0:
        phrases.append("no better than the mean face")
    elif to_mean_face and not to_base:
        phrases.append("better than the mean face")
    if to_base:
        better, worse = to_base.high < 0, to_base.low > 0
        phrases.append(f"{'better than' if better else 'worse than' if worse else 'no clear difference from'} {base}")
    return ", ".join(phrases) or "nothing to compare with"

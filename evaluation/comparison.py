"""Models side by side on the same test faces, and what their differences show."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from data_prep.faces import Float32, Float64
from evaluation.bootstrap import Difference, paired_difference, resampling_weights
from evaluation.inputs import Data
from evaluation.metrics import FIGURES, face_sums
from evaluation.tables import LABELS, accuracy_table

MEAN_FACE = "mean_face"
COST = ("parameters", "epochs", "seconds")  # of training


@dataclass(frozen=True)
class Entry:
    """One model or baseline to compare.

    Attributes:
        predicted: float32 (N, K, 2) in px, for the test faces.
        cost: parameters, epochs and seconds of training, where known.
        baseline: no model, one of `BASELINES`.
    """

    name: str
    predicted: Float32
    cost: dict[str, Any]
    baseline: bool = False


def comparison_table(entries: Sequence[Entry], data: Data, base: str) -> pd.DataFrame:
    """Returns `comparison.csv`: two rows (`labels`) for each entry, in order of labelled MAE, labelled rows first.

    The difference to base, its interval, p value and the verdict stand in the labelled rows: imputed values decide nothing.
    """
    weights = resampling_weights(data.test.groups)
    sums = {entry.name: _labelled_mae_sums(entry.predicted, data) for entry in entries}
    tables = []
    for entry in entries:
        table = accuracy_table(entry.predicted, data.test, data.keypoint_set, weights)
        table.insert(0, "name", entry.name)
        for key in ("parameters", "epochs", "seconds"):
            table[key] = entry.cost.get(key)

        def difference_to(other: str, name: str = entry.name) -> Difference | None:
            if other == name or other not in sums:
                return None
            return paired_difference(sums[name], sums[other], data.test.groups, weights)

        to_base = difference_to(base)
        ends = ("mae_minus_base_px", "mae_minus_base_px_low", "mae_minus_base_px_high", "p_value")
        for column, value in zip(ends, to_base or [np.nan] * len(ends), strict=True):
            table[column] = [round(value, 4), np.nan]
        words = "baseline" if entry.baseline else verdict(difference_to(MEAN_FACE), to_base, base)
        table["verdict"] = [words, ""]
        tables.append(table)
    table = pd.concat(tables, ignore_index=True)
    rank = table[table["labels"] == LABELS[0]].set_index("name")["mae_px"].rank(method="first")
    order = table["labels"].map(LABELS.index) * 2 * len(rank) + table["name"].map(rank)
    return table.iloc[np.argsort(order.to_numpy(), kind="stable")].reset_index(drop=True)


def _labelled_mae_sums(predicted: Float32, data: Data) -> Float64:
    sums = face_sums(predicted, data.test.keypoints, data.test.labelled, data.keypoint_set.normaliser)
    return sums[:, FIGURES.index("mae_px")]


def verdict(to_mean_face: Difference | None, to_base: Difference | None, base: str) -> str:
    """Returns in words what the differences in labelled MAE show; None where there is nothing to compare with.

    A difference counts where its 95 % interval leaves out zero.
    """
    words = []
    if to_mean_face:
        words.append("better than the mean face" if to_mean_face.high < 0 else "no better than the mean face")
    if to_base:
        better, worse = to_base.high < 0, to_base.low > 0
        words.append(f"{'better than' if better else 'worse than' if worse else 'no different from'} {base}")
    if to_base and words[0] == "better than the mean face":
        words = words[1:]  # goes without saying
    return ", ".join(words) or "nothing to compare with"

"""Ensembles: the mean prediction of several models, its gain and its cost. N faces, K keypoints."""

from collections.abc import Mapping, Sequence

import numpy as np

from evaluation.bootstrap import paired_difference, resampling_weights
from evaluation.comparison import Entry, labelled_mae_sums
from evaluation.inputs import EvaluationData
from evaluation.tables import COST
from facial_keypoints.codec import Keypoints, mean_output


def mean_keypoints(predicted: Sequence[Keypoints]) -> Keypoints:
    """Returns the `codec.mean_output` of several models for the same faces; with expected errors if all give them."""
    coordinates = np.stack([each.coordinates for each in predicted])
    errors = [each.expected_error for each in predicted if each.expected_error is not None]
    if len(errors) < len(predicted):
        return Keypoints(mean_output(coordinates).astype(np.float32))
    mean = mean_output(np.concatenate([coordinates, np.stack(errors)[..., None]], axis=-1)).astype(np.float32)
    return Keypoints(mean[..., :2], mean[..., 2])


def total_cost(costs: Sequence[Mapping[str, float | None]]) -> dict[str, float | None]:
    """Returns the values of `COST` added up over several models; None if one is unknown, and for epochs."""
    total: dict[str, float | None] = {}
    for key in COST:
        values = [value for cost in costs if (value := cost.get(key)) is not None]
        total[key] = sum(values) if len(values) == len(costs) and key != "epochs" else None
    return total


def ensemble_lines(entries: Sequence[Entry], data: EvaluationData) -> list[str]:
    """Returns a sentence for each ensemble with an evaluated member: its gain over the best of them, and its cost."""
    groups, lines = data.test.groups, []
    weights = resampling_weights(groups)
    for entry in entries:
        members = [other for other in entries if len(other.models) == 1 and other.models < entry.models]
        if not members:
            continue
        sums = {each.name: labelled_mae_sums(each.predicted, data) for each in [entry, *members]}
        best = min(members, key=lambda member: float(np.divide(*sums[member.name].sum(axis=0))))
        gain = paired_difference(sums[entry.name], sums[best.name], groups, weights)
        line = (
            f"{entry.name}: MAE {gain.value:+.3f} px [{gain.low:+.3f}, {gain.high:+.3f}] compared to {best.name}, "
            f"the best of its {len(entry.models)} models"
        )
        size, best_size = entry.cost.get("parameters"), best.cost.get("parameters")
        lines.append(line + (f", at {size / best_size:.1f} times the parameters" if size and best_size else ""))
    return lines

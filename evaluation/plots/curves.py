"""Plots that compare models: cumulative error curves (CED), and MAE with intervals. N faces."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from common.draw import Figure, subplots
from evaluation.metrics import NME_LIMIT_PCT, NME_LIMITS_PCT, divisor_text
from evaluation.plots.style import simplify_axes
from evaluation.tables import with_interval
from facial_keypoints.array_types import Float64

NME_SHOWN_PCT = 2 * NME_LIMIT_PCT
LEGEND: dict[str, Any] = {"frameon": False, "fontsize": 8, "ncols": 3}


class Curve(NamedTuple):
    """A cumulative error curve: its name, the NME of the faces (float64 (N,) in %, NaN where unknown) and its style."""

    name: str
    nme: Float64
    color: str
    style: str = "-"


def cumulative_error(nme: Float64, limits_pct: Float64) -> Float64:
    """Returns the share in % of the faces whose NME (N,), if known, is at most each limit: float64 like the limits."""
    values = np.sort(nme[np.isfinite(nme)])
    return 100 * np.searchsorted(values, limits_pct, side="right") / values.size


def draw_cumulative_error(curves: Mapping[str, Sequence[Curve]]) -> Figure:
    """Draws the share of faces with an error under each NME, one panel for each normalizer.

    Args:
        curves: of the same models, by the name of the normalizer.
    """
    figure, panels = subplots(1, len(curves), figsize=(6.4 * len(curves), 5), layout="constrained")
    for axes, (normalizer, model_curves) in zip(np.atleast_1d(panels), curves.items(), strict=True):
        _draw_curves(axes, model_curves, normalizer)
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", **LEGEND)
    return figure


def draw_comparison(table: pd.DataFrame, curves: Mapping[str, Curve], normalizer: str) -> Figure:
    """Draws labelled MAE with intervals, best first, and the cumulative error curves in the same colors.

    Args:
        table: `comparison.csv`.
        curves: one for each name in the table.
        normalizer: its name.
    """
    rows = table[table["labels"] == "labelled"].reset_index(drop=True)
    height = max(4.8, 1.6 + 0.42 * len(rows))
    figure, (left, right) = subplots(1, 2, figsize=(12, height), layout="constrained", width_ratios=(1.15, 1))
    for position, row in rows.iterrows():
        color = curves[row["name"]].color
        left.hlines(position, row["mae_px_low"], row["mae_px_high"], color=color, linewidth=3)
        left.plot(row["mae_px"], position, "o", color=color, markersize=7)
        end = (np.nanmax([row["mae_px"], row["mae_px_high"]]), position)
        left.annotate(with_interval(row, "mae_px"), end, (8, 0), textcoords="offset points", va="center", fontsize=8)
    left.set_yticks(range(len(rows)), rows["name"])
    left.set(xlim=(0, 1.35 * rows[["mae_px", "mae_px_high"]].max(axis=None)), ylim=(len(rows) - 0.4, -0.7))
    left.set(title="Error on the real labels", xlabel="mean absolute error of a coordinate (px), 95 % interval")
    simplify_axes(left)
    _draw_curves(right, [curves[name] for name in rows["name"]], normalizer)
    if right.get_legend_handles_labels()[0]:  # none if no face has an NME
        right.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), **LEGEND)
    return figure


def _draw_curves(axes: Any, curves: Sequence[Curve], normalizer: str) -> None:
    limits = np.linspace(0, NME_SHOWN_PCT, 401)
    for name, nme, color, style in curves:
        if np.isfinite(nme).any():
            axes.plot(limits, cumulative_error(nme, limits), style, color=color, label=name, linewidth=1.8)
    for limit, side in zip(NME_LIMITS_PCT, ("right", "left"), strict=True):  # the texts point away from each other
        axes.axvline(limit, color="black", linestyle=":", linewidth=1)
        axes.text(limit, 101.5, f"fail > {limit:g} %", fontsize=7, ha=side)
    axes.set(xlim=(0, NME_SHOWN_PCT), ylim=(0, 101))
    axes.set_title("Cumulative error on the real labels", pad=16)
    axes.set(
        xlabel=f"mean point error / {divisor_text(normalizer).removeprefix('the ')} (NME, %)",
        ylabel="test faces within that error (%)",
    )
    simplify_axes(axes)

"""Plot of measured against expected error."""

import numpy as np
import pandas as pd

from common.draw import PREDICTION, Figure, subplots
from evaluation.plots.style import simplify_axes

TICKS_PX = tuple(digit * 10.0**power for power in range(-3, 4) for digit in (1, 1.5, 2, 3, 5, 7))
SMALLEST_SHOWN_PX = 1e-3  # a logarithmic axis has no zero


def draw_reliability(table: pd.DataFrame, name: str) -> Figure:
    """Draws the measured error of each bin against the expected one, with intervals; on the diagonal they are equal.

    Args:
        table: `reliability.csv`.
    """
    columns = ["expected_error_px", "error_px", "error_px_low", "error_px_high"]
    clipped = table[columns].clip(lower=SMALLEST_SHOWN_PX)
    expected, error, low, high = (clipped[column] for column in columns)
    edges = np.array([clipped.min(axis=None) / 1.25, clipped.max(axis=None) * 1.25])
    figure, axes = subplots(figsize=(6.4, 6.4), layout="constrained")
    axes.fill_between(edges, edges * 0.85, edges * 1.15, color="#e8e8e8", linewidth=0, label="within 15 %")
    axes.plot(edges, edges, color="black", linewidth=1, label="measured = expected")
    axes.vlines(expected, low, high, color=PREDICTION, linewidth=2)
    label = f"a bin of {table['points'].sum():,} labelled points (95 % interval)"
    axes.scatter(expected, error, s=30, color=PREDICTION, zorder=3, label=label)
    axes.set(xscale="log", yscale="log", xlim=edges, ylim=edges, aspect="equal")
    axes.set(xlabel="expected error of a coordinate (px)", ylabel="measured error of a coordinate (px)")
    axes.set_title(f"{name}: is the error as large as expected?", fontsize=10, loc="left")
    ticks = [tick for tick in TICKS_PX if edges[0] <= tick <= edges[1]]
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks(ticks, [f"{tick:g}" for tick in ticks])
        axis.set_ticks([], minor=True)
    axes.legend(frameon=False, fontsize=9, loc="upper left")
    simplify_axes(axes)
    return figure

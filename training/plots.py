"""Plots a training run."""

from pathlib import Path
from typing import Any

from common.draw import matplotlib, save, subplots

LOG_FROM_RATIO = 5  # largest value to smallest; below, a linear axis is clearer
LABELLED_TICKS = (1, 2, 5)  # of each power of ten; more labels would overlap
LOSS_UNITS = {"mse": "px²", "mae": "px", "huber": "px", "wing": "px", "laplace": "log px"}


def loss_curves(path: Path, history: list[dict[str, float]], kept: int, loss: str, title: str) -> None:
    """Writes a PNG with the loss and MAE of training and validation over the epochs; it marks the kept epoch.

    Epoch 0 has validation figures only.
    """
    figure, panels = subplots(1, 2, figsize=(10, 3.8))
    for axes, metric, label in zip(
        panels, ("loss", "mae"), (f"loss: {loss} in {LOSS_UNITS[loss]}", "MAE in px"), strict=True
    ):
        values = plot_metric(axes, history, metric)
        axes.axvline(kept, color="#888888", linewidth=0.8, linestyle=":")
        axes.annotate(f"kept: epoch {kept}", (kept, 1), xycoords=("data", "axes fraction"), fontsize=8, color="#555555",
                      xytext=(0, 3), textcoords="offset points", ha="center")  # fmt: skip
        axes.set(xlabel="epoch", ylabel=label)
        set_scale(axes, min(values), max(values))
        axes.legend(frameon=False)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    figure.tight_layout()
    save(figure, path)


def plot_metric(axes: Any, history: list[dict[str, float]], metric: str, factor: float = 1.0) -> list[float]:
    """Plots a metric of training and validation over the epochs, times a factor; returns all values."""
    drawn: list[float] = []
    for key, color, label in ((metric, "#2f6fb0", "training"), (f"val_{metric}", "#d0662b", "validation")):
        rows = [row for row in history if key in row]
        values = [factor * row[key] for row in rows]
        axes.plot([row["epoch"] for row in rows], values, color=color, label=label, marker=".", markersize=4)
        drawn += values
    return drawn


def set_scale(axes: Any, low: float, high: float) -> None:
    """Sets whole numbers on the axis of epochs, and a logarithmic vertical axis if the values differ much."""
    if 0 < LOG_FROM_RATIO * low < high:  # a log-likelihood can be negative
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(matplotlib.ticker.LogLocator(subs=LABELLED_TICKS))
        axes.yaxis.set_minor_locator(matplotlib.ticker.NullLocator())
    axes.yaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(integer=True))
    axes.grid(alpha=0.25)

"""Plots of errors by keypoint and by label source. N faces, K keypoints; px of the test images."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from common.draw import PREDICTION, TRUTH, Figure, matplotlib, subplots
from data_prep.faces import Split, evenly_spread, labelled_mean
from evaluation.bootstrap import estimate
from evaluation.metrics import KEYPOINT_METRICS, keypoint_sums
from evaluation.plots.style import REFERENCE, SOURCE_COLORS, are_many, name_size, simplify_axes
from facial_keypoints.array_types import Float32, Float64
from facial_keypoints.codec import UNKNOWN_LABEL_SOURCE
from facial_keypoints.keypoint_set import KeypointSet

CLIP_PCT = 99.8  # of the errors that fit on an axis; larger ones are drawn at its edge
MIN_INCHES = 7.5
MAX_LISTED = 150  # keypoints
NEAR_SHARE = np.array([0.06, 0.09])  # of width and height; a number would cover a keypoint this near above it
RUNS = 24  # points of a line of running means


class PointTables(NamedTuple):
    """`per_keypoint.csv` and `per_region.csv` of one prediction; their `labelled` rows are drawn."""

    keypoints: pd.DataFrame
    regions: pd.DataFrame


def draw_keypoints(tables: PointTables, reference: PointTables | None, test: Split, name: str) -> Figure:
    """Draws the mean error of each keypoint: as circles on the mean test image, by region, and as a list.

    Args:
        tables: of the model.
        reference: of the mean face, or None.
    """
    count = min(int((tables.keypoints["labels"] == "labelled").sum()), MAX_LISTED)
    height = max(MIN_INCHES, 0.21 * count)
    figure = Figure(figsize=(11, height), layout="constrained")
    left_heights = {"face": 5.0, "regions": 2.2, ".": max(height - MIN_INCHES, 0.01)}  # inches; a long list has a gap
    panels: dict[str, Any] = figure.subplot_mosaic(
        [[panel, "keypoints"] for panel in left_heights], height_ratios=list(left_heights.values())
    )
    listed = {"keypoints": (tables.keypoints, "keypoint"), "regions": (tables.regions, "region")}
    for panel, (table, column) in listed.items():
        of_mean_face = None if reference is None else getattr(reference, panel)
        _draw_list(panels[panel], _labelled(table), column, None if of_mean_face is None else _labelled(of_mean_face))
        panels[panel].set_title(f"Error of each {column}", fontsize=10, loc="left")
    _draw_circles(panels["face"], _labelled(tables.keypoints)["point_error_px"].to_numpy(), test)
    panels["face"].set_title(f"{name}: circle radius = mean error (px)", fontsize=10)
    handles = panels["keypoints"].get_legend_handles_labels()[0]
    labels = ["mean face"] * (len(handles) - 1) + [f"{name} (95 % interval)"]
    figure.legend(handles, labels, frameon=False, fontsize=8, loc="outside lower center", ncols=2)
    return figure


def _labelled(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["labels"] == "labelled"].reset_index(drop=True)


def _draw_list(axes: Any, rows: pd.DataFrame, column: str, reference: pd.DataFrame | None) -> None:
    """Draws the mean error of each row with its interval, first on top, and that of the mean face.

    It draws at most MAX_LISTED rows, evenly spread.
    """
    indexes = evenly_spread(len(rows), MAX_LISTED)
    rows, count = rows.iloc[indexes], len(indexes)
    position = np.arange(count)
    if reference is not None:
        error = reference["point_error_px"].iloc[indexes]
        axes.scatter(error, position, marker="|", s=70, color=REFERENCE, label="reference")
    error, low, high = (rows[f"point_error_px{end}"] for end in ("", "_low", "_high"))
    axes.hlines(position, low, high, color=PREDICTION, linewidth=2)
    axes.scatter(error, position, s=22, color=PREDICTION, label="model", zorder=3)
    axes.set_yticks(position, [name.replace("_", " ") for name in rows[column]], fontsize=name_size(count))
    axes.set(xlabel="mean distance from the real label (px)", xlim=(0, None), ylim=(count - 0.5, -0.5))
    simplify_axes(axes)


def _draw_circles(axes: Any, errors: Float64, test: Split) -> None:
    """Draws each mean error (K,) as a circle around the mean position of the keypoint on the mean image.

    The error is written above it, or below if another keypoint is near above; with many keypoints it is not written.
    """
    means = labelled_mean(test.keypoints, test.labelled, fallback=test.keypoints.mean(0))
    axes.imshow(test.images.mean(0).mean(-1), cmap="gray", interpolation="bicubic")
    axes.axis("off")
    axes.scatter(means[:, 0], means[:, 1], s=6, color=TRUTH, zorder=3)
    outline = {"facecolor": "black", "alpha": 0.55, "pad": 0.8, "edgecolor": "none"}
    near = NEAR_SHARE * np.array(test.images.shape[2:0:-1])
    for (x, y), error in zip(means, errors, strict=True):
        if np.isfinite(error):
            axes.add_patch(matplotlib.patches.Circle((x, y), error, fill=False, edgecolor=PREDICTION, linewidth=1.6))
            if not are_many(len(errors)):
                beside, above = np.abs(means[:, 0] - x) < near[0], (means[:, 1] < y) & (means[:, 1] > y - near[1])
                side, va = (1, "top") if (beside & above).any() else (-1, "bottom")
                text, text_y = f"{error:.1f}", y + side * (error + 0.6)
                axes.text(x, text_y, text, color="white", fontsize=8, ha="center", va=va, bbox=outline)


def draw_error_by_source(
    predicted: Float32, test: Split, keypoint_set: KeypointSet, weights: Float64, *, name: str
) -> Figure:
    """Draws signed errors of the real labels, one color per label source, to show their biases.

    The upper panels show them over the true coordinate, the lower ones the mean of each keypoint, or of each region if
    there are many keypoints.

    Args:
        predicted: float32 (N, K, 2) in px.
        weights: float64 (B, G) of `resampling_weights(test.groups)`.
    """
    error = predicted.astype(np.float64) - test.keypoints
    labelled = np.abs(error[test.labelled])
    edge = max(1.0, float(np.percentile(labelled, CLIP_PCT))) if labelled.size else 1.0
    members = (
        keypoint_set.regions if are_many(len(keypoint_set)) else [(n, (k,)) for k, n in enumerate(keypoint_set.names)]
    )
    count = len(members)
    heights = (4, max(2.4, 0.24 * count))
    figure, panels = subplots(2, 2, figsize=(11, 1 + sum(heights)), layout="constrained", height_ratios=heights)
    figure.suptitle(f"{name}: signed error on the real labels, by label source", fontsize=12)
    label_sources = np.unique(test.label_sources)
    for s, label_source in enumerate(label_sources):
        color = SOURCE_COLORS[s % len(SOURCE_COLORS)]
        label = (
            f"source `{keypoint_set.label_sources[label_source].name}`"
            if label_source != UNKNOWN_LABEL_SOURCE
            else "unknown source"
        )
        scored = test.labelled & (test.label_sources == label_source)[:, None]
        of_points = keypoint_sums(predicted, test.keypoints, scored)
        sums = np.stack([of_points[:, list(keypoints)].sum(1) for _, keypoints in members], axis=1)
        biases = estimate(sums, KEYPOINT_METRICS, test.groups, weights)
        position = np.arange(count) + 0.16 * (2 * s + 1 - len(label_sources))
        for axis, letter in enumerate("xy"):
            above, below = panels[:, axis]
            true, signed = test.keypoints[..., axis][scored], error[..., axis][scored]
            above.scatter(true, signed.clip(-edge, edge), s=5, color=color, alpha=0.3, linewidths=0)
            running = _running_mean(true, signed)
            above.plot(*running, color="white", linewidth=4, zorder=3)
            above.plot(*running, color=color, linewidth=2, zorder=4, label=f"{label} (line: running mean)")
            value, low, high = (values[:, KEYPOINT_METRICS.index(f"bias_{letter}_px")] for values in biases)
            below.hlines(position, low, high, color=color, linewidth=1.8)
            below.scatter(value, position, s=18, color=color, zorder=3)
    for axis, (letter, direction) in enumerate((("x", "right"), ("y", "down"))):
        above, below = panels[:, axis]
        above.set(xlabel=f"true {letter} (px)", ylabel=f"error in {letter} (px, + is {direction})", ylim=(-edge, edge))
        below.set(xlabel=f"mean error in {letter} (px, + is {direction}), 95 % interval", ylim=(count - 0.5, -0.5))
        names = [text.replace("_", " ") if letter == "x" else "" for text, _ in members]
        below.set_yticks(np.arange(count), names, fontsize=name_size(count))
        above.axhline(0, color="black", linewidth=0.8)
        below.axvline(0, color="black", linewidth=0.8)
        above.legend(frameon=False, fontsize=8, loc="upper left")
        simplify_axes(above)
        simplify_axes(below)
    return figure


def _running_mean(true: Float32, error: Float64) -> tuple[Float64, Float64]:
    """Returns mean coordinate and mean error of runs of equal size, in order; empty arrays for few values."""
    if len(true) < 4 * RUNS:
        return np.empty(0), np.empty(0)
    order = np.array_split(np.argsort(true, kind="stable"), RUNS)
    return np.array([true[run].mean() for run in order]), np.array([error[run].mean() for run in order])

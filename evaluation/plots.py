"""Pictures of how well a model does. N faces, K keypoints; errors in px of the test pictures unless they say %."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from common.draw import PREDICTION, TRUTH, Marks, face_grid, save
from data_prep.faces import Part
from evaluation.baselines import labelled_mean
from evaluation.bootstrap import estimate
from evaluation.metrics import KEYPOINT_FIGURES, NME_LIMIT_PCT, face_errors, keypoint_sums
from evaluation.tables import with_interval
from facial_keypoints.array_types import Float32, Float64, Int64
from facial_keypoints.keypoint_set import KeypointSet

GRID_FACES, WORST_FACES, COLUMNS = 32, 24, 8
# Colours of Okabe & Ito 2008: the colour-blind tell them apart.
REFERENCE = "#8a8a8a"
MODEL_LOOKS = tuple((color, "-") for color in ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00"))
BASELINE_LOOKS = (("#333333", "--"), ("#777777", ":"), ("#aaaaaa", "-."))
SOURCES = ("#0072b2", "#e69f00", "#009e73", "#cc79a7")
NME_SHOWN_PCT = 2 * NME_LIMIT_PCT
TICKS_PX = tuple(digit * 10.0**power for power in range(-3, 4) for digit in (1, 1.5, 2, 3, 5, 7))
SMALLEST_SHOWN_PX = 1e-3  # a logarithmic axis has no zero
CLIP_PCT = 99.8  # of the errors an axis shows; the rest lie at its edge


def plot_grid(path: Path, predicted: Float32, test: Part, name: str) -> None:
    """Draws faces spread evenly over the test part. `predicted`: float32 (N, K, 2)."""
    faces = np.linspace(0, len(test) - 1, min(GRID_FACES, len(test))).round().astype(np.int64)
    _draw_faces(path, predicted, test, faces, f"{name}: {len(faces)} of {len(test):,} test faces")


def plot_worst(path: Path, predicted: Float32, test: Part, name: str) -> None:
    """Draws the faces of the largest mean error over their real labels, worst first. `predicted`: float32 (N, K, 2)."""
    errors = np.nan_to_num(face_errors(predicted, test.keypoints, test.labelled), nan=-1)  # unlabelled faces go last
    faces = np.argsort(-errors, kind="stable")[: min(WORST_FACES, len(test))]
    _draw_faces(path, predicted, test, faces, f"{name}: the {len(faces)} worst of {len(test):,} test faces")


def _draw_faces(path: Path, predicted: Float32, test: Part, faces: Int64, title: str) -> None:
    errors = face_errors(predicted, test.keypoints, test.labelled)[faces]
    marks = [
        Marks(test.keypoints[faces], TRUTH, "truth (real labels)", shown=test.labelled[faces]),
        Marks(predicted[faces], PREDICTION, "prediction"),
    ]
    captions = [
        f"row {row}: {error:.1f} px" if np.isfinite(error) else f"row {row}: no label"
        for row, error in zip(test.rows[faces], errors, strict=True)
    ]
    face_grid(path, test.images[faces], marks, min(COLUMNS, len(faces)), captions, title)


class Curve(NamedTuple):
    """A cumulative error curve: its name, the NME of the faces (float64 (N,) in %, NaN where unknown) and its looks."""

    name: str
    nme: Float64
    color: str
    style: str = "-"


def plot_cumulative_error(path: Path, curves: Sequence[Curve]) -> None:
    """Draws the share of faces with an error under each NME."""
    figure, axes = plt.subplots(figsize=(6.4, 4.8), layout="constrained")
    _draw_cumulative_error(axes, curves)
    save(figure, path)


def plot_comparison(path: Path, table: pd.DataFrame, curves: Mapping[str, Curve]) -> None:
    """Draws labelled MAE with intervals, best first, beside the cumulative error curves in the same colours.

    Args:
        table: `comparison.csv`.
        curves: one for each name in the table.
    """
    rows = table[table["labels"] == "labelled"].reset_index(drop=True)
    height = max(4.8, 1.6 + 0.42 * len(rows))
    figure, (forest, curve) = plt.subplots(1, 2, figsize=(12, height), layout="constrained", width_ratios=(1.15, 1))
    for place, row in rows.iterrows():
        color = curves[row["name"]].color
        forest.hlines(place, row["mae_px_low"], row["mae_px_high"], color=color, linewidth=3)
        forest.plot(row["mae_px"], place, "o", color=color, markersize=7)
        end = (np.nanmax([row["mae_px"], row["mae_px_high"]]), place)
        forest.annotate(with_interval(row, "mae_px"), end, (8, 0), textcoords="offset points", va="center", fontsize=8)
    forest.set_yticks(range(len(rows)), rows["name"])
    forest.set(xlim=(0, 1.35 * rows[["mae_px", "mae_px_high"]].max(axis=None)), ylim=(len(rows) - 0.4, -0.7))
    forest.set(title="Error on the real labels", xlabel="mean absolute error of a coordinate (px), 95 % interval")
    _plain(forest)
    _draw_cumulative_error(curve, [curves[name] for name in rows["name"]])
    save(figure, path)


def _draw_cumulative_error(axes: Any, curves: Sequence[Curve]) -> None:
    shown = np.linspace(0, NME_SHOWN_PCT, 401)
    for name, nme, color, style in curves:
        known = np.sort(nme[np.isfinite(nme)])
        if known.size:
            share = 100 * np.searchsorted(known, shown, side="right") / known.size
            axes.plot(shown, share, style, color=color, label=name, linewidth=1.8)
    axes.axvline(NME_LIMIT_PCT, color="black", linestyle=":", linewidth=1)
    axes.text(NME_LIMIT_PCT + 0.15, 2, f"failed beyond {NME_LIMIT_PCT:g} %", fontsize=8)
    axes.set(xlim=(0, NME_SHOWN_PCT), ylim=(0, 101), title="Cumulative error on the real labels")
    axes.set(
        xlabel="mean point error of a face / true eye distance (NME, %)", ylabel="test faces within that error (%)"
    )
    axes.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=3)
    _plain(axes)


def plot_keypoints(path: Path, table: pd.DataFrame, reference: pd.DataFrame | None, test: Part, name: str) -> None:
    """Draws the mean error of each keypoint: as circles on the mean test picture, and as a list with intervals.

    Args:
        table: `per_keypoint.csv` of the model; its `labelled` rows are drawn.
        reference: the same of the mean face, or None.
    """
    rows = table[table["labels"] == "labelled"].reset_index(drop=True)
    count = len(rows)
    height = max(5.2, 0.21 * count)
    figure, (face, listing) = plt.subplots(1, 2, figsize=(11, height), layout="constrained")
    _draw_circles(face, rows["point_error_px"].to_numpy(), test)
    face.set_title(f"{name}: circle radius = mean error (px)", fontsize=10)

    place = np.arange(count)
    if reference is not None:
        mean_face = reference[reference["labels"] == "labelled"]["point_error_px"]
        listing.scatter(mean_face, place, marker="|", s=70, color=REFERENCE, label="mean face")
    error, low, high = (rows[f"point_error_px{end}"] for end in ("", "_low", "_high"))
    listing.hlines(place, low, high, color=PREDICTION, linewidth=2)
    listing.scatter(error, place, s=22, color=PREDICTION, label=f"{name} (95 % interval)", zorder=3)
    listing.set_yticks(place, [name.replace("_", " ") for name in rows["keypoint"]], fontsize=_name_size(count))
    listing.set(xlabel="mean distance from the real label (px)", xlim=(0, None), ylim=(count - 0.5, -0.5))
    listing.set_title("Error of each keypoint", fontsize=10, loc="left")
    listing.legend(frameon=False, fontsize=8, loc="lower right", bbox_to_anchor=(1, 1), borderpad=0, ncols=2)
    _plain(listing)
    save(figure, path)


def _draw_circles(axes: Any, errors: Float64, test: Part) -> None:
    """Draws a circle of each mean error (K,) around each keypoint's mean place on the mean picture."""
    picture = test.images.mean(0).mean(-1)
    places = labelled_mean(test.keypoints, test.labelled, fallback=test.keypoints.mean(0))
    axes.imshow(picture, cmap="gray", interpolation="bicubic")
    axes.axis("off")
    axes.scatter(places[:, 0], places[:, 1], s=6, color=TRUTH, zorder=3)
    size = _name_size(len(errors)) - 1
    outline = {"facecolor": "black", "alpha": 0.55, "pad": 0.8, "edgecolor": "none"}
    for (x, y), error in zip(places, errors, strict=True):
        if np.isfinite(error):
            axes.add_patch(plt.Circle((x, y), error, fill=False, edgecolor=PREDICTION, linewidth=1.6))
            text = f"{error:.1f}"
            axes.text(x, y - error - 0.6, text, color="white", fontsize=size, ha="center", va="bottom", bbox=outline)


def plot_error_by_source(
    path: Path, predicted: Float32, test: Part, keypoint_set: KeypointSet, weights: Float64, *, name: str
) -> None:
    """Draws signed errors of the real labels, one colour per label source, so that a bias of one source is seen.

    Above against the true place, below the mean of each keypoint.

    Args:
        predicted: float32 (N, K, 2) in px.
        weights: float64 (B, G) of `resampling_weights(test.groups)`.
    """
    error = predicted.astype(np.float64) - test.keypoints
    labelled = np.abs(error[test.labelled])
    edge = max(1.0, float(np.percentile(labelled, CLIP_PCT))) if labelled.size else 1.0
    count = len(keypoint_set)
    heights = (4, max(3.6, 0.21 * count))
    figure, panels = plt.subplots(2, 2, figsize=(11, 1 + sum(heights)), layout="constrained", height_ratios=heights)
    figure.suptitle(f"{name}: signed error on the real labels, by label source", fontsize=12)
    sources = np.unique(test.sources)
    for s, source in enumerate(sources):
        color = SOURCES[s % len(SOURCES)]
        shown = test.labelled & (test.sources == source)[:, None]
        sums = keypoint_sums(predicted, test.keypoints, shown)
        biases = estimate(sums, KEYPOINT_FIGURES, test.groups, weights)
        for axis, letter in enumerate("xy"):
            above, below = panels[:, axis]
            true, signed = test.keypoints[..., axis][shown], error[..., axis][shown]
            above.scatter(true, signed.clip(-edge, edge), s=5, color=color, alpha=0.3, linewidths=0)
            running = _running_mean(true, signed)
            above.plot(*running, color="white", linewidth=4, zorder=3)
            above.plot(*running, color=color, linewidth=2, zorder=4, label=f"source {source} (line: running mean)")
            figure_at = KEYPOINT_FIGURES.index(f"bias_{letter}_px")
            value, low, high = (values[:, figure_at] for values in biases)
            place = np.arange(count) + 0.16 * (2 * s + 1 - len(sources))
            below.hlines(place, low, high, color=color, linewidth=1.8)
            below.scatter(value, place, s=18, color=color, zorder=3)
    for axis, (letter, direction) in enumerate((("x", "right"), ("y", "down"))):
        above, below = panels[:, axis]
        above.set(xlabel=f"true {letter} (px)", ylabel=f"error in {letter} (px, + is {direction})", ylim=(-edge, edge))
        below.set(xlabel=f"mean error in {letter} (px, + is {direction}), 95 % interval", ylim=(count - 0.5, -0.5))
        names = [text.replace("_", " ") if letter == "x" else "" for text in keypoint_set.names]
        below.set_yticks(np.arange(count), names, fontsize=_name_size(count))
        above.axhline(0, color="black", linewidth=0.8)
        below.axvline(0, color="black", linewidth=0.8)
        above.legend(frameon=False, fontsize=8, loc="upper left")
        for panel in (above, below):
            _plain(panel)
    save(figure, path)


def plot_reliability(path: Path, table: pd.DataFrame, name: str) -> None:
    """Draws the measured error of each bin against the predicted one, with intervals: on the diagonal they agree.

    Args:
        table: `reliability.csv`.
    """
    shown = table[["sigma_px", "error_px", "error_px_low", "error_px_high"]].clip(lower=SMALLEST_SHOWN_PX)
    sigma, error, low, high = (shown[column] for column in shown)
    edges = np.array([shown.min(axis=None) / 1.25, shown.max(axis=None) * 1.25])
    figure, axes = plt.subplots(figsize=(6.4, 6.4), layout="constrained")
    axes.fill_between(edges, edges * 0.85, edges * 1.15, color="#e8e8e8", linewidth=0, label="within 15 %")
    axes.plot(edges, edges, color="black", linewidth=1, label="measured = predicted")
    axes.vlines(sigma, low, high, color=PREDICTION, linewidth=2)
    label = f"a tenth of {table['points'].sum():,} labelled points (95 % interval)"
    axes.scatter(sigma, error, s=30, color=PREDICTION, zorder=3, label=label)
    axes.set(xscale="log", yscale="log", xlim=edges, ylim=edges, aspect="equal")
    axes.set(xlabel="predicted error of a coordinate, sigma (px)", ylabel="measured error of a coordinate (px)")
    axes.set_title(f"{name}: is the error as large as predicted?", fontsize=10, loc="left")
    ticks = [tick for tick in TICKS_PX if edges[0] <= tick <= edges[1]]
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks(ticks, [f"{tick:g}" for tick in ticks])
        axis.set_ticks([], minor=True)
    axes.legend(frameon=False, fontsize=9, loc="upper left")
    _plain(axes)
    save(figure, path)


def _running_mean(place: Float64, error: Float64, bins: int = 24) -> tuple[Float64, Float64]:
    """Returns mean place and mean error of runs of equally many values in order of place; none where there are few."""
    if len(place) < 4 * bins:
        return np.empty(0), np.empty(0)
    order = np.array_split(np.argsort(place, kind="stable"), bins)
    return np.array([place[run].mean() for run in order]), np.array([error[run].mean() for run in order])


def _name_size(keypoints: int) -> int:
    """Returns the font size at which a list of names stays readable."""
    return 9 if keypoints <= 30 else 6


def _plain(axes: Any) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)

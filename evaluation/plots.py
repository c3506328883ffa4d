"""Pictures of how well a model does. N faces, K keypoints; errors in px of the test pictures unless they say %."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from common.draw import PREDICTION, TRUTH, Marks, face_grid, save
from data_prep.faces import Bool, Float32, Float64, Int64, Part
from data_prep.keypoint_set import KeypointSet
from evaluation.baselines import labelled_mean
from evaluation.metrics import NME_LIMIT_PCT, face_errors

GRID_FACES, WORST_FACES, COLUMNS = 32, 24, 8
REFERENCE = "#8a8a8a"
SOURCES = ("#0072b2", "#e69f00", "#009e73", "#cc79a7")  # Okabe & Ito 2008: told apart by the colour-blind
NME_SHOWN_PCT = 2 * NME_LIMIT_PCT
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


def plot_cumulative_error(path: Path, curves: Sequence[tuple[str, Float64, str]]) -> None:
    """Draws the share of faces with an error under each NME.

    Args:
        curves: for each its name, the NME of the faces (float64 (N,) in %, NaN where there is none) and its colour.
    """
    figure, axes = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
    draw_cumulative_error(axes, curves)
    save(figure, path)


def draw_cumulative_error(axes: Any, curves: Sequence[tuple[str, Float64, str]]) -> None:
    """Draws the curves of `plot_cumulative_error` on given axes."""
    shown = np.linspace(0, NME_SHOWN_PCT, 401)
    for name, nme, color in curves:
        known = np.sort(nme[np.isfinite(nme)])
        if known.size:
            share = 100 * np.searchsorted(known, shown, side="right") / known.size
            axes.plot(shown, share, color=color, label=name, linewidth=1.8)
    axes.axvline(NME_LIMIT_PCT, color="black", linestyle=":", linewidth=1)
    axes.text(NME_LIMIT_PCT + 0.15, 3, f"failed beyond {NME_LIMIT_PCT:g} %", fontsize=8)
    axes.set(xlim=(0, NME_SHOWN_PCT), ylim=(0, 101), xlabel="mean point error of a face / true eye distance (NME, %)")
    axes.set(ylabel="test faces with at most that error (%)", title="Cumulative error (real labels)")
    axes.legend(frameon=False, fontsize=8, loc="lower right", bbox_to_anchor=(1, 0.06))
    _plain(axes)


def plot_keypoints(path: Path, table: pd.DataFrame, reference: pd.DataFrame | None, test: Part, name: str) -> None:
    """Draws the mean error of each keypoint: as circles on the mean test picture, and as a list with intervals.

    Args:
        table: `per_keypoint.csv` of the model; its `labelled` rows are drawn.
        reference: the same of the mean face, or None.
    """
    rows = table[table["labels"] == "labelled"].reset_index(drop=True)
    count = len(rows)
    height = max(5.2, 0.19 * count)
    figure, (face, listing) = plt.subplots(
        1, 2, figsize=(5.4 + 5.6, height), layout="constrained", width_ratios=(5.2, 5.6)
    )
    _draw_circles(face, rows["point_error_px"].to_numpy(), test)
    face.set_title(f"{name}: circle radius = mean error (px)", fontsize=10)

    place = np.arange(count)
    if reference is not None:
        mean_face = reference[reference["labels"] == "labelled"]["point_error_px"]
        listing.scatter(mean_face, place, marker="|", s=70, color=REFERENCE, label="mean face")
    error, low, high = (rows[f"point_error_px{end}"] for end in ("", "_low", "_high"))
    listing.hlines(place, low, high, color=PREDICTION, linewidth=2)
    listing.scatter(error, place, s=22, color=PREDICTION, label=f"{name} (95 % interval)", zorder=3)
    size = 9 if count <= 30 else 6
    listing.set_yticks(place, [f"{text.replace('_', ' ')}" for text in rows["keypoint"]], fontsize=size)
    listing.set(xlabel="mean distance from the real label (px)", xlim=(0, None), ylim=(count - 0.5, -0.5))
    listing.set_title("Error of each keypoint", fontsize=10)
    listing.legend(frameon=False, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, -0.2), ncols=2)
    _plain(listing)
    save(figure, path)


def _draw_circles(axes: Any, errors: Float64, test: Part) -> None:
    """Draws a circle of each mean error (K,) around each keypoint's mean place on the mean picture."""
    picture = test.images.mean(0).mean(-1)
    places = labelled_mean(test.keypoints, test.labelled, fallback=test.keypoints.mean(0))
    axes.imshow(picture, cmap="gray")
    axes.axis("off")
    axes.scatter(places[:, 0], places[:, 1], s=6, color=TRUTH, zorder=3)
    size = 8 if len(errors) <= 30 else 5
    outline = {"facecolor": "black", "alpha": 0.55, "pad": 0.8, "edgecolor": "none"}
    for (x, y), error in zip(places, errors, strict=True):
        if np.isfinite(error):
            axes.add_patch(plt.Circle((x, y), error, fill=False, edgecolor=PREDICTION, linewidth=1.6))
            text = f"{error:.1f}"
            axes.text(x, y - error - 0.6, text, color="white", fontsize=size, ha="center", va="bottom", bbox=outline)


def plot_error_by_source(path: Path, predicted: Float32, test: Part, keypoint_set: KeypointSet, name: str) -> None:
    """Draws signed errors of the real labels, one colour per label source, so that a bias of one source is seen.

    Above against the true place, below the mean of each keypoint. `predicted`: float32 (N, K, 2).
    """
    error = predicted.astype(np.float64) - test.keypoints
    count = len(keypoint_set)
    figure, panels = plt.subplots(
        2, 2, figsize=(11, 5 + max(3.6, 0.19 * count)), layout="constrained", height_ratios=(4, max(3.6, 0.19 * count))
    )
    labelled = error[test.labelled]
    edge = max(1.0, float(np.percentile(np.abs(labelled), CLIP_PCT))) if labelled.size else 1.0
    for axis, (letter, direction) in enumerate((("x", "right"), ("y", "down"))):
        above, below = panels[0, axis], panels[1, axis]
        for s, source in enumerate(np.unique(test.sources)):
            shown = test.labelled & (test.sources == source)[:, None]
            color, label = SOURCES[s % len(SOURCES)], f"label source {source}"
            true, signed = test.keypoints[..., axis][shown], error[..., axis][shown]
            above.scatter(true, signed.clip(-edge, edge), s=4, color=color, alpha=0.25, linewidths=0)
            above.plot(*_running_mean(true, signed), color="white", linewidth=4, zorder=3)
            above.plot(*_running_mean(true, signed), color=color, linewidth=2, zorder=4, label=label)
            _draw_bias(below, error[..., axis], shown, 0.16 * (2 * s + 1 - len(np.unique(test.sources))), color)
        above.set(xlabel=f"true {letter} (px)", ylabel=f"error in {letter} (px, + is {direction})", ylim=(-edge, edge))
        above.set_title(f"{name}: error in {letter} against the true place; lines are running means", fontsize=10)
        below.set_title(f"mean error in {letter} of each keypoint, 95 % of its mean (faces as independent)", fontsize=10)
        below.set(xlabel=f"mean error in {letter} (px, + is {direction})", ylim=(count - 0.5, -0.5))
        names = [text.replace("_", " ") for text in keypoint_set.names] if axis == 0 else [""] * count
        below.set_yticks(np.arange(count), names, fontsize=9 if count <= 30 else 6)
        for panel in (above, below):
            _plain(panel)
        above.axhline(0, color="black", linewidth=0.8)
        below.axvline(0, color="black", linewidth=0.8)
    panels[0, 0].legend(frameon=False, fontsize=8, loc="upper left")
    save(figure, path)


def _running_mean(place: Float64, error: Float64, bins: int = 24) -> tuple[Float64, Float64]:
    """Returns mean place and mean error of runs of equally many values, in order of place; empty where there are few."""
    if len(place) < 4 * bins:
        return np.empty(0), np.empty(0)
    order = np.array_split(np.argsort(place, kind="stable"), bins)
    return np.array([place[run].mean() for run in order]), np.array([error[run].mean() for run in order])


def _draw_bias(axes: Any, error: Float64, shown: Bool, offset: float, color: str) -> None:
    """Draws the mean signed error of each keypoint, (N, K) in, with 1.96 standard errors."""
    for k in np.flatnonzero(shown.sum(0) > 1):
        values = error[shown[:, k], k]
        spread = 1.96 * values.std(ddof=1) / np.sqrt(len(values))
        axes.errorbar(values.mean(), k + offset, xerr=spread, fmt="o", markersize=4, color=color, linewidth=1.6)


def _plain(axes: Any) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)

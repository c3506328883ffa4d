"""Draws the figures of `report.md`. N faces, K keypoints; label sources are indexes into those of the keypoint set."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from common import draw
from common.draw import Figure, matplotlib
from data_prep import image_arrays
from data_prep.faces import Faces, evenly_spread, labelled_points
from facial_keypoints.array_types import Bool, Float32, Float64, Int64
from facial_keypoints.keypoint_set import KeypointSet

PLOT_COLORS = ("#2166ac", "#e07b1a", "#4d9221", "#c51b7d")  # colors of the label sources
FACE_COLORS = ("#35d6ff", "#ffb52e", "#7be04c", "#ff7bd0")  # brighter, for dots on faces
OUTLIERS_SHOWN, CONTACT_FACES, COLUMNS = 24, 60, 12
REGION_COLORS = ("#8a5a2b", "#2166ac", "#c51b7d", "#e07b1a", "#4d9221")
LABELLED_ELSEWHERE_PX = 2.0  # if mean labels of two sources differ by more, the sources label different points
MAX_NAMED_KEYPOINTS = 20  # names or bars that fit beside a picture
MAX_LISTED_KEYPOINTS = 150  # evenly spread ones that get a number, a color or a bar


def save_contact_sheet(path: Path, faces: Faces, label_sources: Int64) -> None:
    """Writes a grid of evenly sampled faces, with labels in the color of their source."""
    indexes = evenly_spread(len(faces), CONTACT_FACES)
    layers = layers_by_source(faces.keypoints[indexes], label_sources[indexes], faces.keypoint_set)
    draw.face_grid(path, faces.images[indexes], layers, COLUMNS, title=f"{len(indexes)} of {len(faces):,} faces")


def layers_by_source(keypoints: Float32, label_sources: Int64, keypoint_set: KeypointSet) -> list[draw.KeypointLayer]:
    """Returns a layer of dots for each label source: the labels of its faces."""
    labelled = labelled_points(keypoints)
    return [
        draw.KeypointLayer(
            keypoints,
            color_of(label_source, FACE_COLORS),
            keypoint_set.label_sources[label_source].name,
            shown=labelled & (label_sources == label_source)[:, None],
        )
        for label_source in np.unique(label_sources)
    ]


def save_outliers(path: Path, faces: Faces, scores: Float64) -> Int64:
    """Writes a grid of the faces with the highest scores (N,), in descending order, and returns their indexes."""
    farthest = np.argsort(-scores, kind="stable")[:OUTLIERS_SHOWN]
    captions = [f"row {faces.rows[i]}  ({scores[i]:.0f})" for i in farthest]
    layers = [draw.KeypointLayer(faces.keypoints[farthest], draw.TRUTH, "label")]
    draw.face_grid(path, faces.images[farthest], layers, COLUMNS // 2, captions, "Shapes unlike the others")
    return farthest


def mean_image(faces: Faces, selected: Bool | None = None) -> Float64:
    """Returns the mean gray image of all or some faces, float64 (H, W), black 0 to white 255."""
    return image_arrays.mean(faces.images, np.arange(len(faces)) if selected is None else np.flatnonzero(selected))


def mean_face(faces: Faces, label_sources: Int64, means: Mapping[int, Float32]) -> Figure:
    """Returns the mean image and mean labels (K, 2) of each source; with several sources, also a panel with all."""
    several = len(means) > 1
    count = len(means) + several
    figure, panels = draw.subplots(1, count, figsize=(4.4 * count, 4.7), layout="constrained")
    panels = np.atleast_1d(panels)
    names = {label_source: faces.keypoint_set.label_sources[label_source].name for label_source in means}
    for panel, (label_source, mean) in zip(panels, means.items(), strict=False):
        of_source = label_sources == label_source
        color = color_of(label_source, FACE_COLORS)
        _show_image(panel, mean_image(faces, of_source))
        for line in faces.keypoint_set.skeleton:
            panel.plot(*mean[list(line)].T, color=color, lw=1.2, alpha=0.6)
        panel.plot(*mean.T, "o", color=color, ms=5, mec="black", mew=0.6)
        _write_numbers(panel, mean, faces.keypoint_set)
        panel.set_title(f"{names[label_source]}: {of_source.sum():,} faces", fontsize=11)
    if several:
        _show_image(panels[-1], mean_image(faces))
        (_, first), *others = means.items()
        for label_source, mean in means.items():
            color = color_of(label_source, FACE_COLORS)
            panels[-1].plot(*mean.T, "o", color=color, ms=6, mec="black", mew=0.6, label=names[label_source])
        for _, mean in others:
            _write_distances(panels[-1], first, mean)
        panels[-1].set_title("all: where they differ", fontsize=11)
        panels[-1].legend(loc="upper center", ncols=len(means), fontsize=9, framealpha=0.85)
    return figure


def numbered_keypoints(mean: Float32, keypoint_set: KeypointSet) -> Figure:
    """Returns a drawing of the mean labels (K, 2) with their numbers from 1, colored by region."""
    with_names = len(keypoint_set) <= MAX_NAMED_KEYPOINTS
    figure = Figure(figsize=(7.6 if with_names else 6.4, 5.4))
    panel = figure.add_axes((0.02, 0.02, 0.62 if with_names else 0.96, 0.9))
    for line in keypoint_set.skeleton:
        panel.plot(*mean[list(line)].T, color="#b8b8b8", lw=1, zorder=1)
    numbered = evenly_spread(len(keypoint_set), MAX_LISTED_KEYPOINTS)
    for (name, keypoints), color in zip(keypoint_set.regions, itertools.cycle(REGION_COLORS), strict=False):
        panel.plot(*mean[list(keypoints)].T, "o", color=color, ms=4, label=name, zorder=2)
        for k in np.intersect1d(keypoints, numbered):
            if np.isfinite(mean[k]).all():
                position = mean[k], (0, 4)
                panel.annotate(
                    number_of(k, keypoint_set),
                    *position,
                    textcoords="offset points",
                    ha="center",
                    color=color,
                    fontsize=8,
                )
    if keypoint_set.regions:
        columns = min(len(keypoint_set.regions), len(REGION_COLORS))
        panel.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=columns, frameon=False)
    panel.set_aspect("equal")
    panel.invert_yaxis()
    panel.axis("off")
    if with_names:
        names = [numbered_name(k, keypoint_set).replace("_", " ") for k in range(len(keypoint_set))]
        figure.text(0.67, 0.5, "\n".join(names), va="center", fontsize=9, linespacing=1.6)
    return figure


def mean_label_distances(first: Float32, second: Float32) -> Float64:
    """Returns the distance in px (K,) between the mean labels (K, 2) of two sources; NaN without labels."""
    return np.asarray(np.hypot(*(first - second).T), np.float64)


def keypoint_scatter(faces: Faces) -> Figure:
    """Returns all labels as dots on the mean image, colored by keypoint."""
    names = faces.keypoint_set.names
    hues = (np.arange(len(names)) * 0.618) % 1  # the golden ratio gives neighbors different hues
    figure = Figure(figsize=(8.4, 6))
    panel = figure.add_axes((0.01, 0.01, 0.66, 0.94))
    mean = mean_image(faces)
    _show_image(panel, mean)
    panel.images[0].set_clim(mean.min(), mean.min() + 2.5 * np.ptp(mean))  # dark, so that dots are visible
    for k in evenly_spread(len(names), MAX_LISTED_KEYPOINTS):
        color = [matplotlib.colors.hsv_to_rgb((hues[k], 0.75, 1))]
        panel.scatter(faces.keypoints[:, k, 0], faces.keypoints[:, k, 1], s=3, c=color, alpha=0.25, linewidths=0)
        panel.scatter([], [], s=40, c=color, label=numbered_name(k, faces.keypoint_set).replace("_", " "))
    if len(names) <= MAX_NAMED_KEYPOINTS:
        panel.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=9)
    panel.set_title(f"Every label of {len(faces):,} faces", fontsize=11, loc="left")
    return figure


def visible_keypoints(labelled: Bool, label_sources: Int64, keypoint_set: KeypointSet) -> Figure:
    """Returns bars of the numbers of faces with 0, 1, ... K labelled keypoints, by source, from bool (N, K)."""
    numbers = np.arange(len(keypoint_set) + 1)
    visible = labelled.sum(axis=1)
    figure, panel = _plain_axes((8, 3.4))
    height = np.zeros(len(numbers), np.int64)
    for label_source in np.unique(label_sources):
        faces = np.bincount(visible[label_sources == label_source], minlength=len(numbers))
        color, name = color_of(label_source, PLOT_COLORS), keypoint_set.label_sources[label_source].name
        panel.bar(numbers, faces, 0.75, bottom=height, color=color, label=name)
        height += faces
    if len(numbers) <= MAX_NAMED_KEYPOINTS:
        panel.set_xticks(numbers)
        for number in np.flatnonzero(height):
            position = (number, height[number])
            panel.annotate(f"{height[number]:,}", position, (0, 3), textcoords="offset points", ha="center", fontsize=8)
    panel.set(xlabel="labelled keypoints of a face", ylabel="faces")
    panel.margins(y=0.1)
    panel.legend(frameon=False, loc="upper center")
    return figure


def labelled_share(labelled: Bool, label_sources: Int64, keypoint_set: KeypointSet) -> Figure:
    """Returns bars of the share of faces that label each keypoint, by source, from bool (N, K)."""
    listed = evenly_spread(len(keypoint_set), MAX_LISTED_KEYPOINTS)
    names = [keypoint_set.names[k] for k in listed]
    present = np.unique(label_sources)
    figure, panel = _plain_axes((8, 0.9 + 0.26 * len(names)))
    thickness = 0.8 / len(present)
    for i, label_source in enumerate(present):
        share = 100 * labelled[label_sources == label_source][:, listed].mean(axis=0)
        y = np.arange(len(names)) + (i - (len(present) - 1) / 2) * thickness
        panel.barh(
            y,
            share,
            thickness,
            color=color_of(label_source, PLOT_COLORS),
            label=keypoint_set.label_sources[label_source].name,
        )
    panel.set_yticks(np.arange(len(names)), [name.replace("_", " ") for name in names], fontsize=9)
    panel.set(xlabel="faces of the source that label it, %", xlim=(0, 100))
    panel.invert_yaxis()
    panel.margins(y=0.01)
    panel.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=len(present))
    return figure


def number_of(k: int, keypoint_set: KeypointSet) -> str:
    """Returns the number of a keypoint in figures: counted from 1, or its name if the names are numbers."""
    return keypoint_set.names[k] if all(map(str.isdecimal, keypoint_set.names)) else str(k + 1)


def numbered_name(k: int, keypoint_set: KeypointSet) -> str:
    """Returns the number and the name of a keypoint."""
    number, name = number_of(k, keypoint_set), keypoint_set.names[k]
    return number if number == name else f"{number} {name}"


def color_of(label_source: int, colors: Sequence[str]) -> str:
    """Returns the color of a source; colors repeat after the fourth."""
    return colors[label_source % len(colors)]


def _show_image(panel: Any, image: Float64) -> None:
    panel.imshow(image, cmap="gray", interpolation="bicubic")
    panel.set(xlim=(-0.5, image.shape[1] - 0.5), ylim=(image.shape[0] - 0.5, -0.5))
    panel.axis("off")


def _write_numbers(panel: Any, points: Float32, keypoint_set: KeypointSet) -> None:
    for k in evenly_spread(len(points), MAX_LISTED_KEYPOINTS):
        if np.isfinite(points[k]).all():
            panel.annotate(
                number_of(k, keypoint_set), points[k], (0, 6), textcoords="offset points", ha="center", **_text_style()
            )


def _write_distances(panel: Any, first: Float32, second: Float32) -> None:
    distances = mean_label_distances(first, second)
    for k in np.flatnonzero(distances > LABELLED_ELSEWHERE_PX):
        panel.plot(*np.stack([first[k], second[k]]).T, color="white", lw=1.4, zorder=1.5)
        position = (first[k] + second[k]) / 2
        panel.annotate(
            f"{distances[k]:.1f} px", position, (8, 0), textcoords="offset points", va="center", **_text_style()
        )


def _text_style() -> dict[str, Any]:
    return {
        "color": "white",
        "fontsize": 8,
        "path_effects": [matplotlib.patheffects.withStroke(linewidth=2, foreground="#000000b0")],
    }


def _plain_axes(size_inches: tuple[float, float]) -> tuple[Figure, Any]:
    figure, panel = draw.subplots(figsize=size_inches, layout="constrained")
    panel.spines[["top", "right"]].set_visible(False)
    return figure, panel

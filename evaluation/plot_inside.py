"""Figures of what a network holds and sees: kernels, convolutions, feature maps, saliency and occlusion."""

from collections.abc import Sequence
from typing import Any

import cv2
import matplotlib
import numpy as np
from matplotlib.figure import Figure

from common.draw import PREDICTION
from evaluation.inside import Convolution, Stage
from evaluation.plot_style import BLUE, plain
from evaluation.sensitivity import COVER
from facial_keypoints.array_types import Float32, Float64, UInt8

COLUMNS = 16  # of kernels
MOST_KERNELS = 128
SIGNED = "RdBu_r"  # blue below 0, red above
HEAT = "inferno"
MAP_ROWS, MAP_COLUMNS = 2, 10
CELL_PX = 96  # of a feature map
GAP_PX = 6
BRIGHT_PCT = 99.5  # of the values lie below the brightest colour
SPREAD = 1 / 64  # standard deviation of the blur of a saliency map, as a fraction of its width
TINY = 1e-30  # keeps a division by the largest of values that are all 0 finite
VEIL = 0.65  # how much the brightest colour hides of the face

Groups = Sequence[tuple[str, tuple[int, ...]]]


def draw_kernels(first: Convolution, colours: tuple[int, ...] | None, name: str) -> Figure:
    """Draws the kernels of the first convolution.

    Args:
        colours: which of its input channels are red, green and blue; None: kernels are summed over their channels.
    """
    height, width, channels, count = first.kernels.shape
    shown = min(count, MOST_KERNELS)
    rows, columns = -(-shown // COLUMNS), min(shown, COLUMNS)
    title = f"{name}: the {count} kernels of the first convolution, `{first.name}` ({height} x {width} px)"
    title += f", {shown} of them" if shown < count else ""
    if colours:
        how = "in the colours of the picture; medium grey is a weight of 0"
    elif channels == 1:
        how = "red: weights above 0, blue: below 0, white: 0"
    else:
        how = f"weights summed over {channels} input channels; red: above 0, blue: below 0, white: 0"
    size = (max(7.5, 0.62 * columns + 0.3), 0.72 * rows + 0.85)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    figure.suptitle(f"{title}\n", fontsize=11, x=0.01, ha="left")
    figure.text(0.01, 1 - 0.42 / size[1], f"Each scaled to its own largest weight. {how.capitalize()}.", fontsize=8)
    for number, ax in enumerate(axes.flat):
        ax.axis("off")
        if number >= shown:
            continue
        kernel = first.kernels[..., number]
        kernel = kernel[..., list(colours)] if colours else kernel.sum(axis=-1)
        largest = max(float(np.abs(kernel).max()), TINY)
        if colours:
            ax.imshow(0.5 + 0.5 * kernel / largest)
        else:
            ax.imshow(kernel, cmap=SIGNED, vmin=-largest, vmax=largest)
        ax.set_title(str(number), fontsize=6, pad=2, color="#555555")
    return figure


def draw_convolutions(layers: Sequence[Convolution], name: str) -> Figure:
    """Draws for each convolution where in their window its filters look on average, and how strong each filter is."""
    row_inches = 0.34
    size = (8.6, row_inches * len(layers) + 1.3)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(layers), 3, squeeze=False, width_ratios=(2.4, 0.5, 5))
    figure.suptitle(
        f"{name}: where the filters of its {len(layers)} convolutions look in their window, and how strong each is",
        fontsize=11,
        x=0.01,
        ha="left",
    )
    titles = (
        "layer: filters, window (dark: larger weights)",
        "where",
        "norms of its filters, sorted; 1 is the largest",
    )
    for ax, title in zip(axes[0], titles, strict=True):
        ax.set_title(title, fontsize=8, loc="center" if title == "where" else "left", color="#555555")
    for layer, (label, window, strength) in zip(layers, axes, strict=True):
        height, width, _, count = layer.kernels.shape
        label.axis("off")
        label.text(0, 0.5, f"{layer.name}: {count}, {height} x {width}", fontsize=8, va="center")
        window.axis("off")
        power = np.sqrt((layer.kernels.astype(np.float64) ** 2).mean(axis=(2, 3)))
        if power.size > 1:
            window.imshow(power, cmap="Greys", vmin=0)
        norms = np.sort(np.sqrt((layer.kernels.astype(np.float64) ** 2).sum(axis=(0, 1, 2))))[::-1]
        norms /= max(norms[0], TINY)
        strength.stairs(norms, np.linspace(0, 1, count + 1), fill=True, color=BLUE, alpha=0.75)
        plain(strength)
        last = layer is layers[-1]
        strength.set(xlim=(0, 1), ylim=(0, 1.05), yticks=(0, 1), xticks=np.linspace(0, 1, 5))
        strength.tick_params(labelsize=7, length=2, labelbottom=last)
        if last:
            strength.set_xlabel("share of the layer's filters", fontsize=8)
    return figure


def draw_feature_maps(face: UInt8, points: Float32, stages: Sequence[Stage], name: str) -> Figure:
    """Draws the feature maps of each stage that vary most over a face; above, it with its keypoints (K, 2)."""
    per_stage = MAP_ROWS * MAP_COLUMNS
    mosaics = [_mosaic(stage.maps) for stage in stages]
    wide = 10.0
    tall = [wide * mosaic.shape[0] / (MAP_COLUMNS * (CELL_PX + GAP_PX)) for mosaic, _ in mosaics]
    heights = [1.7, *tall]
    figure = Figure(figsize=(wide, sum(heights) + 0.36 * len(stages) + 0.3), layout="constrained")
    rows = figure.subplots(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    top = rows[0]
    top.axis("off")
    top.set(xlim=(0, wide / heights[0]), ylim=(0, 1))
    side = face.shape[1] / face.shape[0]
    inset = top.inset_axes((0, 0, side, 1), transform=top.transData)
    draw_face(inset, face, points)
    text = [
        f"{name}: what its stages make of this face",
        "A stage is the last layer's output at a resolution. Of its feature maps (channels) those are shown",
        f"that vary most over this face, at most {per_stage}, each from its own lowest value (black) to its highest",
        "(yellow), with the channel's number.",
    ]
    top.text(side + 0.1, 0.96, text[0], fontsize=12, va="top")
    top.text(side + 0.1, 0.74, "\n".join(text[1:]), fontsize=9, va="top", color="#444444", linespacing=1.5)
    for ax, stage, (mosaic, channels) in zip(rows[1:], stages, mosaics, strict=True):
        height, width, count = stage.maps.shape
        ax.imshow(mosaic, interpolation="nearest")
        ax.axis("off")
        ax.set(xlim=(-0.5, MAP_COLUMNS * (CELL_PX + GAP_PX) - 0.5), anchor="W")
        share = f"1/{stage.reduction} of the picture" if stage.reduction > 1 else "size of the picture"
        ax.set_title(f"{share}: {height} x {width} px, {count} channels, after `{stage.layer}`", fontsize=9, loc="left")
        for place, channel in enumerate(channels):
            row, column = divmod(place, MAP_COLUMNS)
            x, y = column * (CELL_PX + GAP_PX) + 3, row * (CELL_PX + GAP_PX) + 3
            box = {"facecolor": "black", "alpha": 0.55, "pad": 0.8, "edgecolor": "none"}
            ax.text(x, y, str(channel), fontsize=5.5, color="white", va="top", bbox=box)
    return figure


def _mosaic(maps: Float32) -> tuple[UInt8, list[int]]:
    """Returns the maps (h, w, F) that vary most as cells of one picture, and their numbers, first the most varied."""
    order = np.argsort(-maps.std(axis=(0, 1)), kind="stable")[: MAP_ROWS * MAP_COLUMNS].tolist()
    rows = -(-len(order) // MAP_COLUMNS)
    ratio = CELL_PX / max(maps.shape[:2])
    size = max(1, round(maps.shape[1] * ratio)), max(1, round(maps.shape[0] * ratio))
    canvas = np.full((rows * (CELL_PX + GAP_PX) - GAP_PX, MAP_COLUMNS * (CELL_PX + GAP_PX), 3), 255, np.uint8)
    colours = matplotlib.colormaps[HEAT]
    for place, channel in enumerate(order):
        values = maps[..., channel] - maps[..., channel].min()
        picture = colours(values / max(float(values.max()), TINY))[..., :3]
        picture = cv2.resize((255 * picture).astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        row, column = (number * (CELL_PX + GAP_PX) for number in divmod(place, MAP_COLUMNS))
        canvas[row : row + size[1], column : column + size[0]] = picture
    return canvas, order


def draw_sensitivity(
    face: UInt8, points: Float32, groups: Groups, saliency: Float64 | None, occlusion: Float64, name: str
) -> Figure:
    """Draws on a face, for each of G groups, which pixels its keypoints depend on and what covering a place does.

    Args:
        face: uint8 (H, W, C).
        points: float32 (K, 2), predicted, px.
        saliency: float64 (G, H, W), px for one grey level; None: no row of it.
        occlusion: float64 (G, COVERS, COVERS), px.
    """
    height, width = face.shape[:2]
    rows = [] if saliency is None else [("saliency", np.array([_blurred(100 * values) for values in saliency]))]
    rows.append(("occlusion", occlusion))
    cell = 2.1
    size = (cell * (len(groups) + 1) + 0.9, cell * len(rows) * height / width + 0.25 * len(rows) + 0.75)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(rows), len(groups) + 1, squeeze=False)
    figure.suptitle(f"{name}: which places of this face its keypoints depend on", fontsize=12, x=0.01, ha="left")
    units = {
        "saliency": "px that a keypoint moves when\na pixel changes by 100 of 255",
        "occlusion": "px that a keypoint moves when\nthe place is covered",
    }
    for (kind, values), row in zip(rows, axes, strict=True):
        brightest = max(float(np.percentile(values, BRIGHT_PCT)), TINY)
        draw_face(row[0], face, points)
        if kind == "occlusion":
            _draw_cover(row[0], face)
        row[0].set_title("keypoints" if kind == "saliency" else "the cover's size", fontsize=10)
        for ax, (group, members), heat in zip(row[1:], groups, values, strict=True):
            draw_face(ax, face, points[list(members)], heat / brightest)
            ax.set_title(f"{kind}: {group}", fontsize=10)
        scale = matplotlib.cm.ScalarMappable(matplotlib.colors.Normalize(0, brightest), HEAT)
        bar = figure.colorbar(scale, ax=row.tolist(), fraction=0.03, pad=0.01)
        bar.set_label(units[kind], fontsize=8)
        bar.ax.tick_params(labelsize=7)
    return figure


def draw_face(ax: Any, face: UInt8, points: Float32, heat: Float64 | None = None) -> None:
    """Draws a face with keypoints (n, 2); under heat (h, w), 0 to 1, which may be coarser, it turns grey."""
    height, width, channels = face.shape
    edges = (-0.5, width - 0.5, height - 0.5, -0.5)
    picture = face[..., 0] if channels == 1 else face if heat is None else face.mean(axis=-1)
    ax.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="bicubic", extent=edges)
    if heat is not None:
        smooth = cv2.resize(heat.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC).clip(0, 1)
        ax.imshow(smooth, cmap=HEAT, vmin=0, vmax=1, alpha=VEIL, extent=edges)
    ax.scatter(points[:, 0], points[:, 1], s=9, color=PREDICTION, edgecolors="white", linewidths=0.3)
    ax.set(xlim=edges[:2], ylim=edges[2:])
    ax.axis("off")


def _draw_cover(ax: Any, face: UInt8) -> None:
    """Draws the cover of the occlusion in the middle of a face's upper left quarter."""
    height, width = face.shape[:2]
    colour = np.repeat(face.mean(axis=(0, 1)), 3)[:: face.shape[2]][:3] / 255
    side_x, side_y = COVER * width, COVER * height
    corner = (width / 4 - side_x / 2, height / 4 - side_y / 2)
    ax.add_patch(matplotlib.patches.Rectangle(corner, side_x, side_y, facecolor=colour, edgecolor="white", lw=0.8))


def _blurred(values: Float64) -> Float64:
    return np.asarray(cv2.GaussianBlur(values, (0, 0), SPREAD * values.shape[1]), np.float64)

"""Figures of an inspection: kernels, convolutions, feature maps, saliency and occlusion."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from common.draw import PREDICTION, Figure, matplotlib
from evaluation.inspection.inside import Convolution, Stage
from evaluation.inspection.sensitivity import COVER
from evaluation.plots.style import SKY
from facial_keypoints.array_types import Float32, Float64, UInt8

KERNEL_COLUMNS, MAX_KERNELS = 16, 128
MAP_COLUMNS, MAX_MAPS = 10, 20
CELL_PX, GAP_PX = 96, 6  # of a mosaic of kernels or feature maps
SIGNED = "RdBu_r"  # blue below 0, red above
HEAT = "inferno"
BRIGHT_PCT = 99.5  # share of values below the brightest color
BLUR = 1 / 64  # standard deviation of the blur of a saliency map, as a fraction of its width
TINY = 1e-30  # avoids a division by zero
HEAT_OPACITY = 0.65  # of a heat map over a face

Groups = Sequence[tuple[str, tuple[int, ...]]]


def draw_kernels(first: Convolution, colors: tuple[int, ...] | None, name: str) -> Figure:
    """Draws the kernels of the first convolution.

    Args:
        colors: the input channels that are red, green and blue; None to sum kernels over their channels.
    """
    height, width, channels, count = first.kernels.shape
    shown = list(range(min(count, MAX_KERNELS)))
    title = f"{name}: the {count} kernels of the first convolution, `{first.name}` ({height} x {width} px)"
    title += f", {len(shown)} of them" if len(shown) < count else ""
    if colors:
        legend = "Each in the colors of the picture, scaled to its own largest weight; medium gray is a weight of 0."
    else:
        subject = "Each" if channels == 1 else f"Each is summed over its {channels} input channels and"
        legend = f"{subject} scaled to its own largest weight; red: weights above 0, blue: below 0, white: 0."
    mosaic = _mosaic([_kernel_picture(first.kernels[..., number], colors) for number in shown], KERNEL_COLUMNS)
    head = 0.62
    page_width = 10.0
    body = page_width * mosaic.shape[0] / mosaic.shape[1]
    figure = Figure(figsize=(page_width, body + head))
    figure.text(0.004, 1 - 0.05 / (body + head), title, fontsize=11, va="top")
    figure.text(0.004, 1 - 0.33 / (body + head), legend, fontsize=8, va="top", color="#444444")
    _show_mosaic(figure.add_axes((0, 0, 1, body / (body + head))), mosaic, shown, KERNEL_COLUMNS)
    return figure


def _kernel_picture(kernel: Float32, colors: tuple[int, ...] | None) -> UInt8:
    """Returns one kernel (h, w, C) as RGB, uint8 (h, w, 3)."""
    values = kernel[..., list(colors)] if colors else kernel.sum(axis=-1)
    values = 0.5 + 0.5 * values / max(float(np.abs(values).max()), TINY)
    return (255 * (values if colors else matplotlib.colormaps[SIGNED](values)[..., :3])).round().astype(np.uint8)


def draw_convolutions(layers: Sequence[Convolution], name: str) -> Figure:
    """Draws the mean weights of each convolution over its window, and the strength of each filter."""
    row_inches, full_width, head, foot = 0.34, 8.6, 0.62, 0.5
    rows_height = row_inches * len(layers)
    size = (full_width, head + rows_height + foot)
    figure = Figure(figsize=size)
    left, right = 0.41, 0.985
    ax = figure.add_axes((left, foot / size[1], right - left, rows_height / size[1]))
    inches = (right - left) * full_width  # of the axis of shares
    for row, layer in enumerate(layers):
        height, width, _, count = layer.kernels.shape
        squares = layer.kernels.astype(np.float64) ** 2
        ax.text(-3.48 / inches, row + 0.5, f"{layer.name}: {count}, {height} x {width}", fontsize=8, va="center")
        power = np.sqrt(squares.mean(axis=(2, 3)))
        if power.size > 1:
            side = 0.8 * row_inches
            extent = ((-0.4 - side) / inches, -0.4 / inches, row + 0.9, row + 0.1)
            ax.imshow(power, cmap="Grays", vmin=0, extent=extent, aspect="auto", clip_on=False)
        norms = np.sort(np.sqrt(squares.sum(axis=(0, 1, 2))))[::-1]
        heights = 0.8 * norms / max(float(norms[0]), TINY)
        ax.stairs(row + 0.9 - heights, np.linspace(0, 1, count + 1), baseline=row + 0.9, fill=True, color=SKY)
    ax.set(xlim=(0, 1), ylim=(len(layers), 0), yticks=[])
    ax.set_xlabel("share of the layer's filters", fontsize=8)
    ax.tick_params(labelsize=7)
    ax.spines[["top", "left", "right"]].set_visible(False)
    title = f"{name}: where the filters of its {len(layers)} convolutions look, and how strong each is"
    figure.text(0.005, 1 - 0.06 / size[1], title, fontsize=11, va="top")
    for x, text in (
        (left - 3.48 / full_width, "layer: filters, window"),
        (left - 1.3 / full_width, "the window, dark:\nlarge weights"),
        (left, "norms of its filters, from the largest to the smallest (0 at the base line)"),
    ):
        figure.text(x, 1 - 0.57 / size[1], text, fontsize=7.5, color="#444444")
    return figure


def draw_feature_maps(face: UInt8, points: Float32, stages: Sequence[Stage], name: str) -> Figure:
    """Draws the most varying feature maps of each stage, below the face with its keypoints (K, 2)."""
    orders = [np.argsort(-stage.maps.std(axis=(0, 1)), kind="stable")[:MAX_MAPS].tolist() for stage in stages]
    mosaics = [
        _mosaic([_map_picture(stage.maps[..., channel]) for channel in order], MAP_COLUMNS)
        for stage, order in zip(stages, orders, strict=True)
    ]
    wide, face_inches, title_inches = 10.0, 1.7, 0.34
    tall = [wide * mosaic.shape[0] / mosaic.shape[1] for mosaic in mosaics]
    total = face_inches + 0.1 + sum(tall) + title_inches * len(stages)
    figure = Figure(figsize=(wide, total))
    side = face_inches * face.shape[1] / face.shape[0]
    draw_face(figure.add_axes((0, 1 - face_inches / total, side / wide, face_inches / total)), face, points)
    text = (
        "A stage is the last layer's output at a resolution. Of its feature maps (channels), those are shown\n"
        f"that vary most over this face, at most {MAX_MAPS}, each from its own lowest value (black) to its\n"
        "highest (yellow), with the channel's number."
    )
    x = (side + 0.15) / wide
    figure.text(x, 1 - 0.1 / total, f"{name}: what its stages make of this face", fontsize=12, va="top")
    figure.text(x, 1 - 0.45 / total, text, fontsize=9, va="top", color="#444444", linespacing=1.5)
    top = face_inches + 0.1
    for stage, order, mosaic, inches in zip(stages, orders, mosaics, tall, strict=True):
        height, width, count = stage.maps.shape
        share = f"1/{stage.reduction} of the picture's sides" if stage.reduction > 1 else "the picture's own sides"
        title = f"{share}: {height} x {width}, {count} channels, after `{stage.layer}`"
        figure.text(0.004, 1 - (top + title_inches - 0.06) / total, title, fontsize=9)
        top += title_inches + inches
        _show_mosaic(figure.add_axes((0, 1 - top / total, 1, inches / total)), mosaic, order, MAP_COLUMNS)
    return figure


def _map_picture(values: Float32) -> UInt8:
    """Returns one feature map (h, w) as RGB, uint8 (h, w, 3)."""
    values = values - values.min()
    colors = matplotlib.colormaps[HEAT](values / max(float(values.max()), TINY))[..., :3]
    return np.asarray((255 * colors).round(), np.uint8)


def _mosaic(pictures: Sequence[UInt8], columns: int) -> UInt8:
    """Returns small RGB pictures (h, w, 3) of one size as the enlarged cells of one picture, row by row."""
    pitch = CELL_PX + GAP_PX
    ratio = CELL_PX / max(pictures[0].shape[:2])
    size = max(1, round(pictures[0].shape[1] * ratio)), max(1, round(pictures[0].shape[0] * ratio))
    canvas = np.full((-(-len(pictures) // columns) * pitch, columns * pitch, 3), 255, np.uint8)
    for index, picture in enumerate(pictures):
        row, column = (number * pitch for number in divmod(index, columns))
        cell = cv2.resize(picture, size, interpolation=cv2.INTER_NEAREST)
        canvas[row : row + size[1], column : column + size[0]] = cell
    return canvas


def _show_mosaic(ax: Any, mosaic: UInt8, numbers: Sequence[int], columns: int) -> None:
    """Draws a mosaic with a number in the corner of each cell."""
    ax.imshow(mosaic, interpolation="nearest")
    ax.axis("off")
    box = {"facecolor": "black", "alpha": 0.55, "pad": 0.8, "edgecolor": "none"}
    for index, number in enumerate(numbers):
        row, column = divmod(index, columns)
        x, y = column * (CELL_PX + GAP_PX) + 3, row * (CELL_PX + GAP_PX) + 3
        ax.text(x, y, str(number), fontsize=5.5, color="white", va="top", bbox=box)


def draw_sensitivity(
    face: UInt8, points: Float32, groups: Groups, saliency: Float64 | None, occlusion: Float64, name: str
) -> Figure:
    """Draws on a face, for each of G regions, the pixels that its keypoints depend on and the effect of occlusion.

    Args:
        face: uint8 (H, W, C).
        points: float32 (K, 2), predicted, px.
        saliency: float64 (G, H, W), px per gray level; None to omit it.
        occlusion: float64 (G, COVERS, COVERS), px.
    """
    height, width = face.shape[:2]
    rows = [] if saliency is None else [("saliency", np.array([_blurred(100 * values) for values in saliency]))]
    rows.append(("occlusion", occlusion))
    cell = 2.1
    size = (cell * (len(groups) + 1) + 0.9, cell * len(rows) * height / width + 0.25 * len(rows) + 0.75)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(rows), len(groups) + 1, squeeze=False)
    figure.suptitle(f"{name}: which parts of this face its keypoints depend on", fontsize=12, x=0.01, ha="left")
    units = {
        "saliency": "px that a keypoint moves when\na pixel changes by 100 of 255",
        "occlusion": "px that a keypoint moves when\nthis part is covered",
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
    """Draws a face with keypoints (n, 2), in gray under a heat map (h, w), 0 to 1, which can be coarser."""
    height, width, channels = face.shape
    edges = (-0.5, width - 0.5, height - 0.5, -0.5)
    picture = face[..., 0] if channels == 1 else face if heat is None else face.mean(axis=-1)
    ax.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="bicubic", extent=edges)
    if heat is not None:
        smooth = cv2.resize(heat.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC).clip(0, 1)
        ax.imshow(smooth, cmap=HEAT, vmin=0, vmax=1, alpha=HEAT_OPACITY, extent=edges)
    ax.scatter(points[:, 0], points[:, 1], s=9, color=PREDICTION, edgecolors="white", linewidths=0.3)
    ax.set(xlim=edges[:2], ylim=edges[2:])
    ax.axis("off")


def _draw_cover(ax: Any, face: UInt8) -> None:
    """Draws the cover of the occlusion in the middle of a face's upper left quarter."""
    height, width = face.shape[:2]
    color = np.repeat(face.mean(axis=(0, 1)), 3)[:: face.shape[2]][:3] / 255
    side_x, side_y = COVER * width, COVER * height
    corner = (width / 4 - side_x / 2, height / 4 - side_y / 2)
    ax.add_patch(matplotlib.patches.Rectangle(corner, side_x, side_y, facecolor=color, edgecolor="white", lw=0.8))


def _blurred(values: Float64) -> Float64:
    return np.asarray(cv2.GaussianBlur(values, (0, 0), BLUR * values.shape[1]), np.float64)

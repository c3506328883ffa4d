"""Draws figures, and the grid of faces of several stages; the only module that imports matplotlib."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from common.process import MATPLOTLIB_BACKEND, without_variable
from facial_keypoints.array_types import Bool, Float32, UInt8

with without_variable(MATPLOTLIB_BACKEND):
    import matplotlib
    import matplotlib.colors
    import matplotlib.patches
    import matplotlib.patheffects
    import matplotlib.ticker
    from matplotlib.figure import Figure

__all__ = ["PREDICTION", "TRUTH", "Figure", "KeypointLayer", "face_grid", "matplotlib", "save", "subplots"]

TRUTH, PREDICTION = "#25c525", "#ff00ff"
CELL_INCHES = 1.25
GAP_PX = 4
DPI = 120


@dataclass(frozen=True)
class KeypointLayer:
    """Keypoints to draw on every face of a grid.

    Attributes:
        keypoints: float (N, K, 2) in px.
        color: of the dots.
        shown: bool (N, K), the dots to draw; all finite ones if None.
        label: for the legend.
    """

    keypoints: Float32
    color: str
    label: str
    shown: Bool | None = None


def face_grid(
    path: Path,
    images: UInt8,
    layers: Sequence[KeypointLayer],
    columns: int,
    captions: Sequence[str] | None = None,
    title: str = "",
) -> None:
    """Writes a PNG of N faces in rows of `columns`, with keypoints as dots and a caption below each face.

    Args:
        images: uint8 (N, H, W, C).
        layers: keypoints, drawn in this order.
        captions: N short texts.
    """
    count, height, width, _ = images.shape
    rows = -(-count // columns)
    caption_px = round(0.16 * height) if captions else 0
    cell_h, cell_w = height + GAP_PX + caption_px, width + GAP_PX
    canvas = np.full((rows * cell_h, columns * cell_w, 3), 255, np.uint8)
    corners = np.array([(i // columns * cell_h, i % columns * cell_w) for i in range(count)])
    for image, (top, left) in zip(images, corners, strict=True):
        canvas[top : top + height, left : left + width] = image  # a gray channel is broadcast to three

    width_inches, head_inches = columns * CELL_INCHES, 0.35 if title or layers else 0.0
    height_inches = width_inches * canvas.shape[0] / canvas.shape[1]
    figure = Figure(figsize=(width_inches, height_inches + head_inches), dpi=DPI)
    axes = figure.add_axes((0, 0, 1, height_inches / (height_inches + head_inches)))
    axes.imshow(canvas, interpolation="bicubic")
    axes.axis("off")
    if title:
        axes.set_title(title, fontsize=10, loc="left")
    for layer in layers:
        is_shown = np.isfinite(layer.keypoints).all(-1) if layer.shown is None else layer.shown
        inside = (layer.keypoints >= -0.5).all(-1) & (layer.keypoints < (width - 0.5, height - 0.5)).all(-1)
        points = layer.keypoints + corners[:, None, ::-1]
        xy = points[is_shown & inside]
        axes.scatter(xy[:, 0], xy[:, 1], s=5, c=layer.color, linewidths=0, label=layer.label)
    if captions:
        for caption, (top, left) in zip(captions, corners, strict=True):
            axes.text(left + width / 2, top + height + 2, caption, fontsize=6.5, ha="center", va="top")
    if layers:
        axes.legend(
            loc="lower right", bbox_to_anchor=(1, 1), ncols=len(layers), frameon=False, fontsize=8, markerscale=2.5
        )
    save(figure, path)


def subplots(rows: int = 1, columns: int = 1, **options: Any) -> tuple[Figure, Any]:
    """Returns a figure and its axes, as `matplotlib.pyplot.subplots` does.

    It does not use pyplot, so it needs no screen, and figures are freed like any other value.
    """
    ratios = {name: options.pop(name) for name in ("width_ratios", "height_ratios") if name in options}
    figure = Figure(**options)
    return figure, figure.subplots(rows, columns, **ratios)


def save(figure: Figure, path: Path) -> None:
    """Writes a figure as PNG."""
    figure.savefig(path, dpi=DPI)

"""A drawing of any Keras network: a box per layer, shapes and parameters, arcs for the connections that skip."""

import math
from pathlib import Path
from typing import Any

import keras

from common.draw import plt, save

COLOURS = {
    "Conv2D": "#9ec9ff",
    "MaxPooling2D": "#c9e7c3",
    "GlobalAveragePooling2D": "#c9e7c3",
    "Dense": "#ffd59e",
    "Multiply": "#f3b6c8",
}
OTHER_COLOUR = "#e8e8e8"
ROW_INCHES = 0.34


def draw(model: keras.Model, path: Path) -> None:
    """Writes a PNG of the network, from its input at the top to its output at the bottom."""
    layers = model.operations  # layers, and functions of `keras.ops`
    place = {layer.name: -row for row, layer in enumerate(layers)}
    figure, axes = plt.subplots(figsize=(8, ROW_INCHES * (len(layers) + 2)))
    for layer in layers:
        y = place[layer.name]
        colour = COLOURS.get(type(layer).__name__, OTHER_COLOUR)
        axes.barh(y, 5.6, height=0.72, left=0, color=colour, edgecolor="#555555", linewidth=0.6)
        axes.text(0.1, y, f"{layer.name}", va="center", fontsize=8, weight="bold")
        axes.text(2.5, y, type(layer).__name__, va="center", fontsize=8)
        axes.text(5.5, y, _shape(layer), va="center", ha="right", fontsize=8)
        parameters = sum(math.prod(w.shape) for w in getattr(layer, "weights", []))
        axes.text(5.75, y, f"{parameters:,}" if parameters else "", va="center", fontsize=8)
        for source in _inputs(layer):
            _connect(axes, place[source], y)
    axes.text(5.75, 1, "parameters", va="center", fontsize=8, color="#555555")
    axes.text(5.5, 1, "output", va="center", ha="right", fontsize=8, color="#555555")
    axes.set_title(f"{model.name}: {model.count_params():,} parameters", fontsize=11, loc="left")
    axes.set(xlim=(-1.2, 7), ylim=(-len(layers) + 0.4, 1.5))
    axes.axis("off")
    figure.tight_layout()
    save(figure, path)


def _inputs(layer: Any) -> list[str]:
    """Returns the names of the layers whose output this one takes."""
    tensors = [tensor for node in layer._inbound_nodes for tensor in node.input_tensors]
    return [tensor._keras_history.operation.name for tensor in tensors]


def _shape(layer: Any) -> str:
    return " x ".join(str(side) for side in layer.output.shape[1:])


def _connect(axes: Any, upper: int, lower: int) -> None:
    """Draws an arrow to the next row, or an arc on the left past the rows between."""
    skips = upper - lower > 1
    style = {
        "arrowstyle": "-|>",
        "color": "#b03060" if skips else "#555555",
        "linewidth": 0.8,
        "shrinkA": 0,
        "shrinkB": 0,
    }
    if skips:
        bow = min(0.5, 1.0 / (upper - lower) + 0.1)
        axes.annotate("", xy=(0, lower), xytext=(0, upper), arrowprops={**style, "connectionstyle": f"arc3,rad={bow}"})
    else:
        axes.annotate("", xy=(2.3, lower + 0.36), xytext=(2.3, upper - 0.36), arrowprops=style)

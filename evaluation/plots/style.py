"""Colors and axes that all plots of an evaluation share."""

from typing import Any

# Colors of Okabe & Ito 2008, for the color-blind.
BLUE, VERMILION, GREEN, PURPLE, SKY, ORANGE = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00"
MODEL_STYLES = tuple(
    (color, style) for style in ("-", "--", "-.") for color in (BLUE, VERMILION, GREEN, PURPLE, SKY, ORANGE)
)
BASELINE_STYLES = (("#333333", "--"), ("#777777", ":"), ("#aaaaaa", "-."))
SOURCE_COLORS = (BLUE, ORANGE, GREEN, PURPLE)
REFERENCE = "#8a8a8a"  # the mean face
MANY = 30  # keypoints


def simplify_axes(axes: Any) -> None:
    """Removes the upper and right edges, and adds a faint grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)


def name_size(keypoints: int) -> int:
    """Returns the font size for a list of this many names."""
    return 7 if are_many(keypoints) else 9


def are_many(keypoints: int) -> bool:
    """Returns whether numbers at this many keypoints of a face would overlap."""
    return keypoints > MANY

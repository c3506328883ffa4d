"""Colors and axes that all plots of an evaluation share."""

from typing import Any

# Colors of Okabe & Ito 2008: the color-blind tell them apart.
BLUE, VERMILION, GREEN, PURPLE, SKY, ORANGE = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00"
MODEL_STYLES = tuple(
    (color, style) for style in ("-", "--", "-.") for color in (BLUE, VERMILION, GREEN, PURPLE, SKY, ORANGE)
)
BASELINE_STYLES = (("#333333", "--"), ("#777777", ":"), ("#aaaaaa", "-."))
SOURCE_COLORS = (BLUE, ORANGE, GREEN, PURPLE)
REFERENCE = "#8a8a8a"  # the mean face beside a model
MANY = 30  # keypoints


def plain(axes: Any) -> None:
    """Leaves left and lower edge and a faint grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)


def name_size(keypoints: int) -> int:
    """Returns the font size at which a list of so many names stays readable."""
    return 7 if many(keypoints) else 9


def many(keypoints: int) -> bool:
    """Says whether numbers written beside so many keypoints of a face would cover each other."""
    return keypoints > MANY

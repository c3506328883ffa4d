"""Boxes around faces, as detectors return them. F faces.

A detector is a callable: `detect(picture) -> Boxes`, where the picture is uint8 (H, W, 3) RGB. A new detector is one
new file in `detectors/`.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from facial_keypoints import geometry
from facial_keypoints.array_types import Float64, UInt8
from facial_keypoints.errors import InputError, one_line


class EyesInBox(NamedTuple):
    """Where the eye centers of an upright face are in a detector's boxes, on average.

    Attributes:
        middle_x, middle_y: the point between the eyes, as a fraction of the box's width and height.
        apart: the distance between the eyes, as a fraction of the box's width.
    """

    middle_x: float
    middle_y: float
    apart: float


class Boxes(NamedTuple):
    """Boxes around F faces.

    Attributes:
        xywh: float64 (F, 4), left, top, width and height in px of the picture.
        scores: float64 (F,), higher is more certain; each detector has its own scale.
        turns: float64 (F,), the rotation of each face in the picture's plane, in degrees clockwise.
        eyes: where the eyes are in these boxes.
        exact: whether the boxes follow from points found in each face, so that the first crop is nearly final.
        sure_score: boxes with a lower score may be false; networks without expected errors ignore them, because they
            cannot reject a false box.
    """

    xywh: Float64
    scores: Float64
    turns: Float64
    eyes: EyesInBox
    exact: bool = False
    sure_score: float = 0.0


USUAL_EYES = EyesInBox(0.5, 0.38, 0.35)  # of a box from the brows to the chin

MIN_SEARCHED_PX, MAX_SEARCHED_PX = 640, 1280  # longest side of the picture that a detector searches
SEARCH_SCALE = 0.7  # between these sizes: eyes 20 px apart stay 14 px apart

SMALLEST_PX, FARTHEST_PX = 1e-3, 1e6  # limits of a user's box: its sides, its distance from the picture's corner

Detector = Callable[[UInt8], Boxes]


def join_boxes(several: Sequence[Boxes]) -> Boxes:
    """Joins the `Boxes` of several searches by one detector."""
    xywh, scores, turns = (np.concatenate(arrays) for arrays in zip(*(boxes[:3] for boxes in several), strict=True))
    return several[0]._replace(xywh=xywh, scores=scores, turns=turns)


def sure(boxes: Boxes) -> Boxes:
    """Returns the boxes whose score is at least their `sure_score`."""
    kept = boxes.scores >= boxes.sure_score
    return boxes._replace(xywh=boxes.xywh[kept], scores=boxes.scores[kept], turns=boxes.turns[kept])


def given_boxes(xywh: npt.ArrayLike) -> Boxes:
    """Returns the `Boxes` of upright faces from the user's boxes (F, 4).

    Raises:
        InputError: the values are not boxes, or a box has no size, or is larger or farther away than any picture.
    """
    try:
        boxes = np.array(xywh, np.float64).reshape(-1, 4)
    except (TypeError, ValueError):
        boxes = np.full((1, 4), np.nan)
    if not ((np.abs(boxes) <= FARTHEST_PX).all() and (boxes[:, 2:] >= SMALLEST_PX).all()):
        raise InputError(
            f"boxes: {one_line(repr(xywh))} are not x, y, width, height of each face in px, the last two above 0, "
            f"none beyond {FARTHEST_PX:,.0f}"
        )
    return Boxes(boxes, np.ones(len(boxes)), np.zeros(len(boxes)), USUAL_EYES)


def shrink_for_search(picture: UInt8) -> UInt8:
    """Returns a picture (H, W, C) at the smallest size at which detectors still find all useful faces."""
    longest = max(picture.shape[:2])
    return geometry.scaled(
        picture, min(1.0, np.clip(SEARCH_SCALE * longest, MIN_SEARCHED_PX, MAX_SEARCHED_PX) / longest)
    )


def eyes_in(boxes: Boxes) -> Float64:
    """Returns the probable eye centers of each face, float64 (F, 2, 2) in px of the picture.

    The eye on the left of an upright face is first. A rotated face is rotated about the middle of its box.
    """
    size = boxes.xywh[:, 2:]
    centers = boxes.xywh[:, :2] + size / 2
    x = (boxes.eyes.middle_x - 0.5 + boxes.eyes.apart * np.array([-0.5, 0.5])) * size[:, :1]
    y = np.repeat((boxes.eyes.middle_y - 0.5) * size[:, 1:], 2, axis=1)
    return geometry.transform(np.stack([x, y], axis=-1), rotation_matrices(boxes.turns, centers))


def rotation_matrices(degrees: Float64, shift: Float64) -> Float64:
    """Returns matrices (F, 2, 3) that rotate about the origin by (F,) degrees clockwise, then add `shift` (F, 2)."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.stack([np.stack([cos, -sin, shift[:, 0]], axis=-1), np.stack([sin, cos, shift[:, 1]], axis=-1)], axis=1)

"""The boxes around faces that detectors return. F faces.

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
        apart: the distance of the eyes, as a fraction of the box's width.
    """

    middle_x: float
    middle_y: float
    apart: float


class Boxes(NamedTuple):
    """Boxes around F faces.

    Attributes:
        xywh: float64 (F, 4), left, top, width and height in px of the picture.
        scores: float64 (F,), higher is more certain; each detector has a scale of its own.
        turns: float64 (F,), the rotation of each face in the picture's plane, in degrees clockwise.
        eyes: where the eyes are in these boxes.
        exact: the boxes follow from points that the detector found in each face, so the first crop is nearly final.
        sure_score: boxes with a lower score may be false; networks without expected errors, which cannot reject a false
            box, do not use them.
    """

    xywh: Float64
    scores: Float64
    turns: Float64
    eyes: EyesInBox
    exact: bool = False
    sure_score: float = 0.0


USUAL_EYES = EyesInBox(0.5, 0.38, 0.35)  # of a box from the brows to the chin

MIN_SEARCHED_PX, MAX_SEARCHED_PX = 640, 1280  # longest side of the picture that a detector searches
SHRUNK = 0.7  # the largest reduction between these sizes: eyes 20 px apart stay 14 px apart

SMALLEST_PX, FARTHEST_PX = 1e-3, 1e6  # of a given box: its sides, and its corner's distance from the picture's

Detector = Callable[[UInt8], Boxes]


def joined(found: Sequence[Boxes]) -> Boxes:
    """Joins several `Boxes` of one detector, at least one."""
    xywh, scores, turns = (np.concatenate(arrays) for arrays in zip(*(boxes[:3] for boxes in found), strict=True))
    return found[0]._replace(xywh=xywh, scores=scores, turns=turns)


def sure(boxes: Boxes) -> Boxes:
    """Returns the boxes whose score is at least their `sure_score`."""
    kept = boxes.scores >= boxes.sure_score
    return boxes._replace(xywh=boxes.xywh[kept], scores=boxes.scores[kept], turns=boxes.turns[kept])


def given_boxes(xywh: npt.ArrayLike) -> Boxes:
    """Returns boxes (F, 4) of upright faces that the user gives.

    Raises:
        InputError: these are no boxes, or a box has no size, or is larger or farther away than any picture.
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


def shrunk(picture: UInt8) -> UInt8:
    """Returns a picture (H, W, C) at the smallest size at which detectors still find all useful faces."""
    longest = max(picture.shape[:2])
    return geometry.scaled(picture, min(1.0, np.clip(SHRUNK * longest, MIN_SEARCHED_PX, MAX_SEARCHED_PX) / longest))


def eyes_in(boxes: Boxes) -> Float64:
    """Returns the probable eye centers of each face, float64 (F, 2, 2) in px of the picture.

    First the eye on the left of an upright face. A rotated face is rotated about the middle of its box.
    """
    size = boxes.xywh[:, 2:]
    middle = boxes.xywh[:, :2] + size / 2
    x = (boxes.eyes.middle_x - 0.5 + boxes.eyes.apart * np.array([-0.5, 0.5])) * size[:, :1]
    y = np.repeat((boxes.eyes.middle_y - 0.5) * size[:, 1:], 2, axis=1)
    return geometry.transform(np.stack([x, y], axis=-1), turning(boxes.turns, middle))


def turning(degrees: Float64, to: Float64) -> Float64:
    """Returns matrices (F, 2, 3) that rotate about the origin by (F,) degrees clockwise, then shift by `to` (F, 2)."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.stack([np.stack([cos, -sin, to[:, 0]], axis=-1), np.stack([sin, cos, to[:, 1]], axis=-1)], axis=1)

"""Any detector on four turned copies of a picture, for faces that lie on their side or stand on their head. F faces."""

import numpy as np

from facial_keypoints.array_types import UInt8
from facial_keypoints.boxes import Boxes, Detector


class AnyAngle:
    """Finds what a detector finds in a picture as it is, and turned by 90, 180 and 270 degrees."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    def __call__(self, picture: UInt8) -> Boxes:
        """Returns the boxes of all four copies; a face may have several."""
        found = [_turned_back(self._of_copy(picture, quarters), quarters, picture) for quarters in range(4)]
        xywh, scores, turns, eyes = zip(*found, strict=True)
        return Boxes(np.concatenate(xywh), np.concatenate(scores), np.concatenate(turns), eyes[0])

    def _of_copy(self, picture: UInt8, quarters: int) -> Boxes:
        return self._detector(np.ascontiguousarray(np.rot90(picture, quarters)))


def _turned_back(boxes: Boxes, quarters: int, picture: UInt8) -> Boxes:
    """Returns boxes of a picture that was turned by so many quarters, counter-clockwise, as they lie in the picture.

    Their width and height stay: a box is that of the upright face, turned about its middle.
    """
    right, bottom = picture.shape[1] - 1, picture.shape[0] - 1
    half = boxes.xywh[:, 2:] / 2
    x, y = (boxes.xywh[:, :2] + half).T
    back = [(x, y), (right - y, x), (right - x, bottom - y), (y, bottom - x)][quarters]
    xywh = np.column_stack([np.column_stack(back) - half, 2 * half])
    return boxes._replace(xywh=xywh, turns=boxes.turns + 90 * quarters)

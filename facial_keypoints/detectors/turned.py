"""Runs a detector on rotated copies of a picture, for faces on their side or upside down. F faces."""

from collections.abc import Sequence

import cv2
import numpy as np

from facial_keypoints import geometry
from facial_keypoints.array_types import Float64, UInt8
from facial_keypoints.boxes import MAX_SEARCHED_PX, SEARCH_SCALE, Boxes, Detector, join_boxes, rotation_matrices

MAX_COPY_PX = MAX_SEARCHED_PX / SEARCH_SCALE  # longest side of a copy: detectors would shrink a larger one to this size


class Turned:
    """Detects what another detector finds in rotated copies of a picture."""

    def __init__(self, detector: Detector, degrees: Sequence[float]) -> None:
        """Chooses the copies: in each, the faces that are rotated clockwise by one of `degrees` are upright."""
        self._detector = detector
        self._degrees = degrees

    def __call__(self, picture: UInt8) -> Boxes:
        """Returns the boxes of all copies, in px of the picture; a face can have several."""
        return join_boxes([self._in_copy(picture, degrees) for degrees in self._degrees])

    def _in_copy(self, picture: UInt8, degrees: float) -> Boxes:
        """Returns the boxes of the copy in which faces rotated by these degrees are upright, in px of the picture.

        A box keeps its width and height: it is the box of the upright face, rotated about its middle.
        """
        _, width, height = turn_of(picture, -degrees)
        small = geometry.scaled(picture, min(1.0, MAX_COPY_PX / max(width, height)))
        matrix, width, height = turn_of(small, -degrees)
        copy = cv2.warpAffine(small, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
        boxes = self._detector(np.asarray(copy, np.uint8).reshape(height, width, picture.shape[2]))
        ratio = np.array(picture.shape[1::-1]) / small.shape[1::-1]
        half = boxes.xywh[:, 2:] / 2
        middle = (geometry.transform(boxes.xywh[:, :2] + half, geometry.inverse(matrix)) + 0.5) * ratio - 0.5
        half = half * ratio.min()  # the scale of the longer side; the shorter one is at least a pixel
        return boxes._replace(xywh=np.column_stack([middle - half, 2 * half]), turns=boxes.turns + degrees)


def turn_of(picture: UInt8, degrees: float) -> tuple[Float64, int, int]:
    """Returns the matrix (2, 3) that rotates a picture clockwise, and the width and height of the rotated picture."""
    height, width = picture.shape[:2]
    turn = rotation_matrices(np.array([degrees]), np.zeros((1, 2)))[0]
    corners = geometry.transform([[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]], turn)
    turn[:, 2] = -corners.min(axis=0)
    size = np.round(np.ptp(corners, axis=0)).astype(int) + 1
    return turn, int(size[0]), int(size[1])

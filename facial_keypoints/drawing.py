"""Faces drawn on the picture they are in."""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from facial_keypoints.array_types import Float32, Float64, UInt8
from facial_keypoints.face import Face
from facial_keypoints.keypoint_set import KeypointSet

BOX_RGB, LINE_RGB, POINT_RGB, EDGE_RGB = (60, 230, 90), (90, 220, 255), (255, 0, 255), (40, 0, 40)
POINT_OF_BOX, LINE_OF_BOX, TEXT_OF_BOX = 0.014, 0.006, 0.1  # radius, thickness and height, in widths of the face's box
LARGEST_POINT_PX = 12
LEAST_OF_BOX = 0.03  # what is made thicker, to be seen in a small view, grows to so much: beyond, it hides the face
SUBPIXEL_BITS = 4  # OpenCV takes places in sixteenths of a pixel


def draw_faces(
    picture: UInt8,
    faces: Sequence[Face],
    keypoint_set: KeypointSet,
    numbers: Sequence[int] | None = None,
    least_px: float = 1,
) -> UInt8:
    """Returns a copy of a picture, uint8 (H, W, 3) RGB, with the box, the number and the keypoints of each face.

    Points and lines grow with the face.

    Args:
        numbers: of the faces; None: from 0 on.
        least_px: thickness of lines and radius of points, where the face is large enough for it.
    """
    drawn = picture.copy()
    for number, face in zip(range(len(faces)) if numbers is None else numbers, faces, strict=True):
        _draw_box(drawn, face, str(number), _line_px(face, least_px))
    for face in faces:
        _draw_keypoints(drawn, face, keypoint_set, least_px)
    return drawn


def point_px(face: Face, least_px: float = 1) -> float:
    """Returns the radius of a face's keypoints as `draw_faces` draws them."""
    usual = float(np.clip(POINT_OF_BOX * face.box[2], 1, LARGEST_POINT_PX))
    return max(usual, min(least_px, LEAST_OF_BOX * face.box[2]))


def _draw_box(drawn: UInt8, face: Face, text: str, line_px: int) -> None:
    x, y, width, height = face.box
    corners = _subpixels(np.array([[x, y], [x + width, y + height]]))
    cv2.rectangle(drawn, corners[0], corners[1], BOX_RGB, line_px, cv2.LINE_AA, SUBPIXEL_BITS)
    font = cv2.FONT_HERSHEY_SIMPLEX
    scale = cv2.getFontScaleFromHeight(font, max(8, round(TEXT_OF_BOX * width)), line_px)
    (_, text_height), below = cv2.getTextSize(text, font, scale, line_px)
    at = round(max(x, 0) + below), round(max(y, 0) + text_height + below)
    for colour, thickness in ((EDGE_RGB, line_px + 2), (BOX_RGB, line_px)):  # read on any ground
        cv2.putText(drawn, text, at, font, scale, colour, thickness, cv2.LINE_AA)


def _draw_keypoints(drawn: UInt8, face: Face, keypoint_set: KeypointSet, least_px: float) -> None:
    radius, line_px = point_px(face, least_px), _line_px(face, least_px)
    for run in keypoint_set.skeleton:
        points = _subpixels(face.keypoints[list(run)])
        cv2.polylines(drawn, [points], False, LINE_RGB, line_px, cv2.LINE_AA, SUBPIXEL_BITS)
    for point in _subpixels(face.keypoints):
        for colour, px in ((EDGE_RGB, radius + 0.7), (POINT_RGB, radius)):
            cv2.circle(drawn, point, round(px * 2**SUBPIXEL_BITS), colour, cv2.FILLED, cv2.LINE_AA, SUBPIXEL_BITS)


def _line_px(face: Face, least_px: float) -> int:
    usual = int(np.clip(round(LINE_OF_BOX * face.box[2]), 1, LARGEST_POINT_PX // 2))
    return max(usual, round(min(least_px, LEAST_OF_BOX * face.box[2])))


def _subpixels(points: Float32 | Float64) -> npt.NDArray[np.int32]:
    places: npt.NDArray[np.int32] = np.round(points * 2**SUBPIXEL_BITS).clip(-(2**30), 2**30).astype(np.int32)
    return places

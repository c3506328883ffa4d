"""Draws faces on pictures."""

import math
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from facial_keypoints.array_types import Float32, Float64, UInt8
from facial_keypoints.face import Face
from facial_keypoints.pictures import Picture, as_rgb

BOX_RGB, LINE_RGB, POINT_RGB, EDGE_RGB = (60, 230, 90), (90, 220, 255), (255, 0, 255), (40, 0, 40)

# In widths of the face's box; the eyes are 0.35 apart. A point with its edge is smaller than a tenth of that distance,
# so that it hides no part of the face.
POINT_OF_BOX, LINE_OF_BOX, TEXT_OF_BOX = 0.012, 0.006, 0.1  # radius, thickness, height
EDGE_OF_POINT, LARGEST_EDGE_PX = 0.25, 0.7  # of a point's radius
SMALLEST_POINT_PX, LARGEST_POINT_PX, LARGEST_LINE_PX, SMALLEST_TEXT_PX = 0.4, 12, 6, 8
BOX_LINE_OF_BOX = 0.03  # the thickest box line that `box_line_px` can cause
STROKE_OF_TEXT = 0.1  # thickness of a digit's lines, in its heights

EXACT_PX = 3  # radius of a point that OpenCV draws exactly enough; smaller points are drawn on an enlarged copy
MAX_ENLARGED_PIXELS, MARGIN_PX = 4_000_000, 3
SUBPIXEL_BITS = 4  # OpenCV takes coordinates in sixteenths of a pixel


def draw_faces(
    picture: Picture,
    faces: Sequence[Face],
    *,
    numbers: Sequence[int] | None = None,
    box_line_px: float = 1,
    colors: Sequence[UInt8] | None = None,
) -> UInt8:
    """Returns a copy of a picture, uint8 (H, W, 3) RGB, with the box, the number and the K keypoints of each face.

    Lines, points and digits grow with the face.

    Args:
        picture: a path, an array or a PIL image, as in `Predictor.predict`.
        faces: the faces to draw.
        numbers: the numbers to write beside the faces; None counts from 0.
        box_line_px: the minimum thickness of the boxes' lines, except on small faces.
        colors: the colors of each face's keypoints, uint8 (K, 3) RGB; None draws them in magenta.

    Raises:
        InputError: the picture cannot be read.

    Example:
        >>> from facial_keypoints import Predictor, draw_faces, write_picture
        >>> faces = Predictor("v2").predict("photo.jpg")
        >>> write_picture("faces.jpg", draw_faces("photo.jpg", faces))
    """
    drawn = as_rgb(picture).copy()
    for number, face in zip(range(len(faces)) if numbers is None else numbers, faces, strict=True):
        _draw_box(drawn, face, str(number), box_line_px)
    for index, face in enumerate(faces):
        point_colors = np.full((len(face.keypoints), 3), POINT_RGB, np.uint8) if colors is None else colors[index]
        _draw_keypoints(drawn, face, point_colors)
    return drawn


def _draw_box(drawn: UInt8, face: Face, number: str, box_line_px: float) -> None:
    x, y, width, height = face.box
    default_px = int(np.clip(round(LINE_OF_BOX * width), 1, LARGEST_LINE_PX))
    line_px = max(default_px, round(min(box_line_px, BOX_LINE_OF_BOX * width)))
    corners = _subpixels(np.array([[x, y], [x + width, y + height]]))
    cv2.rectangle(drawn, corners[0], corners[1], BOX_RGB, line_px, cv2.LINE_AA, SUBPIXEL_BITS)
    font, text_px = cv2.FONT_HERSHEY_SIMPLEX, max(SMALLEST_TEXT_PX, round(TEXT_OF_BOX * width))
    stroke_px = max(1, round(STROKE_OF_TEXT * text_px))
    scale = cv2.getFontScaleFromHeight(font, text_px, stroke_px)
    (_, above), below = cv2.getTextSize(number, font, scale, stroke_px)
    left, bottom = max(x, 0) + below, max(y, 0) + above + below
    if text_px > TEXT_OF_BOX * width + 1:  # a number that is too large for the box goes above it or below it
        above_box, below_box = y - line_px - below / 2, y + height + line_px + above
        left, bottom = max(x, 0), above_box if above_box > above else below_box
    position = round(left), round(bottom)
    for color, px in ((EDGE_RGB, stroke_px + 2), (BOX_RGB, stroke_px)):  # legible on any background
        cv2.putText(drawn, number, position, font, scale, color, px, cv2.LINE_AA)


def _draw_keypoints(drawn: UInt8, face: Face, colors: UInt8) -> None:
    """Draws points and lines in place; for a small face on an enlarged copy, since OpenCV cannot draw tiny points."""
    radius = float(np.clip(POINT_OF_BOX * face.box[2], SMALLEST_POINT_PX, LARGEST_POINT_PX))
    line_px = min(LINE_OF_BOX * face.box[2], LARGEST_LINE_PX)
    if radius >= EXACT_PX:
        _draw_skeleton(drawn, face, face.keypoints, line_px)
        _draw_points(drawn, face.keypoints, colors, radius)
        return
    height, width = drawn.shape[:2]
    left, top = np.floor(face.keypoints.min(axis=0) - MARGIN_PX).clip(0, (width, height)).astype(int)
    right, bottom = np.ceil(face.keypoints.max(axis=0) + MARGIN_PX + 1).clip(0, (width, height)).astype(int)
    region = drawn[top:bottom, left:right]
    if not region.size:
        return
    needed, possible = math.ceil(EXACT_PX / radius), math.isqrt(MAX_ENLARGED_PIXELS // region[..., 0].size)
    times = max(1, min(needed, possible))
    large = np.asarray(cv2.resize(region, None, fx=times, fy=times, interpolation=cv2.INTER_NEAREST), np.uint8)
    points = (face.keypoints - (left, top) + 0.5) * times - 0.5  # pixel centers are at whole numbers
    _draw_skeleton(large, face, points, line_px * times)
    _draw_points(large, points, colors, radius * times)
    region[:] = cv2.resize(large, region.shape[1::-1], interpolation=cv2.INTER_AREA)


def _draw_skeleton(drawn: UInt8, face: Face, points: Float32 | Float64, line_px: float) -> None:
    for run in face.keypoint_set.skeleton:
        line = _subpixels(points[list(run)])
        cv2.polylines(drawn, [line], False, LINE_RGB, max(1, round(line_px)), cv2.LINE_AA, SUBPIXEL_BITS)


def _draw_points(drawn: UInt8, keypoints: Float32 | Float64, colors: UInt8, radius: float) -> None:
    outer = radius + min(EDGE_OF_POINT * radius, LARGEST_EDGE_PX)
    for point, inner_color in zip(_subpixels(keypoints).tolist(), colors.tolist(), strict=True):
        for color, px in ((EDGE_RGB, outer), (inner_color, radius)):
            cv2.circle(drawn, point, round(px * 2**SUBPIXEL_BITS), color, cv2.FILLED, cv2.LINE_AA, SUBPIXEL_BITS)


def _subpixels(points: Float32 | Float64) -> npt.NDArray[np.int32]:
    return np.round(points * 2**SUBPIXEL_BITS).clip(-(2**30), 2**30).astype(np.int32)

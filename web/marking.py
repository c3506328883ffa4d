"""Draws filters, boxes and keypoints on a picture; colors show the expected error. K keypoints."""

import functools
from collections.abc import Sequence

import numpy as np

from facial_keypoints.array_types import Float32, Float64, UInt8
from facial_keypoints.drawing import draw_faces
from facial_keypoints.face import Face
from facial_keypoints.filters.apply import apply_filter
from facial_keypoints.filters.files import Filter, load_filter
from facial_keypoints.geometry import scaled

NO_FILTER = "none"
LONGEST_PX = 1600  # longer side of a returned picture; keypoints are found in the full picture
PHONE_PX = 350  # longer side of a picture on a phone, where boxes must still be visible

# From blue over yellow to red, distinguishable with color blindness too.
ERROR_SHARES = (0.005, 0.0125, 0.02)  # in widths of the face's box
ERROR_RGB = ((30, 110, 255), (255, 214, 40), (225, 30, 40))


def mark(
    picture: UInt8,
    faces: Sequence[Face],
    *,
    filter: str = NO_FILTER,
    keypoints: bool = True,
    numbers: Sequence[int] | None = None,
) -> UInt8:
    """Returns a copy of a picture, uint8 (H, W, 3) RGB, with a filter, boxes and keypoints drawn on its faces.

    Args:
        filter: name of a filter of the library, or NO_FILTER.
        keypoints: whether boxes and keypoints are drawn.
        numbers: of the faces; None: 0, 1, 2, ...
    """
    if filter != NO_FILTER:
        picture = apply_filter(picture, faces, filter_of(filter))
    if not keypoints:
        return picture.copy()
    have_errors = all(face.expected_error is not None for face in faces)
    colors = [error_colors(face.expected_error / face.box[2]) for face in faces if face.expected_error is not None]
    line_px = max(picture.shape) / PHONE_PX
    return draw_faces(picture, faces, numbers=numbers, box_line_px=line_px, colors=colors if have_errors else None)


@functools.cache
def filter_of(name: str) -> Filter:
    """Returns a filter of the library, read once."""
    return load_filter(name)


def error_colors(shares: Float32 | Float64) -> UInt8:
    """Returns the colors, uint8 (K, 3) RGB, of expected errors (K,) in widths of the face's box."""
    channels = [np.interp(shares, ERROR_SHARES, channel) for channel in zip(*ERROR_RGB, strict=True)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


def shrunk(picture: UInt8, longest_px: int = LONGEST_PX) -> UInt8:
    """Returns a picture (H, W, 3) whose longer side is at most `longest_px`."""
    return scaled(picture, min(1.0, longest_px / max(picture.shape[:2])))

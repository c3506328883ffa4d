"""Puts filters on faces: drawings and blur."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from facial_keypoints import geometry
from facial_keypoints.array_types import Float64, UInt8
from facial_keypoints.face import Face
from facial_keypoints.filters.files import AFFINE, BLUR, SIMILARITY, Filter, design_matrix, load_filter
from facial_keypoints.keypoint_set import FACE15, check_roles
from facial_keypoints.pictures import Picture, as_rgb

OPAQUE = 255  # alpha
BLUR_CELLS = 6  # averages along the longer side of the blurred region
BOX_COVER = 1.15  # a blur covers at least an ellipse this much larger than the one inside the face's box
SOFT = 1.1  # where the soft edge of that ellipse ends, in half axes


def apply_filter(picture: Picture, faces: Sequence[Face], filter: Filter | str | Path) -> UInt8:
    """Returns a copy of a picture, uint8 (H, W, 3) RGB, with a filter on each face, the largest face on top.

    Args:
        picture: a path, an array or a PIL image, as in `Predictor.predict`.
        faces: faces in this picture, of a keypoint set that has what the filter is anchored to.
        filter: a result of `load_filter`, or its argument; for many pictures, load it once.

    Raises:
        InputError: the picture or the filter cannot be read, or the keypoint set lacks what the filter is anchored to.

    Example:
        >>> from facial_keypoints import Predictor, apply_filter, write_picture
        >>> faces = Predictor("v2").predict("photo.jpg")
        >>> write_picture("blurred.jpg", apply_filter("photo.jpg", faces, "blur"))
    """
    if not isinstance(filter, Filter):
        filter = load_filter(filter)
    painted = as_rgb(picture).copy()
    paint = _blur if filter.paint == BLUR else _draw
    for face in sorted(faces, key=lambda face: face.box[2]):
        paint(painted, face, filter)
    return painted


def fit_filter(filter: Filter, face: Face) -> Float64:
    """Returns the matrix (2, 3) from a filter's PNG to the face's picture, by least squares over the anchors.

    When the head turns, an anchor at a depth z in front of the drawing moves by a parallax: it appears at
    linear (x, y) + shift + z * parallax (an affine camera: Koenderink and van Doorn 1991). The fit estimates the
    parallax too, and the drawing is at z = 0. So a hat, whose anchors are in front of it, moves back with the skull
    while the tip of the nose moves forward.
    """
    check_roles(face.keypoint_set, filter.roles, "the filter")
    targets = np.array([np.mean([face.role(FACE15.names[k]) for k in anchor], axis=0) for anchor in filter.anchors])
    if filter.fit == SIMILARITY:  # a complex factor rotates and scales at once
        turn, shift = _solve(design_matrix(filter.positions, SIMILARITY), targets @ np.array([1, 1j]))
        return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])
    to_x, to_y, shift = _solve(design_matrix(filter.positions, AFFINE), targets)
    return np.stack([to_x, to_y, shift], axis=1)


def _solve(design: npt.NDArray[np.inexact[Any]], targets: npt.NDArray[np.inexact[Any]]) -> Any:
    """Returns the least-squares coefficients of all columns except the depth."""
    depth_columns = design.shape[1] - (2 if np.iscomplexobj(design) else 3)
    solution = np.linalg.lstsq(design, targets, rcond=None)[0]
    return solution[: len(solution) - depth_columns]


def _draw(picture: UInt8, face: Face, filter: Filter) -> None:
    """Blends a filter's PNG into a picture, in place."""
    matrix = fit_filter(filter, face)
    if (region := _region(_corners(filter, matrix), picture)) is None:
        return
    layer = _warp(filter, matrix, region)
    background = picture[region]
    visible = (OPAQUE - layer[..., 3:].astype(np.uint16)) * background
    background[:] = layer[..., :3] + ((visible + OPAQUE // 2) // OPAQUE).astype(np.uint8)


def _blur(picture: UInt8, face: Face, filter: Filter) -> None:
    """Blurs a face beyond recognition, in place.

    At most BLUR_CELLS x BLUR_CELLS averages remain, so that no sharpening can restore it. The mask grows with the
    expected error of the keypoints and always covers the face's box.
    """
    matrix = _enlarge(fit_filter(filter, face), filter, face)
    x, y, width, height = face.box
    middle, axes = np.array([x + width / 2, y + height / 2]), BOX_COVER * np.array([width, height]) / 2
    corners = np.concatenate([_corners(filter, matrix), [middle - SOFT * axes, middle + SOFT * axes]])
    if (region := _region(corners, picture)) is None:
        return
    mask = _warp(filter, matrix, region)[..., 3]
    _add_ellipse(mask, middle - (region[1].start, region[0].start), axes)
    cell_px = max(np.ptp(corners, axis=0)) / BLUR_CELLS
    background = picture[region]
    cells = max(1, int(background.shape[1] / cell_px)), max(1, int(background.shape[0] / cell_px))
    means = cv2.resize(background, cells, interpolation=cv2.INTER_AREA)
    blurred = cv2.resize(means, background.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    opacity = mask[..., None].astype(np.float32) / OPAQUE
    background[:] = np.rint(blurred * opacity + background * (1 - opacity)).astype(np.uint8)


def _enlarge(matrix: Float64, filter: Filter, face: Face) -> Float64:
    """Returns a fit, enlarged about the PNG's middle by the expected error of the keypoints."""
    if face.expected_error is None:
        return matrix
    height, width = filter.rgba.shape[:2]
    size_px = math.sqrt(abs(np.linalg.det(matrix[:, :2]))) * min(height, width)
    factor = 1 + 2 * float(face.expected_error.max()) / max(size_px, 1e-6)
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    linear = matrix[:, :2] * factor
    return np.column_stack([linear, matrix @ (*middle, 1) - linear @ middle])


def _add_ellipse(mask: UInt8, middle: Float64, axes: Float64) -> None:
    """Makes a mask opaque inside an ellipse of half axes (x, y), in place; the edge outside it is soft."""
    y, x = np.ogrid[: mask.shape[0], : mask.shape[1]]
    distance = np.hypot((x - middle[0]) / axes[0], (y - middle[1]) / axes[1])
    np.maximum(mask, np.clip((SOFT - distance) / (SOFT - 1) * OPAQUE, 0, OPAQUE).astype(np.uint8), out=mask)


def _corners(filter: Filter, matrix: Float64) -> Float64:
    """Returns the corners of a filter in the picture, float64 (4, 2)."""
    height, width = filter.rgba.shape[:2]
    outer = [(-1, -1), (width, -1), (width, height), (-1, height)]
    return geometry.transform(np.array(outer, np.float64), matrix)


def _region(corners: Float64, picture: UInt8) -> tuple[slice, slice] | None:
    """Returns the rows and columns of a picture around points (P, 2); None if the points are outside."""
    height, width = picture.shape[:2]
    left, top = np.floor(corners.min(axis=0)).clip(0, (width, height)).astype(int).tolist()
    right, bottom = np.ceil(corners.max(axis=0) + 1).clip(0, (width, height)).astype(int).tolist()
    return (slice(top, bottom), slice(left, right)) if bottom > top and right > left else None


def _warp(filter: Filter, matrix: Float64, region: tuple[slice, slice]) -> UInt8:
    """Returns a filter, warped by a matrix into a region of the picture, uint8 (h, w, 4), premultiplied by alpha."""
    rgba, matrix = geometry.shrink(filter.rgba, matrix)  # avoids aliasing
    size = region[1].stop - region[1].start, region[0].stop - region[0].start
    shifted = matrix - [[0, 0, region[1].start], [0, 0, region[0].start]]
    return np.asarray(cv2.warpAffine(rgba, shifted, size, flags=cv2.INTER_LINEAR), np.uint8)

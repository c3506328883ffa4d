"""Crops like those that a network was trained on, from boxes or keypoints. F faces, K keypoints."""

import cv2
import numpy as np
import numpy.typing as npt

from facial_keypoints import geometry
from facial_keypoints.array_types import Float64, UInt8
from facial_keypoints.boxes import USUAL_EYES, Boxes, eyes_in
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import KeypointSet
from facial_keypoints.spec import GRAY, RGB, ModelSpec

BOX_SCALE = 1.2  # side of a square crop, in longer sides of the box that it shows
MARGIN_PX = 2  # around the visible region, for interpolation at its edge


def crop_of(keypoints: npt.ArrayLike, spec: ModelSpec) -> Float64:
    """Returns matrices (F, 2, 3), picture to crop, that map keypoints (F, K, 2) to those of the mean training face.

    A face that is rotated in the picture's plane is upright in its crop.
    """
    return geometry.fit_similarity(keypoints, np.array(spec.crop.mean_keypoints)[None])


def crop_of_boxes(boxes: Boxes, spec: ModelSpec) -> Float64:
    """Returns matrices (F, 2, 3), picture to crop, that show the faces in boxes as the network saw faces in training.

    They map the eyes of a face to those of the mean training face. If the keypoint set has no eyes, they show an
    upright square, BOX_SCALE times the longer side of the box.
    """
    if spec.keypoint_set.eyes is None:
        size = spec.crop.height_px, spec.crop.width_px
        squares = [square_crop(x + w / 2, y + h / 2, BOX_SCALE * max(w, h), *size) for x, y, w, h in boxes.xywh]
        return np.array(squares, np.float64).reshape(-1, 2, 3)
    mean = eye_centers(spec.crop.mean_keypoints, spec.keypoint_set)
    return geometry.fit_similarity(eyes_in(boxes), mean[None])


def square_crop(x: float, y: float, side_px: float, height_px: int, width_px: int) -> Float64:
    """Returns the matrix (2, 3), picture to crop, that fits an upright square around (x, y) into a crop.

    Args:
        x, y: the middle of the square, in px of the picture.
        side_px: the side of the square, in px of the picture.
        height_px, width_px: the size of the crop.
    """
    scale = min(height_px, width_px) / side_px
    return np.array([[scale, 0, (width_px - 1) / 2 - scale * x], [0, scale, (height_px - 1) / 2 - scale * y]])


def crop_of_whole(picture: UInt8, spec: ModelSpec) -> Float64:
    """Returns the matrix (2, 3) that fits a whole picture (H, W, C) into the middle of a crop."""
    size, crop_size = np.array(picture.shape[1::-1]), np.array([spec.crop.width_px, spec.crop.height_px])
    scale = (crop_size / size).min()
    shift = (crop_size - 1) / 2 - scale * (size - 1) / 2
    return np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])


def eye_centers(keypoints: npt.ArrayLike, keypoint_set: KeypointSet) -> Float64:
    """Returns both eye centers, float64 (..., 2, 2), of keypoints (..., K, 2); the one on the picture's left first."""
    if keypoint_set.eyes is None:
        raise InputError(f"the keypoint set {keypoint_set.name} has no eyes, by which faces are aligned")
    points = np.asarray(keypoints, np.float64)
    centers = np.stack([points[..., list(eye), :].mean(axis=-2) for eye in keypoint_set.eyes], axis=-2)
    return np.take_along_axis(centers, centers[..., :1].argsort(axis=-2), axis=-2)


def crop_faces(picture: UInt8, matrices: Float64, spec: ModelSpec) -> UInt8:
    """Returns the crops of a picture (H, W, 1 or 3) under matrices (F, 2, 3), uint8 (F, h, w, c) for the network.

    Outside the picture its edge is repeated.
    """
    height, width, channels = spec.crop.shape
    crops = np.empty((len(matrices), height, width, channels), np.uint8)
    for crop, matrix in zip(crops, matrices, strict=True):
        region, shifted = visible_region(picture, matrix, height, width)
        crop[:] = geometry.crop(with_channels(region[None], channels)[0], shifted, height, width)
    return crops


def visible_region(picture: UInt8, matrix: Float64, height_px: int, width_px: int) -> tuple[UInt8, Float64]:
    """Returns the region of a picture (H, W, C) that a crop shows, a view of at least one pixel, and its matrix.

    Args:
        matrix: (2, 3), picture to crop; the returned one maps the region to the crop.
        height_px, width_px: the size of the crop.
    """
    corners = geometry.transform(corners_px(height_px, width_px), geometry.inverse(matrix))
    margin = MARGIN_PX * max(1.0, float(np.abs(np.linalg.inv(matrix[:, :2])).max()))
    height, width = picture.shape[:2]
    low = np.floor(corners.min(axis=0) - margin).clip(0, (width - 1, height - 1)).astype(int)
    high = np.ceil(corners.max(axis=0) + margin + 1).clip(low + 1, (width, height)).astype(int)
    shifted = np.column_stack([matrix[:, :2], matrix @ (*low, 1)])
    return picture[low[1] : high[1], low[0] : high[0]], shifted


def crop_square(picture: UInt8, matrix: Float64, side_px: int) -> UInt8:
    """Returns the square crop of a picture (H, W, C) under a matrix (2, 3), picture to crop, uint8 (S, S, C)."""
    region, shifted = visible_region(picture, matrix, side_px, side_px)
    return geometry.crop(region, shifted, side_px, side_px)


def with_channels(images: UInt8, channels: int) -> UInt8:
    """Returns images (N, H, W, 1 or 3) as gray (1) or RGB (3)."""
    if images.shape[-1] == channels:
        return images
    if channels == RGB:
        return np.repeat(images, RGB, axis=-1)
    count, height, width, _ = images.shape
    rows = images.reshape(count * height, width, RGB)
    return np.asarray(cv2.cvtColor(rows, cv2.COLOR_RGB2GRAY), np.uint8).reshape(count, height, width, GRAY)


def corners_px(height_px: int, width_px: int) -> Float64:
    """Returns the centers of a crop's four corner pixels, float64 (4, 2) in px of the crop."""
    right, bottom = width_px - 1.0, height_px - 1.0
    return np.array([[0, 0], [right, 0], [right, bottom], [0, bottom]])


def box_of(crop: Float64, spec: ModelSpec) -> tuple[float, float, float, float]:
    """Returns the upright square (x, y, width, height), in px of the picture, around the face in a crop (2, 3).

    As a user's box (`boxes.given_boxes`), it gives the same crop again if the face is upright.
    """
    if spec.keypoint_set.eyes is None:
        height_px, width_px, _ = spec.crop.shape
        middle = geometry.transform(np.array([[(width_px - 1) / 2, (height_px - 1) / 2]]), geometry.inverse(crop))[0]
        side = min(height_px, width_px) / BOX_SCALE / float(np.sqrt(abs(np.linalg.det(crop[:, :2]))))
        return float(middle[0]) - side / 2, float(middle[1]) - side / 2, side, side
    mean = eye_centers(spec.crop.mean_keypoints, spec.keypoint_set)
    (left, right) = geometry.transform(mean, geometry.inverse(crop))
    across = right - left
    down = np.array([-across[1], across[0]]) * (0.5 - USUAL_EYES.middle_y) / USUAL_EYES.apart
    side = float(np.hypot(*across)) / USUAL_EYES.apart
    x, y = (left + right) / 2 + down - side / 2
    return float(x), float(y), side, side


def largest_shift_px(before: Float64, after: Float64, spec: ModelSpec) -> Float64:
    """Returns the largest shift of a crop's corners between two matrices (F, 2, 3), float64 (F,) in px of the crop."""
    corners = corners_px(spec.crop.height_px, spec.crop.width_px)[None]
    shifted_corners = geometry.transform(geometry.transform(corners, geometry.inverse(before)), after)
    return np.asarray(np.linalg.norm(shifted_corners - corners, axis=-1).max(axis=-1, initial=0))

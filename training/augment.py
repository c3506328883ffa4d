"""Moves, mirrors and relights training faces together with their keypoints."""

import cv2
import numpy as np

from common.array_types import Bool, Float32, Float64, UInt8

LEVELS = ("none", "flip", "full")

MAX_TURN_DEGREES = 10.0
MAX_SCALE = 0.1  # of the size, larger or smaller
MAX_SHIFT = 0.05  # of the picture's side
MAX_CONTRAST = 0.3  # gain between 1 - this and 1 + this
MAX_BRIGHTNESS = 30.0  # grey levels


def augment(
    images: UInt8, keypoints: Float32, labelled: Bool, mirror: tuple[int, ...], level: str, rng: np.random.Generator
) -> tuple[UInt8, Float32, Bool]:
    """Returns N changed copies: pictures (N, H, W, C), keypoints (N, K, 2) in px and labelled (N, K).

    `flip` mirrors half of the faces and swaps left and right keypoints with them. `full` also turns, scales and
    shifts each face, changes contrast and brightness. A keypoint that leaves the picture counts as unlabelled.
    """
    if level == "none":
        return images, keypoints, labelled
    count, height, width, _ = images.shape
    flipped: Bool = np.asarray(rng.random(count) < 0.5)
    matrices = _affine_matrices(count, width, height, flipped, rng, still=level == "flip")
    keypoints = np.where(flipped[:, None, None], keypoints[:, mirror], keypoints)
    labelled = np.where(flipped[:, None], labelled[:, mirror], labelled)
    moved = keypoints @ matrices[:, :, :2].transpose(0, 2, 1) + matrices[:, None, :, 2]
    pictures = np.stack([_warp(image, m) for image, m in zip(images, matrices, strict=True)])
    if level == "full":
        pictures = _relight(pictures, rng)
    inside = ((moved > -0.5) & (moved < (width - 0.5, height - 0.5))).all(axis=-1)
    return pictures, moved.astype(np.float32), labelled & inside


def _affine_matrices(
    count: int, width: int, height: int, flipped: Bool, rng: np.random.Generator, still: bool
) -> Float64:
    """Returns (N, 2, 3): a point p of the old picture lies at M[:, :2] @ p + M[:, 2] in the new one."""
    strength = 0.0 if still else 1.0
    turn = np.deg2rad(strength * rng.uniform(-MAX_TURN_DEGREES, MAX_TURN_DEGREES, count))
    scale = 1 + strength * rng.uniform(-MAX_SCALE, MAX_SCALE, count)
    shift = strength * rng.uniform(-MAX_SHIFT, MAX_SHIFT, (count, 2)) * (width, height)
    sign = np.where(flipped, -1.0, 1.0)
    cos, sin = scale * np.cos(turn), scale * np.sin(turn)
    linear = np.stack([np.stack([sign * cos, -sin], -1), np.stack([sign * sin, cos], -1)], -2)
    centre = np.array([width - 1, height - 1]) / 2
    offset = centre + shift - linear @ centre
    return np.concatenate([linear, offset[..., None]], axis=-1)


def _warp(image: UInt8, matrix: Float64) -> UInt8:
    height, width, channels = image.shape
    warped = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped).reshape(height, width, channels)


def _relight(images: UInt8, rng: np.random.Generator) -> UInt8:
    """Returns the pictures through a random straight line from old grey levels to new ones, one per picture."""
    count = len(images)
    gain = rng.uniform(1 - MAX_CONTRAST, 1 + MAX_CONTRAST, (count, 1))
    lift = rng.uniform(-MAX_BRIGHTNESS, MAX_BRIGHTNESS, (count, 1))
    levels = np.arange(256)
    tables = np.clip((levels - 127.5) * gain + 127.5 + lift, 0, 255).astype(np.uint8)
    return np.stack([table[image] for table, image in zip(tables, images, strict=True)])

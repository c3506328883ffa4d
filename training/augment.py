"""Moves, mirrors and relights training faces together with their keypoints."""

from dataclasses import dataclass

import cv2
import numpy as np

from facial_keypoints.array_types import Bool, Float32, Float64, UInt8


@dataclass(frozen=True)
class Strength:
    """How far a face may be changed at the most; every change is drawn evenly from its range.

    Attributes:
        turn_degrees: to either side.
        scale: of the size, larger or smaller.
        shift: of the picture's side.
        contrast: gain between 1 - this and 1 + this.
        brightness: grey levels.
        perspective: how much larger one edge of the picture gets than its middle.
        blur_px: the standard deviation of a Gaussian blur; half of the faces get one.
        noise: the standard deviation of noise, grey levels; half of the faces get some.
        erase: of the picture's side: a rectangle of random grey covers up to this of each; half of the faces get one.
        beyond: of the picture's side: how far outside the picture a keypoint still counts.
    """

    turn_degrees: float = 0.0
    scale: float = 0.0
    shift: float = 0.0
    contrast: float = 0.0
    brightness: float = 0.0
    perspective: float = 0.0
    blur_px: float = 0.0
    noise: float = 0.0
    erase: float = 0.0
    beyond: float = 0.0


LEVELS = {
    "none": None,
    "flip": Strength(),
    "full": Strength(turn_degrees=10.0, scale=0.1, shift=0.05, contrast=0.3, brightness=30.0),
    "strong": Strength(
        turn_degrees=20.0,
        scale=0.15,
        shift=0.08,
        contrast=0.5,
        brightness=40.0,
        perspective=0.12,
        blur_px=1.5,
        noise=8.0,
        erase=0.4,
        beyond=0.15,
    ),
}


def augment(
    images: UInt8,
    keypoints: Float32,
    labelled: Bool,
    mirror: tuple[int, ...] | None,
    level: str,
    rng: np.random.Generator,
) -> tuple[UInt8, Float32, Bool]:
    """Returns N changed copies: pictures (N, H, W, C), keypoints (N, K, 2) in px and labelled (N, K).

    Every level but `none` mirrors half of the faces and swaps left and right keypoints with them by `mirror`, unless
    that is None; `LEVELS` says what else it does. A keypoint that leaves the picture counts as unlabelled; one that is
    covered does not.
    """
    strength = LEVELS[level]
    if strength is None:
        return images, keypoints, labelled
    count, height, width, _ = images.shape
    size = np.array([width, height])
    flipped: Bool = np.asarray(rng.random(count) < 0.5)
    if mirror is None:
        flipped = np.zeros(count, bool)
    else:
        keypoints = np.where(flipped[:, None, None], keypoints[:, mirror], keypoints)
        labelled = np.where(flipped[:, None], labelled[:, mirror], labelled)
    matrices = _homographies(size, flipped, strength, rng)
    moved = _moved(keypoints, matrices)
    pictures = np.stack([_warp(image, m) for image, m in zip(images, matrices, strict=True)])
    if strength.contrast or strength.brightness:
        pictures = _relight(pictures, strength, rng)
    if strength.blur_px:
        pictures = _blur(pictures, strength.blur_px, rng)
    if strength.erase:
        pictures = _erase(pictures, strength.erase, rng)
    if strength.noise:
        pictures = _add_noise(pictures, strength.noise, rng)
    edge = 0.5 + strength.beyond * size
    inside = ((moved > -edge) & (moved < size - 1 + edge)).all(axis=-1)
    return pictures, moved.astype(np.float32), labelled & inside


def _homographies(size: Float64, flipped: Bool, strength: Strength, rng: np.random.Generator) -> Float64:
    """Returns (N, 3, 3): a point p of the old picture goes to M @ (p, 1), divided by its last number."""
    count = len(flipped)
    turn = np.deg2rad(rng.uniform(-strength.turn_degrees, strength.turn_degrees, count))
    scale = 1 + rng.uniform(-strength.scale, strength.scale, count)
    shift = rng.uniform(-strength.shift, strength.shift, (count, 2)) * size
    sign = np.where(flipped, -1.0, 1.0)
    cos, sin = scale * np.cos(turn), scale * np.sin(turn)
    about_centre = np.zeros((count, 3, 3))
    about_centre[:, :2, :2] = np.stack([np.stack([sign * cos, -sin], -1), np.stack([sign * sin, cos], -1)], -2)
    about_centre[:, :2, 2] = shift
    about_centre[:, 2, 2] = 1
    centre = (size - 1) / 2
    if strength.perspective:
        tilt = np.tile(np.eye(3), (count, 1, 1))
        tilt[:, 2, :2] = rng.uniform(-strength.perspective, strength.perspective, (count, 2)) / centre
        about_centre = tilt @ about_centre
    to_centre, back = np.eye(3), np.eye(3)
    to_centre[:2, 2], back[:2, 2] = -centre, centre
    return np.asarray(back @ about_centre @ to_centre)


def _moved(points: Float32, matrices: Float64) -> Float64:
    """Returns where the homographies (N, 3, 3) take the points (N, K, 2)."""
    moved = points @ matrices[:, :2, :2].transpose(0, 2, 1) + matrices[:, None, :2, 2]
    depth = points @ matrices[:, 2, :2, None] + matrices[:, 2:, 2:]
    return np.asarray(moved / depth)


def _warp(image: UInt8, matrix: Float64) -> UInt8:
    height, width, channels = image.shape
    if matrix[2, 0] or matrix[2, 1]:
        warped = cv2.warpPerspective(
            image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
    else:  # the same for these, and faster
        warped = cv2.warpAffine(
            image, matrix[:2], (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
    return np.asarray(warped).reshape(height, width, channels)


def _relight(images: UInt8, strength: Strength, rng: np.random.Generator) -> UInt8:
    """Returns the pictures through a random straight line from old grey levels to new ones, one per picture."""
    count = len(images)
    gain = rng.uniform(1 - strength.contrast, 1 + strength.contrast, (count, 1))
    lift = rng.uniform(-strength.brightness, strength.brightness, (count, 1))
    levels = np.arange(256)
    tables = np.clip((levels - 127.5) * gain + 127.5 + lift, 0, 255).astype(np.uint8)
    return np.stack([table[image] for table, image in zip(tables, images, strict=True)])


def _blur(images: UInt8, most_px: float, rng: np.random.Generator) -> UInt8:
    blurred: UInt8 = images.copy()
    for i in np.flatnonzero(rng.random(len(images)) < 0.5):
        softened = cv2.GaussianBlur(images[i], (0, 0), rng.uniform(0.1, most_px))
        blurred[i] = np.asarray(softened).reshape(images[i].shape)
    return blurred


def _erase(images: UInt8, most: float, rng: np.random.Generator) -> UInt8:
    """Returns the pictures, half of them with a rectangle of one random grey (Zhong et al. 2020, random erasing)."""
    erased = images.copy()
    sides = np.array(images.shape[1:3])
    for i in np.flatnonzero(rng.random(len(images)) < 0.5):
        height, width = (rng.uniform(0.1, most, 2) * sides).astype(int)
        top, left = rng.integers(sides - (height, width))
        erased[i, top : top + height, left : left + width] = rng.integers(256)
    return erased


def _add_noise(images: UInt8, most: float, rng: np.random.Generator) -> UInt8:
    """Returns the pictures, half of them with Gaussian noise, the same in every channel."""
    count, height, width, _ = images.shape
    strength = np.asarray(rng.uniform(0, most, count) * (rng.random(count) < 0.5), np.float32)
    noise = rng.standard_normal((count, height, width, 1), np.float32) * strength[:, None, None, None]
    noisy: UInt8 = np.clip(np.rint(images + noise), 0, 255).astype(np.uint8)
    return noisy

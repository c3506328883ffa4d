"""Augments training faces together with their keypoints."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from facial_keypoints.array_types import Bool, Float32, Float64, Int64, UInt8


@dataclass(frozen=True)
class Strength:
    """The largest changes of a face; each change is drawn uniformly from its range, but see `power`.

    Attributes:
        turn_degrees: to either side.
        scale: of the size, larger or smaller.
        shift: of the image's side.
        contrast: gain between 1 - this and 1 + this.
        brightness: gray levels.
        perspective: how much larger one edge of the image gets than its middle.
        blur_px: the standard deviation of a Gaussian blur; half of the faces get one.
        noise: the standard deviation of noise, gray levels; half of the faces get some.
        erase: of the image's side: a rectangle of random gray covers up to this of each; half of the faces get one.
        beyond: of the image's side: how far outside the image a keypoint still counts.
        elastic: of the image's side: the standard deviation of a smooth random displacement, which gives a face
            another shape (after Simard et al. 2003).
        power: turns, sizes and shifts are their largest value times |u| to this power, u uniform in [-1, 1]. At 2, half
            of them stay below a quarter of it: many crops a little off and a few far off, as from detectors.
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
    elastic: float = 0.0
    power: float = 1.0


ELASTIC_GRID = 4  # random displacements along each side of an image, with cubic interpolation between them

# For small data sets with exact crops: makes the faces look like those of more people.
ELASTIC = Strength(
    turn_degrees=12.0,
    scale=0.1,
    shift=0.05,
    contrast=0.4,
    brightness=35.0,
    perspective=0.1,
    blur_px=1.0,
    noise=5.0,
    erase=0.3,
    beyond=0.05,
    elastic=0.025,
)
LEVELS = {
    "none": None,
    "light": Strength(turn_degrees=10.0, scale=0.1, shift=0.05, contrast=0.3, brightness=30.0),
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
    "elastic": ELASTIC,
    # For crops of face detectors, which are not level.
    "wide": replace(ELASTIC, turn_degrees=48.0, scale=0.25, shift=0.12, beyond=0.15, power=2.0),
}


def augment(
    images: UInt8,
    keypoints: Float32,
    labelled: Bool,
    mirror: tuple[int, ...] | None,
    level: str,
    rng: np.random.Generator,
    may_flip: Bool | None = None,
    selected: Bool | None = None,
) -> tuple[UInt8, Float32, Bool]:
    """Returns augmented copies: images (N, H, W, C), keypoints (N, K, 2) in px and labelled (N, K).

    Every level but `none` mirrors half of the faces for which `may_flip`, bool (N,), is true (all if None), and swaps
    their left and right keypoints by the permutation `mirror`; without it, none is mirrored. `LEVELS` has the other
    changes. A keypoint that leaves the image counts as unlabelled; one that is covered does not.

    `selected`, bool (N,), all if None: the faces to augment. They are the same as if all were augmented; the others are
    undefined.
    """
    strength = LEVELS[level]
    if strength is None:
        return images, keypoints, labelled
    count, height, width, _ = images.shape
    size = np.array([width, height])
    selected = np.ones(count, bool) if selected is None else selected
    flipped: Bool = np.asarray(rng.random(count) < 0.5)
    if mirror is None:
        flipped = np.zeros(count, bool)
    else:
        flipped = flipped if may_flip is None else flipped & may_flip
        keypoints = np.where(flipped[:, None, None], keypoints[:, mirror], keypoints)
        labelled = np.where(flipped[:, None], labelled[:, mirror], labelled)
    matrices = _homographies(size, flipped, strength, rng)
    moved = _transformed(keypoints, matrices)
    tables = _tone_tables(count, strength, rng)
    augmented = np.empty_like(images)
    for i, (image, matrix, table) in enumerate(zip(images, matrices, tables, strict=True)):
        field = _displacements(width, height, strength.elastic, rng) if strength.elastic else None
        if not selected[i]:
            continue
        if field is not None:
            warped, moved[i] = _warp_elastically(image, matrix, field), _without_displacement(moved[i], field)
        else:
            warped = _warp(image, matrix)
        augmented[i] = cv2.LUT(warped, table).reshape(image.shape)
    # Half of the faces get each of these. Drawing random numbers for the others too took a tenth of the training time.
    if strength.blur_px:
        _blur(augmented, strength.blur_px, rng, selected)
    if strength.erase:
        _erase(augmented, strength.erase, rng)
    if strength.noise:
        _add_noise(augmented, strength.noise, rng, selected)
    edge = 0.5 + strength.beyond * size
    inside = ((moved > -edge) & (moved < size - 1 + edge)).all(axis=-1)
    return augmented, moved.astype(np.float32), labelled & inside


def random_crop(images: UInt8, keypoints: Float32, crop_px: int, rng: np.random.Generator) -> tuple[UInt8, Float32]:
    """Returns images (N, H, W, C) and keypoints (N, K, 2), shifted so that the center crop is a random crop.

    The network sees only the center crop of `crop_px` (`models.scaling.center_crop`). Images keep the size of the data
    folder, as in validation and prediction, and need no padding: pixels shifted out on one side come in on the other,
    outside the crop.
    """
    sides = np.array(images.shape[1:3])
    margin = np.maximum(sides - crop_px, 0)
    shifts = margin // 2 - rng.integers(0, margin + 1, (len(images), 2))  # in y and x, whole px
    moved = np.stack([np.roll(image, shift, axis=(0, 1)) for image, shift in zip(images, shifts, strict=True)])
    return moved, (keypoints + shifts[:, None, ::-1]).astype(np.float32)


def _homographies(size: Float64, flipped: Bool, strength: Strength, rng: np.random.Generator) -> Float64:
    """Returns homographies (N, 3, 3) M: a point p of the old image moves to M @ (p, 1), divided by its last number."""
    count = len(flipped)
    uniform = rng.uniform(-1, 1, (4, count))
    drawn = np.sign(uniform) * np.abs(uniform) ** strength.power
    turn = np.deg2rad(strength.turn_degrees) * drawn[0]
    scale = 1 + strength.scale * drawn[1]
    shift = strength.shift * drawn[2:].T * size
    sign = np.where(flipped, -1.0, 1.0)
    cos, sin = scale * np.cos(turn), scale * np.sin(turn)
    about_center = np.zeros((count, 3, 3))
    about_center[:, :2, :2] = np.stack([np.stack([sign * cos, -sin], -1), np.stack([sign * sin, cos], -1)], -2)
    about_center[:, :2, 2] = shift
    about_center[:, 2, 2] = 1
    center = (size - 1) / 2
    if strength.perspective:
        tilt = np.tile(np.eye(3), (count, 1, 1))
        tilt[:, 2, :2] = rng.uniform(-strength.perspective, strength.perspective, (count, 2)) / center
        about_center = tilt @ about_center
    to_center, back = np.eye(3), np.eye(3)
    to_center[:2, 2], back[:2, 2] = -center, center
    return back @ about_center @ to_center


def _transformed(points: Float32, matrices: Float64) -> Float64:
    """Returns the points (N, K, 2) transformed by the homographies (N, 3, 3)."""
    moved = points @ matrices[:, :2, :2].transpose(0, 2, 1) + matrices[:, None, :2, 2]
    depth = points @ matrices[:, 2, :2, None] + matrices[:, 2:, 2:]
    return moved / depth


def _warp(image: UInt8, matrix: Float64) -> UInt8:
    size = (image.shape[1], image.shape[0])
    options = {"flags": cv2.INTER_LINEAR, "borderMode": cv2.BORDER_REPLICATE}
    if matrix[2, 0] or matrix[2, 1]:
        return cv2.warpPerspective(image, matrix, size, **options)
    return cv2.warpAffine(image, matrix[:2], size, **options)  # the same for affine matrices, and faster


def _displacements(width: int, height: int, max_share: float, rng: np.random.Generator) -> Float32:
    """Returns a smooth random field of displacements in px, float32 (H, W, 2)."""
    deviation_px = rng.uniform(0, max_share) * np.array([width, height])
    coarse = (rng.standard_normal((ELASTIC_GRID, ELASTIC_GRID, 2)) * deviation_px).astype(np.float32)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def _warp_elastically(image: UInt8, matrix: Float64, field: Float32) -> UInt8:
    """Returns the image under the homography, then with each pixel p taken from p + field(p), sampled once."""
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    positions = field + np.stack([x, y], axis=-1).astype(np.float32)
    sampled = cv2.perspectiveTransform(positions, np.linalg.inv(matrix))
    return cv2.remap(image, sampled, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _without_displacement(points: Float64, field: Float32) -> Float64:
    """Returns the points q with q + field(q) = points (K, 2), by fixed-point iteration; the field is smooth enough."""
    moved = points
    for _ in range(5):
        positions = moved.astype(np.float32)[None]
        moved = points - cv2.remap(field, positions, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]
    return moved


def _tone_tables(count: int, strength: Strength, rng: np.random.Generator) -> UInt8:
    """Returns a random linear map of gray levels for each image, uint8 (N, 256)."""
    gain = rng.uniform(1 - strength.contrast, 1 + strength.contrast, (count, 1))
    offset = rng.uniform(-strength.brightness, strength.brightness, (count, 1))
    return np.clip((np.arange(256) - 127.5) * gain + 127.5 + offset, 0, 255).astype(np.uint8)


def _random_half(count: int, rng: np.random.Generator) -> Int64:
    """Returns the indexes of about half of the images."""
    return np.flatnonzero(rng.random(count) < 0.5)


def _blur(images: UInt8, max_px: float, rng: np.random.Generator, selected: Bool) -> None:
    """Blurs half of the images in place, if they are selected."""
    for i in _random_half(len(images), rng):
        deviation_px = rng.uniform(0.1, max_px)
        if selected[i]:
            images[i] = cv2.GaussianBlur(images[i], (0, 0), deviation_px).reshape(images[i].shape)


def _erase(images: UInt8, max_share: float, rng: np.random.Generator) -> None:
    """Covers a rectangle of half of the images with one random gray, in place (Zhong et al. 2020, random erasing)."""
    sides = np.array(images.shape[1:3])
    for i in _random_half(len(images), rng):
        height, width = (rng.uniform(0.1, max_share, 2) * sides).astype(int)
        top, left = rng.integers(sides - (height, width))
        images[i, top : top + height, left : left + width] = rng.integers(256)


def _add_noise(images: UInt8, max_level: float, rng: np.random.Generator, selected: Bool) -> None:
    """Adds Gaussian noise to half of the images in place, if they are selected, the same in every channel."""
    _, height, width, channels = images.shape
    for i in _random_half(len(images), rng):
        noise = rng.standard_normal((height, width, 1), np.float32) * np.float32(rng.uniform(0, max_level))
        if selected[i]:
            noise = np.repeat(noise, channels, axis=-1)
            images[i] = cv2.add(images[i], noise, dtype=cv2.CV_8U).reshape(images[i].shape)  # rounds and saturates

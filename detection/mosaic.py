"""Composes training pictures: square mosaics of scenes, turned, scaled, mirrored, degraded. F faces.

A mosaic of n x n tiles shows n x n scenes, so that faces of all sizes occur: alone in the picture their eyes are up to
`LARGEST_EYES_PX` apart, in 64 tiles about 5 px.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from detection.scenes import Scene
from facial_keypoints import geometry
from facial_keypoints.array_types import Bool, Float64, UInt8
from facial_keypoints.boxes import USUAL_EYES
from facial_keypoints.detectors.five_points import MIRROR, POINTS, fitted_boxes

SMALLEST_EYES_PX, LARGEST_EYES_PX = 4.5, 115.0  # smaller and larger faces are neither face nor background
TILES = {1: 0.32, 2: 0.26, 3: 0.16, 4: 0.13, 6: 0.08, 8: 0.05}  # along a side, and how often
LARGEST_ZOOM = 2.2  # of a scene, relative to that at which its shorter side fills a tile
FILLED_ZOOM = 0.55, 1.4  # of pictures that a face fills
TURNS = {0.0: 0.25, 15.0: 0.4, 45.0: 0.35}  # the largest turn in degrees, and how often
NEAR_FACE_SHARE = 0.85  # how often a tile is centered near a face or a false face
MAX_OFFSET = 0.4  # of the tile's side: the largest distance from that face
FILLED_SHARE = 0.5  # of a picture's longer side: a face with a larger box fills the picture
EYES_TO_MOUTH = 0.6  # of a box's side: from the eyes to the mouth; this square decides whether a face is visible
FILLED_WEIGHT, FACELESS_WEIGHT, HARD_WEIGHT = 0.25, 2.0, 4.0  # how often these scenes are drawn, relative to others
MIN_VISIBLE = 0.7  # share of this square that must be visible of a sure face
MAX_VISIBLE_WITHOUT_FACE = 0.05  # without a face, at most this share is visible


class Composed(NamedTuple):
    """A training picture.

    Attributes:
        picture: uint8 (S, S), gray.
        points: float64 (F, 5, 2), px, including points that are covered or outside their tile.
        sure: bool (F,); the other faces count as neither face nor background.
    """

    picture: UInt8
    points: Float64
    sure: Bool


def compose(scenes: Sequence[Scene], shares: Float64, side_px: int, rng: np.random.Generator) -> Composed:
    """Returns a mosaic of scenes, which are drawn with the probabilities `shares`."""
    tiles = int(rng.choice(list(TILES), p=list(TILES.values())))
    edges = np.linspace(0, side_px, tiles + 1).round().astype(int)
    picture = np.empty((side_px, side_px), np.uint8)
    drawn = iter(rng.choice(len(scenes), tiles**2, p=shares).tolist())
    points, sure = [np.zeros((0, POINTS, 2))], [np.zeros(0, bool)]
    for top, bottom in itertools.pairwise(edges.tolist()):
        for left, right in itertools.pairwise(edges.tolist()):
            tile = place_in_tile(scenes[next(drawn)], bottom - top, right - left, rng)
            picture[top:bottom, left:right] = tile.picture
            points.append(tile.points + (left, top))
            sure.append(tile.sure)
    whole = Composed(picture, np.concatenate(points), np.concatenate(sure))
    return whole._replace(picture=degrade(whole, rng))


def shares_of(scenes: Sequence[Scene]) -> Float64:
    """Returns how often each scene is drawn, float64 (N,) with the sum 1."""
    weights = np.array([FILLED_WEIGHT if is_filled(scene) else 1.0 for scene in scenes])
    is_faceless = np.array([not len(scene.points) for scene in scenes])
    weights[is_faceless] = FACELESS_WEIGHT
    weights[np.array([len(scene.hard) > 0 for scene in scenes])] = HARD_WEIGHT
    return np.asarray(weights / weights.sum())


def is_filled(scene: Scene) -> bool:
    """Returns whether a face fills the picture, as in a video frame that was cropped around it."""
    return bool(scene.side.max(initial=0.0) > FILLED_SHARE * max(scene.picture.shape))


def place_in_tile(scene: Scene, height_px: int, width_px: int, rng: np.random.Generator) -> Composed:
    """Returns a scene in a tile: scaled, turned, perhaps mirrored, and shifted so that its edge can crop faces."""
    height, width = scene.picture.shape
    low, high = FILLED_ZOOM if is_filled(scene) else (1.0, LARGEST_ZOOM)
    scale = float(np.exp(rng.uniform(np.log(low), np.log(high)))) * max(height_px, width_px) / min(height, width)
    middle = np.array([width - 1, height - 1]) * rng.uniform(0.25, 0.75, 2)
    centers = np.concatenate([scene.middle, scene.hard])
    if len(centers) and rng.random() < NEAR_FACE_SHARE:
        middle = centers[int(rng.integers(len(centers)))]
        middle = middle + rng.uniform(-MAX_OFFSET, MAX_OFFSET, 2) * (width_px, height_px) / scale
    max_turn = float(rng.choice(list(TURNS), p=list(TURNS.values())))
    matrix = cv2.getRotationMatrix2D(middle, float(rng.uniform(-max_turn, max_turn)), scale)
    matrix[:, 2] += (width_px - 1) / 2 - middle[0], (height_px - 1) / 2 - middle[1]
    mirrored = bool(rng.integers(2))
    if mirrored:
        matrix = geometry.chained(matrix, np.array([[-1.0, 0.0, width_px - 1.0], [0.0, 1.0, 0.0]]))
    picture = geometry.crop(scene.picture, np.asarray(matrix), height_px, width_px)
    points = geometry.transform(scene.points, np.asarray(matrix))
    points = points[:, list(MIRROR)] if mirrored else points
    middle, side = geometry.transform(scene.middle, np.asarray(matrix)), scene.side * scale
    visible = visible_share(middle, EYES_TO_MOUTH * side, height_px, width_px)
    size_fits = (side >= SMALLEST_EYES_PX / USUAL_EYES.apart) & (side <= LARGEST_EYES_PX / USUAL_EYES.apart)
    is_present = visible > MAX_VISIBLE_WITHOUT_FACE
    sure = scene.sure & (visible >= MIN_VISIBLE) & size_fits
    return Composed(picture, points[is_present], sure[is_present])


def visible_share(middle: Float64, side: Float64, height_px: int, width_px: int) -> Float64:
    """Returns the share of each box that is inside a picture, (F,).

    Args:
        middle, side: of the boxes, (F, 2) and (F,), px.
        height_px, width_px: of the picture.
    """
    low = (middle - side[:, None] / 2).clip(0, (width_px, height_px))
    high = (middle + side[:, None] / 2).clip(0, (width_px, height_px))
    return np.asarray((high - low).prod(axis=1) / side**2)


# --- Degraded pictures ------------------------------------------------------------------------------------------------


def degrade(composed: Composed, rng: np.random.Generator) -> UInt8:
    """Returns the picture with random covered faces, light, blur, noise and JPEG compression."""
    picture = composed.picture
    if rng.random() < 0.25:
        picture = cover_faces(picture, composed.points, rng)
    for share, change in CHANGES:
        if rng.random() < share:
            picture = change(picture, rng)
    return picture


def cover_faces(picture: UInt8, points: Float64, rng: np.random.Generator) -> UInt8:
    """Covers up to a third of some faces with a gray or noisy rectangle, or with another part of the picture."""
    picture = picture.copy()
    side_px = len(picture)
    for middle, side in zip(*fitted_boxes(points)[:2], strict=True):
        if rng.random() < 0.5:
            size = (side * rng.uniform(0.15, 0.6, 2)).astype(int).clip(1, side_px // 2)
            corner = (middle + side * rng.uniform(-0.5, 0.5, 2) - size / 2).astype(int).clip(0, side_px - size)
            (left, top), (width, height) = corner, size
            fill = rng.integers(3)
            if fill == 0:
                patch = np.full((height, width), rng.integers(256), np.uint8)
            elif fill == 1:
                patch = rng.integers(0, 256, (height, width)).astype(np.uint8)
            else:
                x, y = rng.integers(0, side_px - size + 1)
                patch = picture[y : y + height, x : x + width].copy()
            picture[top : top + height, left : left + width] = patch
    return picture


def change_tone(picture: UInt8, rng: np.random.Generator) -> UInt8:
    """Changes contrast, brightness and gamma; one picture in five becomes very dark."""
    gain = rng.uniform(0.1, 0.4) if rng.random() < 0.2 else rng.uniform(0.5, 1.2)
    gamma, offset = np.exp(rng.normal(0, 0.35)), rng.uniform(-0.1, 0.25)
    levels = 255 * (gain * np.linspace(0, 1, 256) ** gamma + offset * min(1.0, gain))
    return np.asarray(cv2.LUT(picture, levels.clip(0, 255).astype(np.uint8)), np.uint8)


def shade(picture: UInt8, rng: np.random.Generator) -> UInt8:
    """Darkens the picture toward one side."""
    side_px = len(picture)
    angle, darkest = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 0.8)
    across = np.linspace(-0.5, 0.5, side_px)
    ramp = (np.cos(angle) * across[None] + np.sin(angle) * across[:, None]) / 1.42 + 0.5  # 0 to 1
    return np.asarray(picture * (darkest + (1 - darkest) * ramp), np.uint8)


def blur(picture: UInt8, rng: np.random.Generator) -> UInt8:
    """Blurs the picture, as by a wrong focus or by motion."""
    if rng.random() < 0.5:
        return np.asarray(cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.4, 1.8))), np.uint8)
    length, angle = int(rng.integers(2, 8)), rng.uniform(0, np.pi)
    kernel = np.zeros((9, 9), np.float32)
    for step in np.linspace(-0.5, 0.5, 19) * length:
        kernel[round(4 + step * np.sin(angle)), round(4 + step * np.cos(angle))] = 1
    return np.asarray(cv2.filter2D(picture, -1, kernel / kernel.sum()), np.uint8)


def add_noise(picture: UInt8, rng: np.random.Generator) -> UInt8:
    """Adds noise."""
    noise = rng.standard_normal(picture.shape, np.float32) * np.float32(rng.uniform(2, 16))
    return np.asarray((picture + noise).clip(0, 255), np.uint8)


def compress(picture: UInt8, rng: np.random.Generator) -> UInt8:
    """Compresses the picture as JPEG of low quality."""
    _, stored = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(12, 75))])
    return np.asarray(cv2.imdecode(stored, cv2.IMREAD_GRAYSCALE), np.uint8)


Change = Callable[[UInt8, np.random.Generator], UInt8]
CHANGES: tuple[tuple[float, Change], ...] = (  # how often, and the change
    (0.6, change_tone),
    (0.2, shade),
    (0.2, blur),
    (0.25, add_noise),
    (0.3, compress),
)

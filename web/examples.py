"""Draws the example pictures; no real person is in them."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from data_prep.synthetic.person import a_moment, a_person
from data_prep.synthetic.picture import draw
from facial_keypoints.array_types import UInt8
from facial_keypoints.pictures import write_picture

PORTRAIT_PX, FRAME_PX, WALL_PX = 288, 10, 48
FRAME_RGB, WALL_RGB = (250, 250, 248), (176, 186, 192)
WARM_RGB = (1.0, 0.9, 0.8)  # the drawn faces are gray
TURN_DEGREES = 20
SMILING, GLASSES, GROUP, LEANING = 28, 11, (3, 24, 34, 36, 29, 18), 38  # seeds; the drawing of a seed never changes


def write_examples(folder: Path) -> list[Path]:
    """Writes the example pictures into a folder, and returns their files."""
    pictures = {
        "one": wall([[portrait(SMILING)]]),
        "glasses": wall([[portrait(GLASSES)]]),
        "group": wall([[portrait(number) for number in GROUP[:3]], [portrait(number) for number in GROUP[3:]]]),
        "leaning": turned(wall([[portrait(LEANING)]]), TURN_DEGREES),
    }
    paths = [folder / f"{name}.png" for name in pictures]
    for path, picture in zip(paths, pictures.values(), strict=True):
        write_picture(path, picture)
    return paths


def portrait(number: int) -> UInt8:
    """Returns a framed face, upright and sharp, uint8 (P, P, 3) RGB; each number is another person."""
    rng = np.random.default_rng(number)
    person = a_person(rng)
    moment = replace(a_moment(rng, person), roll=0, lids=1, blur=0, noise=0, hidden_by="nothing")
    gray, _ = draw(person, moment)
    large = cv2.resize(gray, (PORTRAIT_PX, PORTRAIT_PX), interpolation=cv2.INTER_LANCZOS4)
    tinted = 255 * (large[..., None] / 255) ** (1 / np.array(WARM_RGB))
    frame = (FRAME_PX,) * 4
    return np.asarray(cv2.copyMakeBorder(tinted.astype(np.uint8), *frame, cv2.BORDER_CONSTANT, value=FRAME_RGB))


def wall(rows: list[list[UInt8]]) -> UInt8:
    """Returns a picture of a wall with framed pictures of equal size in rows."""
    side = rows[0][0].shape[0]
    step = side + WALL_PX
    size = len(rows) * step + WALL_PX, len(rows[0]) * step + WALL_PX
    picture: UInt8 = np.full((*size, 3), WALL_RGB, np.uint8)
    for y, row in enumerate(rows):
        for x, framed in enumerate(row):
            top, left = y * step + WALL_PX, x * step + WALL_PX
            picture[top : top + side, left : left + side] = framed
    return picture


def turned(picture: UInt8, degrees: float) -> UInt8:
    """Returns a picture rotated clockwise about its center, of the same size."""
    height, width = picture.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), -degrees, 1)
    return np.asarray(
        cv2.warpAffine(picture, matrix, (width, height), flags=cv2.INTER_LINEAR, borderValue=WALL_RGB), np.uint8
    )

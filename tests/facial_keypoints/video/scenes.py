"""Drawn faces in frames and clips, shared by the tests of clips, tracking and cameras."""

import functools
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from data_prep.synthetic import dataset
from facial_keypoints.array_types import UInt8

HEIGHT_PX, WIDTH_PX = 144, 320
FACE_PX = 96
CLIP_FPS, CLIP_FRAMES, STEP_PX = 25.0, 12, 3

Place = tuple[int, float, float]  # number of a drawn face, x and y of its upper left corner


@functools.cache
def drawn_faces() -> UInt8:
    return dataset.read(count=4).images


def scene(*places: Place, ground: int = 120) -> UInt8:
    """Returns a picture with drawn faces."""
    picture = np.full((HEIGHT_PX, WIDTH_PX, 3), ground, np.uint8)
    for face, x, y in places:
        left, top = round(x), round(y)
        picture[top : top + FACE_PX, left : left + FACE_PX] = drawn_faces()[face]
    return picture


def moving_face() -> Iterator[UInt8]:
    """Returns frames of a drawn face that moves to the right."""
    return (scene((0, 60 + STEP_PX * t, 20)) for t in range(CLIP_FRAMES))


def write_clip(path: Path, codec: str = "mp4v", frames: Iterator[UInt8] | None = None) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), CLIP_FPS, (WIDTH_PX, HEIGHT_PX))
    for frame in moving_face() if frames is None else frames:
        writer.write(frame[..., ::-1])
    writer.release()
    return path

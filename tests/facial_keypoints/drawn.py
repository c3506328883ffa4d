"""A picture of drawn faces with known keypoints."""

from typing import NamedTuple

import cv2
import numpy as np

from data_prep.synthetic import dataset
from facial_keypoints.array_types import Float32, UInt8

SIDE_PX, GAP_PX = 192, 40  # side of each face, enlarged from 96 px, and the gap between faces


class Drawn(NamedTuple):
    """A picture, uint8 (H, W, 3), and its faces: keypoints float32 (F, 15, 2), boxes (F, 4), in px of the picture."""

    picture: UInt8
    keypoints: Float32
    boxes: Float32


def drawn_faces(rows: int = 2, columns: int = 3, seed: int = 3) -> Drawn:
    """Returns a picture of rows x columns faces; a keypoint without a label is NaN."""
    step = SIDE_PX + GAP_PX
    picture = np.full((rows * step + GAP_PX, columns * step + GAP_PX, 3), 150, np.uint8)
    faces = dataset.read(2 * rows * columns, seed)
    corners = np.array([(x, y) for y in range(rows) for x in range(columns)]) * step + GAP_PX
    for image, (x, y) in zip(faces.images, corners, strict=False):
        large = cv2.resize(image, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_CUBIC)
        picture[y : y + SIDE_PX, x : x + SIDE_PX] = large[..., None]
    scale = SIDE_PX / image.shape[0]
    keypoints = (faces.keypoints[: rows * columns] + 0.5) * scale - 0.5 + corners[:, None]
    return Drawn(picture, keypoints.astype(np.float32), np.column_stack([corners, np.full_like(corners, SIDE_PX)]))

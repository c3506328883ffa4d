"""Small folders of scenes for tests: drawn faces with five points."""

import csv
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from detection.scenes import COLUMNS, FACES_CSV, MARKED, NONE, PICTURES, Scene
from facial_keypoints.array_types import Float64
from facial_keypoints.detectors.five_points import MEAN, NAMES, fitted_boxes
from facial_keypoints.keypoint_set import FACE15
from tests.facial_keypoints.drawn import drawn_faces

FIVE = [FACE15.index(name) for name in NAMES]


def write_scenes(folder: Path, count: int = 12) -> Path:
    """Writes a folder with `faces.csv`: `count` pictures of one drawn face each, and one of noise without a face."""
    (folder / PICTURES).mkdir(parents=True)
    rows: list[list[object]] = []
    for number in range(count):
        drawn = drawn_faces(1, 1, seed=number)
        name = f"picture_{number}.png"
        cv2.imwrite(str(folder / PICTURES / name), drawn.picture)
        points = drawn.keypoints[0, FIVE]
        assert np.isfinite(points).all()
        rows.append([name, MARKED, 0.9, *points.ravel().round(2).tolist()])
    noise = np.random.default_rng(0).integers(0, 256, (120, 160)).astype(np.uint8)
    cv2.imwrite(str(folder / PICTURES / "noise.png"), noise)
    rows.append(["noise.png", NONE, *[""] * (len(COLUMNS) - 2)])
    write_rows(folder, rows)
    return folder


def write_rows(folder: Path, rows: Sequence[Sequence[object]], header: Sequence[str] = COLUMNS) -> None:
    """Writes `faces.csv`."""
    with (folder / FACES_CSV).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])


def square_scene(points: Float64, side_px: int = 200) -> Scene:
    """Returns a gray scene with a white dot of 5 x 5 px at each of the points (F, 5, 2)."""
    picture = np.full((side_px, side_px), 60, np.uint8)
    for x, y in points.reshape(-1, 2).round().astype(int).tolist():
        picture[max(0, y - 2) : y + 3, max(0, x - 2) : x + 3] = 255
    true, (middle, side, _) = np.ones(len(points), bool), fitted_boxes(points)
    return Scene(picture, points, true, true, "group", Path("scene.png"), middle, side)


def mean_face(x: float, y: float, side_px: float) -> Float64:
    """Returns the points (1, 5, 2) of an upright mean face whose box has its middle at (x, y)."""
    return np.asarray(((MEAN - 0.5) * side_px + (x, y))[None])

"""Writes small sets of labelled pictures in each layout."""

import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import ExifTags, Image

from facial_keypoints.array_types import Float32, UInt8
from facial_keypoints.keypoint_set import FACE15

POINTS = 68


def save_picture(path: Path, height: int = 120, width: int = 130, channels: int = 3) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(zlib.crc32(path.name.encode()))  # other pixels for each name
    pixels = rng.integers(0, 256, (height, width, channels), np.uint8)
    assert cv2.imwrite(str(path), pixels)


def save_turned(path: Path, picture: UInt8, orientation: int, **options: Any) -> None:
    """Writes the pixels, uint8 (H, W, 3), unchanged, with an EXIF orientation."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    Image.fromarray(picture).save(path, exif=exif, **options)


def face_68() -> Float32:
    """A face whose points fill the box from (20, 30) to (80, 100); eye centers at (65, 50) and (35, 50)."""
    points = np.random.default_rng(0).uniform((25, 55), (75, 95), (POINTS, 2))
    points[0], points[8] = (20, 30), (80, 100)
    points[36:42], points[42:48] = (35, 50), (65, 50)
    return points.astype(np.float32)


def save_frames(folder: Path, parts: Mapping[str, Sequence[str]], points: Float32 | None = None) -> Path:
    """Writes the frames set: for each part the names of its pictures, all with the same points."""
    values = ",".join(str(value) for value in (face_68() if points is None else points).ravel())
    header = "," + ",".join(str(i) for i in range(2 * POINTS))
    for part, names in parts.items():
        for name in names:
            save_picture(folder / part / name)
        lines = [header, *(f"{name},{values}" for name in names)]
        (folder / f"{part}_frames_keypoints.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def pts_text(points: Float32) -> str:
    """The text of a `.pts` file, which counts from 1."""
    lines = [f"{x} {y}" for x, y in points + 1]
    return "\n".join(["version: 1", f"n_points: {len(points)}", "{", *lines, "}"]) + "\n"


def save_pts(folder: Path, stems: Sequence[str]) -> Path:
    for stem in stems:
        save_picture(folder / f"{stem}.jpg")
        (folder / f"{stem}.pts").write_text(pts_text(face_68()), encoding="utf-8")
    return folder


def imglab_text(files: Sequence[str], parts: int = POINTS) -> str:
    tags = "".join(f"<part name='{k:02}' x='{x}' y='{y}'/>" for k, (x, y) in enumerate(face_68()[:parts]))
    box = f"<box top='30' left='20' width='60' height='70'>{tags}</box>"
    images = "".join(f"<image file='{file}'>{box}</image>" for file in files)
    return f"<?xml version='1.0'?><dataset><images>{images}</images></dataset>"


def save_five(folder: Path, people: Mapping[str, str]) -> Path:
    """Writes the five-point layout; `people` gives the person in each picture, by file name."""
    names = [FACE15.names[k] for k in FACE15.label_sources[2].keypoints]
    header = ["file", "person", *(f"{name}_{axis}" for name in names for axis in "xy")]
    values = "65,50,35,50,50,70,60,85,40,85"
    rows = [f"{file},{person},{values}" for file, person in people.items()]
    for file in people:
        save_picture(folder / "pictures" / file)
    (folder / "keypoints.csv").write_text("\n".join([",".join(header), *rows]) + "\n", encoding="utf-8")
    return folder

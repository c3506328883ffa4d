"""Readers of faces marked with 68 keypoints: video frames with a CSV file, and pictures with a `.pts` file each.

The mark-up is that of Sagonas et al. 2016 (300 Faces in-the-wild): the outline of the jaw, brows, nose, eyes, mouth.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common.array_types import Float32
from common.stage import InputError
from data_prep.labels import read_table

POINTS = 68
FRAMES_CSV = "*_frames_keypoints.csv"


@dataclass(frozen=True)
class Marked:
    """One picture: its file, who is in it, and float32 (68, 2) in px from the centre of the top left pixel."""

    picture: Path
    person: str
    points: Float32


def read(folder: Path) -> list[Marked]:
    """Returns the marked pictures of a folder, in the order of their names.

    `training_frames_keypoints.csv` beside a folder `training`, the same for `test`: the person is the name of the file
    without its last number. `NAME.pts` beside `NAME.jpg` or `NAME.png`: everybody is another person.

    Raises:
        InputError: none of these files, a picture is missing, or a label file has another form.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    tables, files = sorted(folder.glob(FRAMES_CSV)), sorted(folder.glob("*.pts"))
    if not tables and not files:
        raise InputError(f"{folder}: has neither {FRAMES_CSV} nor .pts files")
    marked = [face for table in tables for face in _frames(table)] + [_pts(file) for file in files]
    for face in marked:
        if not face.picture.is_file():
            raise InputError(f"{face.picture}: is missing, though its keypoints are there")
    return marked


def _frames(path: Path) -> Iterator[Marked]:
    table = read_table(path)
    try:
        values = table.iloc[:, 1:].to_numpy(np.float32)
    except ValueError as error:
        raise InputError(f"{path}: has something that is no number of px ({error})") from None
    if values.shape[1] != 2 * POINTS:
        raise InputError(f"{path}: has {values.shape[1]} columns after the file names, expected {2 * POINTS}")
    pictures = path.parent / path.name.removesuffix(FRAMES_CSV[1:])
    for name, row in zip(table.iloc[:, 0].astype(str), values, strict=True):
        yield Marked(pictures / name, "yt:" + name.rsplit("_", 1)[0], row.reshape(POINTS, 2))


def _pts(path: Path) -> Marked:
    try:
        numbers = np.array(path.read_text().partition("{")[2].partition("}")[0].split(), np.float32)
        points = numbers.reshape(POINTS, 2) - 1  # the format counts from 1
    except (OSError, ValueError):
        raise InputError(f"{path}: holds no {POINTS} points between braces") from None
    picture = next((path.with_suffix(end) for end in (".jpg", ".png") if path.with_suffix(end).is_file()), None)
    return Marked(picture or path.with_suffix(".jpg"), f"{path.parent.name.rstrip('0123456789')}:{path.stem}", points)

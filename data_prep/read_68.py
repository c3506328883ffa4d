"""Readers of faces with 68 keypoints: video frames with a CSV file, and pictures with a `.pts` file each.

The mark-up is that of Sagonas et al. 2016 (300 Faces in-the-wild): the outline of the jaw, brows, nose, eyes, mouth.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_prep.csv_table import read_lines
from data_prep.labels import FARTHEST_PX
from facial_keypoints.array_types import Float32
from facial_keypoints.errors import InputError

POINTS = 68
FRAMES_CSV = "*_frames_keypoints.csv"


@dataclass(frozen=True)
class LabelledPicture:
    """A picture of one face: its file, who it is, and float32 (68, 2) in px from the centre of the top left pixel."""

    picture: Path
    person: str
    points: Float32


def read(folder: Path) -> list[LabelledPicture]:
    """Returns the labelled pictures of a folder, in the order of their names.

    `training_frames_keypoints.csv` beside a folder `training`, the same for `test`: the person is the name of the file
    without its last number. `NAME.pts` beside `NAME.jpg` or `NAME.png`: everybody is another person.

    Raises:
        InputError: no label file, a picture is missing, or a label file has another form or a point that is no number.
    """
    faces: list[LabelledPicture] = []
    for file in label_files(folder):
        faces += [_pts(file)] if file.suffix == ".pts" else _frames(file)
    for face in faces:
        if not face.picture.is_file():
            raise InputError(f"{face.picture}: is missing, though its keypoints are there")
    return faces


def label_files(folder: Path) -> list[Path]:
    """Returns the files of a folder that hold keypoints; raises InputError where there are none."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    files = [*sorted(folder.glob(FRAMES_CSV)), *sorted(folder.glob("*.pts"))]
    if not files:
        raise InputError(f"{folder}: has neither {FRAMES_CSV} nor .pts files")
    return files


def _frames(path: Path) -> Iterator[LabelledPicture]:
    header, body = read_lines(path)
    if len(header) != 1 + 2 * POINTS:
        raise InputError(f"{path}: has {len(header) - 1} columns after the file names, expected {2 * POINTS}")
    images = path.parent / path.name.removesuffix(FRAMES_CSV[1:])
    for row, (line, (name, *cells)) in enumerate(body):
        points = _points(f"{path}: row {row} (line {line})", cells)
        yield LabelledPicture(images / name, "yt:" + name.rsplit("_", 1)[0], points)


def _pts(path: Path) -> LabelledPicture:
    try:
        cells = path.read_text().partition("{")[2].partition("}")[0].split()
    except UnicodeDecodeError:
        cells = []
    if len(cells) != 2 * POINTS:
        raise InputError(f"{path}: holds no {POINTS} points between braces, x and y of each; fetch it again")
    points = _points(str(path), cells) - 1  # the format counts from 1
    picture = next((path.with_suffix(end) for end in (".jpg", ".png") if path.with_suffix(end).is_file()), None)
    return LabelledPicture(
        picture or path.with_suffix(".jpg"), f"{path.parent.name.rstrip('0123456789')}:{path.stem}", points
    )


def _points(where: str, cells: Sequence[str]) -> Float32:
    """Returns the points in the cells of one face (x, y, x, ...), float32 (68, 2).

    Raises:
        InputError: a cell is empty or holds no number of px; `where` says the file and the row.
    """
    values = []
    for i, cell in enumerate(cells):
        try:
            value = float(cell)
        except ValueError:
            value = float("nan")
        if not abs(value) <= FARTHEST_PX:
            point, axis = divmod(i, 2)
            raise InputError(
                f"{where}: {'xy'[axis]} of point {point + 1} of {POINTS} is {cell.strip()[:20]!r}, no number of px; "
                "label every point, or take the face out"
            )
        values.append(value)
    return np.array(values, np.float32).reshape(POINTS, 2)

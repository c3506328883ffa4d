"""`faces.csv` of a data folder: part and row of each face, where it comes from, who it is and whose labels it has."""

import csv
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np

from common.csv_table import ROW, Line, read_lines, row_number
from data_prep.arrays import MEND
from data_prep.faces import SPLITS, Faces, Origins
from data_prep.readers.labelled_pictures import composed
from facial_keypoints.array_types import Int64
from facial_keypoints.errors import InputError

NAME = "faces.csv"
PART, ORIGIN, FILE, PERSON, SOURCE = "part", "origin", "file", "person", "source"


def write(folder: Path, faces: Faces, indexes: Mapping[str, Int64]) -> None:
    """Writes the file; the faces have origins and label sources, as those that `sources.read` returns."""
    assert faces.origins is not None
    assert faces.sources is not None
    people = np.full(len(faces), "") if faces.groups is None else faces.groups
    names = [source.name for source in faces.keypoint_set.sources]
    with (folder / NAME).open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow([PART, ROW, ORIGIN, FILE, PERSON, SOURCE])
        for part in SPLITS:
            for i in indexes[part]:
                origin, picture = faces.origins.folders[i], faces.origins.files[i]
                table.writerow([part, faces.rows[i], origin, picture, people[i], names[faces.sources[i]]])


def read_origins(folder: Path, part: str, rows: Int64) -> Origins:
    """Returns where the faces of a part come from.

    Args:
        rows: int64 (N,), the rows of its faces.

    Raises:
        InputError: the file lacks a column, or has other rows.
    """
    path, lines = folder / NAME, []
    for line, (of_part, row, origin, file) in _read(path, (PART, ROW, ORIGIN, FILE)):
        if of_part == part:
            lines.append((row_number(path, line, row), origin, file))
    if [row for row, _, _ in lines] != rows.tolist():
        raise InputError(f"{path}: has other {part} rows than {part}_rows.npy; {MEND}")
    return Origins(np.array([origin for _, origin, _ in lines]), np.array([file for _, _, file in lines]))


def held_out_people(folder: Path) -> set[str]:
    """Returns who is in the validation and test part of a data folder, by name.

    Raises:
        InputError: the file lacks a column, or names nobody.
    """
    held_out = people(folder, ("val", "test"))
    if not held_out:
        raise InputError(f"{folder}: names nobody in its validation and test part, so nobody can be left out by name")
    return held_out


def people(folder: Path, parts: Collection[str] = SPLITS) -> set[str]:
    """Returns who is in some parts of a data folder, by name; nobody where it names nobody.

    Raises:
        InputError: the file lacks a column.
    """
    return {composed(person) for _, (part, person) in _read(folder / NAME, (PART, PERSON)) if part in parts} - {""}


def _read(path: Path, columns: tuple[str, ...]) -> list[Line]:
    """Returns the cells of some columns of each line, in the order of their names; see `read_lines`."""
    header, body = read_lines(path)
    if missing := [name for name in columns if name not in header]:
        raise InputError(f"{path}: lacks the column {missing[0]}; {MEND}")
    at = [header.index(name) for name in columns]
    return [Line(line, [cells[i] for i in at]) for line, cells in body]

"""Reads and writes `faces.csv` of a data folder: the split, row, origin, person and label source of each face."""

import csv
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np

from common.csv_table import ROW, Line, read_lines, row_number
from data_prep.arrays import FIX
from data_prep.faces import SPLITS, Faces, Origins
from data_prep.readers.labelled_pictures import composed
from facial_keypoints.array_types import Int64
from facial_keypoints.errors import InputError

NAME = "faces.csv"
SPLIT, ORIGIN, FILE, PERSON = "split", "origin", "file", "person"
LABEL_SOURCE = "label_source"


def write(folder: Path, faces: Faces, indexes: Mapping[str, Int64]) -> None:
    """Writes the file.

    Args:
        indexes: the faces of each split, int64 by split.
    """
    names = [label_source.name for label_source in faces.keypoint_set.label_sources]
    with (folder / NAME).open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow([SPLIT, ROW, ORIGIN, FILE, PERSON, LABEL_SOURCE])
        for split in SPLITS:
            for i in indexes[split]:
                origin, picture = faces.origins.folders[i], faces.origins.files[i]
                person, label_source = faces.groups[i], names[faces.label_sources[i]]
                table.writerow([split, faces.rows[i], origin, picture, person, label_source])


def read_origins(folder: Path, split: str, rows: Int64) -> Origins:
    """Returns where the faces of a split come from.

    Args:
        rows: int64 (N,), the rows of its faces.

    Raises:
        InputError: the file lacks a column, or its rows are not `rows`.
    """
    path, lines = folder / NAME, []
    for line, (line_split, row, origin, file) in _read(path, (SPLIT, ROW, ORIGIN, FILE)):
        if line_split == split:
            lines.append((row_number(path, line, row), origin, file))
    if [row for row, _, _ in lines] != rows.tolist():
        raise InputError(f"{path}: has other {split} rows than {split}_rows.npy; {FIX}")
    return Origins(np.array([origin for _, origin, _ in lines]), np.array([file for _, _, file in lines]))


def held_out_people(folder: Path) -> set[str]:
    """Returns the names of the people in the validation and test splits of a data folder.

    Raises:
        InputError: the file lacks a column, or names no people.
    """
    held_out = people(folder, ("val", "test"))
    if not held_out:
        raise InputError(f"{folder}: names no people in its val and test splits, so --leave-out cannot be used")
    return held_out


def people(folder: Path, splits: Collection[str] = SPLITS) -> set[str]:
    """Returns the names of the people in some splits of a data folder.

    Raises:
        InputError: the file lacks a column.
    """
    return {composed(person) for _, (split, person) in _read(folder / NAME, (SPLIT, PERSON)) if split in splits} - {""}


def _read(path: Path, columns: tuple[str, ...]) -> list[Line]:
    """Returns the cells of some columns of each line, in the order of `columns`; see `read_lines`."""
    header, body = read_lines(path)
    if missing := [name for name in columns if name not in header]:
        raise InputError(f"{path}: lacks the column {missing[0]}; {FIX}")
    indexes = [header.index(name) for name in columns]
    return [Line(line, [cells[i] for i in indexes]) for line, cells in body]

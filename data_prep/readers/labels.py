"""Reads labels from columns `NAME_x`, `NAME_y` and determines their keypoint set. N faces, K keypoints."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from common.csv_table import INFINITY, Table, nameless_columns, number, read_table, shown, shown_names
from data_prep.readers.bad_faces import STRICT, BadFaces
from data_prep.readers.keypoint_sets import set_of_names
from facial_keypoints.array_types import Bool, Float32, Float64
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import KeypointSet


class Labels(NamedTuple):
    """The rows of a label file.

    Attributes:
        keypoints: float32 (N, K, 2) in px; NaN if a cell is empty or the file has no columns for the keypoint.
        keypoint_set: that of the columns.
        usable: bool (N,), the rows that could be read.
        table: the file.
    """

    keypoints: Float32
    keypoint_set: KeypointSet
    usable: Bool
    table: Table


def read_keypoints(path: Path, bad: BadFaces = STRICT, given: KeypointSet | None = None) -> Labels:
    """Returns the labels of a file whose rows are in the order of the faces.

    Args:
        bad: skips rows that cannot be read, or raises their error.
        given: the user's keypoint set; see `keypoint_set_of`.

    Raises:
        InputError: the file is missing, has no rows, lacks columns or has unknown ones; or, unless `bad` skips the row,
            it has the wrong length or a cell that is not a number in px.
    """
    table = read_table(path, skip_empty=False)
    table.check_order()
    keypoint_set = keypoint_set_of(path, table.header, given=given)
    if not len(table):
        raise InputError(f"{path}: has a header but no rows; it needs a row for each face")
    keypoints, usable = read_rows(table, keypoint_set, bad)
    return Labels(keypoints, keypoint_set, usable, table)


def read_rows(table: Table, keypoint_set: KeypointSet, bad: BadFaces) -> tuple[Float32, Bool]:
    """Returns the keypoints in the rows of a table, float32 (N, K, 2) in px, and which rows could be read, bool (N,).

    Args:
        table: with columns of the keypoint set.
        keypoint_set: the K keypoints.
        bad: skips rows that cannot be read, or raises their error.

    Raises:
        InputError: a row that `bad` does not skip has the wrong length or a cell that is not a number in px.
    """
    names, indexes = coordinate_columns(table.header, keypoint_set)
    coordinates = np.full((len(table), len(names)), np.nan)
    usable = np.zeros(len(table), bool)
    for row in range(len(table)):
        with bad.left_out():
            cells = table.cells(row)
            coordinates[row] = numbers([cells[column] for column in indexes], names, table.where(row))
            usable[row] = True
    return keypoints_of(coordinates, names, keypoint_set), usable


def coordinate_columns(header: Sequence[str], keypoint_set: KeypointSet) -> tuple[list[str], list[int]]:
    """Returns the columns of the keypoint set that a file has, and their indexes."""
    names = [name for name in keypoint_set.columns if name in header]
    return names, [header.index(name) for name in names]


def keypoint_set_of(
    path: Path, columns: Sequence[str], others: Sequence[str] = (), given: KeypointSet | None = None
) -> KeypointSet:
    """Returns the keypoint set whose columns a file has, in any order; see `data_prep.readers.keypoint_sets`.

    Args:
        path: the file, for the message.
        columns: its header.
        others: further required columns.
        given: the user's keypoint set; columns of its keypoints can be missing.

    Raises:
        InputError: columns are missing, unknown or repeated.
    """
    coordinates = [name for name in columns if name not in others and name.endswith(("_x", "_y")) and len(name) > 2]
    names = list(dict.fromkeys(name[:-2] for name in coordinates))
    pairs = [f"{name}_{axis}" for name in names for axis in "xy"]
    faults = {
        "lacks": [name for name in [*others, *pairs] if name not in columns],
        "does not know": [name or "(no name)" for name in columns if name not in [*others, *coordinates]],
        "repeats": [name for name in dict.fromkeys(columns) if columns.count(name) > 1],
    }
    if not names or any(faults.values()):
        problems = [f"{verb} {shown_names(wrong_names)}" for verb, wrong_names in faults.items() if wrong_names]
        problems += [] if names else ["names no keypoint"]
        required = " and ".join(["NAME_x and NAME_y of each keypoint", *others])
        hint = " (pandas adds no column without a name with index=False)" if nameless_columns(columns) else ""
        raise InputError(
            f"{path}: the header (line 1) {'; '.join(problems)}; a label file has the columns {required}{hint}"
        )
    return set_of_names(names, str(path), given)


def numbers(cells: Sequence[str], names: Sequence[str], where: str) -> list[float]:
    """Returns the coordinates in the cells of one row, NaN for an empty cell.

    Args:
        cells: one for each name.
        names: of the columns.
        where: file and row, for the message.

    Raises:
        InputError: a cell holds something else; the message names its column.
    """
    values = [number(cell) for cell in cells]
    if INFINITY in values:
        column = values.index(INFINITY)
        cell, name = cells[column], names[column]
        hint = " (with a decimal point)" if "," in cell else ""
        raise InputError(
            f"{where}: has {shown(cell)} as {name}, which is not a number of px; correct it{hint}, or empty "
            "the cell if it is not labelled"
        )
    return values


def keypoints_of(rows: Sequence[Sequence[float]] | Float64, names: Sequence[str], keypoint_set: KeypointSet) -> Float32:
    """Returns keypoints, float32 (N, K, 2), from N rows of numbers in these columns; NaN for missing columns."""
    table = np.full((len(rows), len(keypoint_set.columns)), np.nan, np.float32)
    table[:, [keypoint_set.columns.index(name) for name in names]] = rows
    return table.reshape(len(rows), len(keypoint_set), 2)

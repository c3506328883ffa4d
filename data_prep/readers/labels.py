"""Reads labels from columns `NAME_x`, `NAME_y` and finds their keypoint set. N faces, K keypoints."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from common.csv_table import INFINITY, Table, nameless_columns, number, read_table, shown, shown_names
from data_prep.readers.bad_faces import STRICT, BadFaces
from facial_keypoints.array_types import Bool, Float32, Float64
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import KEYPOINT_SETS, KeypointSet


class Labels(NamedTuple):
    """The rows of a label file.

    Attributes:
        keypoints: float32 (N, K, 2) in px; NaN if a cell is empty or the file has no columns for the keypoint.
        keypoint_set: the one of the columns.
        usable: bool (N,), the rows that could be read.
        table: the file.
    """

    keypoints: Float32
    keypoint_set: KeypointSet
    usable: Bool
    table: Table


def read_keypoints(path: Path, bad: BadFaces = STRICT) -> Labels:
    """Returns the labels of a file whose rows are in the order of the faces.

    Args:
        bad: skips rows that cannot be read, or raises their error.

    Raises:
        InputError: the file is missing, has no rows, or lacks columns or has unknown ones; or a row is not skipped that
            has the wrong length or a cell that is not a number of px.
    """
    table = read_table(path, skip_empty=False)
    table.check_order()
    keypoint_set = keypoint_set_of(path, table.header)
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
        InputError: a row has the wrong length or a cell that is not a number of px, and is not skipped.
    """
    names, at = coordinate_columns(table.header, keypoint_set)
    coordinates = np.full((len(table), len(names)), np.nan)
    usable = np.zeros(len(table), bool)
    for row in range(len(table)):
        with bad.left_out():
            cells = table.cells(row)
            coordinates[row] = numbers([cells[column] for column in at], names, table.where(row))
            usable[row] = True
    return keypoints_of(coordinates, names, keypoint_set), usable


def coordinate_columns(header: Sequence[str], keypoint_set: KeypointSet) -> tuple[list[str], list[int]]:
    """Returns the columns of the keypoint set that a file has, and their indexes."""
    names = [name for name in keypoint_set.columns if name in header]
    return names, [header.index(name) for name in names]


def keypoint_set_of(path: Path, columns: Sequence[str], others: Sequence[str] = ()) -> KeypointSet:
    """Returns the keypoint set whose columns a file has, in any order.

    Both columns of a keypoint may be missing; then no face has a label for it.

    Args:
        path: the file, for the message.
        columns: its header.
        others: further required columns.

    Raises:
        InputError: missing, unknown or repeated columns; the message names the keypoint set that fits best.
    """
    found = set(columns)
    best = min(KEYPOINT_SETS.values(), key=lambda one: (len(found.difference(one.columns)), len(one)))
    wanted = [*others, *best.columns]  # keypoints may be missing, `others` may not
    missing = [name for name in wanted if name not in found]
    halves = [name for name in best.names if (f"{name}_x" in found) != (f"{name}_y" in found)]
    faults = {
        "lacks": missing,
        "does not know": [name or "(no name)" for name in columns if name not in wanted],
        "repeats": [name for name in wanted if columns.count(name) > 1],
    }
    nothing = found.isdisjoint(best.columns)
    if halves or nothing or set(missing) & set(others) or faults["does not know"] or faults["repeats"]:
        found_faults = "; ".join(f"{verb} {shown_names(names)}" for verb, names in faults.items() if names)
        needs = " and ".join(["NAME_x and NAME_y of each keypoint", *others])
        hint = " (with index=False pandas writes no column without a name)" if nameless_columns(columns) else ""
        raise InputError(
            f"{path}: the header (line 1) {found_faults}; a label file of {best.name} has the columns {needs}{hint}"
        )
    return best


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

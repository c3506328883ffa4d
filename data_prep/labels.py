"""Labels in columns `NAME_x`, `NAME_y`: which keypoint set they are, and their numbers. K keypoints."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data_prep.csv_table import read_lines
from facial_keypoints.array_types import Float32
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import KEYPOINT_SETS, KeypointSet

FARTHEST_PX = 1e6  # no picture reaches so far; what is larger would overflow where distances are squared
NO_LABEL = ("", "nan", "na", "n/a", "null", "none")  # in small letters
NAMES_SHOWN = 5
SHOWN_CHARACTERS = 40


def read_keypoints(path: Path) -> tuple[Float32, KeypointSet]:
    """Returns the keypoints of a label file, float32 (N, K, 2) in px, and the keypoint set that its columns tell.

    NaN where a cell is empty, or where the file has no columns for a keypoint.

    Raises:
        InputError: no such file, no rows, missing or unknown columns, or a cell that is no number of px.
    """
    header, body = read_lines(path, skip_empty=False)
    keypoint_set = keypoint_set_of(path, header)
    if not body:
        raise InputError(f"{path}: has a header but no rows; it needs a row for each face")
    names = [name for name in keypoint_set.columns if name in header]
    at = [header.index(name) for name in names]
    rows = []
    for row, (line, cells) in enumerate(body):
        try:
            rows.append(numbers([cells[column] for column in at], names))
        except ValueError as error:
            raise InputError(f"{path}: row {row} (line {line}) {error}") from None
    return keypoints_of(rows, names, keypoint_set), keypoint_set


def keypoint_set_of(path: Path, columns: Sequence[str], others: Sequence[str] = ()) -> KeypointSet:
    """Returns the keypoint set whose columns a file has, in any order.

    Both columns of a keypoint may be missing: then no face has a label for it.

    Args:
        path: the file, for the message.
        columns: its header.
        others: further columns that it must have.

    Raises:
        InputError: missing, unknown or repeated columns, told by the keypoint set that fits best.
    """
    if len(columns) == 1 and ";" in columns[0]:
        raise InputError(f"{path}: the header (line 1) is separated by ';'; save it with commas")
    found = set(columns)
    best = min(KEYPOINT_SETS.values(), key=lambda one: (len(found.difference(one.columns)), len(one)))
    wanted = [*others, *best.columns]  # of these, only the first must be there
    missing = [name for name in wanted if name not in found]
    halves = [name for name in best.names if (f"{name}_x" in found) != (f"{name}_y" in found)]
    faults = {
        "lacks": missing,
        "does not know": [name for name in columns if name not in wanted],
        "repeats": [name for name in wanted if columns.count(name) > 1],
    }
    nothing = found.isdisjoint(best.columns)
    if halves or nothing or set(missing) & set(others) or faults["does not know"] or faults["repeats"]:
        told = "; ".join(f"{verb} {shown_names(names)}" for verb, names in faults.items() if names)
        needs = " and ".join(["NAME_x and NAME_y of each keypoint", *others])
        raise InputError(f"{path}: the header (line 1) {told}; a label file of {best.name} has the columns {needs}")
    return best


def shown_names(names: Sequence[str]) -> str:
    """Returns the first names of columns or files, as a message shows them."""
    shown = [
        repr(name[:SHOWN_CHARACTERS]) if len(name) > SHOWN_CHARACTERS or not name.isidentifier() else name
        for name in names[:NAMES_SHOWN]
    ]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def numbers(cells: Sequence[str], names: Sequence[str]) -> list[float]:
    """Returns the coordinates in the cells of one row, NaN for an empty cell.

    Raises:
        ValueError: a cell holds anything else; the message names its column.
    """
    try:
        values = [float(cell or "nan") for cell in cells]
        if not any(abs(value) > FARTHEST_PX for value in values):  # NaN is not greater
            return values
    except ValueError:  # found below, where speed does not matter
        pass
    return [_number(cell, name) for cell, name in zip(cells, names, strict=True)]


def _number(cell: str, name: str) -> float:
    text = cell.strip()
    if text.lower() in NO_LABEL:
        return float("nan")
    try:
        value = float(text)
    except ValueError:
        value = float("inf")
    if not abs(value) <= FARTHEST_PX:
        raise ValueError(f"has {text[:20]!r} as {name}, which is no number of px; correct it, or empty it: unlabelled")
    return value


def keypoints_of(rows: Sequence[Sequence[float]], names: Sequence[str], keypoint_set: KeypointSet) -> Float32:
    """Returns float32 (N, K, 2) of N rows of numbers in these columns; NaN for keypoints without columns."""
    table = np.full((len(rows), len(keypoint_set.columns)), np.nan, np.float32)
    table[:, [keypoint_set.columns.index(name) for name in names]] = rows
    return table.reshape(len(rows), len(keypoint_set), 2)

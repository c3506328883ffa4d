"""Label files: the checks that every reader of keypoints shares."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd

from facial_keypoints.array_types import Float32
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import KeypointSet


def read_keypoints(path: Path, keypoint_set: KeypointSet) -> Float32:
    """Returns the keypoints of a label file, float32 (N, K, 2) in px, NaN where a cell is empty.

    Raises:
        InputError: no such file, no rows, missing or unknown columns, text or an infinite number in a cell.
    """
    table = read_table(path)
    check_columns(path, list(table.columns), keypoint_set.columns)
    values = np.empty((len(table), len(keypoint_set.columns)), np.float32)
    for j, column in enumerate(keypoint_set.columns):
        values[:, j] = _numbers(path, table[column])
    return values.reshape(len(table), len(keypoint_set), 2)


def read_table(path: Path) -> pd.DataFrame:
    """Returns a CSV file as a table.

    Raises:
        InputError: no such file, no rows in it, or a row with more or fewer fields than the header.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lengths = [len(fields) for fields in csv.reader(file) if fields]
        table = pd.read_csv(path)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except pd.errors.EmptyDataError:
        raise InputError(f"{path}: is empty; expected a header line and a row for each face") from None
    except (csv.Error, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is not a CSV file ({error})") from None
    if table.empty:
        raise InputError(f"{path}: has a header but no rows; expected a row for each face")
    if uneven := [row for row, length in enumerate(lengths[1:]) if length != lengths[0]]:  # pandas would shift columns
        row = uneven[0]
        raise InputError(
            f"{path}: row {row} (line {row + 2}) has {lengths[row + 1]} fields where the header has {lengths[0]}"
        )
    return table


def check_columns(path: Path, found: list[str], expected: list[str]) -> None:
    """Raises InputError that names the missing columns, or else the unknown ones."""
    if missing := [name for name in expected if name not in found]:
        raise InputError(f"{path}: lacks the column{'s'[: len(missing) > 1]} {', '.join(missing)}")
    if unknown := [name for name in found if name not in expected]:
        raise InputError(f"{path}: has columns that are no keypoints: {', '.join(unknown)}; take them out")


def _numbers(path: Path, column: pd.Series) -> Float32:
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is named below
        numbers = np.asarray(pd.to_numeric(column, errors="coerce"), np.float32)
    bad = np.isinf(numbers) | (np.isnan(numbers) & column.notna().to_numpy())
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise InputError(
            f"{path}: row {row} (line {row + 2}), {column.name}: {str(column.iloc[row])!r} is no finite number of px; "
            "leave the cell empty where the keypoint is unlabelled"
        )
    return numbers

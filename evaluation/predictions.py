"""Reads and writes `predictions.csv`, which has one line for each test face.

Its columns are `row`, those of a label file in px, and optionally `NAME_expected_error` in px for each keypoint.
N faces, K keypoints.
"""

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from common.csv_table import ROW, Line, number, read_table, row_number, shown, shown_names
from facial_keypoints.array_types import Bool, Int64
from facial_keypoints.codec import Keypoints
from facial_keypoints.errors import InputError
from facial_keypoints.folders import write_rows
from facial_keypoints.keypoint_set import KeypointSet

ROWS_HINT = "give the rows of test_rows.npy"


def only(keypoints: Keypoints, kept: Bool) -> Keypoints:
    """Returns the keypoints of some faces: where bool (N,) is true."""
    coordinates, expected_error = keypoints
    return Keypoints(coordinates[kept], None if expected_error is None else expected_error[kept])


def expected_error_columns(keypoint_set: KeypointSet) -> list[str]:
    """Returns the names of the K columns that hold expected errors."""
    return [f"{name}_expected_error" for name in keypoint_set.names]


def write_predictions(path: Path, keypoints: Keypoints, rows: Int64, keypoint_set: KeypointSet) -> None:
    """Writes keypoints so that reading gives back the same float32 values. `rows`: int64 (N,)."""
    columns = keypoint_set.columns
    values = keypoints.coordinates.astype(np.float32).reshape(len(rows), -1)
    if keypoints.expected_error is not None:
        columns = columns + expected_error_columns(keypoint_set)
        values = np.concatenate([values, keypoints.expected_error.astype(np.float32)], axis=1)
    # str gives the shortest text of a float32.
    lines = ([row, *map(str, face)] for row, face in zip(rows.tolist(), values, strict=True))
    write_rows(path, itertools.chain([[ROW, *columns]], lines))


def read_predictions(path: Path, rows: Int64, keypoint_set: KeypointSet) -> Keypoints:
    """Returns the predictions of a file for the test faces, in the order of `rows`.

    The file has the 2K columns of the keypoint set, and all or none of the K columns of expected errors, in any order.
    With a `row` column its lines can be in any order; without one they must be in the order of the test rows.

    Args:
        rows: int64 (N,), the test rows.

    Raises:
        InputError: the file is missing or not a CSV file, has other columns, a value that is not a number of px, an
            expected error that is not above 0, or rows that are unknown, repeated or missing.
    """
    table = read_table(path)
    header, body = table.header, table.checked_lines()
    coordinates, errors = keypoint_set.columns, expected_error_columns(keypoint_set)
    columns = coordinates + (errors if set(errors) & set(header) else [])
    _check_columns(path, header, columns)
    if ROW in header:
        body = _in_order(
            path, [(row_number(path, line, cells[header.index(ROW)]), line, cells) for line, cells in body], rows
        )
    else:
        table.check_order()
        if len(body) != len(rows):
            raise InputError(
                f"{path}: has {len(body)} lines of predictions for {len(rows)} test faces; "
                f"give every test row in order, or add a `{ROW}` column"
            )
    order = [header.index(name) for name in columns]
    values = np.array([[number(cells[at]) for at in order] for _, cells in body], np.float32)
    end = len(coordinates)
    valid = np.isfinite(values)
    valid[:, end:] &= values[:, end:] > 0
    if not valid.all():
        face, column = (int(at[0]) for at in np.nonzero(~valid))
        line, cells = body[face]
        expected = "a coordinate in px" if column < end else "a number of px above 0"
        raise InputError(
            f"{path}, line {line} (row {rows[face]}): {columns[column]} is {shown(cells[order[column]])}, "
            f"not {expected}; give a number for every keypoint"
        )
    table.log_assumptions()
    return Keypoints(values[:, :end].reshape(len(rows), -1, 2), values[:, end:] if len(columns) > end else None)


def _check_columns(path: Path, header: Sequence[str], columns: Sequence[str]) -> None:
    missing = [name for name in columns if name not in header]
    if missing:
        raise InputError(
            f"{path}: lacks {shown_names(missing)}; the data set's columns are needed, in px, and an expected "
            "error for every keypoint or for none"
        )
    extra = [name or "(no name)" for name in header if name not in (ROW, *columns)]
    if extra:
        hint = " (pandas writes none with index=False)" if "(no name)" in extra else ""
        raise InputError(f"{path}: has columns that are not keypoints: {shown_names(extra)}{hint}; remove them")
    repeated = [name for name in dict.fromkeys(header) if header.count(name) > 1]
    if repeated:
        raise InputError(f"{path}: repeats {shown_names(repeated)}; give each once")


def _in_order(path: Path, entries: Sequence[tuple[int, int, list[str]]], rows: Int64) -> list[Line]:
    """Returns the lines of the test rows, in their order, from (row, line, cells)."""
    lines = {row: Line(line, cells) for row, line, cells in entries}
    test_rows = set(rows.tolist())
    unknown = [row for row in lines if row not in test_rows]
    if unknown:
        raise InputError(f"{path}: has rows that are not test rows: {shown_names(unknown)}; {ROWS_HINT}")
    if len(lines) < len(entries):
        names, counts = np.unique([row for row, *_ in entries], return_counts=True)
        raise InputError(f"{path}: repeats the rows {shown_names(names[counts > 1].tolist())}; give each test row once")
    missing = [row for row in rows.tolist() if row not in lines]
    if missing:
        raise InputError(f"{path}: lacks the test rows {shown_names(missing)}; {ROWS_HINT}")
    return [lines[row] for row in rows.tolist()]

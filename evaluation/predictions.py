"""`predictions.csv`: one line for each test face.

Its `row`, then the columns of the label file in px, then, where the error to expect is said, a `NAME_expected_error` in
px for each keypoint. N faces, K keypoints.
"""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from common.csv_table import ROW, Line, number, read_table, row_number
from facial_keypoints.array_types import Bool, Int64
from facial_keypoints.codec import Keypoints
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import KeypointSet

SHOWN = 8  # names or rows that a message lists before it says how many more there are
LONGEST_CELL = 40  # characters of a cell that a message shows


def only(keypoints: Keypoints, kept: Bool) -> Keypoints:
    """Returns the keypoints of some of the faces; bool (N,) in."""
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
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([ROW, *columns])
        for row, face in zip(rows.tolist(), values, strict=True):
            writer.writerow([row, *map(str, face)])  # the shortest text that is this float32


def read_predictions(path: Path, rows: Int64, keypoint_set: KeypointSet) -> Keypoints:
    """Returns anyone's predictions for the test faces, in the order of `rows`.

    The file has the 2K columns of the keypoint set, and the K of expected errors or none of them, in any order. With a
    `row` column its lines may be in any order; without one they are the test rows in order.

    Args:
        rows: int64 (N,), the test rows.

    Raises:
        InputError: no such file, not a CSV file, other columns, a value that is no number of px, an expected error that
            is not above 0, or rows that are unknown, repeated or missing.
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
                f"{path}: has {len(body)} lines of predictions, the test part has {len(rows)} faces; "
                f"give every test row in order, or add a `{ROW}` column"
            )
    order = [header.index(name) for name in columns]
    values = np.array([[number(cells[at]) for at in order] for _, cells in body], np.float32)
    split = len(coordinates)
    good = np.isfinite(values)
    good[:, split:] &= values[:, split:] > 0
    if not good.all():
        face, column = (int(at[0]) for at in np.nonzero(~good))
        line, cells = body[face]
        wanted = "a coordinate in px" if column < split else "a number of px above 0"
        raise InputError(
            f"{path}, line {line} (row {rows[face]}): {columns[column]} is {_shown(cells[order[column]])!r}, "
            f"not {wanted}; give a number for every keypoint"
        )
    table.log_assumptions()
    return Keypoints(values[:, :split].reshape(len(rows), -1, 2), values[:, split:] if len(columns) > split else None)


def _check_columns(path: Path, header: Sequence[str], columns: Sequence[str]) -> None:
    missing = [name for name in columns if name not in header]
    if missing:
        raise InputError(
            f"{path}: lacks {_listed('column', missing)}; the data set's columns are needed, in px, and an expected "
            "error for every keypoint or for none"
        )
    extra = [name or "(no name)" for name in header if name not in (ROW, *columns)]
    if extra:
        hint = " (pandas writes none with index=False)" if "(no name)" in extra else ""
        raise InputError(f"{path}: has {_listed('unknown column', extra)}{hint}; remove what is no keypoint")
    repeated = [name for name in dict.fromkeys(header) if header.count(name) > 1]
    if repeated:
        raise InputError(f"{path}: repeats {_listed('column', repeated)}; give each once")


def _in_order(path: Path, given: Sequence[tuple[int, int, list[str]]], rows: Int64) -> list[Line]:
    """Returns the lines of the test rows, in their order, of lines that each have their row before them."""
    lines = {row: Line(line, cells) for row, line, cells in given}
    known = set(rows.tolist())
    unknown = [row for row in lines if row not in known]
    if unknown:
        raise InputError(f"{path}: has {_listed('row', unknown)} outside the test part; give the rows of test_rows.npy")
    if len(lines) < len(given):
        names, counts = np.unique([row for row, *_ in given], return_counts=True)
        raise InputError(f"{path}: repeats {_listed('row', names[counts > 1].tolist())}; give each test row once")
    missing = [row for row in rows.tolist() if row not in lines]
    if missing:
        raise InputError(f"{path}: lacks {_listed('test row', missing)}; give the rows of test_rows.npy")
    return [lines[row] for row in rows.tolist()]


def _listed(kind: str, values: Sequence[object]) -> str:
    shown = ", ".join(_shown(str(value)) for value in values[:SHOWN])
    more = f" and {len(values) - SHOWN} more" if len(values) > SHOWN else ""
    return f"{kind}{'s' if len(values) > 1 else ''} {shown}{more}"


def _shown(text: str) -> str:
    """Returns a cell for a message: what can be printed of it, cut where it is long."""
    text = "".join(letter if letter.isprintable() else "?" for letter in text.strip())
    return text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - 1] + "…"

"""`predictions.csv`: one line for each test face, its `row` and then the columns of the label file, in px."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from common.array_types import Float32, Int64
from common.stage import InputError

ROW = "row"
LARGEST_PX = 1e6  # beyond it a number is no place near a picture; NaN and infinity fail the same comparison
SHOWN = 8  # names or rows that a message lists before it says how many more there are


def write_predictions(path: Path, predicted: Float32, rows: Int64, columns: Sequence[str]) -> None:
    """Writes predictions so that reading gives back the same float32 values.

    Args:
        predicted: float32 (N, K, 2) in px.
        rows: int64 (N,).
        columns: the 2K names of `KeypointSet.columns`.
    """
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([ROW, *columns])
        for row, face in zip(rows.tolist(), predicted.astype(np.float32).reshape(len(rows), -1), strict=True):
            writer.writerow([row, *map(str, face)])  # the shortest text that is this float32


def read_predictions(path: Path, rows: Int64, columns: Sequence[str]) -> Float32:
    """Returns anyone's predictions for the test faces, in the order of `rows`: float32 (N, K, 2) in px.

    The file has the 2K columns in any order. With a `row` column its lines may be in any order; without one they are
    the test rows in order.

    Args:
        rows: int64 (N,), the test rows.
        columns: the 2K names of `KeypointSet.columns`.

    Raises:
        InputError: no such file, not a CSV file, other columns, a value that is no number of px, or rows that are
            unknown, repeated or missing.
    """
    lines = _read_csv(path)
    (_, header), body = lines[0], lines[1:]
    header = [name.strip() for name in header]
    _check_columns(path, header, columns)
    for line, cells in body:
        if len(cells) != len(header):
            raise InputError(f"{path}, line {line}: has {len(cells)} cells where the header has {len(header)}")
    order = [header.index(name) for name in columns]
    if ROW in header:
        at = header.index(ROW)
        theirs = [_row_number(path, line, cells[at]) for line, cells in body]
        _check_rows(path, theirs, rows)
        line_of = dict(zip(theirs, body, strict=True))
        body = [line_of[row] for row in rows.tolist()]
    elif len(body) != len(rows):
        raise InputError(
            f"{path}: has {len(body)} lines of predictions, the test part has {len(rows)} faces; "
            f"give every test row in order, or add a `{ROW}` column"
        )
    values = [
        [_coordinate(path, line, row, name, cells[at]) for name, at in zip(columns, order, strict=True)]
        for row, (line, cells) in zip(rows.tolist(), body, strict=True)
    ]
    return np.array(values, np.float32).reshape(len(rows), -1, 2)


def _read_csv(path: Path) -> list[tuple[int, list[str]]]:
    """Returns the lines that are not blank, with their numbers in the file."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:  # spreadsheets begin a file with a byte order mark
            reader = csv.reader(file)
            lines = [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; give a CSV file of predictions") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder; give a CSV file of predictions") from None
    except (UnicodeDecodeError, csv.Error):
        raise InputError(f"{path}: is not a CSV file; save the predictions as comma-separated text") from None
    if not lines:
        raise InputError(f"{path}: is empty; it needs a header and a line for every test face")
    return lines


def _check_columns(path: Path, header: Sequence[str], columns: Sequence[str]) -> None:
    missing = [name for name in columns if name not in header]
    if missing:
        raise InputError(f"{path}: lacks {_listed('column', missing)}; the data set's columns are needed, in px")
    extra = [name or "(no name)" for name in header if name not in (ROW, *columns)]
    if extra:
        hint = " (pandas writes none with index=False)" if "(no name)" in extra else ""
        raise InputError(f"{path}: has {_listed('unknown column', extra)}{hint}; remove what is no keypoint")
    repeated = [name for name in dict.fromkeys(header) if header.count(name) > 1]
    if repeated:
        raise InputError(f"{path}: repeats {_listed('column', repeated)}; give each once")


def _check_rows(path: Path, theirs: Sequence[int], rows: Int64) -> None:
    known = set(rows.tolist())
    given = set(theirs)
    unknown = [row for row in theirs if row not in known]
    if unknown:
        raise InputError(f"{path}: has {_listed('row', unknown)} outside the test part; give the rows of test_rows.npy")
    if len(given) < len(theirs):
        counted = np.unique(np.array(theirs), return_counts=True)
        repeated = [int(row) for row, count in zip(*counted, strict=True) if count > 1]
        raise InputError(f"{path}: repeats {_listed('row', repeated)}; give each test row once")
    missing = [row for row in rows.tolist() if row not in given]
    if missing:
        raise InputError(f"{path}: lacks {_listed('test row', missing)}; give the rows of test_rows.npy")


def _listed(kind: str, values: Sequence[object]) -> str:
    shown = ", ".join(str(value) for value in values[:SHOWN])
    more = f" and {len(values) - SHOWN} more" if len(values) > SHOWN else ""
    return f"{kind}{'s' if len(values) > 1 else ''} {shown}{more}"


def _row_number(path: Path, line: int, text: str) -> int:
    try:
        value = float(text)
        if value == int(value):
            return int(value)
    except (ValueError, OverflowError):
        pass
    raise InputError(f"{path}, line {line}: {ROW} {text.strip()!r} is no whole number; give the face's row in the data")


def _coordinate(path: Path, line: int, row: int, name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not abs(value) < LARGEST_PX:
        raise InputError(
            f"{path}, line {line} (row {row}): {name} is {text.strip()!r}, not a place in px; "
            "give a number for every keypoint"
        )
    return value

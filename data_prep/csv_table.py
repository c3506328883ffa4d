"""CSV files that people bring, read so that a message can name the line."""

import csv
from pathlib import Path

from facial_keypoints.errors import InputError

ROW = "row"  # the column that holds a face's row in the data

Line = tuple[int, list[str]]  # number of a line in its file, from 1, and its cells


def read_lines(path: Path, skip_empty: bool = True) -> tuple[list[str], list[Line]]:
    """Returns the header and the lines below it that are not blank, each with its number in the file.

    Args:
        skip_empty: a line with nothing but commas is blank, too; in a label file it is a face without labels.

    Raises:
        InputError: no such file, not a CSV file, an empty one, or a line longer or shorter than the header.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:  # spreadsheets begin a file with a byte order mark
            reader = csv.reader(file)
            lines = [(reader.line_num, cells) for cells in reader if not _blank(cells, skip_empty)]
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; give a CSV file") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder; give a CSV file") from None
    except (UnicodeDecodeError, csv.Error):
        raise InputError(f"{path}: is not a CSV file; save it as comma-separated text") from None
    if not lines:
        raise InputError(f"{path}: is empty; it needs a header and a line for each face")
    header, body = [name.strip() for name in lines[0][1]], lines[1:]
    for line, cells in body:
        if len(cells) != len(header):
            raise InputError(
                f"{path}, line {line}: has {len(cells)} cells where the header has {len(header)}; give one for each"
            )
    return header, body


def _blank(cells: list[str], skip_empty: bool) -> bool:
    return (skip_empty or len(cells) < 2) and not any(cell.strip() for cell in cells)


def row_number(path: Path, line: int, text: str) -> int:
    """Returns the row that a cell of the `row` column names; raises InputError where it is no whole number."""
    try:
        value = float(text)
        if value == int(value):
            return int(value)
    except (ValueError, OverflowError):
        pass
    raise InputError(f"{path}, line {line}: {ROW} {text.strip()!r} is no whole number; give the face's row in the data")

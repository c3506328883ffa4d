"""CSV files that people bring, in the forms that spreadsheets and pandas write, each line with its number.

Columns may be separated by commas, semicolons, tabs or `|`; numbers may have decimal commas where columns are not
separated by commas. `common.text` says which encodings are read.
"""

import csv
import io
import logging
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from common.text import WINDOWS, read_text
from facial_keypoints.errors import InputError, printable

ROW = "row"  # the column that holds a face's row in the data
FARTHEST_PX = 1e6  # no picture reaches so far; what is larger would overflow where distances are squared
LARGEST_WHOLE = 2**53  # larger whole numbers are not exact in a float
NAN, INFINITY = float("nan"), float("inf")
NO_NUMBER = ("", "nan", "na", "n/a", "#n/a", "<na>", "null", "none")  # in lower case

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "'|'"}  # the first wins a tie
SEPARATOR_LINE = re.compile(r'"?sep=([,;\t|])"?\s*', re.IGNORECASE)  # the first line that Excel may write
QUOTED = re.compile(r'"[^"]*"')
DECIMAL_COMMA = re.compile(r"\s*[-+]?\d*,\d+([eE][-+]?\d+)?\s*")
DECIMAL_POINT = re.compile(r"\s*[-+]?\d*\.\d+([eE][-+]?\d+)?\s*")
NAMELESS = re.compile(r"(Unnamed: \d+(\.\d+)*)?")  # a column without a name, as pandas writes and as it names it
LONGEST_INDEX = 18  # digits
INDEX_IGNORED = "the first column has no name and holds whole numbers (pandas' index); it is ignored"

notes = logging.getLogger("facial_keypoints")


class Line(NamedTuple):
    """A line of a file: its number, from 1, and its cells."""

    number: int
    cells: list[str]


@dataclass(frozen=True)
class Table:
    """A CSV file as read.

    Attributes:
        path: the file.
        header: the names of the columns.
        lines: the lines below the header that are not blank.
        separator: what separates the columns.
        encoding: as `common.text.read_text` says.
        indexes: the numbers in each index column that was left out.
    """

    path: Path
    header: list[str]
    lines: list[Line]
    separator: str
    encoding: str
    indexes: list[list[int]]

    def __len__(self) -> int:
        return len(self.lines)

    def check_order(self) -> None:
        """Raises InputError where an index was left out that does not count the lines; they may be in another order."""
        if any(index != list(range(len(index))) for index in self.indexes):
            raise InputError(
                f"{self.path}: the first column has no name and does not count 0, 1, 2, ... (pandas' index), so the "
                f"order of the lines is in doubt; sort them and save with index=False, or name the column `{ROW}` if "
                "it holds the rows of the data"
            )

    def where(self, row: int) -> str:
        """Returns file, row (from 0) and line, for messages."""
        assumed = f", read as {WINDOWS}" if self.encoding == WINDOWS else ""
        return f"{self.path}: row {row} (line {self.lines[row].number}{assumed})"

    def log_assumptions(self) -> None:
        """Logs a note where the encoding was assumed or an index column ignored; for when the lines have been read."""
        assumed = [f"is not UTF-8; read as {WINDOWS}"] if self.encoding == WINDOWS else []
        assumed += [INDEX_IGNORED] if self.indexes else []
        if assumed:
            notes.warning("%s", printable(f"{self.path}: {'; '.join(assumed)}"))

    def checked_lines(self) -> list[Line]:
        """Returns the lines; raises InputError where one is longer or shorter than the header."""
        return [Line(line.number, self.cells(row)) for row, line in enumerate(self.lines)]

    def cells(self, row: int) -> list[str]:
        """Returns the cells of a row; raises InputError where it is longer or shorter than the header."""
        number, cells = self.lines[row]
        if len(cells) == len(self.header):
            return cells
        fix = "give one for each"
        joined = self.separator.join(cells)
        for other, name in SEPARATORS.items():
            if other != self.separator and joined.count(other) == len(self.header) - 1:
                fix = (
                    f"its columns are separated by {name}, those of the header by {SEPARATORS[self.separator]}: use one"
                )
                break
        else:
            if self.separator == "," and len(cells) > len(self.header):
                fix += ", and write decimal points where numbers have decimal commas"
        raise InputError(
            f"{self.path}, line {number}: has {len(cells)} cells where the header has {len(self.header)}; {fix}"
        )


def read_table(path: Path, skip_empty: bool = True) -> Table:
    """Returns a CSV file.

    A line may be longer or shorter than the header: `Table.cells` refuses it. Columns without a name are left out where
    they hold nothing, or where they are the index that pandas writes: whole numbers in the first column.

    Args:
        skip_empty: whether a line of separators alone counts as blank; in some label files it is an unlabelled face.

    Raises:
        InputError: no such file, another encoding, not a CSV file, an empty one, or decimal commas and points in one.
    """
    text, encoding = read_text(path, "CSV file")
    first, separator = separator_of(text)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
        lines = [
            Line(reader.line_num, cells)
            for cells in reader
            if reader.line_num >= first and not _is_blank(cells, skip_empty)
        ]
    except csv.Error:
        raise InputError(f"{path}: is not a CSV file; save it as comma-separated text") from None
    if not lines:
        raise InputError(f"{path}: is empty; it needs a header and a line for each face")
    header, body = [name.strip() for name in lines[0].cells], lines[1:]
    _check_header(path, lines[0].number, header)
    if separator != ",":
        body = _with_decimal_points(path, body)
    indexes, empty = _nameless_columns(header, body)
    left_out = {*indexes, *empty}
    body = [Line(line, _without(cells, left_out, len(header))) for line, cells in body]
    return Table(
        path,
        header=_without(header, left_out, len(header)),
        lines=body,
        separator=separator,
        encoding=encoding,
        indexes=list(indexes.values()),
    )


def read_lines(path: Path) -> tuple[list[str], list[Line]]:
    """Returns the header and the lines of a CSV file, and logs what was assumed of it; see `read_table`.

    Raises:
        InputError: as there, or a line is longer or shorter than the header.
    """
    table = read_table(path)
    lines = table.checked_lines()
    table.log_assumptions()
    return table.header, lines


def _is_blank(cells: Sequence[str], skip_empty: bool) -> bool:
    return (skip_empty or len(cells) < 2) and not any(cell.strip() for cell in cells)


# Columns


def separator_of(text: str) -> tuple[int, str]:
    """Returns the number of the line that the table begins at, and what separates its columns, as the header shows."""
    for number, line in enumerate(io.StringIO(text, newline=""), start=1):
        if number == 1 and (told := SEPARATOR_LINE.fullmatch(line)):
            return 2, told[1]
        if line.strip("".join(SEPARATORS) + ' "\r\n'):
            bare = QUOTED.sub("", line)
            return 1, max(SEPARATORS, key=bare.count)
    return 1, ","


def _check_header(path: Path, line: int, header: Sequence[str]) -> None:
    """Raises InputError where the header is one cell that holds several names."""
    if len(header) > 1:
        return
    if name := next((name for mark, name in SEPARATORS.items() if mark in header[0]), None):
        raise InputError(f"{path}, line {line}: has quotes around all columns, with {name} between; save it without")
    if len(header[0].split()) > 1:
        raise InputError(f"{path}, line {line}: has columns separated by spaces; save it with commas")


def nameless_columns(header: Sequence[str]) -> list[int]:
    """Returns the places of the columns that have no name, or the one that pandas gives to such."""
    return [column for column, name in enumerate(header) if NAMELESS.fullmatch(name)]


def _nameless_columns(header: Sequence[str], body: Sequence[Line]) -> tuple[dict[int, list[int]], list[int]]:
    """Returns which columns without a name are pandas' index, with their numbers, and which hold nothing.

    An index has only other indexes before it. All else without a name is the reader's.
    """
    whole = [cells for _, cells in body if len(cells) == len(header)]
    indexes: dict[int, list[int]] = {}
    empty = []
    for column in nameless_columns(header) if whole else ():
        values = [cells[column].strip() for cells in whole]
        if not any(values):
            empty.append(column)
        elif column == len(indexes) and all(value.isdecimal() and len(value) <= LONGEST_INDEX for value in values):
            indexes[column] = [int(value) for value in values]
    return indexes, empty


def _without(cells: list[str], columns: Collection[int], width: int) -> list[str]:
    """Returns a line as wide as the header without some columns; another one without as many cells at its end."""
    if len(cells) != width:
        return cells[: max(len(cells) - len(columns), 0)]
    return [cell for column, cell in enumerate(cells) if column not in columns] if columns else cells


def _with_decimal_points(path: Path, body: Sequence[Line]) -> list[Line]:
    """Returns lines whose numbers have decimal points; raises InputError where some have commas and some points."""
    comma = next((n for n, cells in body if any(map(DECIMAL_COMMA.fullmatch, cells))), None)
    if comma is None:
        return list(body)
    if point := next((n for n, cells in body if any(map(DECIMAL_POINT.fullmatch, cells))), None):
        raise InputError(
            f"{path}: has decimal commas (line {comma}) and decimal points (line {point}); write all numbers one way"
        )
    return [
        Line(n, [cell.replace(",", ".") if DECIMAL_COMMA.fullmatch(cell) else cell for cell in cells])
        for n, cells in body
    ]


# Numbers


def number(text: str, largest: float = FARTHEST_PX) -> float:
    """Returns the number in a cell.

    NaN where the cell is empty or says that there is none; infinity where it holds anything else, or a number beyond
    `largest` on either side of 0.
    """
    if not text:  # most gaps; an exception would take ten times as long
        return NAN
    try:
        value = float(text)
    except ValueError:
        return NAN if text.strip().lower() in NO_NUMBER else INFINITY
    return INFINITY if abs(value) > largest else value  # NaN is not greater


def whole_number(text: str) -> int | None:
    """Returns the whole number in a cell, which may be written `7.0`; None where it holds anything else."""
    value = number(text, LARGEST_WHOLE)
    return int(value) if value.is_integer() else None


def row_number(path: Path, line: int, text: str) -> int:
    """Returns the row that a cell of the `row` column names; raises InputError where it is no whole number."""
    row = whole_number(text)
    if row is None:
        raise InputError(
            f"{path}, line {line}: {ROW} {text.strip()!r} is no whole number; give the face's row in the data"
        )
    return row

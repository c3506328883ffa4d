"""Reads CSV files in the forms that spreadsheets and pandas write, and keeps the line numbers for messages.

Columns can be separated by commas, semicolons, tabs or `|`; numbers can have decimal commas unless columns are
separated by commas. `common.text` lists the encodings.
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
from facial_keypoints.errors import InputError, listed, printable

ROW = "row"  # the column that holds a face's row in the data
FARTHEST_PX = 1e6  # beyond any picture; larger values would overflow when distances are squared
LARGEST_WHOLE = 2**53  # larger whole numbers are not exact in a float
NAN, INFINITY = float("nan"), float("inf")
MISSING_VALUES = ("", "nan", "na", "n/a", "#n/a", "<na>", "null", "none")  # in lower case

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "'|'"}  # the first one wins a tie
SEPARATOR_LINE = re.compile(r'"?sep=([,;\t|])"?\s*', re.IGNORECASE)  # a first line that Excel can write
QUOTED = re.compile(r'"[^"]*"')
DECIMAL_COMMA = re.compile(r"\s*[-+]?\d*,\d+([eE][-+]?\d+)?\s*")
DECIMAL_POINT = re.compile(r"\s*[-+]?\d*\.\d+([eE][-+]?\d+)?\s*")
NAMELESS = re.compile(r"(Unnamed: \d+(\.\d+)*)?")  # a column without a name, also as pandas renames it
MAX_INDEX_DIGITS = 18
MAX_SHOWN_CHARACTERS = 40
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
        lines: the lines below the header, without blank ones.
        separator: the character between columns.
        encoding: see `common.text.read_text`.
        indexes: the numbers of each index column that was removed.
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
        """Raises InputError if a removed index is not 0, 1, 2, ...: the order of the lines is uncertain."""
        if any(index != list(range(len(index))) for index in self.indexes):
            raise InputError(
                f"{self.path}: the first column has no name and does not count 0, 1, 2, ... (pandas' index), so the "
                f"order of the lines is uncertain; sort them and save with index=False, or name the column `{ROW}` if "
                "it holds the rows of the data"
            )

    def where(self, row: int) -> str:
        """Returns file, row (from 0) and line, for messages."""
        assumed = f", read as {WINDOWS}" if self.encoding == WINDOWS else ""
        return f"{self.path}: row {row} (line {self.lines[row].number}{assumed})"

    def log_assumptions(self) -> None:
        """Logs whether the encoding was assumed or an index column removed; to be called after reading the lines."""
        assumptions = [f"is not UTF-8; read as {WINDOWS}"] if self.encoding == WINDOWS else []
        assumptions += [INDEX_IGNORED] if self.indexes else []
        if assumptions:
            notes.warning("%s", printable(f"{self.path}: {'; '.join(assumptions)}"))

    def checked_lines(self) -> list[Line]:
        """Returns the lines; raises InputError if one is longer or shorter than the header."""
        return [Line(line.number, self.cells(row)) for row, line in enumerate(self.lines)]

    def cells(self, row: int) -> list[str]:
        """Returns the cells of a row; raises InputError if it is longer or shorter than the header."""
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
    """Returns a CSV file as a table.

    Lines can be longer or shorter than the header; `Table.cells` rejects them. A column without a name is removed if it
    is empty, or if it is the index that pandas writes: whole numbers in the first column.

    Args:
        skip_empty: skip lines that hold only separators; in some label files they are unlabelled faces.

    Raises:
        InputError: the file is missing, empty, not CSV or in another encoding, or mixes decimal commas and points.
    """
    text, encoding = read_text(path, "CSV file")
    header_line, separator = separator_of(text)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
        lines = [
            Line(reader.line_num, cells)
            for cells in reader
            if reader.line_num >= header_line and not _is_blank(cells, skip_empty)
        ]
    except csv.Error:
        raise InputError(f"{path}: is not a CSV file; save it as comma-separated text") from None
    if not lines:
        raise InputError(f"{path}: is empty; it needs a header and a line for each face")
    header, body = [name.strip() for name in lines[0].cells], lines[1:]
    _check_header(path, lines[0].number, header)
    if separator != ",":
        body = _with_decimal_points(path, body)
    indexes, empty = _index_and_empty_columns(header, body)
    removed = {*indexes, *empty}
    body = [Line(line, _without_columns(cells, removed, len(header))) for line, cells in body]
    return Table(
        path,
        header=_without_columns(header, removed, len(header)),
        lines=body,
        separator=separator,
        encoding=encoding,
        indexes=list(indexes.values()),
    )


def read_lines(path: Path) -> tuple[list[str], list[Line]]:
    """Returns the header and the lines of a CSV file, and logs assumptions; see `read_table`.

    Raises:
        InputError: see `read_table`; or a line is longer or shorter than the header.
    """
    table = read_table(path)
    lines = table.checked_lines()
    table.log_assumptions()
    return table.header, lines


def _is_blank(cells: Sequence[str], skip_empty: bool) -> bool:
    return (skip_empty or len(cells) < 2) and not any(cell.strip() for cell in cells)


# Columns


def separator_of(text: str) -> tuple[int, str]:
    """Returns the number of the header line and the character that separates its columns."""
    for number, line in enumerate(io.StringIO(text, newline=""), start=1):
        if number == 1 and (declared := SEPARATOR_LINE.fullmatch(line)):
            return 2, declared[1]
        if line.strip("".join(SEPARATORS) + ' "\r\n'):
            unquoted = QUOTED.sub("", line)
            return 1, max(SEPARATORS, key=unquoted.count)
    return 1, ","


def _check_header(path: Path, line: int, header: Sequence[str]) -> None:
    """Raises InputError if the header is one cell with several names."""
    if len(header) > 1:
        return
    if any(separator in header[0] for separator in SEPARATORS):
        raise InputError(f"{path}, line {line}: has quotes around the whole line; save it without them")
    if len(header[0].split()) > 1:
        raise InputError(f"{path}, line {line}: has columns separated by spaces; save it with commas")


def nameless_columns(header: Sequence[str]) -> list[int]:
    """Returns the indexes of the columns without a name, including those that pandas has named."""
    return [column for column, name in enumerate(header) if NAMELESS.fullmatch(name)]


def _index_and_empty_columns(header: Sequence[str], body: Sequence[Line]) -> tuple[dict[int, list[int]], list[int]]:
    """Returns the values of each index column that pandas wrote, by column, and the empty columns without a name.

    An index column comes first, or after other index columns. Readers handle all other columns without a name.
    """
    full_rows = [cells for _, cells in body if len(cells) == len(header)]
    indexes: dict[int, list[int]] = {}
    empty = []
    for column in nameless_columns(header) if full_rows else ():
        values = [cells[column].strip() for cells in full_rows]
        if not any(values):
            empty.append(column)
        elif column == len(indexes) and all(value.isdecimal() and len(value) <= MAX_INDEX_DIGITS for value in values):
            indexes[column] = [int(value) for value in values]
    return indexes, empty


def _without_columns(cells: list[str], columns: Collection[int], width: int) -> list[str]:
    """Returns a line without some columns; from a line of another width, removes as many cells at its end."""
    if len(cells) != width:
        return cells[: max(len(cells) - len(columns), 0)]
    return [cell for column, cell in enumerate(cells) if column not in columns] if columns else cells


def _with_decimal_points(path: Path, body: Sequence[Line]) -> list[Line]:
    """Returns lines with decimal points; raises InputError if some numbers have commas and others points."""
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

    NaN if the cell is empty or marks a missing value; infinity for any other text that is not a number, and for
    numbers with an absolute value over `largest`.
    """
    if not text:  # most missing labels; an exception would take ten times as long
        return NAN
    try:
        value = float(text)
    except ValueError:
        return NAN if text.strip().lower() in MISSING_VALUES else INFINITY
    return INFINITY if abs(value) > largest else value  # False for NaN


def whole_number(text: str) -> int | None:
    """Returns the whole number in a cell, also if written as `7.0`; None if the cell holds anything else."""
    value = number(text, LARGEST_WHOLE)
    return int(value) if value.is_integer() else None


def whole_cell(path: Path, line: int, column: str, text: str, fix: str) -> int:
    """Returns the whole number in a cell; raises InputError if the cell holds anything else."""
    value = whole_number(text)
    if value is None:
        raise InputError(f"{path}, line {line}: {column} {shown(text)} is not a whole number; {fix}")
    return value


def row_number(path: Path, line: int, text: str) -> int:
    """Returns the row that a cell of the `row` column names; raises InputError if it is not a whole number."""
    return whole_cell(path, line, ROW, text, "give the face's row in the data")


# Messages


def shown(text: str) -> str:
    """Returns a cell for a message: quoted, with unprintable characters escaped, shortened if it is long."""
    text = text.strip()
    return repr(text if len(text) <= MAX_SHOWN_CHARACTERS else text[: MAX_SHOWN_CHARACTERS - 1] + "…")


def shown_names(names: Sequence[object]) -> str:
    """Returns the first names of columns, files or rows for a message, and the number of further ones."""
    plain_name = re.compile(rf"\w{{1,{MAX_SHOWN_CHARACTERS}}}")
    return listed([name if plain_name.fullmatch(name) else shown(name) for name in map(str, names)])

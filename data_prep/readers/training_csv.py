"""Reads `training.csv` of the Kaggle competition "Facial Keypoints Detection", or the zip that holds it.

A row has 30 coordinates and `Image`: the gray values of a square picture as decimal text, 9,216 of them for 96 x 96.
The text is four times the size of the picture, so the file is read line by line, and each line is parsed as one numpy
array of bytes, without a loop over the numbers.
"""

import contextlib
import io
import math
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import numpy as np
from tqdm import tqdm

from common.csv_table import (
    DECIMAL_COMMA,
    INDEX_IGNORED,
    SEPARATORS,
    nameless_columns,
    notes,
    separator_of,
    shown,
    shown_names,
    whole_number,
)
from common.text import looks_like_utf16
from data_prep.faces import Faces
from data_prep.readers.bad_faces import STRICT, BadFaces
from data_prep.readers.check_labels import usable_rows
from data_prep.readers.face_arrays import faces_of
from data_prep.readers.labels import coordinate_columns, keypoint_set_of, keypoints_of, numbers
from data_prep.readers.untrusted import parsing
from facial_keypoints.array_types import UInt8
from facial_keypoints.errors import InputError, printable
from facial_keypoints.folders import is_hidden
from facial_keypoints.keypoint_set import KeypointSet

IMAGE = "Image"
BUFFER_BYTES = 1 << 20
LONGEST_HEADER = 1 << 16
AROUND = b'" \r\n'  # allowed around a field
ZERO, SPACE = ord("0"), ord(" ")


def read(path: Path, bad: BadFaces = STRICT, given: KeypointSet | None = None) -> Faces:
    """Returns the faces of `training.csv`, or of a zip that holds it; gray, uint8 (N, H, H, 1).

    Columns can be in any order and fields can be quoted; an empty field is an unlabelled coordinate. Separators,
    decimal commas and an index that pandas wrote are handled as in `common.csv_table`.

    Args:
        path: the file.
        bad: skips rows that cannot be used, or raises their error.
        given: the user's keypoint set.

    Raises:
        InputError: the file is missing, empty, truncated, in another encoding or another table; or, unless `bad` skips
            the row, it has the wrong number of fields, a field that is not a number or not a picture, a placeholder,
            or a label far outside the picture.
    """
    with (
        _open_csv(path) as (file, size),
        tqdm(total=size, unit="B", unit_scale=True, desc=path.name, disable=None) as bar,
    ):
        header_line, columns, separator = _header(path, file)
        bar.update(file.tell())
        # Index columns come before all others.
        index = [column for nth, column in enumerate(nameless_columns(columns)) if column == nth]
        keypoint_set = keypoint_set_of(path, columns[len(index) :], [IMAGE], given)
        names, indexes = coordinate_columns(columns, keypoint_set)
        image_at = columns.index(IMAGE)
        pictures: list[UInt8] = []  # one per row; the text is not kept
        coordinates: list[list[float]] = []
        rows: list[int] = []
        locations: list[str] = []
        row = -1
        for line_number, line in enumerate(file, start=header_line + 1):
            bar.update(len(line))
            if line.isspace():
                continue
            row += 1
            with bad.left_out():
                where = f"{path}: row {row} (line {line_number})"
                fields = _fields(line, separator, len(columns), where)
                if not_whole := [fields[column] for column in index if whole_number(_text(fields[column])) is None]:
                    cell = shown(_text(not_whole[0]))
                    raise InputError(f"{where}: has {cell} in a column without a name; remove the column")
                picture = square_picture(fields[image_at], pictures[0] if pictures else None, where)
                cells = [_text(fields[column]) for column in indexes]
                if separator != b",":
                    cells = [cell.replace(",", ".") if DECIMAL_COMMA.fullmatch(cell) else cell for cell in cells]
                values = numbers(cells, names, where)
                pictures.append(picture)
                coordinates.append(values)
                rows.append(row)
                locations.append(where)

    bad.check_any_usable(path, len(pictures))
    if not pictures:
        raise InputError(f"{path}: no rows below the header; download the file again")
    if index:
        notes.warning("%s", printable(f"{path}: {INDEX_IGNORED}"))
    side = math.isqrt(len(pictures[0]))
    keypoints = keypoints_of(coordinates, names, keypoint_set)
    usable = usable_rows(keypoints, keypoint_set.names, (side, side), locations.__getitem__, bad)
    bad.check_any_usable(path, int(usable.sum()))
    faces = faces_of(str(path), np.stack(pictures).reshape(-1, side, side, 1), keypoints, keypoint_set, usable=usable)
    return replace(faces, rows=np.array(rows)[usable])


def _header(path: Path, file: BinaryIO) -> tuple[int, list[str], bytes]:
    """Reads the header and returns the number of its line, from 1, its columns, and the separator."""
    text = ""
    for line_number in (1, 2):  # the first can be `sep=;`
        line = file.readline(LONGEST_HEADER)
        if looks_like_utf16(line):
            raise InputError(f"{path}: seems to be UTF-16; save it as UTF-8")
        if len(line) == LONGEST_HEADER:
            raise InputError(f"{path}: has no line end in {LONGEST_HEADER:,} bytes; end each line with a line feed")
        text += line.decode("utf-8-sig", errors="replace")
        begins_at, separator = separator_of(text)
        if begins_at == line_number:
            columns = [name.strip(' \t\r\n"') for name in line.decode("utf-8-sig", errors="replace").split(separator)]
            return line_number, columns, separator.encode()
    raise InputError(f"{path}: has no header; download it again")


def _fields(line: bytes, separator: bytes, count: int, where: str) -> list[bytes]:
    """Returns the fields of a line; raises InputError if there are not as many as in the header."""
    if line.count(separator) != count - 1:
        name = SEPARATORS[separator.decode()]
        raise InputError(
            f"{where}: has {line.count(separator) + 1} fields where the header has {count}, separated by {name}; is it "
            "truncated?"
        )
    return line.split(separator, count - 1)  # with the limit, it does not search the pixels


def _text(field: bytes) -> str:
    return field.strip(AROUND).decode("utf-8", errors="replace")


@contextlib.contextmanager
def _open_csv(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """Yields the CSV text as a binary file, unzipped while it is read, and its size in bytes."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; give training.csv or training.zip of the Kaggle competition")
    if not path.stat().st_size:
        raise InputError(f"{path}: is empty; download it again")
    if path.suffix.lower() != ".zip" and not zipfile.is_zipfile(path):
        with path.open("rb", buffering=BUFFER_BYTES) as file:
            yield file, path.stat().st_size
        return
    with parsing(path, "plain zip", "download it again"), zipfile.ZipFile(path) as archive:
        member = _only_csv(path, archive)
        with io.BufferedReader(archive.open(member), BUFFER_BYTES) as file:  # type: ignore[type-var]
            yield file, member.file_size


def _only_csv(path: Path, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    files = [member for member in archive.infolist() if not member.is_dir()]
    members = [member for member in files if not is_hidden(PurePosixPath(member.filename))]
    tables = [member for member in members if member.filename.lower().endswith(".csv")]
    if len(tables) == 1:
        return tables[0]
    names = shown_names([member.filename for member in members]) or "nothing"
    raise InputError(
        f"{path}: holds {len(tables) or 'no'} .csv files where one is needed (the zip has {names}); "
        "unpack it and give training.csv or training.zip"
    )


def square_picture(field: bytes, like: UInt8 | None, where: str) -> UInt8:
    """Returns the pixels in a text, uint8 (H*H,); raises InputError if not square or not as many as in `like`."""
    try:
        pixels = parse_pixels(field.strip(AROUND))
    except ValueError as error:
        raise InputError(f"{where}: {error}; download it again") from None
    if like is not None and len(pixels) != len(like):
        side = math.isqrt(len(like))
        raise InputError(
            f"{where}: has {len(pixels):,} pixels where the first row has {len(like):,} ({side} x {side}); is it "
            "truncated?"
        )
    if not len(pixels) or math.isqrt(len(pixels)) ** 2 != len(pixels):
        raise InputError(f"{where}: has {len(pixels):,} pixels, which is not a square picture; is it truncated?")
    return pixels


def parse_pixels(text: bytes) -> UInt8:
    """Returns the numbers 0..255 of a text, separated by spaces, uint8 (count,).

    Raises:
        ValueError: one is not a whole number in that range; the message names it.
    """
    # Two spaces before and one after: every number has two bytes to its left and ends before a space.
    byte = np.frombuffer(b"  " + text + b" ", np.uint8)
    digit = byte - ZERO  # uint8 overflows here and below
    is_digit, is_space = digit < 10, byte == SPACE
    keep = is_digit.view(np.uint8)  # multiplies twice as fast as bool, which numpy would convert
    digit *= keep
    is_end = is_digit[2:-1] & is_space[3:]
    # At every byte, the number that would end there; only those at is_end are used.
    hundreds = digit[:-3] * keep[1:-2] * is_end.view(np.uint8)
    upper = hundreds * 100
    number = digit[1:-2] * 10 + digit[2:-1] + upper
    two_digits = is_digit[1:] & is_digit[:-1]
    plain = (
        np.count_nonzero(is_digit) + np.count_nonzero(is_space) == len(byte)
        and not np.any(two_digits[2:] & two_digits[:-2])  # no four digits in a row
        and hundreds.max(initial=0) <= 2
        and not np.any(number < upper)  # 256 to 299 have overflowed
    )
    return number.take(np.flatnonzero(is_end)) if plain else _parse_one_by_one(text)


def _parse_one_by_one(text: bytes) -> UInt8:
    """Parses more slowly than `parse_pixels`, also leading zeros and tabs, and finds the wrong number."""
    words = text.split()
    for position, word in enumerate(words, start=1):
        if not word.isdigit():
            raise ValueError(f"has {shown(_text(word))} as pixel {position:,}, not a whole number 0..255")
        if int(word) > 255:
            raise ValueError(f"has {shown(_text(word))} as pixel {position:,}, outside 0..255")
    return np.array([int(word) for word in words], np.uint8)

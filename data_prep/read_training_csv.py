"""Reads `training.csv` of the Kaggle competition "Facial Keypoints Detection", or the zip that holds it.

A row is 30 coordinates and `Image`: the grey values of a square picture as decimal text, 9,216 of them for 96 x 96.
The text is four times the size of the picture, so it is read line by line and turned into bytes a whole row at a time:
every byte of the text is treated at once, as one numpy array, where a loop would go from number to number.
"""

import contextlib
import io
import math
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from tqdm import tqdm

from data_prep.faces import Faces
from facial_keypoints.array_types import Float32, UInt8
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15

IMAGE = "Image"
BUFFER_BYTES = 1 << 20
LONGEST_HEADER = 1 << 16
NAMES_SHOWN = 5
ZERO, SPACE = ord("0"), ord(" ")


def read(path: Path) -> Faces:
    """Returns the faces of `training.csv`, or of a zip with that one file in it; grey, as uint8 (N, H, H, 1).

    The columns may stand in any order, fields may be quoted, an empty field (or `nan`) is an unlabelled coordinate.

    Raises:
        InputError: the file is missing, empty, cut off or not that table; its message names the file and the row.
    """
    with (
        _opened(path) as (file, size),
        tqdm(total=size, unit="B", unit_scale=True, desc=path.name, disable=None) as bar,
    ):
        header = file.readline(LONGEST_HEADER)
        bar.update(len(header))
        columns, image_column = _column_order(path, header)
        pictures: list[UInt8] = []  # one per row; the text of the row is let go
        coordinates: list[list[float]] = []
        for line_number, line in enumerate(file, start=2):
            bar.update(len(line))
            if line.isspace():
                continue
            try:
                if line.count(b",") != len(columns):
                    raise ValueError(f"has {line.count(b',') + 1} fields where the header has {len(columns) + 1}")
                fields = line.split(b",", len(columns))  # the limit spares it the search through the pixels
                pictures.append(_picture(fields[image_column], like=pictures[0] if pictures else None))
                coordinates.append(_coordinates([fields[column] for column in columns]))
            except ValueError as error:
                raise InputError(f"{_place(path, len(coordinates), line_number)} {error}") from None

    if not pictures:
        raise InputError(f"{path}: no rows below the header; download the file again")
    side = math.isqrt(len(pictures[0]))
    return Faces(
        images=np.stack(pictures).reshape(-1, side, side, 1),
        keypoints=_keypoints(path, coordinates),
        rows=np.arange(len(pictures)),
        groups=None,
        keypoint_set=FACE15,
    )


def _place(path: Path, index: int, line_number: int | None = None) -> str:
    line = f" (line {line_number})" if line_number else ""
    return f"{path}: row {index}{line}"


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """Yields the CSV text as a binary file, unpacked on the fly, and its size in bytes."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; give training.csv or training.zip of the Kaggle competition")
    if not path.stat().st_size:
        raise InputError(f"{path}: is empty; download it again")
    if path.suffix.lower() != ".zip" and not zipfile.is_zipfile(path):
        with path.open("rb", buffering=BUFFER_BYTES) as file:
            yield file, path.stat().st_size
        return
    try:
        with zipfile.ZipFile(path) as archive:
            member = _only_csv(path, archive)
            with io.BufferedReader(archive.open(member), BUFFER_BYTES) as file:  # type: ignore[type-var]
                yield file, member.file_size
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise InputError(f"{path}: is not a whole, plain zip ({error or 'cut off'}); download it again") from None


def _only_csv(path: Path, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    members = [member for member in archive.infolist() if not member.is_dir() and "__MACOSX" not in member.filename]
    tables = [member for member in members if member.filename.lower().endswith(".csv")]
    if len(tables) == 1:
        return tables[0]
    held = _few([member.filename for member in members]) or "nothing"
    raise InputError(
        f"{path}: holds {len(tables) or 'no'} .csv files where one is needed (it holds {held}); "
        "unpack it and give training.csv or training.zip"
    )


def _column_order(path: Path, header: bytes) -> tuple[list[int], int]:
    """Returns where the keypoint columns stand, in the order of the keypoint set, and where `Image` stands."""
    names = [name.strip(' \t\r\n"') for name in header.decode("utf-8-sig", errors="replace").split(",")]
    wanted = [*FACE15.columns, IMAGE]
    faults = {
        "lacks": [name for name in wanted if name not in names],
        "does not know": [name for name in names if name not in wanted],
        "repeats": [name for name in wanted if names.count(name) > 1],
    }
    found = [f"{verb} {_few(faulty)}" for verb, faulty in faults.items() if faulty]
    if found:
        raise InputError(
            f"{path}: the header (line 1) {'; '.join(found)}; "
            f"training.csv has the {len(FACE15.columns)} keypoint columns and {IMAGE}"
        )
    return [names.index(name) for name in FACE15.columns], names.index(IMAGE)


def _few(names: Sequence[str]) -> str:
    shown = [repr(name[:40]) if len(name) > 40 or not name.isidentifier() else name for name in names[:NAMES_SHOWN]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _coordinates(fields: Sequence[bytes]) -> list[float]:
    """Returns 2K numbers, NaN for an empty field, from the fields of a row; ValueError names the column."""
    try:
        return [float(field.strip(b'" \r\n') or b"nan") for field in fields]
    except ValueError:
        for name, field in zip(FACE15.columns, fields, strict=True):
            try:
                float(field.strip(b'" \r\n') or b"nan")
            except ValueError:
                raise ValueError(f"has {_shown(field)} as {name}, not a number; correct or empty it") from None
        raise


def _keypoints(path: Path, coordinates: Sequence[Sequence[float]]) -> Float32:
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is named below
        table = np.array(coordinates, np.float32)
    rows, columns = np.nonzero(np.isinf(table))
    if len(rows):
        name = FACE15.columns[columns[0]]
        raise InputError(f"{_place(path, int(rows[0]))} has an infinite {name}; correct or empty it")
    return table.reshape(len(table), len(FACE15), 2)


def _picture(field: bytes, like: UInt8 | None) -> UInt8:
    """Returns one picture, uint8 (H*W,); ValueError where it is no square, or has not as many pixels as `like`."""
    pixels = parse_pixels(field.strip(b'" \r\n'))
    if like is not None and len(pixels) != len(like):
        side = math.isqrt(len(like))
        raise ValueError(f"has {len(pixels):,} pixels where row 0 has {len(like):,} ({side} x {side}); is it cut off?")
    if not len(pixels) or math.isqrt(len(pixels)) ** 2 != len(pixels):
        raise ValueError(f"has {len(pixels):,} pixels, which makes no square picture; is it cut off?")
    return pixels


def parse_pixels(text: bytes) -> UInt8:
    """Returns the numbers 0..255 of a text that separates them by spaces, uint8 (count,).

    Raises:
        ValueError: one of them is no whole number of that range; the message names it.
    """
    # Two spaces before and one behind: every number has two bytes to its left and ends before a space.
    byte = np.frombuffer(b"  " + text + b" ", np.uint8)
    digit = byte - ZERO  # uint8 wraps round, here and below
    is_digit, is_space = digit < 10, byte == SPACE
    keep = is_digit.view(np.uint8)  # multiplies twice as fast as bool, which numpy would cast
    digit *= keep
    is_end = is_digit[2:-1] & is_space[3:]
    # At every byte the number that would end there; only those where is_end are taken.
    hundreds = digit[:-3] * keep[1:-2] * is_end.view(np.uint8)
    upper = hundreds * 100
    number = digit[1:-2] * 10 + digit[2:-1] + upper
    two_digits = is_digit[1:] & is_digit[:-1]
    plain = (
        np.count_nonzero(is_digit) + np.count_nonzero(is_space) == len(byte)
        and not np.any(two_digits[2:] & two_digits[:-2])  # no four digits in a row
        and hundreds.max(initial=0) <= 2
        and not np.any(number < upper)  # 256 to 299 have wrapped round
    )
    return number.take(np.flatnonzero(is_end)) if plain else _parse_one_by_one(text)


def _parse_one_by_one(text: bytes) -> UInt8:
    """Does the same slowly, for text with leading zeros, tabs or a fault to name."""
    words = text.split()
    for position, word in enumerate(words, start=1):
        if not word.isdigit():
            raise ValueError(f"has {_shown(word)} as pixel {position:,}, not a whole number 0..255")
        if int(word) > 255:
            raise ValueError(f"has {_shown(word)} as pixel {position:,}, outside 0..255")
    return np.array([int(word) for word in words], np.uint8)


def _shown(field: bytes) -> str:
    return repr(field.strip()[:20].decode("utf-8", errors="replace"))

"""Writes the submission file of the Kaggle competition "Facial Keypoints Detection".

python -m evaluation.submit artifacts/pretrained/v2 test.csv IdLookupTable.csv --out submission.csv

Of every image the competition asks some coordinates. N images, K keypoints, R rows to fill in.
"""

import argparse
import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from common.backend import start_backend
from common.csv_table import Line, read_lines, whole_number
from data_prep.readers.labels import shown_names
from data_prep.readers.training_csv import IMAGE, parse_pixels
from facial_keypoints.array_types import Bool, Float32, Int64, UInt8
from facial_keypoints.codec import decode
from facial_keypoints.errors import InputError, run
from facial_keypoints.keypoint_set import FACE15

IMAGE_ID, ROW_ID, FEATURE, LOCATION = "ImageId", "RowId", "FeatureName", "Location"
SUBMISSION = [ROW_ID, LOCATION]
SPARSE = [label_source.name for label_source in FACE15.label_sources].index("sparse")
LONGEST_CELL = 40  # characters of a cell that a message shows


class TestImages(NamedTuple):
    """`test.csv`: the number of each image, from any, and its picture, uint8 (N, H, H, 1)."""

    ids: list[int]
    images: UInt8


class Lookup(NamedTuple):
    """`IdLookupTable.csv`: what is asked, row by row.

    Attributes:
        rows: R numbers of rows.
        faces: int64 (R,), indexes of images.
        columns: int64 (R,), indexes into `FACE15.columns`.
    """

    rows: list[int]
    faces: Int64
    columns: Int64


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    check_out(options.out)
    test = read_test(options.test)
    lookup = read_lookup(options.lookup, test.ids)
    asked = np.zeros((len(test.ids), len(FACE15.columns)), bool)
    asked[lookup.faces, lookup.columns] = True
    of_faces = label_sources(asked)

    start_backend()
    from models.saved import load_model, notes, predict

    loaded = load_model(options.model)
    if said := notes(loaded):
        print("note: " + "\n  ".join(said))
    output = predict(loaded, test.images, FACE15)
    keypoints, _ = decode(output, of_faces, loaded.output_points(FACE15))
    write_submission(options.out, lookup, inside(keypoints, test.images.shape[1]))
    print(
        f"{options.out}: {len(lookup.rows):,} coordinates of {len(np.unique(lookup.faces)):,} images, "
        f"{int((of_faces == SPARSE).sum()):,} of them as the label source {FACE15.label_sources[SPARSE].name} means "
        "them"
    )


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m evaluation.submit",
        description='Writes the submission file of the Kaggle competition "Facial Keypoints Detection".',
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="a model folder, or a .keras file")
    parser.add_argument("test", type=Path, metavar="test.csv", help="the competition's images")
    parser.add_argument("lookup", type=Path, metavar="IdLookupTable.csv", help="what the competition asks of each")
    parser.add_argument(
        "--out", type=Path, default=Path("artifacts/submission.csv"), metavar="FILE", help="(%(default)s)"
    )
    return parser.parse_args(arguments)


def check_out(out: Path) -> None:
    """Raises InputError where something else than a submission would be overwritten."""
    if out.is_dir():
        raise InputError(f"{out}: is a folder; give a file")
    if out.exists():
        with out.open("rb") as file:
            if file.readline(LONGEST_CELL).decode(errors="replace").strip() != ",".join(SUBMISSION):
                raise InputError(f"{out}: is there already and no submission file; choose another --out")


def read_test(path: Path) -> TestImages:
    """Returns the images of `test.csv`: columns ImageId and Image, gray values separated by spaces.

    Raises:
        InputError: no such file, other columns, an image that is no square or of another size than the first, a gray
            value that is none, or an image number that is none or stands twice.
    """
    header, body = read_lines(path)
    at_id, at_image = _columns(path, header, [IMAGE_ID, IMAGE])
    if not body:
        raise InputError(f"{path}: has a header but no images; download it again")
    ids = _numbers(path, body, at_id, IMAGE_ID)
    pictures: list[UInt8] = []
    for number, (line, cells) in zip(ids, body, strict=True):
        try:
            pictures.append(_square(parse_pixels(cells[at_image].encode()), pictures[0] if pictures else None))
        except ValueError as error:
            raise InputError(f"{path}, line {line} ({IMAGE_ID} {number}): {error}; download it again") from None
    side = math.isqrt(len(pictures[0]))
    return TestImages(ids, np.stack(pictures).reshape(-1, side, side, 1))


def _square(pixels: UInt8, first: UInt8 | None) -> UInt8:
    """Returns the pixels of a picture; ValueError where it is no square or of another size than the first."""
    if not len(pixels) or math.isqrt(len(pixels)) ** 2 != len(pixels):
        raise ValueError(f"has {len(pixels):,} pixels, which makes no square picture")
    if first is not None and len(pixels) != len(first):
        raise ValueError(f"has {len(pixels):,} pixels where the first image has {len(first):,}")
    return pixels


def read_lookup(path: Path, ids: Sequence[int]) -> Lookup:
    """Returns what `IdLookupTable.csv` asks: columns RowId, ImageId, FeatureName; others mean nothing.

    Args:
        ids: the numbers of the images that there are.

    Raises:
        InputError: no such file, a column is missing, a number that is none, a row that stands twice, an image that
            is not there, a feature that is no column of the keypoint set, or one that is asked twice of an image.
    """
    header, body = read_lines(path)
    at_row, at_id, at_feature = _columns(path, header, [ROW_ID, IMAGE_ID, FEATURE])
    if not body:
        raise InputError(f"{path}: has a header but no rows; download it again")
    face_of = {number: face for face, number in enumerate(ids)}
    column_of = {name: column for column, name in enumerate(FACE15.columns)}
    first: dict[tuple[int, int], int] = {}
    for line, cells in body:
        number, feature = _number(path, line, IMAGE_ID, cells[at_id]), cells[at_feature].strip()
        if number not in face_of:
            raise InputError(
                f"{path}, line {line}: asks for {IMAGE_ID} {number}, which test.csv lacks; give both of one download"
            )
        if feature not in column_of:
            raise InputError(
                f"{path}, line {line}: asks for the {FEATURE} {shown_names([feature])}, which is none of "
                f"{FACE15.columns[0]} to {FACE15.columns[-1]}; download it again"
            )
        cell = face_of[number], column_of[feature]
        if cell in first:
            raise InputError(
                f"{path}, line {line}: asks for {feature} of {IMAGE_ID} {number} again, after line {first[cell]}; take "
                "one out"
            )
        first[cell] = line
    rows = _numbers(path, body, at_row, ROW_ID)
    faces, columns = np.array(list(first), np.int64).T
    return Lookup(rows, faces, columns)


def label_sources(asked: Bool) -> Int64:
    """Returns whose places are meant in each image, int64 (N,): the sparse source's where only its keypoints are asked.

    The competition's images are of these two sources, told apart by what is asked, as the training faces are by what is
    labelled. All else is taken as of the complete source.

    Args:
        asked: bool (N, 2K), in the order of `FACE15.columns`.
    """
    keypoints = np.asarray(asked.reshape(len(asked), len(FACE15), 2).any(axis=-1))
    sparse = np.isin(np.arange(len(FACE15)), FACE15.label_sources[SPARSE].keypoints)
    only_sparse = (keypoints & sparse).any(axis=1) & ~(keypoints & ~sparse).any(axis=1)
    return np.where(only_sparse, SPARSE, 0)


def inside(keypoints: Float32, side_px: int) -> Float32:
    """Returns keypoints (N, K, 2) moved into the picture, to [0, side): the competition takes no others."""
    return keypoints.clip(0, np.nextafter(np.float32(side_px), np.float32(0)))


def write_submission(path: Path, lookup: Lookup, keypoints: Float32) -> None:
    """Writes RowId and Location of all rows, in their order, whole or not at all.

    Args:
        keypoints: float32 (N, K, 2) in px.
    """
    locations = keypoints.reshape(len(keypoints), -1)[lookup.faces, lookup.columns]
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(SUBMISSION)
            table.writerows(zip(lookup.rows, map(str, locations), strict=True))  # the shortest text of a float32
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _columns(path: Path, header: Sequence[str], names: Sequence[str]) -> list[int]:
    """Returns the places of columns; InputError where one is missing or stands twice."""
    for name in names:
        if header.count(name) != 1:
            raise InputError(
                f"{path}: has {header.count(name)} columns {name}, expected one (of {', '.join(names)}); "
                "give the competition's file"
            )
    return [header.index(name) for name in names]


def _numbers(path: Path, body: Sequence[Line], at: int, name: str) -> list[int]:
    """Returns the whole numbers of a column; InputError where one is none or stands twice."""
    lines: dict[int, int] = {}
    for line, cells in body:
        number = _number(path, line, name, cells[at])
        if number in lines:
            raise InputError(f"{path}, line {line}: repeats {name} {number} of line {lines[number]}; give each once")
        lines[number] = line
    return list(lines)


def _number(path: Path, line: int, name: str, text: str) -> int:
    number = whole_number(text)
    if number is None:
        shown = ascii(text.strip()[:LONGEST_CELL])
        raise InputError(f"{path}, line {line}: {name} {shown} is no whole number; download it again")
    return number


if __name__ == "__main__":
    run(main)

"""Writes the submission file of the Kaggle competition "Facial Keypoints Detection".

The competition asks for some coordinates of each image. N images, K keypoints, R rows of the submission.
"""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from common.backend import start_backend
from common.csv_table import Line, read_lines, shown, whole_cell
from common.options import stage_parser
from data_prep.readers.training_csv import IMAGE, square_picture
from facial_keypoints.array_types import Bool, Float32, Int64, UInt8
from facial_keypoints.codec import decode
from facial_keypoints.errors import InputError, run
from facial_keypoints.folders import atomic_file, write_rows
from facial_keypoints.keypoint_set import FACE15

IMAGE_ID, ROW_ID, FEATURE, LOCATION = "ImageId", "RowId", "FeatureName", "Location"
SUBMISSION = [ROW_ID, LOCATION]
SPARSE = [label_source.name for label_source in FACE15.label_sources].index("sparse")
DOWNLOAD_AGAIN = "download it again"


class Lookup(NamedTuple):
    """`IdLookupTable.csv`: the requested coordinates, row by row.

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
    ids, images = read_test(options.test)
    lookup = read_lookup(options.lookup, ids)
    requested = np.zeros((len(ids), len(FACE15.columns)), bool)
    requested[lookup.faces, lookup.columns] = True
    sources = label_sources(requested)

    start_backend()
    from models.saved import load_model, notes, predict

    loaded = load_model(options.model)
    if model_notes := notes(loaded):
        print("note: " + "\n  ".join(model_notes))
    output = predict(loaded, images, FACE15)
    keypoints, _ = decode(output, sources, loaded.output_points(FACE15))
    write_submission(options.out, lookup, inside(keypoints, images.shape[1]))
    print(
        f"{options.out}: {len(lookup.rows):,} coordinates of {len(np.unique(lookup.faces)):,} images, "
        f"{int((sources == SPARSE).sum()):,} of them with the label source {FACE15.label_sources[SPARSE].name}"
    )


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = stage_parser("evaluation.submit", __doc__, "artifacts/pretrained/v2 test.csv IdLookupTable.csv")
    parser.add_argument("model", type=Path, metavar="MODEL", help="model folder, or a .keras file")
    parser.add_argument("test", type=Path, metavar="test.csv", help="images of the competition")
    parser.add_argument("lookup", type=Path, metavar="IdLookupTable.csv", help="coordinates that it asks for")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("artifacts/submission.csv"),
        metavar="FILE",
        help="file to write (default: %(default)s)",
    )
    return parser.parse_args(arguments)


def check_out(out: Path) -> None:
    """Raises InputError if a file that is not a submission would be overwritten."""
    if out.is_dir():
        raise InputError(f"{out}: is a folder; give a file")
    if out.exists():
        with out.open("rb") as file:
            if file.readline(len(",".join(SUBMISSION)) + 2).decode(errors="replace").strip() != ",".join(SUBMISSION):
                raise InputError(f"{out}: exists and is not a submission file; choose another --out")


def read_test(path: Path) -> tuple[list[int], UInt8]:
    """Returns the numbers of the images of `test.csv`, and the images, uint8 (N, H, H, 1).

    Its columns are ImageId and Image, gray values separated by spaces.

    Raises:
        InputError: the file is missing or has other columns, an image is not a square or not of the size of the first,
            a gray value is not allowed, or an image number is invalid or repeated.
    """
    header, body = read_lines(path)
    at_id, at_image = _columns(path, header, [IMAGE_ID, IMAGE])
    if not body:
        raise InputError(f"{path}: has a header but no images; {DOWNLOAD_AGAIN}")
    ids = _numbers(path, body, at_id, IMAGE_ID)
    pictures: list[UInt8] = []
    for number, (line, cells) in zip(ids, body, strict=True):
        where = f"{path}, line {line} ({IMAGE_ID} {number})"
        pictures.append(square_picture(cells[at_image].encode(), pictures[0] if pictures else None, where))
    side = math.isqrt(len(pictures[0]))
    return ids, np.stack(pictures).reshape(-1, side, side, 1)


def read_lookup(path: Path, ids: Sequence[int]) -> Lookup:
    """Returns the requests of `IdLookupTable.csv`: columns RowId, ImageId, FeatureName; others are ignored.

    Args:
        ids: the numbers of the images.

    Raises:
        InputError: the file or a column is missing, a number is invalid, a row is repeated, an image is missing, or a
            feature is not a column of the keypoint set or is requested twice for an image.
    """
    header, body = read_lines(path)
    at_row, at_id, at_feature = _columns(path, header, [ROW_ID, IMAGE_ID, FEATURE])
    if not body:
        raise InputError(f"{path}: has a header but no rows; {DOWNLOAD_AGAIN}")
    face_of = {number: face for face, number in enumerate(ids)}
    column_of = {name: column for column, name in enumerate(FACE15.columns)}
    first: dict[tuple[int, int], int] = {}
    for line, cells in body:
        number, feature = whole_cell(path, line, IMAGE_ID, cells[at_id], DOWNLOAD_AGAIN), cells[at_feature].strip()
        if number not in face_of:
            raise InputError(
                f"{path}, line {line}: asks for {IMAGE_ID} {number}, which test.csv lacks; give both of one download"
            )
        if feature not in column_of:
            raise InputError(
                f"{path}, line {line}: asks for the {FEATURE} {shown(feature)}, which is none of "
                f"{FACE15.columns[0]} to {FACE15.columns[-1]}; {DOWNLOAD_AGAIN}"
            )
        cell = face_of[number], column_of[feature]
        if cell in first:
            raise InputError(
                f"{path}, line {line}: asks for {feature} of {IMAGE_ID} {number} again, after line {first[cell]}; "
                "remove one"
            )
        first[cell] = line
    rows = _numbers(path, body, at_row, ROW_ID)
    faces, columns = np.array(list(first), np.int64).T
    return Lookup(rows, faces, columns)


def label_sources(requested: Bool) -> Int64:
    """Returns the label source of each image, int64 (N,): the sparse one if only its keypoints are requested.

    The competition's images come from two sources, which the requests show, as the labels of training faces do. All
    other images belong to the complete source.

    Args:
        asked: bool (N, 2K), in the order of `FACE15.columns`.
    """
    keypoints = np.asarray(requested.reshape(len(requested), len(FACE15), 2).any(axis=-1))
    sparse = np.isin(np.arange(len(FACE15)), FACE15.label_sources[SPARSE].keypoints)
    only_sparse = (keypoints & sparse).any(axis=1) & ~(keypoints & ~sparse).any(axis=1)
    return np.where(only_sparse, SPARSE, 0)


def inside(keypoints: Float32, side_px: int) -> Float32:
    """Returns keypoints (N, K, 2) clipped to the picture, [0, side), as the competition requires."""
    return keypoints.clip(0, np.nextafter(np.float32(side_px), np.float32(0)))


def write_submission(path: Path, lookup: Lookup, keypoints: Float32) -> None:
    """Writes RowId and Location of all rows, in their order; on failure it writes no file.

    Args:
        keypoints: float32 (N, K, 2) in px.
    """
    locations = keypoints.reshape(len(keypoints), -1)[lookup.faces, lookup.columns]
    rows = zip(lookup.rows, map(str, locations), strict=True)  # str gives the shortest text of a float32
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as partial:
        write_rows(partial, [SUBMISSION, *rows])


def _columns(path: Path, header: Sequence[str], names: Sequence[str]) -> list[int]:
    """Returns the indexes of columns; raises InputError if one is missing or repeated."""
    for name in names:
        if header.count(name) != 1:
            raise InputError(
                f"{path}: has {header.count(name)} columns {name}, expected one (of {', '.join(names)}); "
                "give the competition's file"
            )
    return [header.index(name) for name in names]


def _numbers(path: Path, body: Sequence[Line], at: int, name: str) -> list[int]:
    """Returns the whole numbers of a column; raises InputError if one is invalid or repeated."""
    lines: dict[int, int] = {}
    for line, cells in body:
        number = whole_cell(path, line, name, cells[at], DOWNLOAD_AGAIN)
        if number in lines:
            raise InputError(f"{path}, line {line}: repeats {name} {number} of line {lines[number]}; give each once")
        lines[number] = line
    return list(lines)


if __name__ == "__main__":
    run(main)

"""`facial-keypoints align`: leveled, centered crops of faces in pictures."""

import argparse
import csv
from pathlib import Path
from typing import Any

from PIL import Image

from facial_keypoints.aligning import SIZE_PX, alignment_matrix, crop_aligned
from facial_keypoints.cli.batch import check_new, fill_folder, predictor_of
from facial_keypoints.cli.inputs import Source, count, find_sources
from facial_keypoints.cli.options import add_common_options, detector_of
from facial_keypoints.errors import InputError
from facial_keypoints.pictures import read_picture

LARGEST_PX = 4096
LARGEST_MARGIN = 2.0
TABLE = "faces.csv"
DECIMALS = 9  # of its matrices: a ten-thousandth of a px in the largest pictures
MATRIX_COLUMNS = ("xx", "xy", "x0", "yx", "yy", "y0")


def add_parser(commands: Any) -> None:
    """Adds the command `align`."""
    p = commands.add_parser("align", help="cut faces out, level and centerd, as face recognition takes them")
    add_common_options(p, "PICTURE|FOLDER", "new folder to write: PNGs and faces.csv")
    p.add_argument("--size", type=int, default=SIZE_PX, metavar="PX", help="of a crop's sides (default: %(default)s)")
    p.add_argument(
        "--margin",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="show more around the face, on each side this share of what 0 shows (default: %(default)s)",
    )
    p.set_defaults(main=main)


def main(options: argparse.Namespace) -> None:
    """Writes a PNG for each face and `faces.csv` with the matrices, or nothing.

    Raises:
        InputError: bad options or input; or some of several pictures could not be read, after all else is written.
    """
    if not 1 <= options.size <= LARGEST_PX:
        raise InputError(f"--size {options.size}: must be 1 to {LARGEST_PX} px")
    if not 0 <= options.margin <= LARGEST_MARGIN:
        raise InputError(f"--margin {options.margin}: must be 0 to {LARGEST_MARGIN:g}")
    check_new(options.out)
    pictures, clips_given = find_sources(options.paths, options.out, takes_clips=False)
    if clips_given:
        raise InputError(f"{clips_given[0].path}: is a clip; align takes pictures")
    predictor, detector = predictor_of(options, pictures), detector_of(options)

    def of_picture(source: Source, folder: Path) -> list[list[Any]]:
        picture = read_picture(source.path)
        rows = []
        for number, face in enumerate(predictor.predict(picture, detector=detector)):
            matrix = alignment_matrix(face, options.size, options.margin)
            name = f"{source.name}.{number}.png"
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(crop_aligned(picture, matrix, options.size)).save(folder / name)
            rows.append([source.name, number, name, *matrix.ravel().round(DECIMALS).tolist()])
        return rows

    def finish(folder: Path, done: list[list[list[Any]]], _: list[Any]) -> str:
        rows = [row for of_one in done for row in of_one]
        with (folder / TABLE).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([["file", "face", "crop", *MATRIX_COLUMNS], *rows])
        return f"{count(len(rows), 'face')} of {count(len(done), 'picture')}"

    fill_folder(options, predictor, pictures, of_picture=of_picture, finish=finish)

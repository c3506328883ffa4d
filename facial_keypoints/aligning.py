"""Levelled, centred crops of faces, as face recognition takes them, and the command `align`. F faces."""

import argparse
import csv
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from facial_keypoints import geometry
from facial_keypoints.array_types import Float64
from facial_keypoints.crops import shown
from facial_keypoints.errors import InputError
from facial_keypoints.face import Face
from facial_keypoints.filtering import points15
from facial_keypoints.keypoint_set import FACE15
from facial_keypoints.options import add_common_options, detector_of
from facial_keypoints.over_pictures import check_new, fill_folder, predictor_of
from facial_keypoints.pictures import read_picture
from facial_keypoints.sources import Source, count, find_sources

SIZE_PX, LARGEST_PX = 112, 4096
LARGEST_MARGIN = 2.0
TABLE = "faces.csv"
DECIMALS = 9  # of its matrices: a ten-thousandth of a px in the largest pictures
MATRIX_COLUMNS = ("xx", "xy", "x0", "yx", "yy", "y0")

# Where recognisers expect five keypoints in 112 x 112 px: ArcFace's template (Deng et al. 2019) and its successors'.
TEMPLATE_PX = {
    "right_eye_center": (38.2946, 51.6963),
    "left_eye_center": (73.5318, 51.5014),
    "nose_tip": (56.0252, 71.7366),
    "mouth_right_corner": (41.5493, 92.3655),
    "mouth_left_corner": (70.7299, 92.2041),
}


def add_parser(commands: Any) -> None:
    """Adds the command `align`."""
    p = commands.add_parser("align", help="cut faces out, level and centred, as face recognition takes them")
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
    pictures, films = find_sources(options.paths, options.out, takes_clips=False)
    if films:
        raise InputError(f"{films[0].path}: is a clip; align takes pictures")
    predictor, detector = predictor_of(options, pictures), detector_of(options)

    def of_picture(source: Source, folder: Path) -> list[list[Any]]:
        picture = read_picture(source.path)
        rows = []
        for number, face in enumerate(predictor.predict(picture, detector=detector)):
            matrix = alignment(face, options.size, options.margin)
            name = f"{source.name}.{number}.png"
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            region, shifted = shown(picture, matrix, options.size, options.size)
            Image.fromarray(geometry.crop(region, shifted, options.size, options.size)).save(folder / name)
            rows.append([source.name, number, name, *matrix.ravel().round(DECIMALS).tolist()])
        return rows

    def finish(folder: Path, done: list[list[list[Any]]], _: list[Any]) -> str:
        rows = [row for of_one in done for row in of_one]
        with (folder / TABLE).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([["file", "face", "crop", *MATRIX_COLUMNS], *rows])
        return f"{count(len(rows), 'face')} of {count(len(done), 'picture')}"

    fill_folder(options, predictor, pictures, of_picture=of_picture, finish=finish)


def alignment(face: Face, size_px: int = SIZE_PX, margin: float = 0.0) -> Float64:
    """Returns the matrix (2, 3), picture to crop, of a square crop in which a face is level and centred.

    The similarity that lays eye centres, nose tip and mouth corners on TEMPLATE_PX with least squared error;
    `geometry.crop(picture, matrix, size_px, size_px)` cuts.

    Args:
        face: of 15 or 68 keypoints.
        size_px: of the crop's sides; the template grows with it.
        margin: what the crop shows more on each side, as a share of what it shows at 0.
    """
    points = points15(face)[[FACE15.index(name) for name in TEMPLATE_PX]]
    places = (np.array(list(TEMPLATE_PX.values())) + 0.5) / SIZE_PX  # pixel edges, which a change of size keeps
    matrices = geometry.fit_similarity(points, (places + margin) / (1 + 2 * margin) * size_px - 0.5)
    return np.asarray(matrices[0])

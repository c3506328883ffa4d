"""`facial-keypoints align`: crops of the faces in pictures, upright and centered."""

import argparse
from pathlib import Path
from typing import Any

from facial_keypoints.aligning import SIZE_PX, TEMPLATE_PX, alignment_matrix
from facial_keypoints.cli.batch import check_new, fill_folder, predictor_of
from facial_keypoints.cli.inputs import Input, find_inputs
from facial_keypoints.cli.options import add_detector_options, add_inputs, add_model_options, detector_of, new_parser
from facial_keypoints.crops import crop_square
from facial_keypoints.errors import InputError, counted
from facial_keypoints.folders import write_rows
from facial_keypoints.keypoint_set import check_roles
from facial_keypoints.pictures import read_picture, write_picture

MAX_SIZE_PX = 4096
MAX_MARGIN = 2.0
TABLE = "crops.csv"
DECIMALS = 9  # of the matrices: a ten-thousandth of a px in the largest pictures
MATRIX_COLUMNS = ("xx", "xy", "x0", "yx", "yy", "y0")


def add_parser(commands: Any) -> None:
    """Adds the command `align`."""
    description = "crops faces, upright and centered as face recognition networks expect them"
    p = new_parser(commands, "align", description, "align photos/ --size 160 --out crops")
    output = add_inputs(p, "a picture or a folder of pictures", f"new folder to write: PNGs and {TABLE}")
    output.add_argument("--size", type=int, default=SIZE_PX, metavar="PX", help="side of a crop (default: %(default)s)")
    output.add_argument(
        "--margin",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="extra border on each side; 0.1: 10 %% of the crop without a margin (default: %(default)s)",
    )
    add_detector_options(p)
    add_model_options(p)
    p.set_defaults(main=main)


def main(options: argparse.Namespace) -> None:
    """Writes a PNG for each face and a table of the matrices, all or nothing.

    Raises:
        InputError: bad options or input; or some pictures could not be read, after all others were written.
    """
    if not 1 <= options.size <= MAX_SIZE_PX:
        raise InputError(f"--size {options.size}: must be 1 to {MAX_SIZE_PX} px")
    if not 0 <= options.margin <= MAX_MARGIN:
        raise InputError(f"--margin {options.margin}: must be 0 to {MAX_MARGIN:g}")
    check_new(options.out)
    pictures, clips_given = find_inputs(options.inputs, options.out, takes_clips=False)
    if clips_given:
        raise InputError(f"{clips_given[0].path}: is a clip; align takes pictures")
    predictor, detector = predictor_of(options, pictures), detector_of(options)
    predictor.check_eyes("align needs a model of faces")
    check_roles(predictor.spec.keypoint_set, TEMPLATE_PX, "alignment")

    def of_picture(picture: Input, folder: Path) -> list[list[Any]]:
        pixels = read_picture(picture.path)
        rows = []
        for number, face in enumerate(predictor.predict(pixels, detector=detector)):
            matrix = alignment_matrix(face, options.size, options.margin)
            name = f"{picture.name}.{number}.png"
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            write_picture(folder / name, crop_square(pixels, matrix, options.size))
            rows.append([picture.name, number, name, *matrix.ravel().round(DECIMALS).tolist()])
        return rows

    def finish(folder: Path, done: list[list[list[Any]]], _: list[Any]) -> str:
        rows = [row for picture_rows in done for row in picture_rows]
        write_rows(folder / TABLE, [["file", "face", "crop", *MATRIX_COLUMNS], *rows])
        return f"{counted(len(rows), 'face')} in {counted(len(done), 'picture')}"

    fill_folder(options, predictor, pictures, of_picture=of_picture, finish=finish)

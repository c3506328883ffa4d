"""Writes the faces that a person should review first: `review.csv` and a contact sheet. K keypoints."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from facial_keypoints import geometry, results
from facial_keypoints.array_types import UInt8
from facial_keypoints.coco import REVIEWED, reviewed
from facial_keypoints.crops import crop_square, square_crop
from facial_keypoints.drawing import draw_faces
from facial_keypoints.errors import InputError, printable
from facial_keypoints.face import Face
from facial_keypoints.folders import write_rows
from facial_keypoints.pictures import read_picture
from facial_keypoints.results import PictureFaces
from facial_keypoints.spec import ModelSpec

REVIEW_CSV, REVIEW_PNG = "review.csv", "review.png"
UNCERTAINTY = "uncertainty"  # the column: mean expected error in widths of the face's box
UNCERTAINTY_DECIMALS = 4

TILE_PX, CAPTION_PX, GAP_PX = 192, 18, 6
COLUMNS, MOST_TILES = 6, 60
AROUND_BOX = 1.3  # side of the square that a tile shows, in widths of the face's box
BACKGROUND_RGB, TEXT_RGB = (255, 255, 255), (20, 20, 20)
FONT_PX = 12
LONGEST_CAPTION = 28  # characters


class FaceToReview(NamedTuple):
    """A face to review: its picture, its number there, its values (`results.face_values`) and its uncertainty."""

    file: str
    number: int
    values: dict[str, Any]
    uncertainty: float


def check_review(number: int, spec: ModelSpec) -> None:
    """Raises InputError if the number is below 1, or the network predicts no expected errors."""
    if number < 1:
        raise InputError(f"--review {number}: give how many pictures to review, at least 1")
    if not spec.expected_error:
        raise InputError("--review: this network predicts no expected errors, so no picture is known to be uncertain")


def has_reviewed(table: Path) -> bool:
    """Returns whether any row of a CSV file has a `reviewed` value other than no; False if there is no such file."""
    try:
        with table.open(newline="", encoding="utf-8-sig", errors="replace") as file:
            return any(reviewed(row.get(REVIEWED)) is not False for row in csv.DictReader(file))
    except (OSError, csv.Error):
        return False


def most_uncertain(pictures: Sequence[PictureFaces], number: int) -> list[FaceToReview]:
    """Returns the faces of the most uncertain pictures, the most uncertain picture first.

    A picture is as uncertain as its most uncertain face. Pictures without faces are left out.

    Args:
        pictures: their faces must have expected errors.
        number: the largest number of pictures.
    """
    of_pictures = [
        [
            FaceToReview(picture.file, index, values, float(np.mean(values["expected_error"])) / values["box"][2])
            for index, values in enumerate(picture.faces)
        ]
        for picture in pictures
        if picture.faces
    ]
    of_pictures.sort(key=lambda faces: -max(face.uncertainty for face in faces))  # ties keep their order
    return [face for faces in of_pictures[:number] for face in faces]


def write_review(folder: Path, faces: Sequence[FaceToReview], paths: Mapping[str, Path], spec: ModelSpec) -> None:
    """Writes `review.csv` and `review.png`.

    The table has the columns of `keypoints.csv`, then the uncertainty and `reviewed`, which is 0. A person
    who has corrected a face sets it to 1; `prepare` reads the file.

    Args:
        folder: the folder to write into.
        faces: in the order of review.
        paths: the paths of the pictures by name.
    """
    header = ["file", "face", *results.columns(spec), UNCERTAINTY, REVIEWED]
    rows = [
        [face.file, face.number, *results.row(face.values), round(face.uncertainty, UNCERTAINTY_DECIMALS), 0]
        for face in faces
    ]
    write_rows(folder / REVIEW_CSV, [header, *rows])
    if faces:
        contact_sheet(faces[:MOST_TILES], paths, spec).save(folder / REVIEW_PNG)


def contact_sheet(faces: Sequence[FaceToReview], paths: Mapping[str, Path], spec: ModelSpec) -> Image.Image:
    """Returns a picture of the faces with their keypoints in rows of COLUMNS, in the order of `review.csv`."""
    rows = -(-len(faces) // COLUMNS)
    step_x, step_y = TILE_PX + GAP_PX, TILE_PX + CAPTION_PX + GAP_PX
    width = GAP_PX + min(len(faces), COLUMNS) * step_x
    sheet = Image.new("RGB", (width, GAP_PX + rows * step_y), BACKGROUND_RGB)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(FONT_PX)
    for index, face in enumerate(faces):
        left, top = GAP_PX + index % COLUMNS * step_x, GAP_PX + index // COLUMNS * step_y
        sheet.paste(Image.fromarray(_tile(read_picture(paths[face.file]), face.values, index + 1, spec)), (left, top))
        name = printable(face.file)
        name = name if len(name) <= LONGEST_CAPTION else "..." + name[3 - LONGEST_CAPTION :]
        pen.text((left, top + TILE_PX + 2), name, TEXT_RGB, font)
    return sheet


def _tile(picture: UInt8, values: dict[str, Any], number: int, spec: ModelSpec) -> UInt8:
    """Returns the region around a face with its keypoints and a number, uint8 (TILE_PX, TILE_PX, 3)."""
    x, y, side, height = values["box"]
    scale = TILE_PX / (AROUND_BOX * side)
    matrix = square_crop(x + side / 2, y + height / 2, AROUND_BOX * side, TILE_PX, TILE_PX)
    keypoints = geometry.transform(values["keypoints"], matrix).astype(np.float32)
    left, top = geometry.transform([[x, y]], matrix)[0].tolist()
    face = Face((left, top, scale * side, scale * height), keypoints, None, matrix, spec.keypoint_set)
    return draw_faces(crop_square(picture, matrix, TILE_PX), [face], numbers=[number])

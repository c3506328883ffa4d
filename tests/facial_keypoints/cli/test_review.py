"""The faces to review first, and the files that list and show them."""

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from facial_keypoints.cli.review import (
    COLUMNS,
    MOST_TILES,
    TILE_PX,
    FaceToReview,
    check_review,
    most_uncertain,
    write_review,
)
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import from_names
from facial_keypoints.pictures import write_picture
from facial_keypoints.results import PictureFaces
from facial_keypoints.spec import Crop, ModelSpec

SPEC = ModelSpec(from_names("ears", ["left", "right"], ""), (0,), True, Crop(9, 9, 1, ((2, 2), (6, 2))))


def uncertain_face(error: float, side: float = 10) -> dict[str, Any]:
    """A face whose second keypoint is three times as uncertain as its first."""
    errors = [0.5 * error, 1.5 * error]
    return {"box": [20, 30, side, side], "keypoints": [[22, 33], [28, 33]], "expected_error": errors, "score": 1}


PICTURES = [
    PictureFaces("sure.png", 60, 80, [uncertain_face(1)]),
    PictureFaces("none.png", 60, 80, []),
    PictureFaces("mixed.png", 60, 80, [uncertain_face(1), uncertain_face(4)]),
    PictureFaces("small.png", 60, 80, [uncertain_face(3, side=5)]),
    PictureFaces("as sure.png", 60, 80, [uncertain_face(1)]),
]


def test_pictures_are_ordered_by_their_most_uncertain_face() -> None:
    """0.6 of a box of 5 px is more than 0.4 of a box of 10 px; pictures with equal uncertainty keep their order."""
    order = [(one.file, one.number, round(one.uncertainty, 6)) for one in most_uncertain(PICTURES, 10)]
    assert order == [
        ("small.png", 0, 0.6),
        ("mixed.png", 0, 0.1),
        ("mixed.png", 1, 0.4),
        ("sure.png", 0, 0.1),
        ("as sure.png", 0, 0.1),
    ]
    assert [one.file for one in most_uncertain(PICTURES, 2)] == ["small.png", "mixed.png", "mixed.png"]


def test_review_table_and_sheet_list_the_most_uncertain_faces_first(tmp_path: Path) -> None:
    paths = {}
    for number, picture in enumerate(PICTURES):
        paths[picture.file] = tmp_path / picture.file
        write_picture(paths[picture.file], np.full((80, 60, 3), 40 * number, np.uint8))
    out = tmp_path / "out"
    out.mkdir()
    write_review(out, most_uncertain(PICTURES, 9), paths, SPEC)
    with (out / "review.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    errors = ["left_expected_error", "right_expected_error"]
    coordinates = ["box_x", "box_y", "box_w", "box_h", "left_x", "left_y", "right_x", "right_y"]
    assert list(rows[0]) == ["file", "face", *coordinates, *errors, "uncertainty", "reviewed"]
    assert [row["file"] for row in rows] == ["small.png", "mixed.png", "mixed.png", "sure.png", "as sure.png"]
    assert {row["reviewed"] for row in rows} == {"0"}
    assert [rows[0][name] for name in ("left_x", "right_x", "uncertainty")] == ["22", "28", "0.6"]
    with Image.open(out / "review.png") as sheet:
        middles = [sheet.getpixel((6 + TILE_PX // 2 + place * (TILE_PX + 6), 6 + TILE_PX - 20)) for place in range(5)]
    assert [pixel[0] for pixel in middles if isinstance(pixel, tuple)] == [120, 80, 80, 0, 160]


def test_review_sheet_shows_a_limited_number_of_faces(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", np.zeros((80, 60, 3), np.uint8))
    many = [FaceToReview("a.png", number, uncertain_face(1), 0.1) for number in range(MOST_TILES + 9)]
    write_review(tmp_path, many, {"a.png": tmp_path / "a.png"}, SPEC)
    assert len((tmp_path / "review.csv").read_text(encoding="utf-8").splitlines()) == 1 + len(many)
    with Image.open(tmp_path / "review.png") as sheet:
        assert sheet.width == 6 + COLUMNS * (TILE_PX + 6)
        assert sheet.height == 6 + MOST_TILES // COLUMNS * (TILE_PX + 18 + 6)


def test_review_number_below_1_or_a_network_without_errors_is_refused() -> None:
    check_review(1, SPEC)
    for number in (0, -3):
        with pytest.raises(InputError, match=f"--review {number}: give how many pictures to review, at least 1"):
            check_review(number, SPEC)
    with pytest.raises(InputError, match="this network predicts no expected errors"):
        check_review(1, replace(SPEC, expected_error=False))

"""The competition's table: it is read exactly, and each fault gives a one-line error."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data_prep.readers.training_csv import parse_pixels, read
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15

SIDE = 16
COLUMNS = [*FACE15.columns, "Image"]
PIXELS = np.random.default_rng(0).integers(0, 256, (3, SIDE * SIDE))
LABELS = [["12.5", "", *[str(row + 0.25)] * 28] for row in range(3)]


def cells(row: int) -> list[str]:
    return [*LABELS[row], " ".join(map(str, PIXELS[row]))]


def table(rows: list[list[str]], columns: list[str] = COLUMNS, end: str = "\n") -> str:
    return "".join(",".join(line) + end for line in [columns, *rows])


def write(folder: Path, text: str) -> Path:
    path = folder / "training.csv"
    path.write_text(text, newline="", encoding="utf-8")
    return path


def assert_read_exactly(path: Path) -> None:
    faces = read(path)
    assert faces.images.dtype == np.uint8
    np.testing.assert_array_equal(faces.images, PIXELS.reshape(3, SIDE, SIDE, 1))
    assert faces.keypoints.shape == (3, 15, 2)
    np.testing.assert_array_equal(faces.keypoints[1, 0], [12.5, np.nan])
    np.testing.assert_array_equal(faces.keypoints[1, 1:], np.full((14, 2), 1.25))
    np.testing.assert_array_equal(faces.rows, [0, 1, 2])


def test_csv_file_is_read_exactly(tmp_path: Path) -> None:
    assert_read_exactly(write(tmp_path, table([cells(row) for row in range(3)])))


def test_zip_file_is_read_exactly(tmp_path: Path) -> None:
    path = tmp_path / "training.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("training.csv", table([cells(row) for row in range(3)]))
    assert_read_exactly(path)


def test_keypoints_of_a_given_set_without_columns_are_unlabelled(tmp_path: Path) -> None:
    path = write(tmp_path, table([cells(row)[2:] for row in range(3)], COLUMNS[2:]))
    assert read(path).keypoint_set.names == FACE15.names[1:]
    faces = read(path, given=FACE15)
    assert np.isnan(faces.keypoints[:, 0]).all()
    np.testing.assert_array_equal(faces.keypoints[1, 1:], np.full((14, 2), 1.25))


def test_quoted_columns_in_any_order_with_windows_line_endings_are_read(tmp_path: Path) -> None:
    order = np.random.default_rng(1).permutation(len(COLUMNS))
    rows = [[f'"{cells(row)[i]}"' for i in order] for row in range(3)]
    text = table(rows, [f'"{COLUMNS[i]}"' for i in order], end="\r\n")
    assert_read_exactly(write(tmp_path, "\ufeff" + text.removesuffix("\r\n")))


@pytest.mark.parametrize("text", ["0", "255", "7 42 255 0 10 100 99", " 1  2 ", "007 0255", "1\t2", ""])
def test_parse_pixels_agrees_with_python(text: str) -> None:
    assert parse_pixels(text.encode()).tolist() == [int(word) for word in text.split()]


@pytest.mark.parametrize("number", [256, 299, 300, 512, 999, 1000, 10255])
def test_parse_pixels_refuses_numbers_above_255(number: int) -> None:
    with pytest.raises(ValueError, match=f"'{number}' as pixel 2, outside 0..255"):
        parse_pixels(f"1 {number} 3".encode())


@pytest.mark.parametrize("word", ["x", "-1", "1.5", "1e2", "/", ":", "²"])
def test_parse_pixels_refuses_text_that_is_not_a_whole_number(word: str) -> None:
    with pytest.raises(ValueError, match=r"as pixel 2, not a whole number 0\.\.255"):
        parse_pixels(f"1 {word} 3".encode())


def with_cell(row: int, column: int, text: str) -> str:
    rows = [cells(row) for row in range(3)]
    rows[row][column] = text
    return table(rows)


BAD_TABLES: dict[str, tuple[str, str]] = {
    "empty file": ("", "is empty"),
    "only a header": (table([]), "no rows below the header"),
    "missing columns": (table([], COLUMNS[3:]), "lacks right_eye_center_x;"),
    "another file": ("a,b\n1,2\n", "lacks Image; does not know a, b; names no keypoint"),
    "repeated column": (table([], [*COLUMNS, "Image"]), "repeats Image"),
    "a pixel too few": (with_cell(1, 30, "1 " * 255), r"row 1 \(line 3\).* 255 pixels where the first row has 256"),
    "first row a pixel short": (with_cell(0, 30, "1 " * 9215), r"row 0 \(line 2\).* 9,215 pixels"),
    "no pixels": (with_cell(0, 30, ""), "row 0 .* 0 pixels"),
    "word among the pixels": (with_cell(2, 30, "1 " * 200 + "dog " + "1 " * 55), "row 2 .*'dog' as pixel 201"),
    "pixel above 255": (with_cell(2, 30, "1 " * 255 + "256"), r"row 2 .*'256' as pixel 256, outside 0\.\.255"),
    "negative pixel": (with_cell(2, 30, "1 " * 255 + "-1"), "row 2 .*'-1' as pixel 256"),
    "keypoint is text": (with_cell(1, 3, "left"), "row 1 .*'left' as right_eye_center_y, which is not a number"),
    "keypoint is infinite": (with_cell(1, 2, "-inf"), "row 1 .*'-inf' as right_eye_center_x"),
    "keypoint beyond float32": (with_cell(1, 2, "1e99"), "row 1 .*'1e99' as right_eye_center_x"),
    "a number for no label": (
        table([[*cells(0)[:2], "0", "0", *cells(0)[4:]]]),
        r"row 0 \(line 2\): has 0, 0 as right_eye_center, which often stands for a missing label; empty both cells",
    ),
    "a label far outside": (
        with_cell(1, 3, "-60"),
        r"row 1 .*: has right_eye_center at 1\.25, -60, which lies outside",
    ),
    "too many fields": (with_cell(1, 2, "1,2"), "row 1 .* 32 fields where the header has 31"),
    "cut off": (table([cells(0), cells(1)[:9]]), "row 1 .* 9 fields where the header has 31"),
    "not text at all": ("\0\1\2", "lacks"),
}


@pytest.mark.parametrize(("text", "message"), BAD_TABLES.values(), ids=BAD_TABLES)
def test_bad_table_gives_a_one_line_error(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InputError, match=message) as caught:
        read(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read(tmp_path / "training.csv")


def zipped(path: Path, **members: str) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name.replace("_", "."), text)


def cut_off(path: Path) -> None:
    zipped(path, training_csv=table([cells(0)]))
    path.write_bytes(path.read_bytes()[:-30])


def flip_a_byte(path: Path) -> None:
    zipped(path, training_csv=table([cells(0)]))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


BAD_ZIPS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no csv inside": (lambda path: zipped(path, readme_txt="hello"), "holds no .csv files .*readme.txt"),
    "two csv inside": (lambda path: zipped(path, a_csv="", b_csv=""), "holds 2 .csv files"),
    "cut off": (cut_off, "is damaged or not a valid plain zip"),
    "damaged": (flip_a_byte, "is damaged or not a valid plain zip|row 0"),
    "no zip": (lambda path: path.write_text("hello", encoding="utf-8"), "is damaged or not a valid plain zip"),
}


@pytest.mark.parametrize(("make", "message"), BAD_ZIPS.values(), ids=BAD_ZIPS)
def test_bad_zip_is_refused(tmp_path: Path, make: Callable[[Path], object], message: str) -> None:
    path = tmp_path / "training.zip"
    make(path)
    with pytest.raises(InputError, match=message):
        read(path)


def test_random_damage_of_a_zip_raises_only_input_errors(tmp_path: Path) -> None:
    path = tmp_path / "training.zip"
    zipped(path, training_csv=table([cells(row) for row in range(3)]))
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    places = np.r_[:200, len(whole) - 150 : len(whole)]
    refused = 0
    for _ in range(300):
        damaged = bytearray(whole)
        for at in rng.choice(places, 2):
            damaged[at] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            read(path)
        except InputError as error:
            refused += str(path) in str(error)
    assert refused > 100

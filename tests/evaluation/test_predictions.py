"""Prediction files: read exactly as written; a bad file is a one-line error that says where the fault is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from evaluation.predictions import expected_error_columns, only, read_predictions, write_predictions
from facial_keypoints.array_types import Float32
from facial_keypoints.codec import Keypoints
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15

ROWS = np.array([7, 3, 40, 12])
COLUMNS = FACE15.columns


def predicted() -> Float32:
    return np.random.default_rng(0).uniform(-5, 100, (len(ROWS), len(FACE15), 2)).astype(np.float32)


def expected_error() -> Float32:
    return np.random.default_rng(1).uniform(0.1, 9, (len(ROWS), len(FACE15))).astype(np.float32)


def read(path: Path) -> Keypoints:
    return read_predictions(path, ROWS, FACE15)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_predictions(tmp_path / "predictions.csv", Keypoints(predicted()), ROWS, FACE15)
    return tmp_path / "predictions.csv"


@pytest.fixture
def path_with_expected_error(tmp_path: Path) -> Path:
    write_predictions(tmp_path / "predictions.csv", Keypoints(predicted(), expected_error()), ROWS, FACE15)
    return tmp_path / "predictions.csv"


def test_round_trip_is_exact(path: Path) -> None:
    assert path.read_text(encoding="utf-8").splitlines()[0].split(",") == ["row", *COLUMNS]
    np.testing.assert_array_equal(read(path).coordinates, predicted())
    assert read(path).expected_error is None


def test_expected_error_columns_follow_the_coordinates_and_may_be_reordered(path_with_expected_error: Path) -> None:
    header = path_with_expected_error.read_text(encoding="utf-8").splitlines()[0].split(",")
    assert header == ["row", *COLUMNS, *expected_error_columns(FACE15)]
    assert header[-1] == "mouth_center_bottom_lip_expected_error"
    pd.read_csv(path_with_expected_error, dtype=str).iloc[[2, 0, 3, 1], ::-1].to_csv(
        path_with_expected_error, index=False
    )
    coordinates, read_error = read(path_with_expected_error)
    np.testing.assert_array_equal(coordinates, predicted())
    assert read_error is not None
    np.testing.assert_array_equal(read_error, expected_error())


def test_rows_and_columns_may_come_in_any_order(path: Path) -> None:
    table = pd.read_csv(path).iloc[[2, 0, 3, 1], ::-1]
    table.to_csv(path, index=False, encoding="utf-8-sig")
    np.testing.assert_array_equal(read(path).coordinates, predicted())


def test_file_without_row_column_holds_the_test_rows_in_order(path: Path) -> None:
    pd.read_csv(path).drop(columns="row").to_csv(path, index=False)
    np.testing.assert_array_equal(read(path).coordinates, predicted())


WRITTEN: dict[str, dict[str, Any]] = {
    "semicolons": {"sep": ";", "index": False},
    "semicolons and decimal commas": {"sep": ";", "decimal": ",", "index": False, "encoding": "utf-8-sig"},
    "tabs and decimal commas in UTF-16": {"sep": "\t", "decimal": ",", "index": False, "encoding": "utf-16"},
    "an index": {},
    "an index and decimal commas": {"sep": ";", "decimal": ","},
}


@pytest.mark.parametrize("how", WRITTEN.values(), ids=WRITTEN)
def test_files_saved_by_spreadsheets_and_pandas_are_read(path_with_expected_error: Path, how: dict[str, Any]) -> None:
    path = path_with_expected_error
    table = pd.read_csv(path)
    for lines in (table.iloc[[2, 0, 3, 1]], table.drop(columns="row")):
        lines.to_csv(path, **how)
        coordinates, read_error = read(path)
        np.testing.assert_array_equal(coordinates, predicted())
        assert read_error is not None
        np.testing.assert_array_equal(read_error, expected_error())


def test_unnamed_index_that_may_hold_the_rows_is_rejected(path: Path) -> None:
    """Without a column `row` the lines are the test rows in order; this index contradicts that."""
    pd.read_csv(path).set_index("row").sort_index().to_csv(path, index_label="")
    with pytest.raises(
        InputError, match=r"does not count 0, 1, 2, \.\.\. .*name the column `row` if it holds the rows"
    ):
        read(path)


def changed(change: Callable[[pd.DataFrame], object]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        table = pd.read_csv(path)
        result = change(table)
        (result if isinstance(result, pd.DataFrame) else table).to_csv(path, index=False)

    return write


def with_cell(text: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        lines = path.read_text(encoding="utf-8").splitlines()
        cells = lines[3].split(",")
        lines[3] = ",".join([*cells[:2], text, *cells[3:]])
        path.write_text("\n".join(lines), encoding="utf-8")

    return write


AT_CELL = r"line 4 \(row 40\): left_eye_center_y is "
BAD_FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: path.unlink(), "no such file"),
    "empty": (lambda path: path.write_text("", encoding="utf-8"), "is empty"),
    "a name in Windows-1252": (
        lambda path: path.write_bytes(path.read_bytes().replace(b"nose", b"n\xe9z")),
        "lacks nose_tip_x, nose_tip_y",
    ),
    "endless cell": (with_cell("1" * 200_000), "is not a CSV file"),
    "long cell": (with_cell("1" * 100_000), AT_CELL + "'1{39}…'"),
    "NUL byte": (with_cell("1\0"), AT_CELL + r"'1\\x00'"),
    "control letters in a name": (
        changed(lambda table: table.assign(**{"a\n\x1b[31m": 1})),
        r"not keypoints: 'a\\n\\x1b\[31m';",
    ),
    "picture": (lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n\xff\x00"), "is not a CSV file"),
    "column lacking": (changed(lambda table: table.drop(columns="nose_tip_x")), "lacks nose_tip_x"),
    "column unknown": (changed(lambda table: table.assign(nose_x=1)), "not keypoints: nose_x;"),
    "a column without a name": (
        changed(lambda table: table.assign(**{"": list("abcd")})),
        r"\(no name\).*index=False",
    ),
    "NaN": (with_cell("nan"), AT_CELL + "'nan'"),
    "gap": (with_cell(""), AT_CELL + "''"),
    "word": (with_cell("left"), AT_CELL + "'left'"),
    "infinite": (with_cell("-inf"), AT_CELL + "'-inf'"),
    "cell too many": (with_cell("1,2"), "line 4: has 32 cells where the header has 31"),
    "unknown row": (changed(lambda table: table.replace({"row": {40: 41}})), "not test rows: 41;"),
    "repeated row": (changed(lambda table: table.replace({"row": {40: 3}})), "repeats the rows 3;"),
    "lacking rows": (changed(lambda table: table.iloc[:2]), "lacks the test rows 40, 12"),
    "row of text": (changed(lambda table: table.astype({"row": str}).replace({"row": {"40": "x"}})), "line 4: row 'x'"),
    "no row, another length": (
        changed(lambda table: table.drop(columns="row").iloc[:3]),
        "3 lines of predictions for 4 test faces",
    ),
}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_bad_file_is_a_one_line_error(path: Path, kind: str) -> None:
    spoil, message = BAD_FILES[kind]
    spoil(path)
    with pytest.raises(InputError, match=message) as error:
        read(path)
    assert "predictions.csv" in str(error.value)
    assert "\n" not in str(error.value)


NOSE = "nose_tip_expected_error"
BAD_ERRORS: dict[str, tuple[float | None, str]] = {
    "zero": (0, rf"line 2 \(row 7\): {NOSE} is '0', not a number of px above 0"),
    "negative": (-2, f"{NOSE} is '-2', not a number of px above 0"),
    "infinite": (np.inf, f"{NOSE} is 'inf'"),
    "nothing in float32": (1e-60, f"{NOSE} is '1e-60'"),
    "of some keypoints": (None, f"lacks {NOSE}; .* for every keypoint or for none"),
}


@pytest.mark.parametrize("kind", BAD_ERRORS)
def test_bad_expected_error_is_a_one_line_error(path_with_expected_error: Path, kind: str) -> None:
    value, message = BAD_ERRORS[kind]
    table = pd.read_csv(path_with_expected_error).assign(**{NOSE: value}).dropna(axis="columns")
    table.to_csv(path_with_expected_error, index=False)
    with pytest.raises(InputError, match=message) as error:
        read(path_with_expected_error)
    assert "\n" not in str(error.value)


def test_only_keeps_the_selected_faces() -> None:
    kept = np.array([True, False, False, True])
    some = only(Keypoints(predicted(), expected_error()), kept)
    np.testing.assert_array_equal(some.coordinates, predicted()[[0, 3]])
    assert some.expected_error is not None
    np.testing.assert_array_equal(some.expected_error, expected_error()[[0, 3]])
    assert only(Keypoints(predicted()), kept).expected_error is None

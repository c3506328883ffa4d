"""Anyone's predictions: read as written, and every bad file refused in one line that names the place."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evaluation.predictions import Predictions, read_predictions, sigma_columns, write_predictions
from facial_keypoints.array_types import Float32
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15

ROWS = np.array([7, 3, 40, 12])
COLUMNS = FACE15.columns


def predicted() -> Float32:
    return np.random.default_rng(0).uniform(-5, 100, (len(ROWS), len(FACE15), 2)).astype(np.float32)


def sigma() -> Float32:
    return np.random.default_rng(1).uniform(0.1, 9, (len(ROWS), len(FACE15))).astype(np.float32)


def read(path: Path) -> Predictions:
    return read_predictions(path, ROWS, FACE15)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_predictions(tmp_path / "predictions.csv", Predictions(predicted()), ROWS, FACE15)
    return tmp_path / "predictions.csv"


@pytest.fixture
def path_with_sigma(tmp_path: Path) -> Path:
    write_predictions(tmp_path / "predictions.csv", Predictions(predicted(), sigma()), ROWS, FACE15)
    return tmp_path / "predictions.csv"


def test_round_trip_is_exact(path: Path) -> None:
    assert path.read_text().splitlines()[0].split(",") == ["row", *COLUMNS]
    np.testing.assert_array_equal(read(path).keypoints, predicted())
    assert read(path).sigma is None


def test_sigma_stands_behind_the_coordinates(path_with_sigma: Path) -> None:
    header = path_with_sigma.read_text().splitlines()[0].split(",")
    assert header == ["row", *COLUMNS, *sigma_columns(FACE15)]
    assert header[-1] == "mouth_center_bottom_lip_sigma"
    pd.read_csv(path_with_sigma, dtype=str).iloc[[2, 0, 3, 1], ::-1].to_csv(path_with_sigma, index=False)
    keypoints, theirs = read(path_with_sigma)
    np.testing.assert_array_equal(keypoints, predicted())
    assert theirs is not None
    np.testing.assert_array_equal(theirs, sigma())


def test_rows_and_columns_in_any_order(path: Path) -> None:
    table = pd.read_csv(path).iloc[[2, 0, 3, 1], ::-1]
    table.to_csv(path, index=False, encoding="utf-8-sig")
    np.testing.assert_array_equal(read(path).keypoints, predicted())


def test_without_row_the_test_rows_in_order(path: Path) -> None:
    pd.read_csv(path).drop(columns="row").to_csv(path, index=False)
    np.testing.assert_array_equal(read(path).keypoints, predicted())


def changed(change: Callable[[pd.DataFrame], object]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        table = pd.read_csv(path)
        result = change(table)
        (result if isinstance(result, pd.DataFrame) else table).to_csv(path, index=False)

    return write


def with_cell(text: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        lines = path.read_text().splitlines()
        cells = lines[3].split(",")
        lines[3] = ",".join([*cells[:2], text, *cells[3:]])
        path.write_text("\n".join(lines))

    return write


AT_CELL = r"line 4 \(row 40\): left_eye_center_y is "
BAD_FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: path.unlink(), "no such file"),
    "empty": (lambda path: path.write_text(""), "is empty"),
    "picture": (lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n\xff\x00"), "is not a CSV file"),
    "column lacking": (changed(lambda table: table.drop(columns="nose_tip_x")), "lacks column nose_tip_x"),
    "column unknown": (changed(lambda table: table.assign(nose_x=1)), "unknown column nose_x"),
    "index column": (
        changed(lambda table: table.reset_index().rename(columns={"index": ""})),
        r"\(no name\).*index=False",
    ),
    "NaN": (with_cell("nan"), AT_CELL + "'nan'"),
    "gap": (with_cell(""), AT_CELL + "''"),
    "word": (with_cell("left"), AT_CELL + "'left'"),
    "infinite": (with_cell("-inf"), AT_CELL + "'-inf'"),
    "cell too many": (with_cell("1,2"), "line 4: has 32 cells where the header has 31"),
    "unknown row": (changed(lambda table: table.replace({"row": {40: 41}})), "row 41 outside the test part"),
    "repeated row": (changed(lambda table: table.replace({"row": {40: 3}})), "repeats row 3"),
    "lacking rows": (changed(lambda table: table.iloc[:2]), "lacks test rows 40, 12"),
    "row of text": (changed(lambda table: table.astype({"row": str}).replace({"row": {"40": "x"}})), "line 4: row 'x'"),
    "no row, another length": (
        changed(lambda table: table.drop(columns="row").iloc[:3]),
        "3 lines of predictions, the test part has 4 faces",
    ),
}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_bad_file_is_one_clear_line(path: Path, kind: str) -> None:
    spoil, message = BAD_FILES[kind]
    spoil(path)
    with pytest.raises(InputError, match=message) as error:
        read(path)
    assert "predictions.csv" in str(error.value)
    assert "\n" not in str(error.value)


BAD_SIGMAS: dict[str, tuple[dict[str, float | None], str]] = {
    "zero": ({"nose_tip_sigma": 0}, r"line 2 \(row 7\): nose_tip_sigma is '0', not a number of px above 0"),
    "negative": ({"nose_tip_sigma": -2}, "nose_tip_sigma is '-2', not a number of px above 0"),
    "infinite": ({"nose_tip_sigma": np.inf}, "nose_tip_sigma is 'inf'"),
    "nothing in float32": ({"nose_tip_sigma": 1e-60}, "nose_tip_sigma is '1e-60'"),
    "of some keypoints": ({"nose_tip_sigma": None}, "lacks column nose_tip_sigma; .* for every keypoint or for none"),
}


@pytest.mark.parametrize("kind", BAD_SIGMAS)
def test_bad_sigma_is_one_clear_line(path_with_sigma: Path, kind: str) -> None:
    change, message = BAD_SIGMAS[kind]
    table = pd.read_csv(path_with_sigma).assign(**change).dropna(axis="columns")
    table.to_csv(path_with_sigma, index=False)
    with pytest.raises(InputError, match=message) as error:
        read(path_with_sigma)
    assert "\n" not in str(error.value)

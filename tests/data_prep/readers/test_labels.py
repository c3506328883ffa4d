"""Label files: which keypoint set their columns give, and which values are not labels."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data_prep.readers.labels import keypoint_set_of, numbers, read_keypoints
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15, from_names

PATH = Path("labels.csv")
EARS = from_names("ears", ["left_ear", "right_ear", "chin"], "ears.toml")


def write(folder: Path, header: list[str], *rows: str) -> Path:
    path = folder / "labels.csv"
    path.write_text("\n".join([",".join(header), *rows]) + "\n", encoding="utf-8")
    return path


def test_columns_are_read_in_any_order(tmp_path: Path) -> None:
    header = ["chin_y", "chin_x", "left_ear_x", "left_ear_y", "right_ear_x", "right_ear_y"]
    path = write(tmp_path, header, "6,5,1,2,3,4", ",,,,,", "6,5,NA,nan,,4")
    keypoints, keypoint_set, *_ = read_keypoints(path, given=EARS)
    assert keypoint_set == EARS
    assert keypoints.dtype == np.float32
    gap = np.nan
    expected = [[[1, 2], [3, 4], [5, 6]], [[gap, gap]] * 3, [[gap, gap], [gap, 4], [5, 6]]]
    np.testing.assert_array_equal(keypoints, expected)
    assert keypoint_set_of(PATH, FACE15.columns[::-1]) == FACE15


def test_other_names_give_a_custom_set(tmp_path: Path) -> None:
    assert keypoint_set_of(PATH, EARS.columns) == replace(EARS, name="custom_3")
    assert keypoint_set_of(PATH, FACE15.columns[:28]).names == FACE15.names[:14]  # no label source labels these


def test_given_set_may_have_more_keypoints_than_the_file(tmp_path: Path) -> None:
    keypoints, keypoint_set, *_ = read_keypoints(write(tmp_path, ["chin_x", "chin_y"], "5,6"), given=EARS)
    assert keypoint_set == EARS
    np.testing.assert_array_equal(keypoints, [[[np.nan, np.nan]] * 2 + [[5, 6]]])
    with pytest.raises(InputError, match=r"labels\.csv: has jaw, not among the 3 keypoints of ears; rename"):
        keypoint_set_of(PATH, ["jaw_x", "jaw_y"], given=EARS)


def test_keypoints_without_columns_are_unlabelled(tmp_path: Path) -> None:
    five = [FACE15.columns[2 * k + axis] for k in FACE15.label_sources[2].keypoints for axis in (0, 1)]
    keypoints, keypoint_set, *_ = read_keypoints(write(tmp_path, five, ",".join("1234567890")))
    assert keypoint_set == FACE15
    assert np.flatnonzero(np.isfinite(keypoints[0]).all(axis=-1)).tolist() == [0, 1, 10, 11, 12]
    assert keypoints[0, 12].tolist() == [9, 0]


FAULTS: dict[str, tuple[list[str], str]] = {
    "half a keypoint": (["left_ear_x", "left_ear_y", "chin_x"], "lacks chin_y; a label file has the columns NAME_x"),
    "no coordinate": ([*EARS.columns, "age"], "does not know age;"),
    "a keypoint twice": ([*EARS.columns, "chin_x", "chin_y"], "repeats chin_x, chin_y; a label file has the columns"),
    "no keypoint": (["file", "Image"], r"does not know file, Image; names no keypoint;"),
    "a keypoint without a name": (["_x", "_y"], r"does not know _x, _y; names no keypoint;"),
}


@pytest.mark.parametrize(("header", "message"), FAULTS.values(), ids=FAULTS)
def test_bad_header_gives_a_one_line_error(header: list[str], message: str) -> None:
    with pytest.raises(InputError, match=rf"labels\.csv: the header \(line 1\) {message}") as error:
        keypoint_set_of(PATH, header)
    assert "\n" not in str(error.value)


def test_header_must_have_the_further_columns_asked_for() -> None:
    assert keypoint_set_of(PATH, [*EARS.columns, "Image"], others=["Image"]).names == EARS.names
    with pytest.raises(
        InputError, match=r"lacks Image; .* has the columns NAME_x and NAME_y of each keypoint and Image"
    ):
        keypoint_set_of(PATH, EARS.columns, others=["Image"])


@pytest.mark.parametrize("text", ["left", "inf", "-inf", "1e39", "1e400", "2000000", "1,5", "\0"])
def test_values_that_cannot_be_coordinates_are_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"^labels\.csv: row 3: has .* as chin_y, which is not a number of px"):
        numbers(["1", text], ["chin_x", "chin_y"], "labels.csv: row 3")


def test_error_names_row_and_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"row 1 \(line 4\): has 'up' as chin_y, which is not a number of px"):
        read_keypoints(write(tmp_path, EARS.columns, "1,1,1,1,1,1", "", "1,1,1,1,1,up"))
    with pytest.raises(InputError, match="has a header but no rows"):
        read_keypoints(write(tmp_path, EARS.columns))

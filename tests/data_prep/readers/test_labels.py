"""Label files: which keypoint set their columns tell, and what is no label."""

from pathlib import Path

import numpy as np
import pytest

from data_prep.readers import labels
from data_prep.readers.labels import keypoint_set_of, numbers, read_keypoints
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15, KeypointSet, LabelSource

PATH = Path("labels.csv")
EARS = KeypointSet("ears", ("left_ear", "right_ear", "chin"), (1, 0, 2), (), (), (), (LabelSource("all", (0, 1, 2)),))


@pytest.fixture(autouse=True)
def two_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "KEYPOINT_SETS", {"face15": FACE15, "ears": EARS})


def write(folder: Path, header: list[str], *rows: str) -> Path:
    path = folder / "labels.csv"
    path.write_text("\n".join([",".join(header), *rows]) + "\n", encoding="utf-8")
    return path


def test_the_columns_tell_the_keypoint_set_in_any_order(tmp_path: Path) -> None:
    header = ["chin_y", "chin_x", "left_ear_x", "left_ear_y", "right_ear_x", "right_ear_y"]
    keypoints, keypoint_set, *_ = read_keypoints(write(tmp_path, header, "6,5,1,2,3,4", ",,,,,", "6,5,NA,nan,,4"))
    assert keypoint_set == EARS
    assert keypoints.dtype == np.float32
    gap = np.nan
    expected = [[[1, 2], [3, 4], [5, 6]], [[gap, gap]] * 3, [[gap, gap], [gap, 4], [5, 6]]]
    np.testing.assert_array_equal(keypoints, expected)
    assert keypoint_set_of(PATH, FACE15.columns[::-1]) == FACE15


def test_a_file_without_columns_for_a_keypoint_has_no_labels_for_it(tmp_path: Path) -> None:
    five = [FACE15.columns[2 * k + axis] for k in FACE15.label_sources[2].keypoints for axis in (0, 1)]
    keypoints, keypoint_set, *_ = read_keypoints(write(tmp_path, five, ",".join("1234567890")))
    assert keypoint_set == FACE15
    assert np.flatnonzero(np.isfinite(keypoints[0]).all(axis=-1)).tolist() == [0, 1, 10, 11, 12]
    assert keypoints[0, 12].tolist() == [9, 0]


FAULTS: dict[str, tuple[list[str], str]] = {
    "half a keypoint": (["left_ear_x", "left_ear_y", "chin_x"], "lacks right_ear_x, right_ear_y, chin_y; a label file"),
    "another name": ([*EARS.columns[:4], "jaw_x", "jaw_y"], "lacks chin_x, chin_y; does not know jaw_x, jaw_y;"),
    "a column twice": ([*EARS.columns, "chin_x"], "repeats chin_x; a label file of ears has the columns NAME_x"),
    "nothing known": (["file", "Image"], r"lacks left_ear_x, .* and 1 more; does not know file, Image;"),
    "most of the other set": ([*FACE15.columns[:29], "chin_x"], "lacks mouth_center_bottom_lip_y; does not know chin"),
}


@pytest.mark.parametrize(("header", "message"), FAULTS.values(), ids=FAULTS)
def test_other_columns_are_told_by_the_set_that_fits_best(header: list[str], message: str) -> None:
    with pytest.raises(InputError, match=rf"labels\.csv: the header \(line 1\) {message}") as error:
        keypoint_set_of(PATH, header)
    assert "\n" not in str(error.value)


def test_further_columns_are_asked_for() -> None:
    assert keypoint_set_of(PATH, [*EARS.columns, "Image"], others=["Image"]) == EARS
    with pytest.raises(
        InputError, match=r"lacks Image; .* has the columns NAME_x and NAME_y of each keypoint and Image"
    ):
        keypoint_set_of(PATH, EARS.columns, others=["Image"])


@pytest.mark.parametrize("text", ["left", "inf", "-inf", "1e39", "1e400", "2000000", "1,5", "\0"])
def test_what_is_no_place_in_a_picture_is_no_label(text: str) -> None:
    with pytest.raises(InputError, match=r"^labels\.csv: row 3: has .* as chin_y, which is not a number of px"):
        numbers(["1", text], ["chin_x", "chin_y"], "labels.csv: row 3")


def test_the_row_and_the_line_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"row 1 \(line 4\): has 'up' as chin_y, which is not a number of px"):
        read_keypoints(write(tmp_path, EARS.columns, "1,1,1,1,1,1", "", "1,1,1,1,1,up"))
    with pytest.raises(InputError, match="has a header but no rows"):
        read_keypoints(write(tmp_path, EARS.columns))

"""Training data of a face finder: which rows are faces, which groups are held out, and errors of bad folders."""

from pathlib import Path

import numpy as np
import pytest

from data_prep.faces import SPLITS
from detection.scenes import COLUMNS, group_of, read_input, read_inputs, read_scenes, split_of
from facial_keypoints.errors import InputError
from tests.detection.scenes import write_rows, write_scenes

POINTS = [10, 20, 30, 20, 20, 30, 12, 40, 28, 40]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_scenes(tmp_path / "scenes", 3)


def test_each_row_is_a_face_and_each_file_a_scene(folder: Path) -> None:
    rows: list[list[object]] = [["picture_0.png", "marked", 0.9, *POINTS], ["noise.png", "none", *[""] * 11]]
    rows += [["picture_0.png", "yunet", score, *POINTS] for score in (0.69, 0.7)]
    write_rows(folder, rows)
    two, none = read_scenes(folder)
    assert two.sure.tolist() == [True, False, True]
    assert two.marked.tolist() == [True, False, False]
    np.testing.assert_allclose(two.points[2], np.reshape(POINTS, (5, 2)))
    assert none.picture.shape == (120, 160)
    assert none.points.shape == (0, 5, 2)


def test_lfw_people_share_the_group_names_of_the_video_frames() -> None:
    assert group_of("lfw_5590_Ana_Maria_Lopez_0002.jpg") == "yt:Ana_Maria_Lopez"
    assert group_of("net_7876_12_0.jpg") == "net_7876_12_0.jpg"


def test_groups_split_80_10_10_and_splits_cover_all_scenes(folder: Path) -> None:
    splits = [split_of(f"group {number}") for number in range(2000)]
    assert [splits.count(split) / 2000 for split in SPLITS] == pytest.approx([0.8, 0.1, 0.1], abs=0.03)
    names = [scene.file.name for split in SPLITS for scene in read_scenes(folder, split)]
    assert sorted(names) == sorted(scene.file.name for scene in read_scenes(folder))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (["picture_0.png", "face", 0.9, *POINTS], r"row 0 \(line 2\): label is 'face', expected marked, yunet or none"),
        (["picture_0.png", "marked", 0.9, *POINTS[:9], ""], r"row 0 \(line 2\): a face needs x and y of all five"),
        (["picture_0.png", "marked", 0.9, *POINTS[:9], "x"], r"row 0 \(line 2\): a face needs x and y of all five"),
        (["gone.png", "marked", 0.9, *POINTS], "gone.png"),
    ],
)
def test_bad_row_gives_a_one_line_error(folder: Path, row: list[object], message: str) -> None:
    write_rows(folder, [row])
    with pytest.raises(InputError, match=message) as error:
        read_scenes(folder)
    assert "\n" not in str(error.value)


def test_bad_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    write_rows(folder, [["picture_0.png", "none"]], COLUMNS[:2])
    with pytest.raises(InputError, match="has no column yunet_score"):
        read_input(str(folder))
    write_rows(folder, [["noise.png", "none", *[""] * 11]])
    with pytest.raises(InputError, match="the train split has no face with all five points"):
        read_inputs([str(folder)], "train")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"holds none of faces\.csv"):
        read_input(str(tmp_path / "empty"))
    with pytest.raises(InputError, match="no such folder"):
        read_input(str(tmp_path / "missing"))


@pytest.mark.long
def test_splits_of_the_real_sets_share_no_group(real_data: Path) -> None:
    sets = [str(real_data / "youtube68"), str(real_data / "scenes")]
    train, val, test = ({scene.group for scene in read_inputs(sets, split)} for split in SPLITS)
    assert len(train) > len(val) > 100
    assert not train & val
    assert not (train | val) & test

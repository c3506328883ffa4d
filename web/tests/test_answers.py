"""Answers: the drawn picture, the sentence, the table and the files agree."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from facial_keypoints.errors import InputError
from facial_keypoints.face import Face
from facial_keypoints.keypoint_set import FACE15
from facial_keypoints.pictures import read_picture, write_picture
from web.answers import Answer, answer, predictor_of, rows, sentence
from web.marking import NO_FILTER


@pytest.fixture(scope="module")
def group(examples: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Answer:
    return answer(examples["group"], "v2", tmp_path_factory.mktemp("out"))


@pytest.mark.parametrize(
    ("name", "sentence"), [("one", "One face."), ("glasses", "One face."), ("leaning", "One face.")]
)
def test_faces_in_the_examples_are_found(examples: dict[str, Path], tmp_path: Path, name: str, sentence: str) -> None:
    assert answer(examples[name], "v2", tmp_path).sentence.startswith(sentence)


def test_table_csv_and_json_hold_every_keypoint_of_every_face(group: Answer, examples: dict[str, Path]) -> None:
    assert group.sentence.startswith("6 faces. Expected error: ")
    assert len(group.rows) == 6 * 15
    with group.csv_file.open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    in_json = json.loads(group.json_file.read_text(encoding="utf-8"))
    (picture,) = in_json["pictures"]
    assert picture["file"] == examples["group"].name
    assert len(table) == len(picture["faces"]) == 6
    for row in group.rows:
        number, name, x, y, error = row
        in_csv = table[int(number)]
        column = str(name).replace(" ", "_")
        assert (float(in_csv[f"{column}_x"]), float(in_csv[f"{column}_y"])) == pytest.approx((x, y), abs=0.051)
        assert float(in_csv[f"{column}_expected_error"]) == pytest.approx(error, abs=0.0051)
        point = picture["faces"][int(number)]["keypoints"][in_json["keypoints"].index(column)]
        assert point == pytest.approx((x, y), abs=0.051)


def test_picture_without_faces_gives_an_empty_answer(tmp_path: Path) -> None:
    write_picture(tmp_path / "wall.png", np.full((90, 120, 3), 128, np.uint8))
    empty = answer(tmp_path / "wall.png", "v2", tmp_path)
    assert empty.sentence.startswith("No face found.")
    assert empty.rows == []
    assert empty.csv_file.read_text(encoding="utf-8").count("\n") == 1
    np.testing.assert_array_equal(empty.picture, 128)


def test_filter_changes_the_faces_and_nothing_else(examples: dict[str, Path], tmp_path: Path) -> None:
    before = read_picture(examples["group"])
    plain = answer(examples["group"], "v2", tmp_path, filter=NO_FILTER, keypoints=False).picture
    np.testing.assert_array_equal(plain, before)
    after = answer(examples["group"], "v2", tmp_path, filter="sunglasses", keypoints=False).picture
    changed = (after != before).any(axis=-1)
    assert 0.02 < changed.mean() < 0.3
    assert not changed[0].any()


def test_large_picture_is_shown_smaller_but_its_keypoints_are_not_scaled(
    examples: dict[str, Path], tmp_path: Path
) -> None:
    large = np.zeros((3200, 2400, 3), np.uint8)
    one = read_picture(examples["one"])
    large[2000 : 2000 + len(one), 1500 : 1500 + len(one)] = one
    write_picture(tmp_path / "large.png", large)
    found = answer(tmp_path / "large.png", "v2", tmp_path)
    assert found.picture.shape == (1600, 1200, 3)
    points = np.array([row[2:4] for row in found.rows], float)
    assert points.shape == (15, 2)
    assert ((points > (1500, 2000)) & (points < (1904, 2404))).all()


def test_table_has_no_expected_errors_if_the_network_gives_none() -> None:
    face = Face((0, 0, 10, 10), np.zeros((15, 2), np.float32), None, np.eye(2, 3), FACE15)
    assert sentence([face]) == "One face."
    assert {row[-1] for row in rows([face], predictor_of("v2").spec)} == {""}


def test_file_that_is_not_a_picture_leaves_no_output_files(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(InputError, match="The picture is not a readable picture"):
        answer(tmp_path / "a.png", "v2", out)
    assert list(out.iterdir()) == []

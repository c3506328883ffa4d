"""`predict --write-coco` and `predict --review`: the files they write, replace, and refuse to replace."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from facial_keypoints.__main__ import main
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15
from facial_keypoints.pictures import write_picture
from tests.facial_keypoints.drawn import SIDE_PX, drawn_faces


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three pictures of one drawn face each."""
    path = tmp_path_factory.mktemp("faces")
    faces = drawn_faces(1, 3)
    for name, (x, y, _, _) in zip("abc", faces.boxes.astype(int), strict=True):
        write_picture(path / f"{name}.png", faces.picture[y : y + SIDE_PX, x : x + SIDE_PX])
    return path


def predict(*arguments: object) -> None:
    main(["predict", *map(str, arguments), "--no-detect"])


def error_message(*arguments: object) -> str:
    with pytest.raises(InputError) as error:
        predict(*arguments)
    assert "\n" not in str(error.value)
    return str(error.value)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_coco_file_has_the_keypoints_of_the_table(folder: Path, tmp_path: Path) -> None:
    predict(folder, "--out", tmp_path / "out", "--write-coco", tmp_path / "faces.json")
    written = json.loads((tmp_path / "faces.json").read_bytes())
    assert [image["file_name"] for image in written["images"]] == ["a.png", "b.png", "c.png"]
    assert written["categories"][0]["keypoints"] == list(FACE15.names)
    assert len(written["annotations"]) == 3
    for annotation, row in zip(written["annotations"], rows(tmp_path / "out" / "keypoints.csv"), strict=True):
        points = np.array(annotation["keypoints"]).reshape(15, 3)
        assert points[:, :2].ravel().tolist() == [float(row[name]) for name in FACE15.columns]
        assert annotation["attributes"] == {"reviewed": False}
    assert {path.name for path in tmp_path.iterdir()} == {"out", "faces.json"}


def test_coco_file_replaces_only_a_file_written_by_predict(folder: Path, tmp_path: Path) -> None:
    out, file = tmp_path / "out", tmp_path / "faces.json"
    assert "lies inside --out" in error_message(folder, "--out", out, "--write-coco", out / "faces.json")
    assert "there is no folder" in error_message(folder, "--out", out, "--write-coco", tmp_path / "none" / "faces.json")
    file.write_text('{"images": [], "info": {"description": "a year of work"}}', encoding="utf-8")
    for more in ([], ["--overwrite"]):
        assert "exists, and predict did not write it" in error_message(
            folder, "--out", out, "--write-coco", file, *more
        )
    assert not out.exists()
    file.unlink()
    predict(folder, "--out", out, "--write-coco", file)
    first = file.read_bytes()
    assert "is there already; choose another name" in error_message(
        folder, "--out", tmp_path / "new", "--write-coco", file
    )
    predict(folder, "--out", out, "--write-coco", file, "--overwrite")
    assert file.read_bytes() == first


def test_review_lists_the_most_uncertain_pictures_in_order(folder: Path, tmp_path: Path) -> None:
    predict(folder, "--out", tmp_path / "out", "--review", "2")
    every = rows(tmp_path / "out" / "keypoints.csv")
    uncertain = {
        row["file"]: sum(float(row[f"{name}_expected_error"]) for name in FACE15.names) / float(row["box_w"])
        for row in every
    }
    review = rows(tmp_path / "out" / "review.csv")
    assert [row["file"] for row in review] == sorted(uncertain, key=lambda file: -uncertain[file])[:2]
    assert float(review[0]["uncertainty"]) == pytest.approx(uncertain[review[0]["file"]] / 15, abs=1e-4)
    assert (tmp_path / "out" / "review.png").is_file()


@pytest.mark.parametrize("table", ["review.csv", "keypoints.csv"])
def test_reviewed_tables_are_not_overwritten(folder: Path, tmp_path: Path, table: str) -> None:
    out = tmp_path / "out"
    predict(folder, "--out", out, "--review", "3")
    predict(folder, "--out", out, "--review", "3", "--overwrite")
    path = out / table
    lines = (out / "review.csv").read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([*lines[:-1], lines[-1].removesuffix("0") + "1"]) + "\n", encoding="utf-8")
    assert f"{path}: has faces that a person has reviewed" in error_message(folder, "--out", out, "--overwrite")
    assert path.is_file()


def test_review_0_is_refused_and_nothing_is_written(folder: Path, tmp_path: Path) -> None:
    assert error_message(folder, "--out", tmp_path / "out", "--review", "0") == (
        "--review 0: give how many pictures to review, at least 1"
    )
    assert not list(tmp_path.iterdir())

"""A folder of LabelMe files: points are grouped into faces, and each fault gives a one-line error."""

import json
from pathlib import Path
from typing import Any

import pytest

from data_prep.readers import labelme
from data_prep.readers.bad_faces import BadFaces
from facial_keypoints.errors import InputError
from tests.data_prep.pictures import save_picture


def point(label: str, x: Any, y: Any, **more: Any) -> dict[str, Any]:
    return {"label": label, "points": [[x, y]], "shape_type": "point", "group_id": None, "flags": {}, **more}


def save(folder: Path, name: str, shapes: list[Any], picture: str | None = None) -> None:
    save_picture(folder / f"{name}.png")
    content = {"version": "5.2.1", "imagePath": picture or f"{name}.png", "imageData": None, "shapes": shapes}
    (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")


@pytest.fixture
def cats(tmp_path: Path) -> Path:
    """`a` has one face without a group; `b` has two, one of them with a box and an occluded point."""
    folder = tmp_path / "cats"
    line = {"label": "whisker", "points": [[1, 1], [2, 2]], "shape_type": "line", "group_id": None}
    save(folder, "a", [point("ear", 20, 30), point("chin", 50.5, 60), line])
    box = {"label": "cat", "points": [[80, 90], [10, 20]], "shape_type": "rectangle", "group_id": 2}
    first = [point("ear", 5, 6, group_id=1), point("chin", 7, 30, group_id=1)]
    second = [box, point("chin", 40, 80, group_id=2, flags={"occluded": True})]
    save(folder, "b", [*first, *second], picture="..\\photos\\b.png")
    return folder


def error_message(folder: Path) -> str:
    with pytest.raises(InputError) as error:
        labelme.read(folder)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_points_of_one_group_form_a_face(cats: Path) -> None:
    assert labelme.is_labelme(cats)
    read = labelme.read(cats)
    assert read.keypoint_set.names == ("ear", "chin")
    assert [face.file.name for face in read.faces] == ["a.png", "b.png", "b.png"]
    assert [face.person for face in read.faces] == ["cats:a.png", "cats:b.png", "cats:b.png"]
    assert [face.keypoints[1].tolist() for face in read.faces] == [[50.5, 60], [7, 30], [40, 80]]
    assert str(read.faces[2].keypoints[0].tolist()) == "[nan, nan]"
    assert [face.box for face in read.faces] == [None, None, (10, 20, 70, 70)]
    assert read.faces[2].occluded is not None
    assert read.faces[2].occluded.tolist() == [False, True]
    assert read.description == "2 pictures with 3 faces of LabelMe's files"


def test_numbered_labels_are_sorted_by_number(tmp_path: Path) -> None:
    save(tmp_path, "a", [point(str(k), k, 30 + k) for k in (10, 9, 2, 0)])
    assert labelme.read(tmp_path).keypoint_set.names == ("0", "2", "9", "10")


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ([point("ear", 5, 6), point("ear", 7, 8)], "has two points 'ear'; give the points of each face in a picture a"),
        ([point("ear", float("nan"), 6)], "'ear' has 'nan' as x or y, which is not a number in px"),
        ([point("ear", "5", 6)], "'ear' has '5' as x or y"),
        ([point("ear", 0, 0)], "has 0, 0 as ear, which often stands for a missing label; delete the point"),
        ([{**point("ear", 5, 6), "points": [[5, 6], [7, 8]]}], "'ear' has [[5, 6], [7, 8]] as `points`, expected 1"),
        ([{**point("ear", 5, 6), "points": [5, 6]}], "'ear' has [5, 6] as `points`, expected 1"),
        (
            [point("ear", 5, 6), {"label": "cat", "points": [[1, 1], [1, 9]], "shape_type": "rectangle"}],
            "has a rectangle of 0 x 8 px",
        ),
    ],
)
def test_bad_face_is_refused_or_skipped(cats: Path, shapes: list[Any], message: str) -> None:
    save(cats, "c", shapes)
    assert message in error_message(cats)
    assert str(cats / "c.json") in error_message(cats)
    bad = BadFaces(skip=True)
    assert len(labelme.read(cats, bad=bad).faces) == 3
    assert len(bad.lines) == 1


def test_files_without_points_or_of_another_kind_are_refused(cats: Path, tmp_path: Path) -> None:
    save(tmp_path / "lines", "a", [])
    assert "its LabelMe files hold no points" in error_message(tmp_path / "lines")
    (cats / "b.png").unlink()
    assert "b.png is missing; add it" in error_message(cats)
    (cats / "b.json").write_text('{"images": [], "annotations": []}', encoding="utf-8")
    assert "b.json: is not one of LabelMe's files, as others in" in error_message(cats)
    assert not labelme.is_labelme(tmp_path)

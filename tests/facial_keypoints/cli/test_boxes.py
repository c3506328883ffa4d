"""`predict --boxes`: boxes from a CSV or COCO file, for sets with and without eyes; bad boxes are refused."""

import csv
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facial_keypoints.__main__ import main
from facial_keypoints.cli.boxes import read_boxes
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import from_names
from facial_keypoints.pictures import write_picture
from facial_keypoints.spec import Crop, ModelSpec
from tests.facial_keypoints.small_models import means_of_channels

HAND = from_names("hand", ["thumb", "wrist"], "hand.csv")
NAMES = ["a.png", "deep/b.png"]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A black picture, and another one in a subfolder."""
    for name in NAMES:
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        write_picture(tmp_path / "in" / name, np.zeros((100, 120, 3), np.uint8))
    return tmp_path / "in"


@pytest.fixture
def hand(tmp_path: Path) -> Path:
    """A network that puts two keypoints at (0, 0) and (1, 1) of crops of 4 x 5 px."""
    spec = ModelSpec(HAND, (0,), False, Crop(4, 5, 1, ((3.0, 3.0), (1.0, 1.0))))
    return means_of_channels(tmp_path / "hand.onnx", 1, spec, given=2)


def write_coco(path: Path, annotations: Sequence[dict[str, Any]], **more: Any) -> Path:
    images = [
        {"id": 7, "file_name": "a.png"},
        {"id": 8, "file_name": "deep/b.png"},
        {"id": 9, "file_name": "other.png"},
    ]
    each = [{"id": n, "category_id": 1, **annotation} for n, annotation in enumerate(annotations)]
    path.write_text(json.dumps({"images": images, "annotations": each, **more}), encoding="utf-8")
    return path


def write_table(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def predict(pictures: Path, model: Path, *options: object) -> list[dict[str, str]]:
    out = pictures.parent / "out"
    main(["predict", str(pictures), "--model", str(model), "--out", str(out), *map(str, options)])
    with (out / "keypoints.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def error_message(pictures: Path, model: Path, *options: object) -> str:
    before = sorted(pictures.parent.rglob("*"))
    with pytest.raises(InputError) as error:
        predict(pictures, model, *options)
    assert "\n" not in str(error.value)
    assert sorted(pictures.parent.rglob("*")) == before
    return str(error.value)


def test_boxes_of_a_picture_keep_the_order_of_the_csv_file(pictures: Path, hand: Path, tmp_path: Path) -> None:
    boxes = write_table(
        tmp_path / "boxes.csv",
        "file,x,y,w,h,note\ndeep/b.png,0,0,10,10,\na.png,10,20,40,30,big\na.png,0,0,10,10,small\n",
    )
    rows = predict(pictures, hand, "--boxes", boxes)
    assert [(row["file"], row["face"], row["box_w"]) for row in rows] == [
        ("a.png", "0", "40.0"),
        ("a.png", "1", "10.0"),
        ("deep/b.png", "0", "10.0"),
    ]
    assert float(rows[0]["wrist_x"]) == pytest.approx(18, abs=1e-3)  # a square of 48 px around (30, 35), scaled to 4


def test_boxes_are_read_from_a_coco_file(tmp_path: Path) -> None:
    file = write_coco(
        tmp_path / "boxes.json", [{"image_id": 8, "bbox": [1, 2, 3, 4]}, {"image_id": 7, "bbox": [5, 6, 7, 8]}]
    )
    assert read_boxes(file, NAMES, HAND) == {"a.png": [(5, 6, 7, 8)], "deep/b.png": [(1, 2, 3, 4)]}


def test_boxes_are_of_the_category_with_the_keypoints_of_the_model(tmp_path: Path) -> None:
    annotations = [{"image_id": 7, "bbox": [1, 1, 1, 1]}, {"image_id": 7, "bbox": [2, 2, 2, 2], "category_id": 2}]
    categories = [{"id": 1, "name": "cat"}, {"id": 2, "name": "mine", "keypoints": ["thumb", "wrist"]}]
    file = write_coco(tmp_path / "boxes.json", annotations, categories=categories)
    assert read_boxes(file, NAMES, HAND)["a.png"] == [(2, 2, 2, 2)]
    with pytest.raises(InputError, match=r"several categories \(cat, mine\), none of them with the keypoints of foot"):
        read_boxes(file, NAMES, from_names("foot", ["toe"], "foot.csv"))


def test_picture_without_a_box_has_no_face_and_unused_boxes_are_counted(
    pictures: Path, hand: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    boxes = write_table(tmp_path / "boxes.csv", "file,x,y,w,h\na.png,0,0,10,10\nelse.png,0,0,1,1\n")
    with caplog.at_level(logging.WARNING):
        assert len(predict(pictures, hand, "--boxes", boxes)) == 1
    assert "skipped boxes of other pictures: 1" in caplog.text
    assert "no face found in deep/b.png" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,x,y,w\na.png,1,2,3\n", "boxes.csv: has no column h; give the columns file,x,y,w,h"),
        ("", "boxes.csv: has no column file"),
        (
            "file,x,y,w,h\na.png,1,2,3,4\na.png,1,2,,4\n",
            "boxes.csv: line 3: its box is ['1', '2', '', '4']; expected x",
        ),
        ("file,x,y,w,h\na.png,1,2,3\n", "boxes.csv: line 2: its box is ['1', '2', '3', None]"),
        ("file,x,y,w,h\na.png,1,2,0,4\n", "boxes.csv: line 2: its box is ['1', '2', '0', '4']"),
        ("file,x,y,w,h\na.png,nan,2,1,4\n", "boxes.csv: line 2: its box is ['nan', '2', '1', '4']"),
        ("file,x,y,w,h\nA.png,1,2,3,4\n", "boxes.csv: has no box of any of the pictures; use their names, as a.png"),
    ],
)
def test_bad_csv_file_of_boxes_is_refused(pictures: Path, hand: Path, tmp_path: Path, text: str, message: str) -> None:
    assert message in error_message(pictures, hand, "--boxes", write_table(tmp_path / "boxes.csv", text))


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        (
            {"image_id": 7, "bbox": [1, 2, 0, 4]},
            "boxes.json: annotation 0: its box is [1, 2, 0, 4]; expected x, y, width",
        ),
        ({"image_id": 7, "bbox": [1, 2, 3]}, "boxes.json: annotation 0: its box is [1, 2, 3]"),
        ({"image_id": 7}, "boxes.json: annotation 0: its box is None"),
        ({"image_id": 5, "bbox": [1, 2, 3, 4]}, "boxes.json: annotation 0: its image 5 is not in the list of images"),
        ({"bbox": [1, 2, 3, 4]}, "boxes.json: is not a COCO file ('image_id')"),
    ],
)
def test_bad_coco_annotation_is_refused(
    pictures: Path, hand: Path, tmp_path: Path, annotation: dict[str, Any], message: str
) -> None:
    assert message in error_message(pictures, hand, "--boxes", write_coco(tmp_path / "boxes.json", [annotation]))


def test_missing_or_invalid_boxes_file_is_refused(pictures: Path, hand: Path, tmp_path: Path) -> None:
    assert "boxes.json: is not a COCO file" in error_message(
        pictures, hand, "--boxes", write_table(tmp_path / "boxes.json", "[1, 2]")
    )
    assert "none.csv: cannot be read" in error_message(pictures, hand, "--boxes", tmp_path / "none.csv")


def test_model_without_eyes_needs_boxes_or_no_detect(pictures: Path, hand: Path, tmp_path: Path) -> None:
    assert error_message(pictures, hand) == (
        f"{hand}: predicts the keypoint set hand, which has no eyes to find faces by; give "
        "--box X,Y,W,H, --boxes FILE, or --no-detect for whole pictures"
    )
    assert len(predict(pictures, hand, "--no-detect")) == 2


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["filter", "{in}", "--filter", "hat"], "which has no eyes to find faces by; filters need a model of faces"),
        (["align", "{in}"], "which has no eyes to find faces by; align needs a model of faces"),
    ],
)
def test_filter_and_align_refuse_a_model_without_eyes(
    pictures: Path, hand: Path, tmp_path: Path, command: Sequence[str], message: str
) -> None:
    arguments = [text.replace("{in}", str(pictures)) for text in command]
    with pytest.raises(InputError, match=message):
        main([*arguments, "--model", str(hand), "--out", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


def test_boxes_option_is_refused_for_clips_and_with_no_detect(pictures: Path, hand: Path, tmp_path: Path) -> None:
    boxes = write_table(tmp_path / "boxes.csv", "file,x,y,w,h\na.png,0,0,10,10\n")
    assert "--box, --boxes, --no-detect: give one of them" in error_message(
        pictures, hand, "--boxes", boxes, "--no-detect"
    )
    (tmp_path / "in.mp4").touch()
    with pytest.raises(InputError, match=r"in\.mp4: is a clip, in which faces must be detected"):
        main(["predict", str(tmp_path / "in.mp4"), "--boxes", str(boxes), "--out", str(tmp_path / "out")])

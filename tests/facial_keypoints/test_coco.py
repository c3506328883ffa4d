"""Predictions as a COCO file: the category, and each face as an annotation that is not reviewed."""

import json
from pathlib import Path

import numpy as np
import pytest

from facial_keypoints.coco import is_ours, write_coco
from facial_keypoints.keypoint_set import FACE15, from_dict
from facial_keypoints.results import PictureFaces

CAT = {"name": "cat", "keypoints": ["left_ear", "chin", "right_ear"], "skeleton": [["left_ear", "chin", "right_ear"]]}


def test_each_face_is_written_as_an_unreviewed_annotation(tmp_path: Path) -> None:
    face = {"box": [1.0, 2.0, 9.0, 9.0], "keypoints": [[8.5, 3], [5, 9.25], [2, 4]], "score": 0.75}
    pictures = [PictureFaces("none.png", 30, 20, []), PictureFaces("two.png", 40, 50, [face, face])]
    write_coco(tmp_path / "cats.json", pictures, from_dict(CAT, "cat"), "mine")
    written = json.loads((tmp_path / "cats.json").read_bytes())
    assert written["images"] == [
        {"id": 1, "file_name": "none.png", "width": 30, "height": 20},
        {"id": 2, "file_name": "two.png", "width": 40, "height": 50},
    ]
    (category,) = written["categories"]
    assert category["name"] == "cat"
    assert category["keypoints"] == CAT["keypoints"]
    assert category["skeleton"] == [[1, 2], [2, 3]]  # a line through three points is two edges, counted from 1
    first, second = written["annotations"]
    assert first == {
        "id": 1,
        "image_id": 2,
        "category_id": category["id"],
        "keypoints": [8.5, 3, 2, 5, 9.25, 2, 2, 4, 2],
        "num_keypoints": 3,
        "bbox": [2, 3, 6.5, 6.25],
        "area": 40.625,
        "iscrowd": 0,
        "segmentation": [],
        "score": 0.75,
        "attributes": {"reviewed": False},
    }
    assert second == {**first, "id": 2}


def test_annotation_of_a_single_keypoint_has_the_box_of_the_face(tmp_path: Path) -> None:
    face = {"box": [1, 2, 9, 9], "keypoints": [[8.5, 3]], "score": 1}
    write_coco(
        tmp_path / "a.json",
        [PictureFaces("a.png", 9, 9, [face])],
        from_dict({**CAT, "keypoints": ["x"], "skeleton": []}, ""),
        "m",
    )
    (annotation,) = json.loads((tmp_path / "a.json").read_bytes())["annotations"]
    assert annotation["bbox"] == [1, 2, 9, 9]


def test_is_ours_recognizes_only_files_written_by_this_project(tmp_path: Path) -> None:
    write_coco(tmp_path / "ours.json", [], FACE15, "v2")
    assert is_ours(tmp_path / "ours.json")
    for name, text in {"a": "{", "b": "[]", "c": '{"info": {"description": "labels"}}'}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        assert not is_ours(tmp_path / name)
    assert not is_ours(tmp_path / "none.json")


def test_pycocotools_reads_and_scores_the_file(tmp_path: Path) -> None:
    """pycocotools: the file scores an average precision of 1 against itself, and 0 if shifted by 10 px."""
    coco, cocoeval = (pytest.importorskip(f"pycocotools.{name}") for name in ("coco", "cocoeval"))
    face = {"box": [1, 2, 39, 39], "keypoints": [[38.5, 3], [15, 39.25], [2, 4]], "score": 0.75}
    pictures = [PictureFaces(f"{n}.png", 60, 50, [{**face, "score": 0.5 + n / 10}]) for n in range(4)]
    write_coco(tmp_path / "cats.json", pictures, from_dict(CAT, "cat"), "mine")
    labels = coco.COCO(str(tmp_path / "cats.json"))
    (category,) = labels.loadCats(labels.getCatIds(catNms=["cat"]))
    assert (category["keypoints"], category["skeleton"]) == (CAT["keypoints"], [[1, 2], [2, 3]])
    annotations = labels.loadAnns(labels.getAnnIds(imgIds=labels.getImgIds(), catIds=[category["id"]]))
    assert [labels.imgs[each["image_id"]]["file_name"] for each in annotations] == [f"{n}.png" for n in range(4)]

    def precision(shift_px: float) -> float:
        keys = ("image_id", "category_id", "keypoints", "score")
        moved = [{key: each[key] for key in keys} for each in annotations]
        for each in moved:
            each["keypoints"] = (np.reshape(each["keypoints"], (-1, 3)) + (shift_px, 0, 0)).ravel().tolist()
        scores = cocoeval.COCOeval(labels, labels.loadRes(moved), "keypoints")
        scores.params.kpt_oks_sigmas = np.full(3, 0.05)
        scores.evaluate()
        scores.accumulate()
        scores.summarize()
        return float(scores.stats[0])

    assert precision(0) == 1
    assert precision(10) == 0

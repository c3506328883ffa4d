"""Predictions as COCO keypoint JSON, which annotation tools import. K keypoints."""

import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from facial_keypoints.errors import InputError
from facial_keypoints.face import DECIMALS
from facial_keypoints.folders import atomic_file
from facial_keypoints.keypoint_set import KeypointSet
from facial_keypoints.results import PictureFaces

DESCRIPTION = "predictions of facial-keypoints"  # marks the files that `write_coco` wrote
REVIEWED = "reviewed"  # attribute of an annotation, column of a CSV file; only faces where it is true are labels
YES, NO = ("1", "true", "yes"), ("", "0", "false", "no")  # the values that `reviewed` accepts, in lower case
NOT_LABELLED, OCCLUDED, VISIBLE = 0, 1, 2  # the third number of a keypoint
CATEGORY_ID = 1


def write_coco(path: Path, pictures: Sequence[PictureFaces], keypoint_set: KeypointSet, model: str) -> None:
    """Writes a COCO file with one category, the keypoint set, whole or not at all; one annotation per line.

    All keypoints have visibility 2. The box of an annotation encloses its keypoints, as when a tool draws a box
    around labels. `score` is the detector's, and the attribute `reviewed` is false.

    Args:
        pictures: with their faces; pictures without faces are written, too.
        keypoint_set: the K keypoints.
        model: the name of the model.
    """
    images = [
        {"id": number, "file_name": picture.file, "width": picture.width_px, "height": picture.height_px}
        for number, picture in enumerate(pictures, start=1)
    ]
    lists = {
        "images": images,
        "categories": [category(keypoint_set)],
        "annotations": [
            {"id": number, **annotation} for number, annotation in enumerate(_annotations(pictures), start=1)
        ],
    }
    with atomic_file(path) as partial, partial.open("w", encoding="utf-8") as file:
        file.write(json.dumps({"info": {"description": DESCRIPTION, "model": model}, "licenses": []})[:-1])
        for name, values in lists.items():
            file.write(f', "{name}": [' + ",".join("\n" + json.dumps(value) for value in values) + "\n]")
        file.write("}\n")


def reviewed(value: object) -> bool | None:
    """Returns whether a table's cell or a JSON value means that a person has reviewed a face; None if it is neither."""
    text = "" if value is None else str(value).strip().lower().removesuffix(".0")  # a spreadsheet writes 1.0
    return text in YES if text in (*YES, *NO) else None


def category(keypoint_set: KeypointSet) -> dict[str, Any]:
    """Returns the COCO category of a keypoint set; each line joins two keypoints, counted from 1."""
    pairs = [[first + 1, second + 1] for run in keypoint_set.skeleton for first, second in itertools.pairwise(run)]
    return {
        "id": CATEGORY_ID,
        "name": keypoint_set.name,
        "supercategory": "",
        "keypoints": list(keypoint_set.names),
        "skeleton": pairs,
    }


def check_coco_file(path: Path, out: Path, overwrite: bool) -> None:
    """Raises InputError if `write_coco` must not write this file.

    Args:
        path: the file.
        out: the folder that the command replaces as a whole.
        overwrite: whether a file that `write_coco` wrote may be replaced; no other file ever is.
    """
    if path.resolve().is_relative_to(out.resolve()):
        raise InputError(f"--write-coco {path}: lies inside --out {out}; choose another folder")
    if not path.parent.is_dir():
        raise InputError(f"--write-coco {path}: there is no folder {path.parent}; make it, or choose another folder")
    if path.is_dir() or (path.exists() and not is_ours(path)):
        raise InputError(f"--write-coco {path}: exists, and predict did not write it; choose another name")
    if path.exists() and not overwrite:
        raise InputError(f"--write-coco {path}: is there already; choose another name, or replace it with --overwrite")


def is_ours(path: Path) -> bool:
    """Returns whether `write_coco` wrote a file."""
    try:
        return bool(json.loads(path.read_bytes())["info"]["description"] == DESCRIPTION)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def _annotations(pictures: Sequence[PictureFaces]) -> Iterator[dict[str, Any]]:
    for image, picture in enumerate(pictures, start=1):
        for face in picture.faces:
            box = _box(face)
            yield {
                "image_id": image,
                "category_id": CATEGORY_ID,
                "keypoints": [value for x, y in face["keypoints"] for value in (x, y, VISIBLE)],
                "num_keypoints": len(face["keypoints"]),
                "bbox": box,
                "area": round(box[2] * box[3], DECIMALS),
                "iscrowd": 0,
                "segmentation": [],
                "score": face["score"],
                "attributes": {REVIEWED: False},
            }


def _box(face: dict[str, Any]) -> list[float]:
    """Returns the box of a face's keypoints, x, y, width and height in px; the face's box if they span none."""
    xs, ys = zip(*face["keypoints"], strict=True)
    width, height = (round(max(values) - min(values), DECIMALS) for values in (xs, ys))
    return [min(xs), min(ys), width, height] if width and height else face["box"]

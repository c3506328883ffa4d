"""Reads the user's boxes for many pictures from a CSV or COCO file."""

import csv
import io
import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from facial_keypoints.boxes import given_boxes
from facial_keypoints.errors import InputError, one_line, printable
from facial_keypoints.keypoint_set import KeypointSet
from facial_keypoints.pictures import notes

COLUMNS = ("file", "x", "y", "w", "h")
SIDES = COLUMNS[1:]
Box = tuple[float, float, float, float]  # x, y, width, height in px


def read_boxes(path: Path, names: Collection[str], keypoint_set: KeypointSet) -> dict[str, list[Box]]:
    """Returns the boxes of each picture, in the order of the file; [] for a picture that the file does not name.

    Logs a warning with the number of boxes of other pictures.

    Args:
        path: a `.csv` file with the columns `file,x,y,w,h`, a row per box, or a COCO `.json` file.
        names: the pictures' names as in the tables; a picture in a folder has its path below the folder.
        keypoint_set: that of the model; if a COCO file has several categories, the one with these keypoints is read.

    Raises:
        InputError: the file cannot be read, a box has no size, or no box belongs to any of the pictures.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({one_line(error)}); give a CSV or COCO file in UTF-8") from None
    boxes_of: dict[str, list[Box]] = {name: [] for name in names}
    skipped = 0
    for name, box in _of_coco(path, text, keypoint_set) if path.suffix.lower() == ".json" else _of_csv(path, text):
        if name in boxes_of:
            boxes_of[name].append(box)
        else:
            skipped += 1
    if not any(boxes_of.values()):
        example = printable(min(names, default=""))
        raise InputError(f"{path}: has no box of any of the pictures; use their names, as {example}")
    if skipped:
        notes.warning("%s: skipped boxes of other pictures: %d", path, skipped)
    return boxes_of


def _of_csv(path: Path, text: str) -> Iterator[tuple[str, Box]]:
    rows = csv.DictReader(io.StringIO(text, newline=""))
    if missing := [column for column in COLUMNS if column not in (rows.fieldnames or ())]:
        raise InputError(f"{path}: has no column {missing[0]}; give the columns {','.join(COLUMNS)}")
    for row in rows:
        yield row["file"], _box([row[side] for side in SIDES], f"{path}: line {rows.line_num}")


def _of_coco(path: Path, text: str, keypoint_set: KeypointSet) -> Iterator[tuple[str, Box]]:
    try:
        values = json.loads(text)
        files = {image["id"]: str(image["file_name"]) for image in values["images"]}
        category_id = _category(path, values, keypoint_set)
        annotations = [each for each in values["annotations"] if each["category_id"] == category_id]
        images = [each["image_id"] for each in annotations]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(
            f"{path}: is not a COCO file ({one_line(error)}); give one with images and annotations"
        ) from None
    for annotation, image in zip(annotations, images, strict=True):
        where = f"{path}: annotation {annotation.get('id')}"
        if image not in files:
            raise InputError(f"{where}: its image {image} is not in the list of images; export the file again")
        yield files[image], _box(annotation.get("bbox"), where)


def _category(path: Path, values: dict[str, Any], keypoint_set: KeypointSet) -> Any:
    """Returns the id of the category to read: the only one in use, or the one with the model's keypoints."""
    used = {annotation["category_id"] for annotation in values["annotations"]}
    categories = [category for category in values.get("categories", []) if category["id"] in used]
    matching = [category["id"] for category in categories if category.get("keypoints") == list(keypoint_set.names)]
    if len(matching) == 1 or len(used) <= 1:
        return (matching or list(used) or [None])[0]
    names = ", ".join(str(category.get("name")) for category in categories)
    raise InputError(
        f"{path}: has boxes of several categories ({names}), none of them with the keypoints of {keypoint_set.name}; "
        "export one category"
    )


def _box(values: Any, where: str) -> Box:
    try:
        x, y, width, height = (float(value) for value in values)
        given_boxes([(x, y, width, height)])
    except (TypeError, ValueError, InputError):
        fault = f"{where}: its box is {one_line(repr(values))}"
        raise InputError(f"{fault}; expected x, y, width, height in px, the last two above 0") from None
    return x, y, width, height

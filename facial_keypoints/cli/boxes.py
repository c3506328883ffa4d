"""Boxes that the user gives for many pictures: a CSV file, or the boxes of a COCO file."""

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

    Boxes of other pictures are counted in a note in the log.

    Args:
        path: a `.csv` file with the columns `file,x,y,w,h`, a row per box, or a COCO `.json` file.
        names: of the pictures, as in the tables: a picture in a folder has its path below it.
        keypoint_set: of the model; where a COCO file has several categories, the one of these keypoints counts.

    Raises:
        InputError: the file cannot be read, a box has no size, or no box belongs to any of the pictures.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({one_line(error)}); give a CSV or COCO file in UTF-8") from None
    found: dict[str, list[Box]] = {name: [] for name in names}
    others = 0
    for name, box in _of_coco(path, text, keypoint_set) if path.suffix.lower() == ".json" else _of_csv(path, text):
        if name in found:
            found[name].append(box)
        else:
            others += 1
    if not any(found.values()):
        one = printable(min(names, default=""))
        raise InputError(f"{path}: has no box of any of the pictures; use their names, as {one}")
    if others:
        notes.warning("%s: skipped boxes of other pictures: %d", path, others)
    return found


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
        chosen = _category(path, values, keypoint_set)
        annotations = [each for each in values["annotations"] if each["category_id"] == chosen]
        images = [each["image_id"] for each in annotations]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{path}: is no COCO file ({one_line(error)}); give one with images and annotations") from None
    for annotation, image in zip(annotations, images, strict=True):
        where = f"{path}: annotation {annotation.get('id')}"
        if image not in files:
            raise InputError(f"{where}: its image {image} is not in the list of images; export the file again")
        yield files[image], _box(annotation.get("bbox"), where)


def _category(path: Path, values: dict[str, Any], keypoint_set: KeypointSet) -> Any:
    """Returns the id of the category whose boxes count: the only one in use, or the one of the model's keypoints."""
    used = {annotation["category_id"] for annotation in values["annotations"]}
    categories = [category for category in values.get("categories", []) if category["id"] in used]
    same = [category["id"] for category in categories if category.get("keypoints") == list(keypoint_set.names)]
    if len(same) == 1 or len(used) <= 1:
        return (same or list(used) or [None])[0]
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
        says = f"{where}: its box is {one_line(repr(values))}"
        raise InputError(f"{says}; expected x, y, width, height in px, the last two above 0") from None
    return x, y, width, height

"""Reads JSON files, rejects damaged ones in one line, and recognizes kinds of label files."""

import contextlib
import json
from array import array
from pathlib import Path
from typing import Any

from common.csv_table import FARTHEST_PX
from facial_keypoints.errors import InputError, one_line

COCO, LABELME, PREDICTIONS, RESULTS, TASKS = "COCO", "LabelMe", "predict", "COCO results", "Label Studio"
WHAT_TO_DO = {  # by kind of file: what it is, and what to give instead
    LABELME: "is a LabelMe file of one picture; give the folder that holds it",
    PREDICTIONS: "is the keypoints.json of `facial-keypoints predict`; give the keypoints.csv beside it, or what "
    "`predict --write-coco` writes",
    RESULTS: "is a list of COCO results, which names neither pictures nor keypoints; give the COCO file of the labels",
    TASKS: "is a list of Label Studio's tasks; export the project as COCO",
}


def read_json(path: Path) -> Any:
    """Returns the values of a JSON file; raises InputError if it does not exist or is not valid JSON.

    Numbers in `keypoints` are returned as an `array` of floats; `segmentation` is left out.
    """
    try:
        return json.loads(path.read_bytes(), object_hook=_compact)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder, not a file") from None
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        raise InputError(f"{path}: is not valid JSON ({one_line(error)}); export it again") from None


def _compact(values: dict[str, Any]) -> dict[str, Any]:
    """Returns an object without outlines, and with keypoints as an array: a tenth of the memory of a list."""
    values.pop("segmentation", None)
    numbers = values.get("keypoints")
    if isinstance(numbers, list) and all(type(value) in (int, float) for value in numbers):
        with contextlib.suppress(OverflowError):  # the reader rejects it
            values["keypoints"] = array("d", numbers)
    return values


def is_px(value: Any) -> bool:
    """Returns whether a JSON value is a number in px: not text, a Boolean or NaN, and not beyond any picture."""
    return type(value) in (int, float) and -FARTHEST_PX <= value <= FARTHEST_PX


def kind_of(values: Any) -> str | None:
    """Returns the kind of a label file, from its JSON values; None if it is unknown."""
    if isinstance(values, dict):
        if all(isinstance(values.get(key), list) for key in ("images", "annotations")):
            return COCO
        if isinstance(values.get("shapes"), list):
            return LABELME
        if isinstance(values.get("pictures"), list) and "keypoint_set" in values:
            return PREDICTIONS
    first = values[0] if isinstance(values, list) and values else None
    if isinstance(first, dict):
        if "image_id" in first:
            return RESULTS
        if "data" in first or "annotations" in first:
            return TASKS
    return None

"""Tables of the faces in pictures: keypoints.csv, keypoints.json. K keypoints."""

import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facial_keypoints.face import Face
from facial_keypoints.folders import write_rows
from facial_keypoints.measures import COLUMNS, Measures
from facial_keypoints.spec import ModelSpec

CSV_FILE, JSON_FILE = "keypoints.csv", "keypoints.json"
MEASURE_DECIMALS = 3  # of a degree, of a px, and of an openness


@dataclass(frozen=True)
class PictureFaces:
    """The faces of one picture, as JSON values.

    Attributes:
        file: the name of the picture.
        width_px, height_px: its size.
        faces: for each face `box` [x, y, width, height], `keypoints` K pairs [x, y] and `expected_error` K numbers or
            null, all in px of the picture, the detector's `score`, and with `measures` also {name: number or null}
            (`measures.COLUMNS`).
    """

    file: str
    width_px: int
    height_px: int
    faces: list[dict[str, Any]]


def face_values(face: Face, *, measures: bool = False) -> dict[str, Any]:
    """Returns a face's values for `PictureFaces`: `Face.to_dict` without the names, and optionally the measures."""
    values = face.to_dict()
    errors = values["expected_error"]
    return {
        "box": values["box"],
        "keypoints": list(values["keypoints"].values()),
        "expected_error": errors and list(errors.values()),
        "score": values["score"],
        **({"measures": _rounded(face.measures())} if measures else {}),
    }


def _rounded(measures: Measures) -> dict[str, float | None]:
    return {
        name: None if value is None else round(value, MEASURE_DECIMALS) for name, value in measures._asdict().items()
    }


def columns(spec: ModelSpec, *, measures: bool = False) -> list[str]:
    """Returns the columns of a face: box, keypoints, expected errors if the network predicts them, and measures."""
    errors = [f"{name}_expected_error" for name in spec.keypoint_set.names] if spec.expected_error else []
    return ["box_x", "box_y", "box_w", "box_h", *spec.keypoint_set.columns, *errors, *(COLUMNS if measures else ())]


def row(face: dict[str, Any], *, measures: bool = False) -> list[float | None]:
    """Returns the values of `columns` from `face_values`; None is an empty cell."""
    coordinates = [value for point in face["keypoints"] for value in point]
    measured = face["measures"].values() if measures else ()
    return [*face["box"], *coordinates, *(face["expected_error"] or []), *measured]


def write_csv(path: Path, pictures: Iterable[PictureFaces], spec: ModelSpec, *, measures: bool = False) -> None:
    """Writes one row for each face: `file,face`, then `columns`; no row for a picture without faces."""
    rows = (
        [picture.file, number, *row(face, measures=measures)]
        for picture in pictures
        for number, face in enumerate(picture.faces)
    )
    write_rows(path, itertools.chain([["file", "face", *columns(spec, measures=measures)]], rows))


def write_json(path: Path, pictures: Sequence[PictureFaces], spec: ModelSpec, model: str) -> None:
    """Writes the model's name, the keypoint set, and each picture with its faces, one picture per line."""
    head = {"model": model, "keypoint_set": spec.keypoint_set.name, "keypoints": spec.keypoint_set.names}
    with path.open("w", encoding="utf-8") as file:
        file.write(json.dumps(head)[:-1] + ', "pictures": [')
        file.write(",".join("\n" + json.dumps(vars(picture)) for picture in pictures))
        file.write("\n]}\n")

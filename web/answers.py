"""Computes the page's answer for a picture: the annotated picture, a sentence, a table, and files of keypoints."""

import functools
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from facial_keypoints import results
from facial_keypoints.array_types import UInt8
from facial_keypoints.face import Face
from facial_keypoints.predictor import Predictor
from facial_keypoints.results import PictureFaces
from facial_keypoints.spec import ModelSpec
from web.marking import NO_FILTER, mark, shrunk
from web.uploads import read_upload

COLUMNS = ("face", "keypoint", "x (px)", "y (px)", "expected error (px)")
DECIMALS = 1  # of a px, in the table
PICTURES_AT_ONCE = 2

Row = list[int | float | str]


class Answer(NamedTuple):
    """The answer for one picture.

    Attributes:
        picture: uint8 (H, W, 3) RGB, annotated; reduced if it was very large.
        sentence: what was found.
        rows: one per keypoint and face, with the values of COLUMNS.
        csv_file, json_file: as written by `facial-keypoints predict`, in px of the full picture.
    """

    picture: UInt8
    sentence: str
    rows: list[Row]
    csv_file: Path
    json_file: Path


@functools.cache
def predictor_of(model: str) -> Predictor:
    """Returns the predictor of a shipped model, loaded once. It uses one thread, since requests run in parallel."""
    return Predictor(model, threads=1)


@functools.cache
def workers() -> ThreadPoolExecutor:
    """Returns the pool of threads that process pictures. A thread keeps its detector for the next picture."""
    return ThreadPoolExecutor(PICTURES_AT_ONCE)


def answer(path: str | Path, model: str, folder: Path, *, filter: str = NO_FILTER, keypoints: bool = True) -> Answer:
    """Detects the faces in an uploaded picture and writes two files into a new folder in `folder`.

    Args:
        path: the uploaded file.
        model: name of a shipped model.
        filter, keypoints: as in `marking.mark`.

    Raises:
        InputError: with a sentence for the visitor.
    """
    picture = read_upload(path)
    predictor = predictor_of(model)
    faces = predictor.predict(picture)
    values = [results.face_values(face) for face in faces]
    picture_faces = PictureFaces(Path(path).name, picture.shape[1], picture.shape[0], values)
    marked = mark(picture, faces, filter=filter, keypoints=keypoints)
    out = Path(tempfile.mkdtemp(dir=folder))  # only now, because `cache.sweep` deletes empty folders
    files = out / results.CSV_FILE, out / results.JSON_FILE
    results.write_csv(files[0], [picture_faces], predictor.spec)
    results.write_json(files[1], [picture_faces], predictor.spec, model)
    return Answer(shrunk(marked), sentence(faces), rows(faces, predictor.spec), *files)


def sentence(faces: Sequence[Face]) -> str:
    """Returns a sentence with the number of faces and their mean expected error."""
    if not faces:
        return (
            "No face found. The detector works best for faces that look at the camera and are at least 40 pixels wide."
        )
    count = "One face." if len(faces) == 1 else f"{len(faces)} faces."
    errors = [float(face.expected_error.mean()) for face in faces if face.expected_error is not None]
    if not errors:
        return count
    share = sum(error / face.box[2] for error, face in zip(errors, faces, strict=True)) / len(faces)
    return (
        f"{count} Expected error: {sum(errors) / len(errors):.1f} px on average, {100 * share:.1f} % of a face's width."
    )


def rows(faces: Sequence[Face], spec: ModelSpec) -> list[Row]:
    """Returns the table, one row per keypoint; faces have the numbers drawn on the picture."""
    table: list[Row] = []
    for number, face in enumerate(faces):
        errors = [""] * len(face.keypoints) if face.expected_error is None else face.expected_error.tolist()
        for name, (x, y), error in zip(spec.keypoint_set.names, face.keypoints.tolist(), errors, strict=True):
            error_cell = error if isinstance(error, str) else round(error, 2)
            table.append([number, name.replace("_", " "), round(x, DECIMALS), round(y, DECIMALS), error_cell])
    return table

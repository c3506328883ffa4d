"""What the page answers for a picture: it drawn, a sentence, a table, and the keypoints as files. F faces."""

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
    """What is shown of a picture.

    Attributes:
        picture: uint8 (H, W, 3) RGB, marked, and smaller where it was very large.
        said: a sentence.
        rows: one for each keypoint of each face, of COLUMNS.
        csv_file, json_file: as `facial-keypoints predict` writes them, in px of the whole picture.
    """

    picture: UInt8
    said: str
    rows: list[Row]
    csv_file: Path
    json_file: Path


@functools.cache
def predictor_of(model: str) -> Predictor:
    """Returns the predictor of a shipped model, loaded once; one thread, for several requests run at once."""
    return Predictor(model, threads=1)


@functools.cache
def workers() -> ThreadPoolExecutor:
    """Returns the threads that answer: as many as pictures at once, and each keeps its detector for the next one."""
    return ThreadPoolExecutor(PICTURES_AT_ONCE)


def answer(path: str | Path, model: str, folder: Path, *, filter: str = NO_FILTER, keypoints: bool = True) -> Answer:
    """Finds the faces in an uploaded picture; writes two files into a new folder in `folder`.

    Args:
        path: of the upload.
        model: the name of a shipped one.
        filter, keypoints: as in `marking.mark`.

    Raises:
        InputError: a sentence for the visitor.
    """
    picture = read_upload(path)
    predictor = predictor_of(model)
    faces = predictor.predict(picture)
    values = [results.face_values(face) for face in faces]
    found = PictureFaces(Path(path).name, picture.shape[1], picture.shape[0], values)
    marked = mark(picture, faces, filter=filter, keypoints=keypoints)
    out = Path(tempfile.mkdtemp(dir=folder))  # only now, for folders that stay empty are swept away
    files = out / results.CSV_FILE, out / results.JSON_FILE
    results.write_csv(files[0], [found], predictor.spec)
    results.write_json(files[1], [found], predictor.spec, model)
    return Answer(shrunk(marked), sentence(faces), rows(faces, predictor.spec), *files)


def sentence(faces: Sequence[Face]) -> str:
    """Returns what was found, in words."""
    if not faces:
        return "No face found. Faces that look at the camera and are at least 40 pixels wide are found best."
    said = "One face." if len(faces) == 1 else f"{len(faces)} faces."
    errors = [float(face.expected_error.mean()) for face in faces if face.expected_error is not None]
    if not errors:
        return said
    share = sum(error / face.box[2] for error, face in zip(errors, faces, strict=True)) / len(faces)
    return (
        f"{said} Expected error: {sum(errors) / len(errors):.1f} px on average, {100 * share:.1f} % of a face's width."
    )


def rows(faces: Sequence[Face], spec: ModelSpec) -> list[Row]:
    """Returns the table, a row for each keypoint; a face's number is the one that is drawn."""
    table: list[Row] = []
    for number, face in enumerate(faces):
        errors = [""] * len(face.keypoints) if face.expected_error is None else face.expected_error.tolist()
        for name, (x, y), error in zip(spec.keypoint_set.names, face.keypoints.tolist(), errors, strict=True):
            said = error if isinstance(error, str) else round(error, 2)
            table.append([number, name.replace("_", " "), round(x, DECIMALS), round(y, DECIMALS), said])
    return table

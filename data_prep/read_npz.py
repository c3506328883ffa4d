"""Reader of the re-upload's layout: a folder with face_images.npz and facial_keypoints.csv."""

from pathlib import Path

import numpy as np

from data_prep.csv_table import read_lines
from data_prep.faces import Faces, Text
from data_prep.labels import read_keypoints
from data_prep.untrusted import parsing
from facial_keypoints.array_types import UInt8
from facial_keypoints.errors import InputError

IMAGES, KEYPOINTS, GROUPS = "face_images.npz", "facial_keypoints.csv", "groups.csv"
KEY, PERSON = "face_images", "person"


def read(folder: Path) -> Faces:
    """Returns the faces of a folder: `face_images.npz`, `facial_keypoints.csv` and, where there is one, `groups.csv`.

    Raises:
        InputError: a file is missing, damaged, of another shape, or the files differ in length.
    """
    images = _read_images(folder / IMAGES)
    keypoints, keypoint_set = read_keypoints(folder / KEYPOINTS)
    if len(images) != len(keypoints):
        raise InputError(
            f"{folder}: {IMAGES} holds {len(images)} pictures but {KEYPOINTS} {len(keypoints)} rows; "
            "they must be of one length"
        )
    groups = _read_people(folder / GROUPS, len(images)) if (folder / GROUPS).exists() else None
    return Faces(images, keypoints, np.arange(len(images)), groups, keypoint_set)


def _read_images(path: Path) -> UInt8:
    with parsing(path, "npz file", "fetch it again"):
        try:
            with np.load(path, allow_pickle=False) as archive:
                if KEY not in archive.files:
                    raise InputError(f"{path}: has no array {KEY!r}, only {', '.join(archive.files)}")
                images = archive[KEY]
        except ValueError as error:
            if "allow_pickle" in str(error):
                raise InputError(
                    f"{path}: holds pickled objects, which can run any code; save a plain uint8 array"
                ) from None
            raise
    if images.dtype != np.uint8:
        raise InputError(f"{path}: {KEY} is {images.dtype}, expected uint8 (0 black to 255 white)")
    if images.ndim != 3 or images.shape[0] != images.shape[1] or not images.size:
        raise InputError(f"{path}: {KEY} has shape {images.shape}, expected (96, 96, N): square pictures, faces last")
    return np.ascontiguousarray(np.moveaxis(images, -1, 0))[..., None]


def _read_people(path: Path, count: int) -> Text:
    """Returns the name in each row of a file with the column `person`, text (N,)."""
    header, body = read_lines(path, skip_empty=False)
    if PERSON not in header:
        raise InputError(f"{path}: lacks the column {PERSON}; it needs a row for each face with the name of its person")
    at = header.index(PERSON)
    for row, (line, cells) in enumerate(body):
        if not cells[at].strip():
            raise InputError(f"{path}: row {row} (line {line}) names no person; give every face one")
    if len(body) != count:
        raise InputError(f"{path}: has {len(body)} rows for {count} faces; it needs one for each")
    return np.array([cells[at].strip() for _, cells in body])

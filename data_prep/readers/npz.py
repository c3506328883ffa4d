"""Reads the layout of the re-uploaded data set: a folder with face_images.npz and facial_keypoints.csv."""

from pathlib import Path

import numpy as np

from common.csv_table import read_table
from data_prep.faces import Faces, Text
from data_prep.readers.bad_faces import STRICT, BadFaces
from data_prep.readers.check_labels import usable_rows
from data_prep.readers.face_arrays import faces_of
from data_prep.readers.labelled_pictures import composed
from data_prep.readers.labels import read_keypoints
from data_prep.readers.untrusted import parsing
from facial_keypoints.array_types import Bool, UInt8
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import KeypointSet

IMAGES, KEYPOINTS, GROUPS = "face_images.npz", "facial_keypoints.csv", "groups.csv"
KEY, PERSON = "face_images", "person"


def read(folder: Path, bad: BadFaces = STRICT, origin: str | None = None, given: KeypointSet | None = None) -> Faces:
    """Returns the faces of a folder: `face_images.npz`, `facial_keypoints.csv` and optionally `groups.csv`.

    Args:
        folder: the folder.
        bad: skips faces that cannot be used, or raises their error.
        origin: the name of the input; by default that of the folder.
        given: the user's keypoint set.

    Raises:
        InputError: a file is missing, damaged or of another shape, or the files differ in length; or, unless `bad`
            skips the face, its row cannot be read, has a placeholder or a label far outside the picture, or names no
            person.
    """
    images = _read_images(folder / IMAGES)
    labels = read_keypoints(folder / KEYPOINTS, bad, given)
    if len(images) != len(labels.keypoints):
        raise InputError(
            f"{folder}: {IMAGES} holds {len(images)} pictures but {KEYPOINTS} {len(labels.keypoints)} rows; "
            "they must have the same length"
        )
    size = images.shape[2], images.shape[1]
    usable = labels.usable & usable_rows(labels.keypoints, labels.keypoint_set.names, size, labels.table.where, bad)
    groups = None
    if (folder / GROUPS).exists():
        groups, usable = _read_people(folder / GROUPS, usable, bad)
    bad.check_any_usable(folder, int(usable.sum()))
    labels.table.log_assumptions()
    return faces_of(origin or str(folder), images, labels.keypoints, labels.keypoint_set, groups, usable)


def _read_images(path: Path) -> UInt8:
    with parsing(path, "npz file", "download it again"):
        try:
            with np.load(path, allow_pickle=False) as archive:
                if KEY not in archive.files:
                    raise InputError(f"{path}: has no array {KEY!r}, only {', '.join(archive.files)}")
                images = archive[KEY]
        except InputError:
            raise
        except ValueError as error:
            if "allow_pickle" in str(error):
                raise InputError(
                    f"{path}: holds pickled objects, which can run arbitrary code; save a plain uint8 array"
                ) from None
            raise
    if images.dtype != np.uint8:
        raise InputError(f"{path}: {KEY} is {images.dtype}, expected uint8 (0 black to 255 white)")
    if images.ndim != 3 or images.shape[0] != images.shape[1] or not images.size:
        raise InputError(f"{path}: {KEY} has shape {images.shape}, expected (96, 96, N): square pictures, faces last")
    return np.ascontiguousarray(np.moveaxis(images, -1, 0))[..., None]


def _read_people(path: Path, usable: Bool, bad: BadFaces) -> tuple[Text, Bool]:
    """Returns the `person` of each row, text (N,), and bool (N,), the `usable` rows that have one."""
    table = read_table(path, skip_empty=False)
    table.check_order()
    if PERSON not in table.header:
        raise InputError(f"{path}: lacks the column {PERSON}; it needs a row for each face with the name of its person")
    if len(table) != len(usable):
        raise InputError(f"{path}: has {len(table)} rows for {len(usable)} faces; it needs one for each")
    column = table.header.index(PERSON)
    names = [""] * len(table)
    for row in np.flatnonzero(usable).tolist():
        with bad.left_out():
            names[row] = composed(table.cells(row)[column].strip())
            if not names[row]:
                raise InputError(f"{table.where(row)}: names no person; give every face one")
    table.log_assumptions()
    return np.array(names), usable & [name != "" for name in names]

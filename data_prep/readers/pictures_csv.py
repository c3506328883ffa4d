"""Reads pictures with a CSV file: `keypoints.csv` and a folder `pictures`."""

from pathlib import Path

import numpy as np

from common.csv_table import Table, read_table
from data_prep.readers.bad_faces import STRICT, BadFaces
from data_prep.readers.check_labels import EMPTY_CELLS, check_placeholders
from data_prep.readers.labelled_pictures import (
    LabelledPicture,
    LabelledPictures,
    PictureFolder,
    composed,
    without_repeats,
)
from data_prep.readers.labels import coordinate_columns, keypoint_set_of, read_rows
from facial_keypoints.array_types import Float32
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import KeypointSet

CSV, PICTURES = "keypoints.csv", "pictures"
FILE, PERSON = "file", "person"


def read(folder: Path, bad: BadFaces = STRICT) -> LabelledPictures:
    """Returns the faces of a folder of pictures with named keypoints: `file`, `person`, then `NAME_x`, `NAME_y`, ...

    Without a column `person`, each picture counts as another person. The columns show the keypoint set, and the label
    source if they are exactly its keypoints.

    Raises:
        InputError: the columns are wrong or there is no face; or a face is not skipped whose row has the wrong length,
            a cell that is not a number, a placeholder, a repeated name, or a missing picture.
    """
    path = folder / CSV
    table = read_table(path)
    keypoint_set = keypoint_set_of(path, [name for name in table.header if name != PERSON], others=[FILE])
    pictures = PictureFolder(folder / PICTURES)
    keypoints, usable = read_rows(table, keypoint_set, bad)
    faces = []
    for row in np.flatnonzero(usable).tolist():
        with bad.left_out():
            faces.append(_face(table, row, keypoints[row], keypoint_set, pictures))
    faces = without_repeats(faces, bad)
    bad.check_some_left(folder, len(faces))
    if not faces:
        raise InputError(f"{path}: has a header but no rows; it needs a row for each face")
    table.log_assumptions()
    label_source = label_source_of(coordinate_columns(table.header, keypoint_set)[0], keypoint_set)
    found = f"{len(faces):,} pictures"
    if label_source is not None:
        found += f", label source {keypoint_set.label_sources[label_source].name}"
    return LabelledPictures(folder, faces, keypoint_set, label_source, found, names_people=PERSON in table.header)


def _face(
    table: Table, row: int, keypoints: Float32, keypoint_set: KeypointSet, pictures: PictureFolder
) -> LabelledPicture:
    """Returns the face of a row with keypoints (K, 2); raises InputError if it cannot be used."""
    cells, where = table.cells(row), table.where(row)
    check_placeholders(keypoints, keypoint_set.names, where, EMPTY_CELLS)
    name = cells[table.header.index(FILE)]
    person = f"{table.path.parent.resolve().name}:{name}"
    if PERSON in table.header and not (person := cells[table.header.index(PERSON)].strip()):
        raise InputError(f"{where}: names no person; give every face one")
    return LabelledPicture(pictures.find(name, where), composed(person), keypoints, where)


def label_source_of(columns: list[str], keypoint_set: KeypointSet) -> int | None:
    """Returns the label source that labels exactly the keypoints of the columns, and not all; None if there is none."""
    labelled = tuple(k for k, name in enumerate(keypoint_set.names) if f"{name}_x" in columns)
    for number, source in enumerate(keypoint_set.label_sources):
        if source.keypoints == labelled and len(labelled) < len(keypoint_set):
            return number
    return None

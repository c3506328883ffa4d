"""Reads pictures with a CSV file: `keypoints.csv` and a folder `pictures`, or any file with `--images DIR`.

Also reads the tables that `facial-keypoints predict` writes: a row is a label if a person has reviewed it.
"""

import re
from pathlib import Path

import numpy as np

from common.csv_table import Table, read_table
from data_prep.readers.bad_faces import STRICT, BadFaces
from data_prep.readers.check_labels import EMPTY_CELLS, check_placeholders
from data_prep.readers.keypoint_sets import label_source_of
from data_prep.readers.labelled_pictures import (
    LabelledPicture,
    LabelledPictures,
    PictureFolder,
    composed,
    without_repeats,
)
from data_prep.readers.labels import keypoint_set_of, numbers, read_rows
from data_prep.readers.reviewed import is_reviewed
from facial_keypoints import measures
from facial_keypoints.array_types import Float32
from facial_keypoints.coco import REVIEWED
from facial_keypoints.errors import InputError, counted
from facial_keypoints.keypoint_set import KeypointSet

CSV, PICTURES = "keypoints.csv", "pictures"
FILE, PERSON = "file", "person"
BOX = ("box_x", "box_y", "box_w", "box_h")
FACE, UNCERTAINTY, EXPECTED_ERROR = "face", "uncertainty", "_expected_error"  # columns that `predict` writes, the last
# as the ending of names of keypoints
HEAD_BYTES = 100_000
FILE_CELL = re.compile(rb"""(^|[,;\t|"\n\xef\xbb\xbf\xff\xfe]) *file *([,;\t|"\r\n]|$)""")


def read(
    source: Path, bad: BadFaces = STRICT, given: KeypointSet | None = None, images: Path | None = None
) -> LabelledPictures:
    """Returns the faces of a CSV file with the columns `file`, optionally `person`, then `NAME_x`, `NAME_y`, ...

    Without a column `person`, each picture counts as another person. The columns determine the keypoint set, and the
    label source if they are exactly its keypoints. `box_x`, `box_y`, `box_w`, `box_h` are the face's box, or empty.

    A file with the column `face` or a column `NAME_expected_error` holds predictions. They are labels if the column
    `reviewed` is 1; in other files, all rows are labels unless this column is 0. With the column `face`, a picture can
    have several rows. The boxes of predictions are not labels and are not used.

    Args:
        source: the file, or a folder with `keypoints.csv`.
        bad: skips faces that cannot be used, or raises their error.
        given: the user's keypoint set.
        images: the folder of the pictures; by default `pictures` in the folder of the file.

    Raises:
        InputError: the columns are wrong or there is no face; or, unless `bad` skips the face, its row has the wrong
            length, a cell that is not a number, a placeholder, a repeated name, or a missing picture.
    """
    path = source / CSV if source.is_dir() else source
    table = read_table(path)
    if images is None and not (path.parent / PICTURES).is_dir():
        raise InputError(f"{path}: there is no folder {PICTURES} beside it; give its picture folder with --images DIR")
    images = images or path.parent / PICTURES
    boxes = [name for name in BOX if name in table.header]
    others = [FILE, *(BOX if boxes else [])]
    further_columns = (PERSON, FACE, UNCERTAINTY, REVIEWED, *measures.COLUMNS)
    columns = [name for name in table.header if name not in further_columns and not name.endswith(EXPECTED_ERROR)]
    keypoint_set = keypoint_set_of(path, columns, others, given)
    pictures = PictureFolder(images)
    keypoints, usable = read_rows(table, keypoint_set, bad)
    faces, rows = [], []
    for row in np.flatnonzero(usable).tolist():
        with bad.left_out():
            faces.append(_face(table, row, keypoints[row], keypoint_set, pictures))
            rows.append(row)
    face_numbers = [table.cells(row)[table.header.index(FACE)] for row in rows] if FACE in table.header else None
    faces = without_repeats(faces, bad, face_numbers)
    bad.check_any_usable(path, len(faces))
    if not faces:
        raise InputError(f"{path}: has a header but no rows; it needs a row for each face")
    table.log_assumptions()
    names = [name for name in keypoint_set.names if f"{name}_x" in table.header]
    label_source = label_source_of(names, keypoint_set)
    description = counted(len({face.file for face in faces}), "picture")
    description += f" with {counted(len(faces), 'face')}" if FACE in table.header else ""
    if label_source is not None:
        description += f", label source {keypoint_set.label_sources[label_source].name}"
    root = path.parent if images.is_relative_to(path.parent) else images
    return LabelledPictures(root, faces, keypoint_set, label_source, description, names_people=PERSON in table.header)


def is_label_file(path: Path) -> bool:
    """Returns whether a CSV file names pictures: its first lines have a cell `file`."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES).replace(b"\0", b"")  # UTF-16 has one after each letter
    return bool(FILE_CELL.search(head))


def _face(
    table: Table, row: int, keypoints: Float32, keypoint_set: KeypointSet, pictures: PictureFolder
) -> LabelledPicture:
    """Returns the face of a row with keypoints (K, 2); raises InputError if it cannot be used."""
    cells, where = dict(zip(table.header, table.cells(row), strict=True)), table.where(row)
    check_placeholders(keypoints, keypoint_set.names, where, EMPTY_CELLS)
    person = f"{table.path.parent.resolve().name}:{cells[FILE]}"
    if PERSON in cells and not (person := cells[PERSON].strip()):
        raise InputError(f"{where}: names no person; give every face one")
    predicted = FACE in cells or any(name.endswith(EXPECTED_ERROR) for name in cells)
    reviewed = is_reviewed(cells[REVIEWED], where) if REVIEWED in cells else not predicted
    box = _box(cells, where) if BOX[0] in cells and not predicted else None
    file = pictures.find(cells[FILE], where)
    return LabelledPicture(file, composed(person), keypoints, where, box=box, reviewed=reviewed)


def _box(cells: dict[str, str], where: str) -> tuple[float, float, float, float] | None:
    """Returns the box of a face, None if its cells are empty; raises InputError if it has no area."""
    x, y, width, height = numbers([cells[name] for name in BOX], BOX, where)
    if np.isnan([x, y, width, height]).all():
        return None
    if not (width > 0 and height > 0 and np.isfinite(x + y)):
        raise InputError(f"{where}: has a box without area; correct it, or empty its four cells")
    return x, y, width, height

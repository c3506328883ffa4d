"""Reads video frames with 68 keypoints: a folder of frames and a CSV file for each split."""

from pathlib import Path

import numpy as np

from common.csv_table import read_table
from data_prep.readers.bad_faces import STRICT, BadFaces
from data_prep.readers.check_labels import EMPTY_CELLS, check_placeholders
from data_prep.readers.labelled_pictures import (
    TEST,
    TRAINING,
    LabelledPicture,
    LabelledPictures,
    PictureFolder,
    composed,
    without_repeats,
)
from data_prep.readers.labels import numbers
from facial_keypoints.errors import InputError
from facial_keypoints.folders import is_hidden
from facial_keypoints.keypoint_set import FACE68

CSV_END = "_frames_keypoints.csv"
SPLITS = (TRAINING, TEST)
COLUMNS = FACE68.columns
FRAMES = 1  # the label source of frames, whose labels are shifted slightly sideways


def read(folder: Path, bad: BadFaces = STRICT) -> LabelledPictures:
    """Returns the faces of `training_frames_keypoints.csv` and the folder `training`, and those of `test`.

    Each row has the file name, then x and y of 68 points, empty if unlabelled. The person is the file name without its
    last number.

    Raises:
        InputError: the columns are wrong or there is no face; or, unless `bad` skips the face, its row has the wrong
            length, a cell that is not a number, a placeholder, a repeated name, or a missing picture.
    """
    faces: list[LabelledPicture] = []
    descriptions = []
    for split in SPLITS:
        path = folder / f"{split}{CSV_END}"
        if not path.is_file():
            continue
        table = read_table(path)
        if len(table.header) != 1 + 2 * len(FACE68):
            raise InputError(
                f"{path}: has {len(table.header) - 1} columns after the file names, expected {2 * len(FACE68)} (x and "
                f"y of {len(FACE68)} points)"
            )
        pictures = PictureFolder(folder / split)
        for row in range(len(table)):
            with bad.left_out():
                (name, *cells), where = table.cells(row), table.where(row)
                points = np.array(numbers(cells, COLUMNS, where), np.float32).reshape(-1, 2)
                check_placeholders(points, FACE68.names, where, EMPTY_CELLS)
                person = "yt:" + composed(Path(name).stem).rsplit("_", 1)[0]
                faces.append(LabelledPicture(pictures.find(name, where), person, points, where, split))
        table.log_assumptions()
        count = sum(file.is_file() and not is_hidden(Path(file.name)) for file in (folder / split).glob("*"))
        descriptions.append(f"{split}: {count:,} pictures, {len(table):,} of them labelled")
    faces = without_repeats(faces, bad)
    bad.check_any_usable(folder, len(faces))
    if not faces:
        raise InputError(f"{folder}: the CSV files of the frames have no rows; each needs one for each labelled frame")
    return LabelledPictures(folder, faces, FACE68, FRAMES, "; ".join(descriptions), names_people=True)

"""Reader of video frames with 68 keypoints: a folder of frames and a CSV file for each part."""

from pathlib import Path

from data_prep.csv_table import read_lines
from data_prep.labelled_pictures import (
    TEST,
    TRAINING,
    LabelledPicture,
    LabelledPictures,
    check_names,
    picture_path,
    points,
)
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE68

CSV_END = "_frames_keypoints.csv"
PARTS = (TRAINING, TEST)
FRAMES = 1  # their label source: frames are labelled a little to one side


def read(folder: Path) -> LabelledPictures:
    """Returns the faces of `training_frames_keypoints.csv` beside a folder `training`, and of `test` alike.

    Each row: the file name, then x and y of 68 points. The person is the file's name without its last number.

    Raises:
        InputError: other columns, a point that is no number, a name twice, or a picture that is missing.
    """
    faces: list[LabelledPicture] = []
    found = []
    for part in PARTS:
        path = folder / f"{part}{CSV_END}"
        if not path.is_file():
            continue
        header, body = read_lines(path)
        if len(header) != 1 + 2 * len(FACE68):
            raise InputError(
                f"{path}: has {len(header) - 1} columns after the file names, expected {2 * len(FACE68)} (x and y of "
                f"{len(FACE68)} points)"
            )
        for row, (line, (name, *cells)) in enumerate(body):
            where = f"{path}: row {row} (line {line})"
            person = "yt:" + Path(name).stem.rsplit("_", 1)[0]
            faces.append(
                LabelledPicture(picture_path(folder / part, name, where), person, points(cells, where), where, part)
            )
        pictures = sum(file.is_file() for file in (folder / part).glob("*"))
        found.append(f"{part}: {pictures:,} pictures, {len(body):,} of them labelled")
    if not faces:
        raise InputError(f"{folder}: the CSV files of the frames have no rows; each needs one for each labelled frame")
    check_names(faces)
    return LabelledPictures(folder, faces, FACE68, FRAMES, "; ".join(found), names_people=True)

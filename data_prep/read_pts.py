"""Reader of ibug's `.pts` files: one beside each picture."""

from pathlib import Path

from data_prep.labelled_pictures import (
    NOT_SAID,
    TEST,
    TRAINING,
    LabelledPicture,
    LabelledPictures,
    picture_id,
    points,
)
from facial_keypoints.array_types import Float32
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE68

ENDS = (".jpg", ".png", ".jpeg", ".bmp")
PARTS = {"": NOT_SAID, "trainset": TRAINING, "testset": TEST}  # folders, as 300-W names them


def read(folder: Path) -> LabelledPictures:
    """Returns the faces of `NAME.pts` beside `NAME.jpg` or `.png`, in a folder or in its `trainset` and `testset`.

    Nobody is named: faces that were cut from one photo count as one person, all others as different people. A person's
    name begins with that of the folder without its trailing digits, so that sets of different names share none.

    Raises:
        InputError: another number of points, a point that is no number, or a picture that is missing.
    """
    faces = []
    prefix = folder.resolve().name.rstrip("0123456789")
    for below, part in PARTS.items():
        for path in sorted((folder / below).glob("*.pts")):
            person = f"{prefix}:{picture_id(path.stem)}"
            faces.append(LabelledPicture(_picture(path), person, read_points(path), str(path), part))
    return LabelledPictures(folder, faces, FACE68, 0, f"{len(faces):,} pictures with a .pts file")


def read_points(path: Path) -> Float32:
    """Returns the points of a `.pts` file, float32 (68, 2) in px, counted from 0 (the file counts from 1).

    The lines `version`, `n_points` and the braces may be there or not.
    """
    try:
        text = path.read_text()
    except UnicodeDecodeError:
        text = ""
    inside = text.partition("{")[2].partition("}")[0] if "{" in text else text
    cells = " ".join(line for line in inside.splitlines() if ":" not in line).split()
    if len(cells) != 2 * len(FACE68):
        raise InputError(
            f"{path}: holds {len(cells)} numbers, expected x and y of {len(FACE68)} points; fetch it again"
        )
    return points(cells, str(path)) - 1


def _picture(path: Path) -> Path:
    for end in ENDS:
        for picture in (path.with_suffix(end), path.with_suffix(end.upper())):
            if picture.is_file():
                return picture
    raise InputError(f"{path}: no picture {path.stem}{ENDS[0]} or {ENDS[1]} beside it; fetch it, or take the file out")

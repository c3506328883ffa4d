"""Reader of ibug's `.pts` files: one beside each picture."""

import re
from collections import Counter
from pathlib import Path, PurePosixPath

import numpy as np

from common.csv_table import number
from common.hidden import is_hidden
from common.text import read_text
from data_prep.readers.bad_faces import STRICT, BadFaces
from data_prep.readers.keypoint_sets import set_of_count
from data_prep.readers.labelled_pictures import (
    NOT_SAID,
    TEST,
    TRAINING,
    LabelledPicture,
    LabelledPictures,
    PictureFolder,
    composed,
    picture_id,
)
from facial_keypoints.array_types import Bool, Float32
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import KeypointSet

ENDS = (".jpg", ".png", ".jpeg", ".bmp")
SPLITS = {"": NOT_SAID, "trainset": TRAINING, "testset": TEST}  # folders, as 300-W names them
N_POINTS = re.compile(r"n_points:\s*(\d{1,6})\s")
NO_LABEL = -1  # as both coordinates, in the files of MERL-RAV


def read(folder: Path, bad: BadFaces = STRICT, given: KeypointSet | None = None) -> LabelledPictures:
    """Returns the faces of `NAME.pts` beside `NAME.jpg` or `.png`, in a folder or in its `trainset` and `testset`.

    Nobody is named: faces that were cut from one photo count as one person, all others as different people. A person's
    name begins with that of the folder without its trailing digits, so that sets of different names share none.

    Args:
        folder: the folder.
        bad: what becomes of faces that cannot be used.
        given: the keypoint set that the user says; otherwise the number of points decides.

    Raises:
        InputError: no face, or `given` has another number of keypoints; or, where `bad` does not leave the face out,
            another number of points than most files have, a point that is no number, or a missing picture.
    """
    faces = []
    prefix = composed(folder.resolve().name).rstrip("0123456789")
    for below, split in SPLITS.items():
        pictures = PictureFolder(folder / below)
        for path in files(folder / below):
            with bad.left_out():
                person = f"{prefix}:{picture_id(composed(path.stem))}"
                keypoints, occluded = read_points(path)
                faces.append(LabelledPicture(_picture(path, pictures), person, keypoints, str(path), split, occluded))
    bad.check_some_left(folder, len(faces))
    ((count, _),) = Counter(len(face.keypoints) for face in faces).most_common(1)
    keypoint_set = set_of_count(count, str(folder), given)
    alike = []
    for face in faces:
        with bad.left_out():
            if len(face.keypoints) != count:
                raise InputError(
                    f"{face.where}: holds {len(face.keypoints)} points, most files here hold {count}; fetch it again"
                )
            alike.append(face)
    return LabelledPictures(folder, alike, keypoint_set, 0, f"{len(alike):,} pictures with a .pts file")


def files(folder: Path) -> list[Path]:
    """Returns the `.pts` files of a folder, by name, without hidden ones."""
    return [path for path in sorted(folder.glob("*.pts")) if not is_hidden(Path(path.name))]


def read_points(path: Path) -> tuple[Float32, Bool]:
    """Returns the points of a `.pts` file, float32 (K, 2) in px, counted from 0, and which are occluded, bool (K,).

    The file counts from 1. The lines `version`, `n_points` and the braces are optional. As in MERL-RAV (Kumar et al.
    2020, LUVLi face alignment), `-1 -1` is no label, NaN here, and a label with both coordinates negative is that of an
    occluded keypoint at the positive place.

    Raises:
        InputError: no points, other than `n_points` says, one that is no number of px, or `0 0`, which stands for a
            missing label.
    """
    text, _ = read_text(path, ".pts file")
    inside = text.partition("{")[2].partition("}")[0] if "{" in text else text
    cells = " ".join(line for line in inside.splitlines() if ":" not in line).split()
    said = N_POINTS.search(text)
    count = int(said[1]) if said else len(cells) // 2
    if not cells or len(cells) != 2 * count:
        raise InputError(
            f"{path}: holds {len(cells)} numbers, expected x and y of {f'{count} points' if count else 'each point'}; "
            "fetch it again"
        )
    values = [number(cell) for cell in cells]
    for i, (cell, value) in enumerate(zip(cells, values, strict=True)):
        if not np.isfinite(value):
            raise InputError(
                f"{path}: {'xy'[i % 2]} of point {i // 2 + 1} of {count} is {cell[:20]!r}, no number of px; "
                "correct it, or write -1 -1 where it is not labelled"
            )
    written = np.array(values, np.float32).reshape(-1, 2)
    if (zero := np.flatnonzero((written == 0).all(axis=1))).size:
        raise InputError(
            f"{path}: point {zero[0] + 1} of {count} is 0 0, which often stands for a missing label; write -1 -1 "
            "where it is not labelled"
        )
    missing = (written == NO_LABEL).all(axis=1)
    occluded = (written < 0).all(axis=1) & ~missing
    placed = np.where(occluded[:, None], -written, written)
    placed[missing] = np.nan
    return placed - 1, occluded


def _picture(path: Path, pictures: PictureFolder) -> Path:
    for end in ENDS:
        for name in (path.with_suffix(end).name, path.with_suffix(end.upper()).name):
            if (picture := pictures.look_up(PurePosixPath(name))) is not None:
                return picture
    raise InputError(f"{path}: no picture {path.stem}{ENDS[0]} or {ENDS[1]} beside it; fetch it, or take the file out")

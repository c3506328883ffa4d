"""Reads ibug's `.pts` files, one for each picture."""

import re
from collections import Counter
from pathlib import Path, PurePosixPath

import numpy as np

from common.csv_table import number, shown
from common.text import read_text
from data_prep.readers.bad_faces import STRICT, BadFaces
from data_prep.readers.keypoint_sets import set_of_count
from data_prep.readers.labelled_pictures import (
    TEST,
    TRAINING,
    UNSPLIT,
    LabelledPicture,
    LabelledPictures,
    PictureFolder,
    composed,
    picture_id,
)
from facial_keypoints.array_types import Bool, Float32
from facial_keypoints.errors import InputError
from facial_keypoints.folders import is_hidden
from facial_keypoints.keypoint_set import KeypointSet

SUFFIXES = (".jpg", ".png", ".jpeg", ".bmp")
SPLITS = {"": UNSPLIT, "trainset": TRAINING, "testset": TEST}  # folders, as 300-W names them
N_POINTS = re.compile(r"n_points:\s*(\d{1,6})\s")
UNLABELLED = -1  # both coordinates of a missing label in the files of MERL-RAV


def read(folder: Path, bad: BadFaces = STRICT, given: KeypointSet | None = None) -> LabelledPictures:
    """Returns the faces of `NAME.pts` with `NAME.jpg` or `.png`, in a folder or in its `trainset` and `testset`.

    The files name no people: faces cropped from one photo count as one person, all others as different people. Names
    of people begin with the folder's name without trailing digits, so data sets of different names share no people.

    Args:
        folder: the folder.
        bad: skips faces that cannot be used, or raises their error.
        given: the user's keypoint set; None: the number of points determines it.

    Raises:
        InputError: there is no face, or `given` has another number of keypoints; or, unless `bad` skips the face, its
            file has another number of points than most or a point that is not a number, or its picture is missing.
    """
    faces = []
    prefix = composed(folder.resolve().name).rstrip("0123456789")
    for subfolder, split in SPLITS.items():
        pictures = PictureFolder(folder / subfolder)
        for path in files(folder / subfolder):
            with bad.left_out():
                person = f"{prefix}:{picture_id(composed(path.stem))}"
                keypoints, occluded = read_points(path)
                occluded_or_none = occluded if occluded.any() else None  # most data sets do not show what is occluded
                faces.append(
                    LabelledPicture(_picture(path, pictures), person, keypoints, str(path), split, occluded_or_none)
                )
    bad.check_any_usable(folder, len(faces))
    ((count, _),) = Counter(len(face.keypoints) for face in faces).most_common(1)
    keypoint_set = set_of_count(count, str(folder), given)
    matching = []
    for face in faces:
        with bad.left_out():
            if len(face.keypoints) != count:
                raise InputError(
                    f"{face.where}: holds {len(face.keypoints)} points, most files here hold {count}; download it again"
                )
            matching.append(face)
    return LabelledPictures(folder, matching, keypoint_set, 0, f"{len(matching):,} pictures with a .pts file")


def files(folder: Path) -> list[Path]:
    """Returns the `.pts` files of a folder, by name, without hidden ones."""
    return [path for path in sorted(folder.glob("*.pts")) if not is_hidden(Path(path.name))]


def read_points(path: Path) -> tuple[Float32, Bool]:
    """Returns the points of a `.pts` file, float32 (K, 2) in px, counted from 0, and which are occluded, bool (K,).

    The file counts from 1. The lines `version`, `n_points` and the braces are optional. As in MERL-RAV (Kumar et al.
    2020, LUVLi face alignment), `-1 -1` is a missing label, NaN here, and two negative coordinates are those of an
    occluded keypoint at the positive coordinates.

    Raises:
        InputError: there is no point, their number is not `n_points`, or one is not a number in px or is the
            placeholder `0 0`.
    """
    text, _ = read_text(path, ".pts file")
    inside = text.partition("{")[2].partition("}")[0] if "{" in text else text
    cells = " ".join(line for line in inside.splitlines() if ":" not in line).split()
    declared = N_POINTS.search(text)
    count = int(declared[1]) if declared else len(cells) // 2
    if not cells or len(cells) != 2 * count:
        raise InputError(
            f"{path}: holds {len(cells)} numbers, expected x and y of {f'{count} points' if count else 'each point'}; "
            "download it again"
        )
    values = [number(cell) for cell in cells]
    for i, (cell, value) in enumerate(zip(cells, values, strict=True)):
        if not np.isfinite(value):
            raise InputError(
                f"{path}: {'xy'[i % 2]} of point {i // 2 + 1} of {count} is {shown(cell)}, not a number "
                "of px; correct it, or write -1 -1 if it is not labelled"
            )
    points = np.array(values, np.float32).reshape(-1, 2)
    if (zero := np.flatnonzero((points == 0).all(axis=1))).size:
        raise InputError(
            f"{path}: point {zero[0] + 1} of {count} is 0 0, which often stands for a missing label; write -1 -1 "
            "if it is not labelled"
        )
    missing = (points == UNLABELLED).all(axis=1)
    occluded = (points < 0).all(axis=1) & ~missing
    keypoints = np.where(occluded[:, None], -points, points)
    keypoints[missing] = np.nan
    return keypoints - 1, occluded


def _picture(path: Path, pictures: PictureFolder) -> Path:
    for suffix in SUFFIXES:
        for name in (path.with_suffix(suffix).name, path.with_suffix(suffix.upper()).name):
            if (picture := pictures.look_up(PurePosixPath(name))) is not None:
                return picture
    raise InputError(
        f"{path}: no picture {path.stem}{SUFFIXES[0]} or {SUFFIXES[1]} in its folder; add it, or remove the file"
    )

"""Reads the pictures that a face finder learns from. F faces.

Two kinds of input: a folder with `pictures/` and `faces.csv` (a row for each face, several in a picture), and any
folder of labelled pictures with one face each that `data_prep.inputs` reads and that has the five points.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from common.csv_table import number, read_table
from data_prep.readers import frames, pts
from data_prep.readers.labelled_pictures import LabelledPictures
from data_prep.readers.pictures import IGNORE, read_picture
from facial_keypoints.array_types import Bool, Float64, UInt8
from facial_keypoints.detectors.five_points import NAMES, POINTS, fitted_boxes
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import check_roles

FACES_CSV, PICTURES = "faces.csv", "pictures"
MARKED, YUNET, NONE = "marked", "yunet", "none"  # label of a row: face labelled by hand, face found by YuNet, no face
SURE_SCORE = 0.7  # of YuNet; below it, a face is uncertain
TENTHS = ("test", "val")  # the splits of the first tenths of all groups; the rest is for training
LFW_NAME = re.compile(r"lfw_\d+_(?P<person>.+)_\d+")
COLUMNS = ("file", "label", "yunet_score", *(f"{name}_{axis}" for name in NAMES for axis in "xy"))


@dataclass(frozen=True)
class Scene:
    """A picture and all its known faces.

    Attributes:
        picture: uint8 (H, W), gray.
        points: float64 (F, 5, 2), px of the picture.
        sure: bool (F,); False if it is uncertain whether there is a face.
        marked: bool (F,); a person labelled the face.
        group: the person, or the file; all scenes of a group stay in one split.
        file: the picture's file.
        middle, side: of the faces' boxes, float64 (F, 2) and (F,), px; computed once, because composing needs them.
        hard: float64 (M, 2), px; the middles of false faces that an earlier network detected.
    """

    picture: UInt8
    points: Float64
    sure: Bool
    marked: Bool
    group: str
    file: Path
    middle: Float64
    side: Float64
    hard: Float64 = field(default_factory=lambda: np.zeros((0, 2)))


def split_of(group: str) -> str:
    """Returns the split of a group, `train`, `val` or `test`, which is the same in every data set and version."""
    tenth = hashlib.sha256(group.encode()).digest()[0] * 10 // 256
    return TENTHS[tenth] if tenth < len(TENTHS) else "train"


def read_scenes(folder: Path, split: str | None = None) -> list[Scene]:
    """Returns the pictures of a folder with `faces.csv` and `pictures/`, in the order of the file.

    Args:
        folder: the folder.
        split: `train`, `val` or `test`; None: all.

    Raises:
        InputError: a file or a column is missing, or a row is not valid.
    """
    path = folder / FACES_CSV
    if not path.is_file():
        raise InputError(f"{path}: no such file; give a folder with {FACES_CSV} and {PICTURES}/")
    table = read_table(path)
    if missing := [name for name in COLUMNS if name not in table.header]:
        raise InputError(f"{path}: has no column {missing[0]}; expected {', '.join(COLUMNS)}")
    rows: dict[str, list[tuple[list[float], bool, bool]]] = {}
    for index in range(len(table)):
        cells, where = dict(zip(table.header, table.cells(index), strict=True)), table.where(index)
        faces = rows.setdefault(cells["file"], [])
        if cells["label"] != NONE:
            faces.append(_face(cells, where))
    names = [name for name in rows if split in (None, split_of(group_of(name)))]
    bar = tqdm(names, desc=folder.name, disable=None, leave=False)
    return [_scene(folder / PICTURES / name, rows[name]) for name in bar]


def _face(cells: dict[str, str], where: str) -> tuple[list[float], bool, bool]:
    """Returns the ten coordinates of a row, whether it is sure to be a face, and whether a person labelled it."""
    label = cells["label"]
    if label not in (MARKED, YUNET):
        raise InputError(f"{where}: label is {label!r}, expected {MARKED}, {YUNET} or {NONE}")
    values = [number(cells[name]) for name in COLUMNS[3:]]
    if not np.isfinite(values).all():
        raise InputError(f"{where}: a face needs x and y of all five points in px; complete the row or remove it")
    return values, label == MARKED or number(cells["yunet_score"]) >= SURE_SCORE, label == MARKED


def _scene(file: Path, faces: Sequence[tuple[list[float], bool, bool]]) -> Scene:
    points = np.array([values for values, _, _ in faces], np.float64).reshape(-1, POINTS, 2)
    sure, marked = (np.array([face[index] for face in faces], bool) for index in (1, 2))
    return scene_of(file, points, sure, marked, group_of(file.name))


def scene_of(file: Path, points: Float64, sure: Bool, marked: Bool, group: str) -> Scene:
    """Returns the scene of a picture file; for the arguments see `Scene`."""
    middle, side, _ = fitted_boxes(points)
    return Scene(read_gray(file), points, sure, marked, group, file, middle, side)


def group_of(name: str) -> str:
    """Returns the person in a file of LFW, named as in `data_prep.readers.frames`; for other files, the file name."""
    match = LFW_NAME.fullmatch(Path(name).stem)
    return f"yt:{match['person']}" if match else name


def read_inputs(names: Sequence[str], split: str) -> list[Scene]:
    """Returns the scenes of one split of several INPUTs; for the arguments and errors see `read_input`.

    Raises:
        InputError: also raised if no scene has a face.
    """
    scenes = [scene for name in names for scene in read_input(name, split)]
    if not any(len(scene.points) for scene in scenes):
        inputs, points = ", ".join(names), ", ".join(NAMES)
        raise InputError(f"{inputs}: the {split} split has no face with all five points ({points}); add pictures")
    return scenes


def read_input(name: str, split: str | None = None) -> list[Scene]:
    """Returns the scenes of one INPUT: a folder with `faces.csv`, with video frames, or with `.pts` files.

    Args:
        name: as on the command line.
        split: as in `read_scenes`.

    Raises:
        InputError: it is none of these, or its reader rejects it.
    """
    folder = Path(name)
    if not folder.is_dir():
        raise InputError(f"{name}: no such folder; give a folder of pictures with faces")
    if (folder / FACES_CSV).is_file():
        return read_scenes(folder, split)
    if any(folder.glob(f"*{frames.CSV_END}")):
        return of_labelled(frames.read(folder), split)
    if pts.files(folder):
        return of_labelled(pts.read(folder), split)
    raise InputError(f"{name}: holds none of {FACES_CSV}, *{frames.CSV_END} and .pts files; give another folder")


def of_labelled(pictures: LabelledPictures, split: str | None = None) -> list[Scene]:
    """Returns scenes of one face each; those without all five points are left out.

    Args:
        pictures: labelled with any keypoint set that has eyes, nose tip and mouth corners.
        split: as in `read_scenes`.

    Raises:
        InputError: the keypoint set lacks one of the five points, or a picture cannot be read.
    """
    keypoint_set = pictures.keypoint_set
    check_roles(keypoint_set, NAMES, "face finding")
    roles = [list(keypoint_set.role(name)) for name in NAMES]
    scenes = []
    for face in tqdm(pictures.faces, desc=pictures.root.name, disable=None, leave=False):
        points = np.array([face.keypoints[role].mean(axis=0) for role in roles], np.float64)[None]
        if np.isfinite(points).all() and split in (None, split_of(face.person)):
            true = np.ones(1, bool)
            scenes.append(scene_of(face.file, points, true, true, face.person))
    return scenes


def read_gray(file: Path) -> UInt8:
    """Returns a picture, uint8 (H, W), as stored: its EXIF orientation is ignored."""
    return read_picture(file, color=False, exif=IGNORE)[..., 0]

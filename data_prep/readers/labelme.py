"""Reads a folder of LabelMe's JSON files: points with labels, one file for each picture."""

from pathlib import Path
from typing import Any

import numpy as np

from data_prep.readers.bad_faces import STRICT, BadFaces
from data_prep.readers.check_labels import check_placeholders
from data_prep.readers.json_file import LABELME, is_px, kind_of, read_json
from data_prep.readers.keypoint_sets import label_source_of, set_of_names
from data_prep.readers.labelled_pictures import LabelledPicture, LabelledPictures, PictureFolder, composed
from facial_keypoints.array_types import Bool, Float32
from facial_keypoints.errors import InputError, counted
from facial_keypoints.folders import is_hidden
from facial_keypoints.keypoint_set import KeypointSet

POINT, RECTANGLE = "point", "rectangle"  # the shapes that are read; others are ignored
HIDDEN_FLAG = "occluded"  # a flag of a point

Group = dict[str, list[dict[str, Any]]]  # the points and rectangles of a face, by the type of shape


def files(folder: Path) -> list[Path]:
    """Returns the JSON files of a folder, by name, without hidden ones."""
    return [path for path in sorted(folder.glob("*.json")) if not is_hidden(Path(path.name))]


def is_labelme(folder: Path) -> bool:
    """Returns whether the first JSON file of a folder is a LabelMe file."""
    json_files = files(folder)
    try:
        return bool(json_files) and kind_of(read_json(json_files[0])) == LABELME
    except InputError:
        return False


def read(
    folder: Path, pictures: Path | None = None, bad: BadFaces = STRICT, keypoint_set: KeypointSet | None = None
) -> LabelledPictures:
    """Returns the faces of a folder of LabelMe's files.

    The labels of the points are the names of the keypoints, in the order of first appearance. Points and rectangles of
    one `group_id` are one face and its box; those without a `group_id` also form one face. A point with the flag
    `occluded` is occluded. All faces of a picture count as one person.

    Args:
        folder: the folder of the JSON files.
        pictures: the folder of the pictures; None: the same.
        bad: skips faces that cannot be used, or raises their error.
        keypoint_set: the set that defines the names; None: a built-in set with these names, or a new one.

    Raises:
        InputError: there is no face; or, unless `bad` skips the face, its file is of another kind, its picture is
            missing, it has two points of one label, or a point that is not two numbers in px.
    """
    picture_folder = PictureFolder(pictures or folder)
    groups: list[tuple[Path, str, str, Group]] = []
    for path in files(folder):
        with bad.left_out():
            values = read_json(path)
            if kind_of(values) != LABELME:
                raise InputError(f"{path}: is not one of LabelMe's files, as others in {folder} are; take it out")
            file = _picture(path, values, picture_folder)
            groups += [(file, str(path), group_id, group) for group_id, group in _groups(values["shapes"]).items()]
    names = list(dict.fromkeys(str(shape.get("label")) for *_, group in groups for shape in group[POINT]))
    if not names:
        bad.check_any_usable(folder, 0)
        raise InputError(f"{folder}: its LabelMe files hold no points; label keypoints with shapes of the type point")
    if all(name.isdecimal() for name in names):
        names.sort(key=int)
    keypoint_set = set_of_names(names, str(folder), keypoint_set, folder.resolve().name)
    faces = []
    for file, path_text, group_id, group in groups:
        where = path_text + (f", group {group_id}" if group_id else "")
        with bad.left_out():
            keypoints, occluded = _keypoints(group[POINT], keypoint_set, where)
            box = _box(group[RECTANGLE], where)
            person = composed(f"{folder.resolve().name}:{file.relative_to(picture_folder.folder).as_posix()}")
            faces.append(LabelledPicture(file, person, keypoints, where, occluded=occluded, box=box))
    bad.check_any_usable(folder, len(faces))
    images = counted(len({face.file for face in faces}), "picture")
    description = f"{images} with {counted(len(faces), 'face')} of LabelMe's files"
    return LabelledPictures(
        picture_folder.folder, faces, keypoint_set, label_source_of(names, keypoint_set), description
    )


def _picture(path: Path, values: dict[str, Any], picture_folder: PictureFolder) -> Path:
    """Returns the picture of a file: `imagePath` in the folder, or its last component if that leads elsewhere."""
    name = values.get("imagePath")
    if not isinstance(name, str) or not name.strip():
        raise InputError(f"{path}: has no `imagePath`; save it again with LabelMe")
    try:
        return picture_folder.find(name, str(path))
    except InputError:
        return picture_folder.find(name.replace("\\", "/").rpartition("/")[2], str(path))


def _groups(shapes: list[Any]) -> dict[str, Group]:
    """Returns the points and rectangles of each face with a point, by `group_id`; "" if there is none."""
    groups: dict[str, Group] = {}
    for shape in shapes:
        if isinstance(shape, dict) and (kind := shape.get("shape_type")) in (POINT, RECTANGLE):
            group_id = shape.get("group_id")
            key = "" if group_id is None else str(group_id)
            groups.setdefault(key, {POINT: [], RECTANGLE: []})[kind].append(shape)
    return {key: group for key, group in groups.items() if group[POINT]}


def _corners(shape: dict[str, Any], count: int, where: str) -> Float32:
    """Returns the points of a shape, float32 (count, 2) in px."""
    label, points = str(shape.get("label"))[:40], shape.get("points")
    if not isinstance(points, list) or [len(point) for point in points if isinstance(point, list)] != [2] * count:
        raise InputError(f"{where}: {label!r} has {str(points)[:40]} as `points`, expected {count} times x and y")
    for value in (value for point in points for value in point):
        if not is_px(value):
            raise InputError(f"{where}: {label!r} has {str(value)[:20]!r} as x or y, which is not a number in px")
    return np.array(points, np.float32)


def _keypoints(points: list[dict[str, Any]], keypoint_set: KeypointSet, where: str) -> tuple[Float32, Bool]:
    """Returns the keypoints of a face in px, float32 (K, 2), and which are occluded, bool (K,)."""
    keypoints = np.full((len(keypoint_set), 2), np.nan, np.float32)
    occluded = np.zeros(len(keypoints), bool)
    for shape in points:
        label = str(shape.get("label"))
        index = keypoint_set.index(label)
        if not np.isnan(keypoints[index]).all():
            raise InputError(
                f"{where}: has two points {label!r}; give the points of each face in a picture a `group_id` of its own"
            )
        keypoints[index] = _corners(shape, 1, where)
        flags = shape.get("flags")
        occluded[index] = isinstance(flags, dict) and bool(flags.get(HIDDEN_FLAG))
    check_placeholders(keypoints, keypoint_set.names, where, "delete the point")
    return keypoints, occluded


def _box(rectangles: list[dict[str, Any]], where: str) -> tuple[float, float, float, float] | None:
    """Returns the rectangle of a face as x, y, width, height in px; None if there is not exactly one."""
    if len(rectangles) != 1:
        return None
    corners = _corners(rectangles[0], 2, where).astype(float)
    (x, y), (right, bottom) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    if right <= x or bottom <= y:
        raise InputError(f"{where}: has a rectangle of {right - x:g} x {bottom - y:g} px; correct it, or delete it")
    return x, y, right - x, bottom - y

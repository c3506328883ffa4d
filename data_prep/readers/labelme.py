"""Reader of a folder of LabelMe's JSON files: points with labels, one file for each picture."""

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
    """Returns whether the first JSON file of a folder is one of LabelMe's."""
    found = files(folder)
    try:
        return bool(found) and kind_of(read_json(found[0])) == LABELME
    except InputError:
        return False


def read(
    folder: Path, pictures: Path | None = None, bad: BadFaces = STRICT, keypoint_set: KeypointSet | None = None
) -> LabelledPictures:
    """Returns the faces of a folder of LabelMe's files.

    The labels of the points are the names of the keypoints, in the order in which they first come. Points and
    rectangles of one `group_id` are one face and its box; those without a `group_id` are one face, too. A point with
    the flag `occluded` is occluded. All faces of a picture count as one person.

    Args:
        folder: of the JSON files.
        pictures: the folder of the pictures; None: the same.
        bad: what becomes of faces that cannot be used.
        keypoint_set: the set that the names are of; None: a built-in set of these names, else one of their own.

    Raises:
        InputError: no face; or, where `bad` does not leave the face out, a file of another kind, a picture that is
            missing, two points of one label in a face, or a point that is no two numbers of px.
    """
    found = PictureFolder(pictures or folder)
    groups: list[tuple[Path, str, str, Group]] = []
    for path in files(folder):
        with bad.left_out():
            values = read_json(path)
            if kind_of(values) != LABELME:
                raise InputError(f"{path}: is not one of LabelMe's files, as others in {folder} are; take it out")
            file = _picture(path, values, found)
            groups += [(file, str(path), group_id, group) for group_id, group in _groups(values["shapes"]).items()]
    names = list(dict.fromkeys(str(shape.get("label")) for *_, group in groups for shape in group[POINT]))
    if not names:
        bad.check_some_left(folder, 0)
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
            person = composed(f"{folder.resolve().name}:{file.relative_to(found.folder).as_posix()}")
            faces.append(LabelledPicture(file, person, keypoints, where, occluded=occluded, box=box))
    bad.check_some_left(folder, len(faces))
    images = counted(len({face.file for face in faces}), "picture")
    says = f"{images} with {counted(len(faces), 'face')} of LabelMe's files"
    return LabelledPictures(found.folder, faces, keypoint_set, label_source_of(names, keypoint_set), says)


def _picture(path: Path, values: dict[str, Any], found: PictureFolder) -> Path:
    """Returns the picture of a file: `imagePath` below the folder, or its last part where that leads elsewhere."""
    name = values.get("imagePath")
    if not isinstance(name, str) or not name.strip():
        raise InputError(f"{path}: has no `imagePath`; save it again with LabelMe")
    try:
        return found.find(name, str(path))
    except InputError:
        return found.find(name.replace("\\", "/").rpartition("/")[2], str(path))


def _groups(shapes: list[Any]) -> dict[str, Group]:
    """Returns the points and rectangles of each face that has a point; the key is its `group_id`, "" without one."""
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
            raise InputError(f"{where}: {label!r} has {str(value)[:20]!r} as x or y, which is no number of px")
    return np.array(points, np.float32)


def _keypoints(points: list[dict[str, Any]], keypoint_set: KeypointSet, where: str) -> tuple[Float32, Bool]:
    """Returns the keypoints of a face in px, float32 (K, 2), and which are occluded, bool (K,)."""
    keypoints = np.full((len(keypoint_set), 2), np.nan, np.float32)
    occluded = np.zeros(len(keypoints), bool)
    for shape in points:
        label = str(shape.get("label"))
        at = keypoint_set.index(label)
        if not np.isnan(keypoints[at]).all():
            raise InputError(
                f"{where}: has two points {label!r}; give the points of each face in a picture a `group_id` of its own"
            )
        keypoints[at] = _corners(shape, 1, where)
        flags = shape.get("flags")
        occluded[at] = isinstance(flags, dict) and bool(flags.get(HIDDEN_FLAG))
    check_placeholders(keypoints, keypoint_set.names, where, "delete the point")
    return keypoints, occluded


def _box(rectangles: list[dict[str, Any]], where: str) -> tuple[float, float, float, float] | None:
    """Returns the rectangle of a face as x, y, width, height in px; None where there is not exactly one."""
    if len(rectangles) != 1:
        return None
    corners = _corners(rectangles[0], 2, where).astype(float)
    (x, y), (right, bottom) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    if right <= x or bottom <= y:
        raise InputError(f"{where}: has a rectangle of {right - x:g} x {bottom - y:g} px; correct it, or delete it")
    return x, y, right - x, bottom - y

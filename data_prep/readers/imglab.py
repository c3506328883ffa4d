"""Reads the XML of dlib's imglab: pictures with boxes, and the labelled parts of the face in each box."""

import contextlib
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from common.csv_table import number, shown
from data_prep.readers.bad_faces import STRICT, BadFaces
from data_prep.readers.check_labels import check_placeholders
from data_prep.readers.keypoint_sets import set_of_names
from data_prep.readers.labelled_pictures import LabelledPicture, LabelledPictures, PictureFolder, composed, picture_id
from facial_keypoints.array_types import Float32
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE68, KeypointSet

LONGEST_NAME = 100  # characters; Python refuses to parse very long numbers


def read(path: Path, bad: BadFaces = STRICT, given: KeypointSet | None = None) -> LabelledPictures:
    """Returns the faces of an imglab file: the parts of each box, in px from 0; missing parts are unlabelled.

    Picture names are relative to the folder of the file. All faces of a picture, and of the photo that it was cropped
    from, count as one person.

    Args:
        path: the file.
        bad: skips faces that cannot be used, or raises their error.
        given: the user's keypoint set; parts have its names, or number its keypoints from 0. None: the names of all
            parts determine the set (see `_keypoint_set`).

    Raises:
        InputError: the file is not imglab XML, has no face or has parts that `given` lacks; or, unless `bad` skips the
            face, it has no parts, a part that is repeated, not a number or a placeholder, or its picture is repeated or
            missing.
    """
    images = _images(path)
    keypoint_set, names = _keypoint_set(path, images, given)
    pictures = PictureFolder(path.parent)
    faces: list[LabelledPicture] = []
    seen_files: set[Path] = set()
    boxes = 0
    for nth, image in enumerate(images, start=1):
        name = image.get("file", "")
        where = f"{path}: picture {nth} ({name})"
        labelled = _boxes(image)
        boxes += len(labelled)
        with bad.left_out():
            file = pictures.find(name, f"{path}: picture {nth}")
            if file in seen_files:
                raise InputError(f"{where} is repeated; put all its boxes into one image element")
            seen_files.add(file)
            for box in labelled:
                with bad.left_out():
                    person = composed(f"{path.stem}:{picture_id(Path(name).stem)}")
                    points = _points(box, keypoint_set, names, where)
                    faces.append(LabelledPicture(file, person, points, where, box=_box(box, keypoint_set)))
    bad.check_any_usable(path, len(faces))
    return LabelledPictures(path.parent, faces, keypoint_set, 0, f"{len(images):,} pictures with {boxes:,} faces")


def files(path: Path) -> set[Path]:
    """Returns the imglab file and those of its pictures that exist; raises InputError if it is not an XML file."""
    pictures = PictureFolder(path.parent)
    picture_files = set()
    for image in _images(path):
        with contextlib.suppress(InputError):  # `read` reports it
            picture_files.add(pictures.find(image.get("file", ""), str(path)))
    return {path, *picture_files}


def _images(path: Path) -> list[ElementTree.Element]:
    try:
        root = ElementTree.parse(path).getroot()  # loads no external files, and expat limits entities
    except (ElementTree.ParseError, UnicodeDecodeError, ValueError, LookupError) as error:
        raise InputError(f"{path}: is not a complete XML file ({error}); save it again with imglab") from None
    return root.findall("./images/image")


def _boxes(image: ElementTree.Element) -> list[ElementTree.Element]:
    return [box for box in image.findall("box") if box.get("ignore") != "1"]


def _box(box: ElementTree.Element, keypoint_set: KeypointSet) -> tuple[float, float, float, float] | None:
    """Returns x, y, width and height of the face to crop; None if one of them is missing or the box is empty.

    Also None for the 68 points, which are always cropped by the box of the keypoints.
    """
    if keypoint_set == FACE68:
        return None
    x, y, width, height = (number(box.get(name, "")) for name in ("left", "top", "width", "height"))
    is_valid = np.isfinite([x, y, width, height]).all() and width > 0 and height > 0
    return (x, y, width, height) if is_valid else None


def _keypoint_set(
    path: Path, images: list[ElementTree.Element], given: KeypointSet | None
) -> tuple[KeypointSet, dict[str, int]]:
    """Returns the keypoint set of a file, and the index of the keypoint of each part, by the name of the part.

    Parts that are numbered up to 67 are the 68 points of 300-W. Other numbers, and all names, name keypoints; see
    `set_of_names`.
    """
    parts = {part.get("name", ""): 0 for image in images for box in _boxes(image) for part in box.findall("part")}
    parts.pop("", None)
    if not any(_boxes(image) for image in images):
        raise InputError(f"{path}: has no face in images/image/box; save it with imglab")
    if not parts:
        raise InputError(f"{path}: no box has a part with a name; label the keypoints of each face as parts")
    if long := [name for name in parts if len(name) > LONGEST_NAME]:
        raise InputError(f"{path}: has a part {shown(long[0])}; give it a name of at most {LONGEST_NAME} characters")
    if not all(name.isdecimal() for name in parts):
        keypoint_set = set_of_names(list(parts), str(path), given)
        return keypoint_set, {name: keypoint_set.index(name) for name in parts}
    numbers = {int(name) for name in parts}
    if given or max(numbers) == len(FACE68) - 1:
        keypoint_set = given or FACE68
        if max(numbers) >= len(keypoint_set):
            raise InputError(
                f"{path}: has a part {max(numbers)}, the {len(keypoint_set)} keypoints of {keypoint_set.name} are "
                "numbered from 0; correct it, or the keypoint set"
            )
        return keypoint_set, {name: int(name) for name in parts}
    names = [str(part) for part in sorted(numbers)]
    return set_of_names(names, str(path), None), {name: names.index(str(int(name))) for name in parts}


def _points(box: ElementTree.Element, keypoint_set: KeypointSet, names: dict[str, int], where: str) -> Float32:
    """Returns the parts of a face, float32 (K, 2); NaN for missing ones."""
    points = np.full((len(keypoint_set), 2), np.nan, np.float32)
    for part in box.findall("part"):
        if not (name := part.get("name", "")):
            continue
        index = names[name]
        if not np.isnan(points[index]).all():
            raise InputError(f"{where}: has a face with two parts {name}; remove one")
        for axis, axis_name in enumerate("xy"):
            text = part.get(axis_name, "")
            points[index, axis] = number(text)
            if not np.isfinite(points[index, axis]):
                raise InputError(
                    f"{where}: {axis_name} of part {name} is {shown(text)}, not a number of px; correct it, or "
                    "remove the part if it is not labelled"
                )
    if np.isnan(points).all():
        raise InputError(f"{where}: has a face without parts; label its keypoints, or set the box to ignore")
    check_placeholders(points, keypoint_set.names, where, "remove the part")
    return points

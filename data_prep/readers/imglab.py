"""Reads the XML of dlib's imglab: pictures with boxes, and the parts of the face in each box."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from common.csv_table import number, shown
from data_prep.faces import labelled_points
from data_prep.readers.bad_faces import STRICT, BadFaces
from data_prep.readers.check_labels import check_placeholders
from data_prep.readers.labelled_pictures import LabelledPicture, LabelledPictures, PictureFolder, composed, picture_id
from facial_keypoints.array_types import Float32
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE68

LAST = len(FACE68) - 1  # the largest name of a part
LONGEST_NUMBER = 9  # digits; Python refuses to parse very long numbers


def read(path: Path, bad: BadFaces = STRICT) -> LabelledPictures:
    """Returns the faces of an imglab file: parts named 0 to 67 in each box, px from 0; missing parts are unlabelled.

    Picture names are relative to the folder of the file. All faces of a picture, and of the photo that it was cropped
    from, count as one person.

    Raises:
        InputError: the file is not imglab XML, has no face or has parts of another annotation scheme; or a face is not
            skipped that has no parts, or a part that is repeated, not a number or a placeholder, or whose picture is
            repeated or missing.
    """
    images = _images(path)
    pictures = PictureFolder(path.parent)
    faces: list[LabelledPicture] = []
    seen: set[Path] = set()
    boxes = 0
    for nth, image in enumerate(images, start=1):
        name = image.get("file", "")
        where = f"{path}: picture {nth} ({name})"
        labelled = [box for box in image.findall("box") if box.get("ignore") != "1"]
        boxes += len(labelled)
        with bad.left_out():
            file = pictures.find(name, f"{path}: picture {nth}")
            if file in seen:
                raise InputError(f"{where} is repeated; put all its boxes into one image element")
            seen.add(file)
            for box in labelled:
                with bad.left_out():
                    person = composed(f"{path.stem}:{picture_id(Path(name).stem)}")
                    faces.append(LabelledPicture(file, person, _parts(box, where), where))
    _check_scheme(path, faces)
    bad.check_some_left(path, len(faces))
    if not faces:
        raise InputError(f"{path}: has no face in images/image/box; save it with imglab")
    return LabelledPictures(path.parent, faces, FACE68, 0, f"{len(images):,} pictures with {boxes:,} faces")


def files(path: Path) -> set[Path]:
    """Returns the imglab file and those of its pictures that exist; raises InputError if it is not an XML file."""
    pictures = PictureFolder(path.parent)
    found = set()
    for image in _images(path):
        try:
            found.add(pictures.find(image.get("file", ""), str(path)))
        except InputError:  # `read` reports it
            continue
    return {path, *found}


def _images(path: Path) -> list[ElementTree.Element]:
    try:
        root = ElementTree.parse(path).getroot()  # loads no external files, and expat limits entities
    except (ElementTree.ParseError, UnicodeDecodeError, ValueError, LookupError) as error:
        raise InputError(f"{path}: is not a complete XML file ({error}); save it again with imglab") from None
    return root.findall("./images/image")


def _parts(box: ElementTree.Element, where: str) -> Float32:
    """Returns the parts of a face, float32 (68, 2), NaN for missing ones."""
    points = np.full((len(FACE68), 2), np.nan, np.float32)
    seen: set[int] = set()
    for part in box.findall("part"):
        name = part.get("name", "")
        if not name.isdecimal():
            continue
        at = int(name) if len(name) <= LONGEST_NUMBER else LAST + 1
        if at > LAST:
            raise InputError(
                f"{where}: has a face with a part {shown(name)}, expected parts named 0 to {LAST}; rename it"
            )
        if at in seen:
            raise InputError(f"{where}: has a face with two parts {name}; remove one")
        seen.add(at)
        for axis, axis_name in enumerate("xy"):
            text = part.get(axis_name, "")
            points[at, axis] = number(text)
            if not np.isfinite(points[at, axis]):
                raise InputError(
                    f"{where}: {axis_name} of part {name} is {shown(text)}, not a number of px; correct it, or "
                    "remove the part if it is not labelled"
                )
    if not seen:
        raise InputError(f"{where}: has a face without parts named 0 to {LAST}; label them, or set the box to ignore")
    check_placeholders(points, FACE68.names, where, "remove the part")
    return points


def _check_scheme(path: Path, faces: list[LabelledPicture]) -> None:
    """Raises InputError if all faces have only parts 0 to N below 67: those of another annotation scheme."""
    if not faces:
        return
    present = np.flatnonzero(labelled_points(np.stack([face.keypoints for face in faces])).any(axis=0))
    count = len(present)
    if count <= LAST and present[-1] == count - 1:
        raise InputError(
            f"{path}: no face has parts beyond {count - 1:02}, expected parts named 0 to {LAST}: the {len(FACE68)} "
            "points of 300-W"
        )

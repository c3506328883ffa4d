"""Reader of dlib's imglab XML: pictures with boxes, and the parts of the face in each box."""

from pathlib import Path
from xml.etree import ElementTree

from data_prep.labelled_pictures import LabelledPicture, LabelledPictures, picture_id, picture_path, points
from facial_keypoints.array_types import Float32
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE68


def read(path: Path) -> LabelledPictures:
    """Returns the faces of an imglab file: 68 parts named 0 to 67 in each box, px from 0.

    Pictures lie below the folder of the file. All faces of a picture, and of the photo it was cut from, count as one
    person.

    Raises:
        InputError: no imglab XML, a face without its parts, a part that is no number, or a picture that is missing.
    """
    try:
        root = ElementTree.parse(path).getroot()  # it loads nothing from elsewhere, and expat bounds entities
    except (ElementTree.ParseError, UnicodeDecodeError, ValueError, LookupError) as error:
        raise InputError(f"{path}: is no whole XML file ({error}); save it again with imglab") from None
    faces: list[LabelledPicture] = []
    seen: set[Path] = set()
    images = root.findall("./images/image")
    for number, image in enumerate(images, start=1):
        name = image.get("file", "")
        file = picture_path(path.parent, name, f"{path}: picture {number}")
        if file in seen:
            raise InputError(f"{path}: picture {number} ({name}) is there again; put all its boxes into one image")
        seen.add(file)
        for box in image.findall("box"):
            if box.get("ignore") == "1":
                continue
            where = f"{path}: picture {number} ({name})"
            person = f"{path.stem}:{picture_id(Path(name).stem)}"
            faces.append(LabelledPicture(file, person, _parts(box, where), where))
    if not faces:
        raise InputError(f"{path}: holds no face in images/image/box; save it with imglab")
    return LabelledPictures(path.parent, faces, FACE68, 0, f"{len(images):,} pictures with {len(faces):,} faces")


def files(path: Path) -> set[Path]:
    """Returns the imglab file and the pictures of its faces; raises InputError as `read` does."""
    return {path, *(face.file for face in read(path).faces)}


def _parts(box: ElementTree.Element, where: str) -> Float32:
    """Returns the parts of a face, float32 (68, 2)."""
    parts: dict[int, tuple[str, str]] = {}
    for part in box.findall("part"):
        name = part.get("name", "")
        if name.isdecimal():
            parts[int(name)] = part.get("x", ""), part.get("y", "")
    if sorted(parts) != list(range(len(FACE68))):
        raise InputError(
            f"{where}: has a face with {len(parts)} numbered parts, expected {len(FACE68)}, named 0 to "
            f"{len(FACE68) - 1}; mark them, or set the box to ignore"
        )
    return points([cell for _, xy in sorted(parts.items()) for cell in xy], where)

"""Labelled pictures of any size, as their readers return them. N pictures, K keypoints."""

import os
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from data_prep.readers.bad_faces import BadFaces
from data_prep.readers.check_labels import check_inside
from data_prep.readers.pictures import EXIF, Header, check_exif, read_header
from facial_keypoints.array_types import Bool, Float32
from facial_keypoints.errors import InputError, printable, unprintable_name
from facial_keypoints.keypoint_set import KeypointSet

LONGEST_NAME_BYTES = 255  # of the name of a file or folder, on any file system
TRAINING, TEST, UNSPLIT = "training", "test", ""  # the official splits of a data set


@dataclass(frozen=True)
class LabelledPicture:
    """One face in a picture.

    Attributes:
        file: the picture.
        person: the person, or the photo that the picture was cropped from if the data set names no people; all faces
            of one person must stay in one split.
        keypoints: float32 (K, 2) in px from the center of the top left pixel; NaN where unlabelled.
        where: file and row of the label, for messages.
        split: TRAINING, TEST or UNSPLIT.
        occluded: bool (K,), the keypoint is labelled and occluded; None if the format does not show this.
        box: the face's box in the label file: x, y, width and height in px; None if there is none.
        reviewed: False for an unreviewed prediction, which is not a label.
    """

    file: Path
    person: str
    keypoints: Float32
    where: str
    split: str = UNSPLIT
    occluded: Bool | None = None
    box: tuple[float, float, float, float] | None = None
    reviewed: bool = True


@dataclass(frozen=True)
class LabelledPictures:
    """All faces of a folder or file, in its order.

    Attributes:
        root: the folder of the picture files.
        faces: N of them, at least one.
        keypoint_set: the K keypoints.
        label_source: an index into `keypoint_set.label_sources`; None: to infer from the pattern of labels.
        description: one line that describes the set.
        names_people: whether `person` is a person and not a photo.
    """

    root: Path
    faces: Sequence[LabelledPicture]
    keypoint_set: KeypointSet
    label_source: int | None
    description: str
    names_people: bool = False


def composed(name: str) -> str:
    """Returns a name in Unicode's composed form (NFC): macOS writes `é` as two characters, most systems as one."""
    return unicodedata.normalize("NFC", name)


class PictureFolder:
    """Finds the pictures of a folder by name, in any Unicode form."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._names: dict[Path, dict[str, list[str]]] = {}  # by folder and composed name: the actual names

    def find(self, name: str, where: str) -> Path:
        """Returns the picture that a label names.

        Args:
            name: relative to the folder, with `/` or `\\`.
            where: file and row of the label, for the message.

        Raises:
            InputError: the file does not exist, or its name leads out of the folder.
        """
        relative = PurePosixPath(name.replace("\\", "/"))
        has_name = name.strip() and relative.parts and "\0" not in name
        if not has_name or relative.is_absolute() or ".." in relative.parts or ":" in relative.parts[0]:
            raise InputError(
                f"{where}: names the picture {name[:60]!r}, which is not a name in {self.folder}; correct it"
            )
        if (path := self.look_up(relative)) is None:
            raise InputError(
                f"{where}: the picture {str(self.folder / relative)[:200]} is missing; add it, or remove its row"
            )
        return path

    def look_up(self, relative: PurePosixPath) -> Path | None:
        """Returns the file of this name in the folder; None if there is none, or several differ in Unicode form."""
        if any(len(os.fsencode(part)) > LONGEST_NAME_BYTES for part in relative.parts):
            return None
        if (self.folder / relative).is_file():
            return self.folder / relative
        if str(relative).isascii():  # ASCII names have only one form
            return None
        current = self.folder
        for part in relative.parts:
            name: str | None = part
            if not (current / part).exists():
                matches = self._listing(current).get(composed(part), [])
                name = matches[0] if len(matches) == 1 else None
            if name is None:
                return None
            current /= name
        return current if current.is_file() else None

    def _listing(self, folder: Path) -> dict[str, list[str]]:
        if folder not in self._names:
            names = self._names[folder] = {}
            for path in folder.iterdir() if folder.is_dir() else ():
                names.setdefault(composed(path.name), []).append(path.name)
        return self._names[folder]


def without_repeats(
    faces: Sequence[LabelledPicture], bad: BadFaces, numbers: Sequence[str] | None = None
) -> list[LabelledPicture]:
    """Returns the faces without repeated pictures, whose labels are ambiguous, and without unprintable file names.

    Args:
        faces: the faces.
        bad: skips the other faces, or raises their error.
        numbers: of each face in its picture; None if each picture has one face.

    Raises:
        InputError: a face would be left out, and `bad` does not skip it.
    """
    first: dict[tuple[Path, str], str] = {}
    kept = []
    for face, number in zip(faces, numbers or [""] * len(faces), strict=True):
        with bad.left_out():
            if printable(str(face.file)) != str(face.file):
                raise InputError(f"{face.file}: {unprintable_name()}")
            repeated = f"face {number} of {face.file}" if number else str(face.file)
            if first_where := first.get((face.file, number)):
                raise InputError(f"{face.where}: labels {repeated} again, after {first_where}; remove one of them")
            first[face.file, number] = face.where
            kept.append(face)
    return kept


def checked(pictures: LabelledPictures, exif: str | None, bad: BadFaces) -> LabelledPictures:
    """Returns the faces whose pictures can be read and whose labels lie in or near them; reads only the headers.

    Args:
        exif: see `data_prep.readers.pictures.read_picture`.
        bad: skips the other faces, or raises their error.

    Raises:
        InputError: a picture has an EXIF orientation and `exif` is None; no face is left; or a face cannot be used and
            `bad` does not skip it.
    """
    headers: dict[Path, Header] = {}
    faces = []
    for face in pictures.faces:
        with bad.left_out():
            if face.file not in headers:
                headers[face.file] = read_header(face.file)
            faces.append(face)
    rotated_count = check_exif(pictures.root, headers.items(), exif)
    usable = []
    for face in faces:
        with bad.left_out():
            size = headers[face.file].size(exif)
            check_inside(face.keypoints, pictures.keypoint_set.names, size, face.where)
            usable.append(face)
    bad.check_any_usable(pictures.root, len(usable))
    description = pictures.description
    if rotated_count and exif:
        description += f"; {rotated_count:,} of them have an EXIF orientation, which is {EXIF[exif]}"
    return replace(pictures, faces=usable, description=description)


def picture_id(stem: str) -> str:
    """Returns the name of the photo that a picture was cropped from.

    Data sets with several faces of one photo append a number to that of the photo: `111076519_2`. A copy named
    `111076519_2_mirror` comes from the same photo.
    """
    stem = stem.removesuffix("_mirror")
    photo, _, number = stem.rpartition("_")
    return photo if number.isdigit() and photo[-1:].isdigit() else stem

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
        occluded: bool (K,), the label is that of an occluded keypoint; None if the format does not show it.
        box: the face's own box in the label file, x, y, width and height in px; None if there is none.
        reviewed: False for a prediction that nobody has checked; it is not a label.
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
        label_source: an index into `keypoint_set.label_sources`; None if the pattern of labels has to show it.
        found: one line that describes the set.
        names_people: whether `person` is a person and not a photo.
    """

    root: Path
    faces: Sequence[LabelledPicture]
    keypoint_set: KeypointSet
    label_source: int | None
    found: str
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
            InputError: no such file, or a name that leads out of the folder.
        """
        below = PurePosixPath(name.replace("\\", "/"))
        named = name.strip() and below.parts and "\0" not in name
        if not named or below.is_absolute() or ".." in below.parts or ":" in below.parts[0]:
            raise InputError(
                f"{where}: names the picture {name[:60]!r}, which is not a name in {self.folder}; correct it"
            )
        if (path := self.look_up(below)) is None:
            raise InputError(
                f"{where}: the picture {str(self.folder / below)[:200]} is missing; add it, or remove its row"
            )
        return path

    def look_up(self, below: PurePosixPath) -> Path | None:
        """Returns the file of this name in the folder; None if there is none, or several differ in form only."""
        if any(len(os.fsencode(part)) > LONGEST_NAME_BYTES for part in below.parts):
            return None
        if (self.folder / below).is_file():
            return self.folder / below
        if str(below).isascii():  # ASCII names have only one form
            return None
        here = self.folder
        for part in below.parts:
            name: str | None = part
            if not (here / part).exists():
                alike = self._listing(here).get(composed(part), [])
                name = alike[0] if len(alike) == 1 else None
            if name is None:
                return None
            here /= name
        return here if here.is_file() else None

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
        bad: skips the others, or raises their error.
        numbers: of each face in its picture, which may then have several; it has one if None.

    Raises:
        InputError: there is such a face, and it is not skipped.
    """
    first: dict[tuple[Path, str], str] = {}
    kept = []
    for face, number in zip(faces, numbers or [""] * len(faces), strict=True):
        with bad.left_out():
            if printable(str(face.file)) != str(face.file):
                raise InputError(f"{face.file}: {unprintable_name()}")
            again = f"face {number} of {face.file}" if number else str(face.file)
            if earlier := first.get((face.file, number)):
                raise InputError(f"{face.where}: labels {again} again, after {earlier}; remove one of them")
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
            is not skipped.
    """
    headers: dict[Path, Header] = {}
    faces = []
    for face in pictures.faces:
        with bad.left_out():
            if face.file not in headers:
                headers[face.file] = read_header(face.file)
            faces.append(face)
    turns = check_exif(pictures.root, headers.items(), exif)
    near = []
    for face in faces:
        with bad.left_out():
            size = headers[face.file].size(exif)
            check_inside(face.keypoints, pictures.keypoint_set.names, size, face.where)
            near.append(face)
    bad.check_some_left(pictures.root, len(near))
    found = pictures.found
    if turns and exif:
        found += f"; {turns:,} of them have an EXIF orientation, which is {EXIF[exif]}"
    return replace(pictures, faces=near, found=found)


def picture_id(stem: str) -> str:
    """Returns the name of the photo that a picture was cropped from.

    Data sets with several faces of one photo append a number to the number of the photo: `111076519_2`. A copy named
    `111076519_2_mirror` is of the same photo.
    """
    stem = stem.removesuffix("_mirror")
    photo, _, number = stem.rpartition("_")
    return photo if number.isdigit() and photo[-1:].isdigit() else stem

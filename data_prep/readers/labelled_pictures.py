"""Pictures of any size with a face marked in each: what their readers return. N pictures, K keypoints."""

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

LONGEST_NAME_BYTES = 255  # of a file or folder, on any file system
TRAINING, TEST, NOT_SAID = "training", "test", ""  # the official splits of a set


@dataclass(frozen=True)
class LabelledPicture:
    """One face in a picture.

    Attributes:
        file: the picture.
        person: whose face it is, or the picture it was cut from where nobody is named: what must stay on one side of
            a split.
        keypoints: float32 (K, 2) in px from the center of the top left pixel; NaN where unlabelled.
        where: file and row of the label, for messages.
        split: TRAINING, TEST or NOT_SAID.
        occluded: bool (K,), the label says where a keypoint lies that cannot be seen; None: the format does not say.
        box: the face's own box in the label file, x, y, width and height in px; None: there is none.
    """

    file: Path
    person: str
    keypoints: Float32
    where: str
    split: str = NOT_SAID
    occluded: Bool | None = None
    box: tuple[float, float, float, float] | None = None


@dataclass(frozen=True)
class LabelledPictures:
    """All faces of a folder or file, in its own order.

    Attributes:
        root: the folder that their files lie in.
        faces: N of them, at least one.
        keypoint_set: the K keypoints.
        label_source: an index into `keypoint_set.label_sources`; None: to be found from the pattern of labels.
        found: one line that says what was found.
        names_people: whether `person` of its faces is a person, and not a picture.
    """

    root: Path
    faces: Sequence[LabelledPicture]
    keypoint_set: KeypointSet
    label_source: int | None
    found: str
    names_people: bool = False


def composed(name: str) -> str:
    """Returns a name in Unicode's composed form (NFC): macOS writes `é` as two characters, most others as one."""
    return unicodedata.normalize("NFC", name)


class PictureFolder:
    """A folder whose pictures are found by name, in whichever Unicode form the name and the folder are."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._names: dict[Path, dict[str, list[str]]] = {}  # of each folder: composed name -> names as they are

    def find(self, name: str, where: str) -> Path:
        """Returns the file that a label names.

        Args:
            name: below the folder, with `/` or `\\`.
            where: file and row of the label, for the message.

        Raises:
            InputError: no file, or a name that leads out of the folder.
        """
        below = PurePosixPath(name.replace("\\", "/"))
        named = name.strip() and below.parts and "\0" not in name
        if not named or below.is_absolute() or ".." in below.parts or ":" in below.parts[0]:
            raise InputError(
                f"{where}: names the picture {name[:60]!r}, which is no name below {self.folder}; correct it"
            )
        if (path := self.look_up(below)) is None:
            raise InputError(
                f"{where}: the picture {str(self.folder / below)[:200]} is missing; fetch it, or take its row out"
            )
        return path

    def look_up(self, below: PurePosixPath) -> Path | None:
        """Returns the file of this name below the folder; None where there is none, or several that look alike."""
        if any(len(os.fsencode(part)) > LONGEST_NAME_BYTES for part in below.parts):
            return None
        if (self.folder / below).is_file():
            return self.folder / below
        if str(below).isascii():  # which has but one form
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


def without_repeats(faces: Sequence[LabelledPicture], bad: BadFaces) -> list[LabelledPicture]:
    """Returns the faces without those whose picture is labelled before: nobody could tell which label holds.

    Nor may the name of a picture be no text, which no table could hold.

    Raises:
        InputError: there is such a face, and `bad` does not leave it out.
    """
    first: dict[Path, str] = {}
    kept = []
    for face in faces:
        with bad.left_out():
            if printable(str(face.file)) != str(face.file):
                raise InputError(f"{face.file}: {unprintable_name()}")
            if face.file in first:
                raise InputError(
                    f"{face.where}: labels {face.file} again, after {first[face.file]}; take one of them out"
                )
            first[face.file] = face.where
            kept.append(face)
    return kept


def checked(pictures: LabelledPictures, exif: str | None, bad: BadFaces) -> LabelledPictures:
    """Returns the faces whose pictures can be read and whose labels lie in or near them; reads headers alone.

    Args:
        exif: see `data_prep.readers.pictures.read_picture`.
        bad: what becomes of the others.

    Raises:
        InputError: the EXIF data of a picture ask for a turn and `exif` is None; no face is left; or a face that `bad`
            does not leave out.
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
        found += f"; the EXIF data of {turns:,} of them ask for a turn, which is {EXIF[exif]}"
    return replace(pictures, faces=near, found=found)


def picture_id(stem: str) -> str:
    """Returns what names the photo that a picture was cut from.

    Sets that cut several faces out of one photo number them behind its own number: `111076519_2`. A copy that is called
    `111076519_2_mirror` is of the same photo.
    """
    stem = stem.removesuffix("_mirror")
    photo, _, number = stem.rpartition("_")
    return photo if number.isdigit() and photo[-1:].isdigit() else stem

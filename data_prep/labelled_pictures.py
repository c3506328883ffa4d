"""Pictures of any size with a face marked in each: what their readers return. N pictures, K keypoints."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from common.quiet import native_stderr_silenced
from data_prep.labels import FARTHEST_PX
from facial_keypoints.array_types import Float32, UInt8
from facial_keypoints.errors import InputError, printable
from facial_keypoints.keypoint_set import KeypointSet
from facial_keypoints.pictures import open_picture

LONGEST_NAME_BYTES = 255  # of a file, on any file system
TRAINING, TEST, NOT_SAID = "training", "test", ""  # the parts of a set that was split by whoever made it


@dataclass(frozen=True)
class LabelledPicture:
    """One face in a picture.

    Attributes:
        file: the picture.
        person: whose face it is, or the picture it was cut from where nobody is named: what must stay on one side of
            a split.
        keypoints: float32 (K, 2) in px from the centre of the top left pixel; NaN where unlabelled.
        where: file and row of the label, for messages.
        part: TRAINING, TEST or NOT_SAID.
    """

    file: Path
    person: str
    keypoints: Float32
    where: str
    part: str = NOT_SAID


@dataclass(frozen=True)
class LabelledPictures:
    """All faces of a folder or file, in its own order.

    Attributes:
        root: the folder that their files lie in.
        faces: N of them.
        keypoint_set: the K keypoints.
        source: the label source, an index into `keypoint_set.sources`; None: told from the pattern of labels.
        found: one line that says what was found.
        names_people: whether `person` of its faces is a person, and not a picture.
    """

    root: Path
    faces: Sequence[LabelledPicture]
    keypoint_set: KeypointSet
    source: int | None
    found: str
    names_people: bool = False


def picture_path(folder: Path, name: str, where: str) -> Path:
    """Returns the file that a label names, below `folder`.

    Raises:
        InputError: no file, or a name that leads out of the folder; `where` says the file and the row.
    """
    below = PurePosixPath(name.replace("\\", "/"))
    named = name.strip() and below.parts and "\0" not in name
    if not named or below.is_absolute() or ".." in below.parts or ":" in below.parts[0]:
        raise InputError(f"{where}: names the picture {name[:60]!r}, which is no name below {folder}; correct it")
    path = folder / below
    if len(below.name.encode()) > LONGEST_NAME_BYTES or not path.is_file():
        raise InputError(f"{where}: the picture {str(path)[:200]} is missing; fetch it, or take its row out")
    return path


def check_names(faces: Sequence[LabelledPicture]) -> None:
    """Raises InputError where two labels name one picture: a reader could not tell which one holds.

    Nor may a name be no text, which no table could hold.
    """
    first: dict[Path, str] = {}
    for face in faces:
        if printable(str(face.file)) != str(face.file):
            raise InputError(f"{face.file}: its name is not valid UTF-8; rename it")
        if face.file in first:
            raise InputError(f"{face.where}: labels {face.file} again, after {first[face.file]}; take one of them out")
        first[face.file] = face.where


def points(cells: Sequence[str], where: str) -> Float32:
    """Returns the points in the cells of one face (x, y, x, ...), float32 (K, 2).

    Raises:
        InputError: a cell is empty or holds no number of px; `where` says the file and the row.
    """
    values = []
    for i, cell in enumerate(cells):
        try:
            value = float(cell)
        except ValueError:
            value = float("nan")
        if not abs(value) <= FARTHEST_PX:
            point, axis = divmod(i, 2)
            raise InputError(
                f"{where}: {'xy'[axis]} of point {point + 1} of {len(cells) // 2} is {cell.strip()[:20]!r}, no number "
                "of px; label every point, or take the face out"
            )
        values.append(value)
    return np.array(values, np.float32).reshape(-1, 2)


def picture_id(stem: str) -> str:
    """Returns what names the photo that a picture was cut from.

    Sets that cut several faces out of one photo number them behind its own number: `111076519_2`. A copy that is called
    `111076519_2_mirror` is of the same photo.
    """
    stem = stem.removesuffix("_mirror")
    photo, _, number = stem.rpartition("_")
    return photo if number.isdigit() and photo[-1:].isdigit() else stem


def read_picture(path: Path, colour: bool) -> UInt8:
    """Returns a picture as its labels see it, uint8 (H, W, 1), grey, or (H, W, 3), RGB; alpha is left out.

    A turn that its EXIF data ask for is not made: labels are of the stored pixels.

    Raises:
        InputError: it cannot be decoded, or OpenCV decodes only a smaller copy of it.
    """
    how = cv2.IMREAD_COLOR_RGB if colour else cv2.IMREAD_GRAYSCALE
    try:
        with open_picture(path) as whole:
            size = whole.size
            whole.load()  # OpenCV fills with grey what a JPEG that is cut off lacks; Pillow refuses it
        with native_stderr_silenced():  # OpenCV warns of damage on its own
            picture = cv2.imread(str(path), how | cv2.IMREAD_IGNORE_ORIENTATION)
    except Exception:  # decoders fail in more ways than they document
        picture = None
    if picture is not None and picture.shape[1::-1] != size:
        read = f"of {size[0]} x {size[1]} px, of which OpenCV reads {picture.shape[1]} x {picture.shape[0]} px"
        raise InputError(f"{path}: is a picture {read}; save it as PNG, or leave it out: prepare --skip-bad")
    if picture is None:
        raise InputError(f"{path}: cannot be decoded as a picture; fetch it again, or leave it out: prepare --skip-bad")
    return np.asarray(picture, np.uint8).reshape(*picture.shape[:2], -1)

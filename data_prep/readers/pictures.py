"""Picture files as the labels of a data set see them: with or without the turn that their EXIF data ask for."""

import io
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import ExifTags, Image, TiffImagePlugin

from common.quiet import native_stderr_silenced
from facial_keypoints.array_types import UInt8
from facial_keypoints.errors import InputError
from facial_keypoints.pictures import UPRIGHT, open_picture

APPLY, IGNORE = "apply", "ignore"
EXIF = {APPLY: "made", IGNORE: "not made"}  # what `--exif` takes -> what becomes of the turn
TURNED_BACK = {6: 8, 8: 6}  # the EXIF orientation that undoes another; all others undo themselves
SIDEWAYS = (5, 6, 7, 8)  # the EXIF orientations that swap width and height
PNG_HEAD_BYTES = 8
NOT_DECODED = "cannot be decoded as a picture; fetch it again, or leave it out: prepare --skip-bad"


class Header(NamedTuple):
    """What the header of a picture file says: its stored size in px, and its EXIF orientation, 1 (upright) to 8."""

    width: int
    height: int
    orientation: int

    def size(self, exif: str | None) -> tuple[int, int]:
        """Returns width and height as the labels see them; see `read_picture`."""
        swapped = exif == APPLY and self.orientation in SIDEWAYS
        return (self.height, self.width) if swapped else (self.width, self.height)


def read_header(path: Path) -> Header:
    """Returns what the header of a picture says, without decoding its pixels.

    Raises:
        InputError: it is no picture that can be read.
    """
    try:
        with open_picture(path) as picture:
            return _header(picture, path)
    except Exception:  # Pillow's readers raise whatever they stumble over
        raise InputError(f"{path}: {NOT_DECODED}") from None


def read_picture(path: Path, color: bool, exif: str | None = None) -> UInt8:
    """Returns a picture as its labels see it, uint8 (H, W, 1), gray, or (H, W, 3), RGB; alpha is left out.

    Args:
        exif: `apply`: turned upright as its EXIF data say. Otherwise as its pixels are stored.

    Raises:
        InputError: it cannot be decoded, or OpenCV decodes only a smaller copy of it.
    """
    how = cv2.IMREAD_COLOR_RGB if color else cv2.IMREAD_GRAYSCALE
    try:
        with open_picture(path) as whole:
            header = _header(whole, path)
            turn = header.orientation
            whole.load()  # OpenCV fills with gray what a JPEG that is cut off lacks; Pillow refuses it
            if whole.format == "TIFF" and turn in UPRIGHT:  # Pillow has turned it; OpenCV does, too, or fails
                upright = np.asarray(whole.convert("RGB" if color else "L"))
                stored = turned(upright, TURNED_BACK.get(turn, turn))
            else:
                with native_stderr_silenced():  # OpenCV warns of damage on its own
                    stored = np.asarray(cv2.imread(str(path), how | cv2.IMREAD_IGNORE_ORIENTATION), np.uint8)
    except Exception:  # decoders fail in more ways than they document
        raise InputError(f"{path}: {NOT_DECODED}") from None
    if stored.shape[1::-1] != (header.width, header.height):
        sizes = f"{header.width} x {header.height} px, of which OpenCV reads {stored.shape[1]} x {stored.shape[0]} px"
        raise InputError(f"{path}: is a picture of {sizes}; save it as PNG, or leave it out: prepare --skip-bad")
    picture = turned(stored, turn) if exif == APPLY else stored
    return picture.reshape(*picture.shape[:2], -1)


def turned(picture: UInt8, orientation: int) -> UInt8:
    """Returns a picture, uint8 (H, W) or (H, W, 3), turned as an EXIF orientation asks for."""
    if orientation not in UPRIGHT:
        return picture
    return np.asarray(Image.fromarray(picture).transpose(UPRIGHT[orientation]))


def check_exif(place: object, headers: Iterable[tuple[Path, Header]], exif: str | None) -> int:
    """Returns how many pictures have an EXIF orientation that asks for a turn.

    Args:
        place: the set, for the message.
        headers: each picture once, with its header.
        exif: `apply`, `ignore`, or None: nobody has said which.

    Raises:
        InputError: there are such pictures, and `exif` is None.
    """
    headers = list(headers)
    asking = [path for path, header in headers if header.orientation in UPRIGHT]
    if asking and exif is None:
        raise InputError(
            f"{place}: the EXIF data of {len(asking):,} of {len(headers):,} pictures ask for a turn (as "
            f"{asking[0].name}); use --exif {APPLY} if the labels are of the pictures as people see them, --exif "
            f"{IGNORE} if they are of the stored pixels"
        )
    return len(asking)


def _header(picture: Image.Image, path: Path) -> Header:
    """Returns what a picture file that is open and not decoded says of itself."""
    size = picture.size
    if isinstance(picture, TiffImagePlugin.TiffImageFile):  # its `size` may be that of the turned picture
        size = int(picture.tag_v2[TiffImagePlugin.IMAGEWIDTH]), int(picture.tag_v2[TiffImagePlugin.IMAGELENGTH])
    return Header(*size, _orientation(picture, path))


def _orientation(picture: Image.Image, path: Path) -> int:
    """Returns the EXIF orientation of a picture file that is open and not decoded, 1 to 8; 1 where it has none."""
    try:
        exif = Image.Image.getexif(picture)  # a PNG's own method would decode it
        if ExifTags.Base.Orientation not in exif and picture.format == "PNG":
            exif = Image.Exif()
            exif.load(_exif_chunk(path))
        orientation = int(exif.get(ExifTags.Base.Orientation, 1))
    except Exception:  # a camera's other mistakes in its EXIF data do not spoil the photo
        return 1
    return orientation if orientation in UPRIGHT else 1


def _exif_chunk(path: Path) -> bytes:
    """Returns the EXIF data of a PNG file, which may stand behind its pixels; nothing where it has none."""
    with path.open("rb") as file:
        file.seek(PNG_HEAD_BYTES)
        while len(head := file.read(8)) == 8 and head[4:] != b"IEND":
            size = int.from_bytes(head[:4])
            if head[4:] == b"eXIf":
                return file.read(size)
            file.seek(size + 4, io.SEEK_CUR)  # its check sum too
    return b""

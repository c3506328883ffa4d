"""Reads picture files with their EXIF orientation applied or ignored, as the labels of a data set require."""

import io
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import ExifTags, Image, TiffImagePlugin

from common.process import native_stderr_silenced
from facial_keypoints.array_types import UInt8
from facial_keypoints.errors import InputError
from facial_keypoints.pictures import UPRIGHT, open_picture

APPLY, IGNORE = "apply", "ignore"
EXIF = {APPLY: "applied", IGNORE: "ignored"}  # the values of `--exif`, and their effect on the orientation
INVERSE = {6: 8, 8: 6}  # the EXIF orientation that reverses another; all others reverse themselves
SIDEWAYS = (5, 6, 7, 8)  # the EXIF orientations that swap width and height
PNG_HEAD_BYTES = 8
NOT_DECODED = "cannot be decoded as a picture; download it again, or skip it with --skip-bad"


class Header(NamedTuple):
    """The header of a picture file: its stored size in px, and its EXIF orientation, 1 (upright) to 8."""

    width: int
    height: int
    orientation: int

    def size(self, exif: str | None) -> tuple[int, int]:
        """Returns width and height of the picture that `read_picture` returns."""
        swapped = exif == APPLY and self.orientation in SIDEWAYS
        return (self.height, self.width) if swapped else (self.width, self.height)


def read_header(path: Path) -> Header:
    """Returns the header of a picture without decoding its pixels.

    Raises:
        InputError: the file cannot be read as a picture.
    """
    try:
        with open_picture(path) as picture:
            return _header(picture, path)
    except Exception:  # Pillow's readers raise errors of many kinds
        raise InputError(f"{path}: {NOT_DECODED}") from None


def read_picture(path: Path, color: bool, exif: str | None = None) -> UInt8:
    """Returns a picture, uint8 (H, W, 1), gray, or (H, W, 3), RGB; the alpha channel is ignored.

    Args:
        exif: `apply` rotates the picture upright; otherwise its EXIF orientation is ignored.

    Raises:
        InputError: the picture cannot be decoded, or OpenCV decodes only a smaller copy of it.
    """
    color_flag = cv2.IMREAD_COLOR_RGB if color else cv2.IMREAD_GRAYSCALE
    try:
        with open_picture(path) as whole:
            header = _header(whole, path)
            whole.load()  # Pillow refuses a truncated JPEG, which OpenCV fills with gray
            if (
                whole.format == "TIFF" and header.orientation in UPRIGHT
            ):  # Pillow has rotated it; OpenCV does so too, or fails
                upright = np.asarray(whole.convert("RGB" if color else "L"))
                stored = rotated(upright, INVERSE.get(header.orientation, header.orientation))
            else:
                with native_stderr_silenced():  # OpenCV writes its own warnings
                    stored = np.asarray(cv2.imread(str(path), color_flag | cv2.IMREAD_IGNORE_ORIENTATION), np.uint8)
    except Exception:  # decoders fail in more ways than they document
        raise InputError(f"{path}: {NOT_DECODED}") from None
    if stored.shape[1::-1] != (header.width, header.height):
        sizes = f"{header.width} x {header.height} px, of which OpenCV reads {stored.shape[1]} x {stored.shape[0]} px"
        raise InputError(f"{path}: is a picture of {sizes}; save it as PNG, or skip it with --skip-bad")
    picture = rotated(stored, header.orientation) if exif == APPLY else stored
    return picture.reshape(*picture.shape[:2], -1)


def rotated(picture: UInt8, orientation: int) -> UInt8:
    """Returns a picture, uint8 (H, W) or (H, W, 3), rotated or flipped by an EXIF orientation."""
    if orientation not in UPRIGHT:
        return picture
    return np.asarray(Image.fromarray(picture).transpose(UPRIGHT[orientation]))


def check_exif(path: object, headers: Iterable[tuple[Path, Header]], exif: str | None) -> int:
    """Returns how many pictures have an EXIF orientation other than upright.

    Args:
        path: the data set, for the message.
        headers: each picture once, with its header.
        exif: `apply`, `ignore`, or None if the user has not chosen.

    Raises:
        InputError: there is at least one, and `exif` is None.
    """
    headers = list(headers)
    rotated_files = [file for file, header in headers if header.orientation in UPRIGHT]
    if rotated_files and exif is None:
        raise InputError(
            f"{path}: {len(rotated_files):,} of {len(headers):,} pictures have an EXIF orientation (such as "
            f"{rotated_files[0].name}); use --exif {APPLY} if the labels fit the pictures as viewers show them, --exif "
            f"{IGNORE} if they fit the stored pixels"
        )
    return len(rotated_files)


def _header(picture: Image.Image, path: Path) -> Header:
    """Returns the header of a picture file that is open and not decoded."""
    size = picture.size
    if isinstance(picture, TiffImagePlugin.TiffImageFile):  # its `size` can be that of the rotated picture
        size = int(picture.tag_v2[TiffImagePlugin.IMAGEWIDTH]), int(picture.tag_v2[TiffImagePlugin.IMAGELENGTH])
    return Header(*size, _orientation(picture, path))


def _orientation(picture: Image.Image, path: Path) -> int:
    """Returns the EXIF orientation, 1 to 8, of a picture file that is open and not decoded; 1 if it has none."""
    try:
        exif = Image.Image.getexif(picture)  # a PNG's own method would decode it
        if ExifTags.Base.Orientation not in exif and picture.format == "PNG":
            exif = Image.Exif()
            exif.load(_exif_chunk(path))
        orientation = int(exif.get(ExifTags.Base.Orientation, 1))
    except Exception:  # a picture with damaged EXIF data counts as upright
        return 1
    return orientation if orientation in UPRIGHT else 1


def _exif_chunk(path: Path) -> bytes:
    """Returns the EXIF data of a PNG file, which can come after its pixels; empty if it has none."""
    with path.open("rb") as file:
        file.seek(PNG_HEAD_BYTES)
        while len(head := file.read(8)) == 8 and head[4:] != b"IEND":
            size = int.from_bytes(head[:4])
            if head[4:] == b"eXIf":
                return file.read(size)
            file.seek(size + 4, io.SEEK_CUR)  # and its checksum
    return b""

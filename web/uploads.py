"""Reads uploaded pictures and refuses those that are too large or not pictures."""

from pathlib import Path
from typing import BinaryIO

from PIL import Image

from facial_keypoints.array_types import UInt8
from facial_keypoints.errors import InputError
from facial_keypoints.pictures import read_picture

MOST_BYTES = 20_000_000
MOST_PIXELS = 40_000_000  # 120 MB decoded, and several requests run in parallel
MILLION = 1_000_000


def read_upload(path: str | Path) -> UInt8:
    """Returns an uploaded picture, uint8 (H, W, 3) RGB; its size is checked before it is decoded.

    Raises:
        InputError: with a sentence for the visitor: too large, not a picture, or deleted.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("The picture was deleted, as all uploads are after a short time. Please upload it again.")
    if path.stat().st_size > MOST_BYTES:
        raise InputError(f"The picture has more than {MOST_BYTES // MILLION} MB. Please reduce its size.")
    check_pixels(path, MOST_PIXELS)  # `read_picture` refuses files without a header
    try:
        return read_picture(path, most_pixels=MOST_PIXELS)  # the first header of a TIFF file may be a preview's
    except InputError as error:
        reason = str(error).removeprefix(f"{path}: ").replace(str(path), path.name)  # without the folder of uploads
        raise InputError(f"The picture {reason}.") from None


def check_pixels(picture: Path | BinaryIO, max_pixels: int) -> bool:
    """Refuses a picture with more than `max_pixels` pixels by its header; returns whether it has a header.

    Raises:
        InputError: with a sentence for the visitor.
    """
    try:
        with Image.open(picture) as image:  # reads only the header
            width, height = image.size
    except Image.DecompressionBombError:
        raise InputError(_too_many("far", max_pixels)) from None
    except Exception:  # Pillow's readers raise many kinds of errors
        return False
    if width * height > max_pixels:
        raise InputError(_too_many(f"{width} x {height},", max_pixels))
    return True


def _too_many(amount: str, max_pixels: int) -> str:
    return f"The picture has {amount} more than {max_pixels // MILLION} million pixels. Please reduce its size."

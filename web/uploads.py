"""Pictures that somebody uploads: refused with a sentence where they are too large or none."""

from pathlib import Path
from typing import BinaryIO

from PIL import Image

from facial_keypoints.array_types import UInt8
from facial_keypoints.errors import InputError
from facial_keypoints.pictures import read_picture

MOST_BYTES = 20_000_000
MOST_PIXELS = 40_000_000  # decoded they take 120 MB, and several requests run at once
MILLION = 1_000_000


def read_upload(path: str | Path) -> UInt8:
    """Returns an uploaded picture, uint8 (H, W, 3) RGB; its size is checked before it is decoded.

    Raises:
        InputError: a sentence for the visitor: it is too large, no picture, or not there any more.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("The picture is not here any more, for uploads are deleted soon. Please upload it again.")
    if path.stat().st_size > MOST_BYTES:
        raise InputError(f"The picture has more than {MOST_BYTES // MILLION} MB. Please make it smaller.")
    check_pixels(path, MOST_PIXELS)  # what has no header, `read_picture` refuses
    try:
        return read_picture(path, most_pixels=MOST_PIXELS)  # of a TIFF file, the first header may be a preview's
    except InputError as error:
        said = str(error).removeprefix(f"{path}: ").replace(str(path), path.name)  # not where uploads lie
        raise InputError(f"The picture {said}.") from None


def check_pixels(picture: Path | BinaryIO, most: int) -> bool:
    """Refuses a picture whose header says that it has more than so many pixels; returns whether it has a header.

    Raises:
        InputError: a sentence for the visitor.
    """
    try:
        with Image.open(picture) as image:  # reads the header
            width, height = image.size
    except Image.DecompressionBombError:
        raise InputError(_too_many("far", most)) from None
    except Exception:  # Pillow's readers raise whatever they stumble over
        return False
    if width * height > most:
        raise InputError(_too_many(f"{width} x {height},", most))
    return True


def _too_many(how_many: str, most: int) -> str:
    return f"The picture has {how_many} more than {most // MILLION} million pixels. Please make it smaller."

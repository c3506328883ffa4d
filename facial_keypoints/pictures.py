"""Picture files, in and out."""

import logging
from pathlib import Path

import numpy as np
from PIL import (
    BmpImagePlugin,
    ExifTags,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from facial_keypoints.array_types import UInt8
from facial_keypoints.errors import InputError, one_line

SUFFIXES = (".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
READERS = (
    BmpImagePlugin.BmpImageFile,
    GifImagePlugin.GifImageFile,
    JpegImagePlugin.JpegImageFile,
    PngImagePlugin.PngImageFile,
    PpmImagePlugin.PpmImageFile,
    TiffImagePlugin.TiffImageFile,
    WebPImagePlugin.WebPImageFile,
)  # of Pillow; all are loaded, for it would load its forty others where one is missing
FORMATS = tuple(reader.format for reader in READERS)  # some others start programs
MOST_PIXELS = 89_000_000  # decoded they take 267 MB; beyond, Pillow warns of its own accord
JPEG_QUALITY = 92
PNG_LEVEL = 1  # of compression: a little larger, many times quicker
DEEP_MODES = ("I", "I;16", "I;16B", "I;16L", "I;16N")  # Pillow's names for grey pictures of 16 bits
DEEPEST = 65535
UPRIGHT = {  # how a picture is turned upright, by its EXIF orientation; 1: it is
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

notes = logging.getLogger("facial_keypoints")  # what a reader should know; a program may show or silence it


def read_picture(path: str | Path) -> UInt8:
    """Returns a picture, uint8 (H, W, 3) RGB, turned as its EXIF orientation says.

    What is transparent becomes white. Of an animation or several pages the first picture is taken, and a note logged.

    Raises:
        InputError: it cannot be read, is no picture or a damaged one, or has more than MOST_PIXELS.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; give a picture")
    try:
        image = Image.open(path, formats=FORMATS)  # reads the header
    except Image.DecompressionBombError:
        raise InputError(_too_large(path)) from None
    except Exception as error:  # Pillow's readers raise whatever they stumble over
        raise InputError(
            f"{path}: is no picture that can be read ({one_line(error)}); save it as JPEG or PNG"
        ) from None
    with image:
        if image.width * image.height > MOST_PIXELS:
            raise InputError(_too_large(path, image.size))
        try:
            count = getattr(image, "n_frames", 1)  # which reads on to the last of them
            if count > 1 and image.format != "MPO":  # which is one photo, then helpers of it
                notes.warning("%s: holds %d pictures; the first is taken", path, count)
            image.load()
            turn = UPRIGHT.get(_orientation(image))
            return _rgb(image if turn is None else image.transpose(turn))
        except Exception as error:
            raise InputError(f"{path}: cannot be decoded ({one_line(error)}); save or fetch it again") from None


def write_picture(path: str | Path, picture: UInt8) -> None:
    """Writes a picture, uint8 (H, W, 3) RGB, in the format that the file name ends in."""
    Image.fromarray(picture).save(path, quality=JPEG_QUALITY, compress_level=PNG_LEVEL)


def _orientation(image: Image.Image) -> int:
    """Returns the EXIF orientation of a picture, 1 to 8; 1 where none can be read."""
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # a camera's other mistakes in its EXIF data do not spoil the photo
        return 1


def _rgb(image: Image.Image) -> UInt8:
    if image.mode in DEEP_MODES:
        values = np.asarray(image)
        if values.dtype.itemsize > 2 and (values.min() < 0 or values.max() > DEEPEST):
            raise ValueError("has values of 32 bits")
        return np.repeat((values >> 8).astype(np.uint8)[..., None], 3, axis=-1)
    if image.mode == "F":
        raise ValueError("has values of 32 bits")
    if image.has_transparency_data:
        layer = image if image.mode == "RGBA" else image.convert("RGBA")
        image = Image.new("RGB", layer.size, "white")
        image.paste(layer, mask=layer)
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"), np.uint8)


def _too_large(path: Path, size: tuple[int, int] | None = None) -> str:
    says = f"is {size[0]} x {size[1]} px" if size else "is larger"
    return f"{path}: {says}, more than {MOST_PIXELS // 1_000_000} million pixels; make it smaller"

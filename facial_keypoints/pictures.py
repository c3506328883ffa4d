"""Reads and writes picture files."""

import contextlib
import importlib
import io
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import (
    BmpImagePlugin,
    ExifTags,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from facial_keypoints import tiff
from facial_keypoints.array_types import UInt8
from facial_keypoints.errors import InputError, one_line

SUFFIXES = (
    *(".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff"),
    *(".avif", ".j2k", ".jp2", ".webp"),
)
READERS = (
    BmpImagePlugin.BmpImageFile,
    GifImagePlugin.GifImageFile,
    JpegImagePlugin.JpegImageFile,
    PngImagePlugin.PngImageFile,
    PpmImagePlugin.PpmImageFile,
    TiffImagePlugin.TiffImageFile,
    WebPImagePlugin.WebPImageFile,
)  # importing these keeps Pillow from loading its forty others
FORMATS = tuple(reader.format for reader in READERS)  # other formats are refused: some start programs
TIFF_ONLY = (TiffImagePlugin.TiffImageFile.format,)


# Pillow's readers that are imported only when a file has their signature: the import is slow and seldom needed.
LATE_READERS = {  # by a file's signature and its offset: Pillow's names of format and module
    (b"ftyp", 4): ("AVIF", "PIL.AvifImagePlugin"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", 0): ("JPEG2000", "PIL.Jpeg2KImagePlugin"),
    (b"\xff\x4f\xff\x51", 0): ("JPEG2000", "PIL.Jpeg2KImagePlugin"),
}
LONGEST_SIGNATURE = 16  # bytes
MOST_PIXELS = 89_000_000  # 267 MB when decoded; Pillow itself warns about more
JPEG_QUALITY = 92
PNG_LEVEL = 1  # of compression: slightly larger files, written many times faster
DEEP_MODES = ("I", "I;16", "I;16B", "I;16L", "I;16N")  # Pillow's names for gray pictures of 16 bits
MAX_16_BIT = 65535
UPRIGHT = {  # the transposition that makes a picture upright, by its EXIF orientation; 1 needs none
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

Picture = str | Path | npt.NDArray[np.uint8] | Image.Image

notes = logging.getLogger("facial_keypoints")  # warnings, which a program can show or silence


def read_picture(path: str | Path, *, content: bytes | None = None, most_pixels: int = MOST_PIXELS) -> UInt8:
    """Reads a picture file and returns uint8 (H, W, 3) RGB, upright by its EXIF orientation.

    Supported formats: AVIF, BMP, GIF, JPEG, JPEG 2000, PGM, PNG, PPM, TIFF, WebP. The format is detected from the
    content, not from the extension. Transparent parts become white. If the file has several pictures (an
    animation or pages), reads the first and logs a warning; previews and smaller copies do not count.

    Args:
        path: the file.
        content: the bytes of the file, if already read; `path` then only names it in messages.
        most_pixels: the largest number of pixels; larger pictures are refused before they are decoded.

    Raises:
        InputError: the file is missing, damaged, not a picture, a RAW photo, or too large.

    Example:
        >>> from facial_keypoints import read_picture
        >>> read_picture("photo.jpg").shape
        (272, 504, 3)
    """
    with open_picture(path, most_pixels, content) as image:
        try:
            image.load()
            turn = UPRIGHT.get(_orientation(image))
            return _to_rgb(image if turn is None else image.transpose(turn))
        except Exception as error:
            raise InputError(f"{path}: cannot be decoded ({one_line(error)}); save or fetch it again") from None


def as_rgb(picture: Picture) -> UInt8:
    """Returns a picture as an array, uint8 (H, W, 3) RGB, without a copy if it is one already.

    Args:
        picture: a path, read by `read_picture`; a numpy array of uint8, (H, W, 3) RGB or (H, W) or (H, W, 1) gray; or a
            PIL image of any mode, whose EXIF orientation is ignored.

    Raises:
        InputError: the file cannot be read, or the array has another type or shape.
    """
    if isinstance(picture, str | Path):
        return read_picture(picture)
    if isinstance(picture, Image.Image):
        try:
            return _to_rgb(picture)
        except Exception as error:  # Pillow decodes only here
            raise InputError(f"picture: cannot be decoded ({one_line(error)})") from None
    if not isinstance(picture, np.ndarray):
        kind = type(picture).__name__
        raise InputError(f"picture: is {kind}, expected a path, a numpy array of uint8 or a PIL image")
    if picture.dtype != np.uint8:
        fault = f"picture: is {picture.dtype}, expected uint8 (0 black to 255 white)"
        if picture.dtype.kind == "f":
            fault += "; convert values of 0 to 1 with (picture * 255).round().astype('uint8')"
        raise InputError(fault)
    shape = picture.shape
    if len(shape) == 2:
        picture = picture[..., None]
    if picture.ndim != 3 or picture.shape[2] not in (1, 3) or not picture.size:
        raise InputError(f"picture: has shape {shape}, expected (H, W, 3) RGB, or (H, W) or (H, W, 1) gray")
    return picture if picture.shape[2] == 3 else np.repeat(picture, 3, axis=2)


@contextlib.contextmanager
def open_picture(
    path: str | Path, most_pixels: int = MOST_PIXELS, content: bytes | None = None
) -> Iterator[Image.Image]:
    """Yields a picture file opened by Pillow at the picture to read, before any pixels are decoded.

    Args:
        path, most_pixels, content: as in `read_picture`.

    Raises:
        InputError: as in `read_picture`.
    """
    if content is None and not Path(path).is_file():
        raise InputError(f"{path}: no such file; give a picture")
    try:
        image = _open(path, most_pixels, content)
    except InputError:
        raise
    except Image.DecompressionBombError:
        raise InputError(_too_large_message(path, most_pixels)) from None
    except Exception as error:  # Pillow's readers raise exceptions of any class
        why = "" if isinstance(error, UnidentifiedImageError) else f" ({one_line(error)})"
        raise InputError(f"{path}: is not a readable picture{why}; save it as JPEG or PNG") from None
    with image:
        if image.width * image.height > most_pixels:
            raise InputError(_too_large_message(path, most_pixels, image.size))
        yield image


def _open_bytes(path: str | Path, content: bytes | None) -> BinaryIO:
    return Path(path).open("rb") if content is None else io.BytesIO(content)


def _open(path: str | Path, most_pixels: int, content: bytes | None) -> Image.Image:
    """Opens a picture file and reads its header; logs a warning if it holds several pictures."""
    with _open_bytes(path, content) as file:
        head = file.read(LONGEST_SIGNATURE)
    if head.startswith(tiff.SIGNATURES):
        return _open_tiff(path, most_pixels, content)
    formats = FORMATS
    for signature, (late_format, module) in LATE_READERS.items():
        if head.startswith(*signature):
            importlib.import_module(module)
            formats = (late_format,)
    image = Image.open(path if content is None else io.BytesIO(content), formats=formats)
    count = getattr(image, "n_frames", 1)  # reads the file up to the last picture
    if count > 1 and image.format != "MPO":  # which holds one photo, then auxiliary pictures
        notes.warning("%s: holds %d pictures; the first is taken", path, count)
    return image


def _open_tiff(path: str | Path, most_pixels: int, content: bytes | None) -> Image.Image:
    """Opens a TIFF file at its main picture; logs a warning like `_open`.

    Raises:
        InputError: the file is a RAW photo.
    """
    with _open_bytes(path, content) as file:
        tiff_pages = tiff.read_pages(file)
    if tiff_pages.raw:
        raise InputError(f"{path}: is a RAW photo, of which only the preview can be read; save it as JPEG or PNG")
    page = tiff.main_page(tiff_pages.pages)
    if page is None or page is tiff_pages.pages[0]:
        image = Image.open(path if content is None else io.BytesIO(content), formats=TIFF_ONLY)
    elif tiff.pixel_count(page) > most_pixels:
        raise InputError(_too_large_message(path, most_pixels, (page.width_px, page.height_px)))
    else:
        whole_file = Path(path).read_bytes() if content is None else content
        image = Image.open(io.BytesIO(tiff.with_first_page(page, whole_file)), formats=TIFF_ONLY)
        if page.parent is not None and not page.orientation:  # the parent's orientation holds for both
            image.getexif()[ExifTags.Base.Orientation] = tiff_pages.pages[page.parent].orientation
    whole_pages = [other for other in tiff_pages.pages if other.parent is None and not other.reduced]
    if len(whole_pages) > 1:
        largest = max(whole_pages, key=tiff.pixel_count)
        sizes = f"{image.width} x {image.height} px, the largest has {largest.width_px} x {largest.height_px}"
        smaller = image.width * image.height < tiff.pixel_count(largest)
        note = f" ({sizes})" if smaller else ""
        notes.warning("%s: holds %d pictures; the first is taken%s", path, len(whole_pages), note)
    return image


def write_picture(path: str | Path, picture: UInt8) -> None:
    """Writes a picture, uint8 (H, W, 3) RGB, in the format of the file name's extension.

    Args:
        path: the file to write, for instance `out.png` or `out.jpg` (quality 92).
        picture: the pixels.

    Raises:
        OSError: the file cannot be written.
        InputError: the extension names no format that can be written.

    Example:
        >>> from facial_keypoints import read_picture, write_picture
        >>> write_picture("copy.png", read_picture("photo.jpg"))
    """
    image = Image.fromarray(picture)
    try:
        image.save(path, quality=JPEG_QUALITY, compress_level=PNG_LEVEL)
    except ValueError:
        raise InputError(f"{path}: has no extension of a picture format; name it .jpg or .png") from None


def _orientation(image: Image.Image) -> int:
    """Returns the EXIF orientation of a picture, 1 to 8; 1 if none can be read."""
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # damaged EXIF data do not make the photo unreadable
        return 1


def _to_rgb(image: Image.Image) -> UInt8:
    if image.mode in DEEP_MODES:
        values = np.asarray(image)
        if values.dtype.itemsize > 2 and (values.min() < 0 or values.max() > MAX_16_BIT):
            raise ValueError("has values of 32 bits")
        tags = image.tag_v2 if isinstance(image, TiffImagePlugin.TiffImageFile) else {}
        if tags.get(ExifTags.Base.PhotometricInterpretation) == 0:
            raise ValueError("has 16-bit values with 0 as white")  # Pillow reads it as black
        return np.repeat((values >> 8).astype(np.uint8)[..., None], 3, axis=-1)
    if image.mode == "F":
        raise ValueError("has values of 32 bits")
    if image.has_transparency_data:
        layer = image if image.mode == "RGBA" else image.convert("RGBA")
        image = Image.new("RGB", layer.size, "white")
        image.paste(layer, mask=layer)
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"), np.uint8)


def _too_large_message(path: str | Path, most_pixels: int, size: tuple[int, int] | None = None) -> str:
    size_text = f"is {size[0]} x {size[1]} px" if size else "is larger"
    return f"{path}: {size_text}, more than {most_pixels // 1_000_000} million pixels; make it smaller"

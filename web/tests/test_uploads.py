"""Uploads: files that are too large or not pictures are rejected with a message before they are decoded."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facial_keypoints.errors import InputError
from tests.facial_keypoints.tiff_files import FULL, PREVIEW, Tiff
from web.uploads import MOST_BYTES, read_upload


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def write_png_header(path: Path, width: int, height: int) -> Path:
    """Writes a PNG with a size in its header and no content."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b""))
    return path


def rejection(path: Path) -> str:
    with pytest.raises(InputError) as rejected:
        read_upload(path)
    reason = str(rejected.value)
    assert reason.startswith("The picture ")
    assert reason.endswith(".")
    assert str(path.parent) not in reason
    return reason


def test_upload_has_the_pixels_of_the_picture(tmp_path: Path) -> None:
    picture = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    Image.fromarray(picture).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_upload(tmp_path / "a.png"), picture)


@pytest.mark.parametrize(
    ("width", "height", "reason"),
    [(20_000, 20_000, "far more than 40 million"), (8_000, 5_001, "8000 x 5001, more than 40 million")],
)
def test_too_many_pixels_in_the_header_are_rejected(tmp_path: Path, width: int, height: int, reason: str) -> None:
    assert reason in rejection(write_png_header(tmp_path / "a.png", width, height))


def test_too_many_pixels_behind_a_preview_are_rejected(tmp_path: Path) -> None:
    file = Tiff()
    file.page(PREVIEW, [file.directory(FULL)], subfile=1)
    content = file.write(tmp_path / "a.tif").read_bytes()
    size, larger = (struct.pack("<HHII", 256, 4, 1, width) for width in (FULL.width, 2_000_000))
    (tmp_path / "a.tif").write_bytes(content.replace(size, larger))
    assert "2000000 x 40 px, more than 40 million" in rejection(tmp_path / "a.tif")


def test_picture_of_the_largest_allowed_size_is_read(tmp_path: Path) -> None:
    """It has 40 million pixels of one bit, and zeros after its end fill the file up to 20 MB."""
    Image.new("1", (8_000, 5_000), 1).save(tmp_path / "a.png")
    with (tmp_path / "a.png").open("r+b") as file:
        file.truncate(MOST_BYTES)
    picture = read_upload(tmp_path / "a.png")
    assert picture.shape == (5_000, 8_000, 3)
    assert picture.min() == 255


def test_too_many_bytes_are_rejected(tmp_path: Path) -> None:
    with (tmp_path / "a.png").open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    assert "more than 20 MB" in rejection(tmp_path / "a.png")


@pytest.mark.parametrize("content", [b"", b"no picture"])
def test_file_that_is_not_a_picture_is_rejected(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)
    assert "is not a readable picture" in rejection(tmp_path / "a.png")


def test_truncated_picture_is_rejected(tmp_path: Path) -> None:
    Image.effect_noise((64, 64), 50).save(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:700])
    assert "cannot be decoded" in rejection(tmp_path / "b.jpg")


def test_deleted_upload_error_asks_to_upload_it_again(tmp_path: Path) -> None:
    assert "upload it again" in rejection(tmp_path / "gone.png")

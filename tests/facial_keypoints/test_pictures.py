"""Picture files of every format are read as RGB; other files are refused with a one-line error."""

import contextlib
import json
import logging
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from facial_keypoints.array_types import UInt8
from facial_keypoints.errors import InputError
from facial_keypoints.pictures import MOST_PIXELS, read_picture, write_picture
from tests.conftest import ROOT
from tests.facial_keypoints.tiff_files import FULL, HALF, PREVIEW, Tiff

RED, WHITE = (255, 0, 0), (255, 255, 255)


def saved(path: Path, image: Image.Image, **options: Any) -> UInt8:
    image.save(path, **options)
    picture = read_picture(path)
    assert picture.dtype == np.uint8
    assert picture.shape == (*picture.shape[:2], 3)
    return picture


def test_written_rgb_picture_is_read_back_unchanged(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    write_picture(tmp_path / "a.png", picture)
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png"), picture)


@pytest.mark.parametrize(("mode", "value", "expected"), [("1", 1, 255), ("L", 90, 90), ("I;16", 90 * 256 + 200, 90)])
def test_gray_pictures_of_1_8_and_16_bits_are_read_as_rgb(tmp_path: Path, mode: str, value: int, expected: int) -> None:
    gray = saved(tmp_path / "a.png", Image.new(mode, (3, 2), value))
    assert gray.shape == (2, 3, 3)
    assert (gray == expected).all()


def test_transparent_pixels_become_white(tmp_path: Path) -> None:
    image = Image.new("RGBA", (2, 1), (*RED, 255))
    image.putpixel((1, 0), (*RED, 0))
    assert saved(tmp_path / "rgba.png", image).tolist() == [[list(RED), list(WHITE)]]
    gray = Image.new("LA", (1, 1), (0, 127))
    assert saved(tmp_path / "la.png", gray)[0, 0].tolist() == pytest.approx([128] * 3, abs=1)
    palette = Image.new("P", (2, 1))
    palette.putpalette([*RED, 0, 0, 255])
    palette.putpixel((1, 0), 1)
    assert saved(tmp_path / "p.png", palette, transparency=1).tolist() == [[list(RED), list(WHITE)]]
    assert saved(tmp_path / "opaque.png", palette).tolist() == [[list(RED), [0, 0, 255]]]


def test_cmyk_jpeg_is_converted_to_rgb(tmp_path: Path) -> None:
    picture = saved(tmp_path / "a.jpg", Image.new("RGB", (16, 16), (200, 60, 40)).convert("CMYK"), quality=100)
    np.testing.assert_allclose(picture[8, 8], (200, 60, 40), atol=4)


def test_picture_is_rotated_by_its_exif_orientation(tmp_path: Path) -> None:
    image = Image.new("RGB", (20, 10), WHITE)
    image.paste(RED, (0, 0, 10, 10))  # the left half
    exif = Image.Exif()
    exif[0x0112] = 6  # camera on its side: the left of the file is the top of the scene
    picture = saved(tmp_path / "a.png", image, exif=exif)
    assert picture.shape == (20, 10, 3)
    assert picture[2, 5].tolist() == list(RED)
    assert picture[17, 5].tolist() == list(WHITE)


def test_first_picture_of_an_animation_is_read_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first, second = Image.new("RGB", (4, 4), RED), Image.new("RGB", (4, 4), WHITE)
    with caplog.at_level(logging.WARNING):
        picture = saved(tmp_path / "a.gif", first, save_all=True, append_images=[second])
    assert picture[0, 0].tolist() == list(RED)
    assert caplog.messages == [f"{tmp_path / 'a.gif'}: holds 2 pictures; the first is taken"]


def test_32_bit_gray_is_read_only_if_its_values_fit_16_bits(tmp_path: Path) -> None:
    assert (saved(tmp_path / "a.tif", Image.new("I", (3, 2), 90 * 256 + 200)) == 90).all()
    Image.new("I", (3, 2), 2**20).save(tmp_path / "a.tif")
    assert message(tmp_path / "a.tif").startswith("cannot be decoded (has values of 32 bits)")


@pytest.mark.parametrize("orientation", range(10))  # 0 and 9 are undefined
def test_every_exif_orientation_is_applied_as_pillow_does(tmp_path: Path, orientation: int) -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (3, 5, 3), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = saved(tmp_path / "a.png", image, exif=exif)
    np.testing.assert_array_equal(picture, ImageOps.exif_transpose(Image.open(tmp_path / "a.png")))


def exif_jpeg(path: Path, *entries: tuple[int, int, int, bytes]) -> None:
    """Writes a JPEG of 20 x 10 px with EXIF entries (tag, type, count, four bytes), which may be invalid."""
    body = struct.pack("<H", len(entries)) + b"".join(
        struct.pack("<HHI", tag, kind, count) + value for tag, kind, count, value in entries
    )
    exif = b"Exif\0\0" + b"II*\0" + struct.pack("<I", 8) + body + bytes(4)
    Image.new("RGB", (20, 10), RED).save(path, exif=exif)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_invalid_exif_entries_do_not_hide_the_orientation(tmp_path: Path) -> None:
    orientation = (0x0112, 3, 1, struct.pack("<I", 6))
    date_time = (0x0132, 7, 4, b"\xff\xfe\xfd\xfc")  # bytes that are not a date
    size = (0x0100, 2, 4, b"abc\0")  # a width that is text
    exif_jpeg(tmp_path / "a.jpg", size, orientation, date_time)
    with pytest.raises((ValueError, TypeError, struct.error)):
        ImageOps.exif_transpose(Image.open(tmp_path / "a.jpg"))
    assert read_picture(tmp_path / "a.jpg").shape == (20, 10, 3)


def test_unreadable_orientation_is_ignored(tmp_path: Path) -> None:
    exif_jpeg(tmp_path / "a.jpg", (0x0112, 2, 4, b"up?\0"))
    assert read_picture(tmp_path / "a.jpg").shape == (10, 20, 3)


def message(path: Path) -> str:
    with pytest.raises(InputError) as error:
        read_picture(path)
    assert "\n" not in str(error.value)
    return str(error.value).removeprefix(f"{path}: ")


def test_missing_empty_and_unsupported_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    assert message(path).startswith("no such file")
    assert message(tmp_path).startswith("no such file")
    path.touch()
    assert message(path).startswith("is not a readable picture")
    path.write_text("hello", encoding="utf-8")
    assert message(path).startswith("is not a readable picture")
    Image.new("F", (3, 3), 0.5).save(tmp_path / "deep.tif")
    assert message(tmp_path / "deep.tif").startswith("cannot be decoded (has values of 32 bits)")


def test_truncated_picture_is_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("a.jpg", "a.png", "a.gif", "a.bmp", "a.tif", "a.webp"):
        write_picture(tmp_path / name, rng.integers(0, 256, (64, 64, 3), np.uint8))
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
        assert message(tmp_path / name).endswith(("save or fetch it again", "save it as JPEG or PNG"))


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("name", ["a.tif", "a.gif"])
def test_truncated_tiff_and_gif_are_read_or_refused_without_another_error(tmp_path: Path, name: str) -> None:
    rng = np.random.default_rng(0)
    first, *others = [Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8)) for _ in range(3)]
    first.save(tmp_path / name, save_all=True, append_images=others)
    whole = (tmp_path / name).read_bytes()
    advice = set()
    for length in range(8, len(whole), 7):
        (tmp_path / name).write_bytes(whole[:length])
        with contextlib.suppress(InputError):  # a file that lacks only later pictures may be read
            assert read_picture(tmp_path / name).shape == (16, 16, 3)
            continue
        advice.add(message(tmp_path / name).rpartition("; ")[2])
    assert advice == {"save or fetch it again", "save it as JPEG or PNG"}


def test_eps_is_refused_because_it_would_start_another_program(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4), RED).save(tmp_path / "a.eps")
    assert message(tmp_path / "a.eps").startswith("is not a readable picture")


def png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", b"")
    )


@pytest.mark.filterwarnings("ignore:Image size")
@pytest.mark.parametrize("side", [20_000, 11_000, 9_500])  # above Pillow's limit, above its warning, below both
def test_too_large_picture_is_refused_from_its_header(tmp_path: Path, side: int) -> None:
    (tmp_path / "bomb.png").write_bytes(png_header(side, side))
    assert "more than 89 million pixels; make it smaller" in message(tmp_path / "bomb.png")
    assert MOST_PIXELS == 89_000_000


def test_picture_of_one_pixel_is_read(tmp_path: Path) -> None:
    assert saved(tmp_path / "a.png", Image.new("RGB", (1, 1), RED)).tolist() == [[list(RED)]]


def is_full(picture: UInt8) -> bool:
    return picture.shape == (40, 60, 3) and bool((picture == RED).all())


@pytest.mark.parametrize(("order", "big"), [("<", False), (">", False), ("<", True)])  # Pillow reads no (">", True)
def test_full_picture_of_a_tiff_with_a_preview_is_read(tmp_path: Path, order: str, big: bool) -> None:
    """The preview is the first page; the picture is in its SubIFD or on the second page."""
    for preview_subfile in (0, 1):
        nested = Tiff(order, big=big)
        nested.page(PREVIEW, [nested.directory(HALF, subfile=1), nested.directory(FULL)], subfile=preview_subfile)
        assert is_full(read_picture(nested.write(tmp_path / "nested.tif")))
    alone = Tiff(order, big=big)
    alone.page(PREVIEW, [alone.directory(FULL)])
    assert is_full(read_picture(alone.write(tmp_path / "alone.tif")))
    second = Tiff(order, big=big)
    second.page(PREVIEW, subfile=1)
    second.page(FULL)
    assert is_full(read_picture(second.write(tmp_path / "second.tif")))


def test_picture_in_a_subifd_has_the_orientation_of_its_preview(tmp_path: Path) -> None:
    file = Tiff()
    file.page(PREVIEW, [file.directory(FULL)], subfile=1, orientation=6)
    assert read_picture(file.write(tmp_path / "a.tif")).shape == (60, 40, 3)


def test_reduced_copies_after_a_tiff_picture_give_no_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pages, below = Tiff(), Tiff()
    pages.page(FULL)
    pages.page(HALF, subfile=1)
    below.page(FULL, [below.directory(HALF, subfile=1), below.directory(PREVIEW, subfile=1)])
    with caplog.at_level(logging.WARNING):
        assert is_full(read_picture(pages.write(tmp_path / "pages.tif")))
        assert is_full(read_picture(below.write(tmp_path / "below.tif")))
    assert caplog.messages == []


def test_first_page_of_an_untyped_tiff_is_read_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = Tiff()
    file.page(PREVIEW)
    file.page(FULL)
    with caplog.at_level(logging.WARNING):
        assert read_picture(file.write(tmp_path / "a.tif")).shape == (12, 16, 3)
    warning = "holds 2 pictures; the first is taken (16 x 12 px, the largest has 60 x 40)"
    assert caplog.messages == [f"{tmp_path / 'a.tif'}: {warning}"]


@pytest.mark.parametrize("photometric", [32803, 34892])
def test_raw_photo_is_refused_in_spite_of_its_previews(tmp_path: Path, photometric: int) -> None:
    """As in NEF, ARW and DNG files: a small preview, a large one, and the sensor data."""
    file = Tiff()
    sensor = file.directory(FULL, photometric=photometric)
    file.page(PREVIEW, [file.directory(HALF, subfile=1), sensor], subfile=1)
    reason = "is a RAW photo, of which only the preview can be read; save it as JPEG or PNG"
    assert message(file.write(tmp_path / "a.nef")) == reason
    canon = bytearray(Tiff().write(tmp_path / "a.tif").read_bytes().ljust(16, b"\0"))
    canon[8:10] = b"CR"
    (tmp_path / "a.cr2").write_bytes(canon)
    assert message(tmp_path / "a.cr2") == reason


def test_16_bit_tiff_in_which_0_is_white_is_refused(tmp_path: Path) -> None:
    """Pillow reads them as if 0 were black."""
    Image.new("I;16", (3, 2), 20_000).save(tmp_path / "a.tif")
    content = bytearray((tmp_path / "a.tif").read_bytes())
    at = content.index(struct.pack("<HHI", 262, 3, 1)) + 8
    content[at] = 0
    (tmp_path / "a.tif").write_bytes(content)
    assert message(tmp_path / "a.tif").startswith("cannot be decoded (has 16-bit values with 0 as white)")


def test_tiff_with_a_cyclic_or_invalid_page_offset_is_read(tmp_path: Path) -> None:
    for following in (8, 0xFFFFFFF0):
        file = Tiff()
        file.page(FULL)
        content = bytearray(file.write(tmp_path / "a.tif").read_bytes())
        first = struct.unpack_from("<I", content, 4)[0]
        content[-4:] = struct.pack("<I", first if following == 8 else following)
        (tmp_path / "a.tif").write_bytes(content)
        assert is_full(read_picture(tmp_path / "a.tif"))


def test_bytes_of_a_file_are_read_like_the_file(tmp_path: Path) -> None:
    nested, second = Tiff(), Tiff()
    nested.page(PREVIEW, [nested.directory(FULL)], subfile=1, orientation=6)
    second.page(PREVIEW, subfile=1)
    second.page(FULL)
    nested.write(tmp_path / "nested.tif")
    second.write(tmp_path / "second.tif")
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8))
    for name in ("a.png", "a.jpg", "a.avif"):
        noise.save(tmp_path / name)
    for path in sorted(tmp_path.iterdir()):
        from_bytes = read_picture("s3://bucket/a.jpg", content=path.read_bytes())
        np.testing.assert_array_equal(from_bytes, read_picture(path), err_msg=path.name)
    with pytest.raises(InputError, match=r"^s3://bucket/a\.jpg: is not a readable picture"):
        read_picture("s3://bucket/a.jpg", content=b"text")


@pytest.mark.parametrize(("name", "options"), [("a.avif", {"quality": 100}), ("a.jp2", {}), ("a.j2k", {})])
def test_avif_and_jpeg_2000_are_read(tmp_path: Path, name: str, options: dict[str, Any]) -> None:
    """Also with the extension of another format, in a process that has not read such a file before."""
    picture = np.full((32, 48, 3), (200, 60, 40), np.uint8)
    Image.fromarray(picture).save(tmp_path / name, **options)
    (tmp_path / name).rename(tmp_path / "a.jpg")
    mean = f"read_picture({str(tmp_path / 'a.jpg')!r}).mean((0, 1))"
    code = f"from facial_keypoints import read_picture; print({mean}.tolist())"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == pytest.approx([200, 60, 40], abs=4)


def test_truncated_avif_and_heic_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.avif"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert message(path).endswith(("save or fetch it again", "save it as JPEG or PNG"))
    path.write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))  # HEIC has a similar header
    assert message(path).startswith("is not a readable picture")


def test_write_picture_refuses_an_unknown_extension(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"out\.xyz: has no extension of a picture format; name it \.jpg or \.png"):
        write_picture(tmp_path / "out.xyz", np.zeros((4, 4, 3), np.uint8))
    assert not list(tmp_path.iterdir())

"""Pictures with their EXIF orientation applied or ignored, in every format, with sizes read from headers only."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from data_prep.readers.pictures import APPLY, IGNORE, Header, check_exif, read_header, read_picture
from facial_keypoints.array_types import UInt8
from facial_keypoints.errors import InputError
from facial_keypoints.pictures import read_picture as as_predict_reads
from tests.data_prep.pictures import save_turned

WIDTH, HEIGHT = 40, 20
SAVED: dict[str, dict[str, Any]] = {"png": {}, "tif": {}, "webp": {"lossless": True}, "jpg": {"quality": 100}}


def stored() -> UInt8:
    """Returns a picture with a different gray in each quarter, the brightest at the top left."""
    quarters = np.array([[240, 60], [120, 10]], np.uint8)
    return np.repeat(np.kron(quarters, np.ones((HEIGHT // 2, WIDTH // 2), np.uint8))[..., None], 3, axis=-1)


def corner(picture: UInt8) -> tuple[int, int]:
    """Returns the row and column of the brightest quarter, each 0 or 1."""
    height, width = picture.shape[:2]
    quarters = picture[..., 0].reshape(2, height // 2, 2, width // 2).mean(axis=(1, 3))
    row, column = np.unravel_index(quarters.argmax(), (2, 2))
    return int(row), int(column)


@pytest.mark.parametrize("ending", SAVED)
@pytest.mark.parametrize(
    ("orientation", "place"),  # by the EXIF standard: where the stored top left corner is shown
    [(1, (0, 0)), (2, (0, 1)), (3, (1, 1)), (4, (1, 0)), (5, (0, 0)), (6, (0, 1)), (7, (1, 1)), (8, (1, 0))],
)
@pytest.mark.parametrize("color", [True, False])
def test_exif_orientation_is_applied_or_ignored_on_request(
    tmp_path: Path, ending: str, orientation: int, place: tuple[int, int], color: bool
) -> None:
    path = tmp_path / f"a.{ending}"
    save_turned(path, stored(), orientation, **SAVED[ending])
    header = read_header(path)
    assert header == (WIDTH, HEIGHT, orientation)
    as_stored, upright = (read_picture(path, color, exif) for exif in (IGNORE, APPLY))
    assert as_stored.shape == read_picture(path, color).shape == (HEIGHT, WIDTH, 3 if color else 1)
    assert corner(as_stored) == (0, 0)
    assert corner(upright) == place
    assert header.size(IGNORE) == as_stored.shape[1::-1]
    assert header.size(APPLY) == upright.shape[1::-1] == as_predict_reads(path).shape[1::-1]
    if color:
        np.testing.assert_allclose(upright, as_predict_reads(path), atol=2)


def test_exif_data_after_the_pixels_of_a_png_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(stored()).save(path)
    exif = Image.Exif()
    exif[0x0112] = 6
    chunk = b"eXIf" + exif.tobytes().removeprefix(b"Exif\0\0")
    content, end = path.read_bytes()[:-12], path.read_bytes()[-12:]
    path.write_bytes(content + struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) + end)
    assert read_header(path).orientation == 6
    assert read_picture(path, color=False, exif=APPLY).shape == (WIDTH, HEIGHT, 1)


def test_header_is_read_without_the_pixels(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    save_turned(path, stored(), 3)
    path.write_bytes(path.read_bytes()[:-20])
    assert read_header(path) == (WIDTH, HEIGHT, 3)
    with pytest.raises(InputError, match=r"a\.jpg: cannot be decoded as a picture; .* --skip-bad"):
        read_picture(path, color=True)
    path.write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"a\.jpg: cannot be decoded as a picture"):
        read_header(path)


@pytest.mark.parametrize("orientation", [0, 9, 1000])
def test_invalid_exif_orientation_means_upright(tmp_path: Path, orientation: int) -> None:
    save_turned(tmp_path / "a.jpg", stored(), orientation)
    assert read_header(tmp_path / "a.jpg").orientation == 1


def test_set_with_exif_orientations_needs_the_exif_option() -> None:
    headers = [
        (Path("a/1.jpg"), Header(4, 3, 1)),
        (Path("a/2.jpg"), Header(4, 3, 6)),
        (Path("a/3.jpg"), Header(4, 3, 3)),
    ]
    with pytest.raises(
        InputError, match=r"^a: 2 of 3 pictures have an EXIF orientation \(such as 2\.jpg\); .* --exif apply if"
    ):
        check_exif("a", headers, None)
    assert check_exif("a", headers, APPLY) == check_exif("a", headers, IGNORE) == 2
    assert check_exif("a", headers[:1], None) == 0

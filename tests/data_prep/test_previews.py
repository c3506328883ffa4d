"""A picture that the decoder reads as a smaller preview is refused: its labels are in px of the full picture."""

from pathlib import Path

import pytest

from data_prep.readers.pictures import read_picture
from facial_keypoints.errors import InputError
from tests.facial_keypoints.tiff_files import FULL, PREVIEW, Tiff


def test_a_tiff_that_begins_with_a_preview_is_refused(tmp_path: Path) -> None:
    file = Tiff()
    file.page(PREVIEW, [file.directory(FULL)], subfile=1)
    message = r"a\.tif: is a picture of 60 x 40 px, of which OpenCV reads 16 x 12 px; .* --skip-bad"
    with pytest.raises(InputError, match=message):
        read_picture(file.write(tmp_path / "a.tif"), color=True)

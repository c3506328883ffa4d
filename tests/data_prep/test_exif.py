"""Phone photos: stored sideways with an EXIF orientation, and labelled upright, as viewers show them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from common.stage import read_manifest
from data_prep import pseudo_label
from data_prep.arrays import PREPARE
from data_prep.crop import FACE, WHOLE, CropOptions
from data_prep.faces import Faces
from data_prep.faces_csv import read_origins
from data_prep.inputs import read
from data_prep.prepare import main
from data_prep.readers.pictures import APPLY, IGNORE
from evaluation.inputs import load_data
from evaluation.original_pictures import read_originals
from facial_keypoints.errors import InputError
from facial_keypoints.pictures import UPRIGHT
from tests.data_prep.pictures import save_five, save_turned

NAMES = [f"{number:02}.png" for number in range(12)]
STORED = 6  # the EXIF orientation of a phone that is held upright
TURNED_BACK = UPRIGHT[8]


@pytest.fixture
def upright(tmp_path: Path) -> Path:
    return save_five(tmp_path / "upright", {name: name for name in NAMES})


@pytest.fixture
def photos(upright: Path, tmp_path: Path) -> Path:
    """The same pictures, all but the first two as a phone stores them."""
    folder = save_five(tmp_path / "photos", {name: name for name in NAMES})
    for name in NAMES[2:]:
        with Image.open(upright / "pictures" / name) as picture:
            save_turned(folder / "pictures" / name, np.asarray(picture.transpose(TURNED_BACK)), STORED)
    return folder


def prepared(source: Path, out: Path, *options: str) -> Path:
    main([str(source), "--split", "all-test", "--out", str(out), *options])
    return out


def faces_of(source: Path, crop_options: CropOptions) -> tuple[Faces, str]:
    faces, (found,) = read([str(source)], None, 0, crop_options)
    return faces, found


def test_photos_with_an_exif_orientation_need_the_exif_option(photos: Path, tmp_path: Path) -> None:
    for options in ([], ["--skip-bad"], ["--crop", "whole"]):
        with pytest.raises(InputError, match=r"photos: 10 of 12 pictures have an EXIF orientation \(such as 02\.png\)"):
            prepared(photos, tmp_path / "data", *options)
        assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("crop", [FACE, WHOLE])
@pytest.mark.parametrize("color", [False, True])
def test_exif_apply_gives_the_faces_of_upright_pictures(upright: Path, photos: Path, crop: str, color: bool) -> None:
    expected, _ = faces_of(upright, CropOptions(crop=crop, color=color))
    faces, found = faces_of(photos, CropOptions(crop=crop, color=color, exif=APPLY))
    assert found.endswith("12 pictures, label source five; 10 of them have an EXIF orientation, which is applied")
    np.testing.assert_array_equal(faces.keypoints, expected.keypoints)
    np.testing.assert_array_equal(faces.images, expected.images)
    np.testing.assert_array_equal(faces.crops, expected.crops)


def test_exif_ignore_keeps_the_stored_pixels(photos: Path) -> None:
    faces, found = faces_of(photos, CropOptions(exif=IGNORE))
    assert found.endswith("10 of them have an EXIF orientation, which is ignored")
    for name in NAMES[2:]:
        with Image.open(photos / "pictures" / name) as picture:
            pixels = np.asarray(picture)
        Image.fromarray(pixels).save(photos / "pictures" / name)
    expected, _ = faces_of(photos, CropOptions())
    np.testing.assert_array_equal(faces.images, expected.images)


@pytest.mark.parametrize("exif", ["apply", "ignore"])
def test_originals_are_read_with_the_exif_option_of_prepare(photos: Path, tmp_path: Path, exif: str) -> None:
    """The stored pictures are 120 px wide and 130 px high, the upright ones the other way round."""
    data = load_data(prepared(photos, tmp_path / "data", "--exif", exif))
    assert data.exif == read_manifest(tmp_path / "data", PREPARE)["parameters"]["exif"] == exif
    origins = read_origins(tmp_path / "data", "test", data.test.rows)
    pictures = read_originals(data.test, origins, np.array([0, 2]), data.exif)
    assert [picture.shape for picture in pictures] == [
        (120, 130, 3),
        (130, 120, 3) if exif == IGNORE else (120, 130, 3),
    ]


def test_upright_pictures_and_cropped_faces_need_no_exif_option(upright: Path, tmp_path: Path) -> None:
    plain, _ = faces_of(upright, CropOptions())
    for exif in (APPLY, IGNORE):
        np.testing.assert_array_equal(faces_of(upright, CropOptions(exif=exif))[0].images, plain.images)
    with pytest.raises(InputError, match="its faces are already cropped; leave out the options for cropping"):
        main(["synthetic", "--count", "20", "--exif", "apply", "--out", str(tmp_path / "c")])


def test_pseudo_label_needs_the_exif_option_too(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"10 of 12 pictures have an EXIF orientation .* --exif apply"):
        pseudo_label.main([str(photos), "--out", str(tmp_path / "out")])

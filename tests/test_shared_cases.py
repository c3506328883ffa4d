"""Small inputs that were once read wrongly, skipped where they are absent; other tests draw such inputs themselves."""

from pathlib import Path

import numpy as np
import pytest

from data_prep.crop import CropOptions
from data_prep.faces import labelled_points
from data_prep.inputs import read
from data_prep.readers.pictures import APPLY
from evaluation.predictions import read_predictions
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15
from tests.conftest import ROOT

CASES = ROOT.parent / "shared" / "cases"
FACES = {
    "appledouble/set": 10,
    "csv_cp1252": 13,
    "csv_excel_de": 13,
    "csv_index": 13,
    "dlib_missing_part/faces.xml": 12,
    "merl_rav/set": 12,
    "nfc_nfd": 14,
}


def case(name: str) -> str:
    if not (CASES / name).exists():
        pytest.skip("the shared cases are not here")
    return str(CASES / name)


@pytest.mark.parametrize("name", FACES)
def test_case_is_read_with_all_its_faces(name: str) -> None:
    faces, _ = read([case(name)], None, 0, CropOptions())
    assert len(faces) == FACES[name]
    assert labelled_points(faces.keypoints).all() == (name not in ("merl_rav/set", "dlib_missing_part/faces.xml"))


def test_phone_photos_need_an_exif_option() -> None:
    with pytest.raises(InputError, match="12 of 12 pictures have an EXIF orientation"):
        read([case("exif_labels/set")], None, 0, CropOptions())
    assert len(read([case("exif_labels/set")], None, 0, CropOptions(exif=APPLY))[0]) == 12


def test_predictions_from_a_german_spreadsheet_are_read() -> None:
    path = Path(case("csv_excel_de/predictions_semicolon.csv"))
    rows = [int(line.partition(";")[0]) for line in path.read_text("utf-8-sig").splitlines()[1:]]
    keypoints = read_predictions(path, np.array(rows), FACE15)
    assert np.isfinite(keypoints.coordinates).all()

"""Errors of the shipped network in crops that are shifted, scaled and rotated on purpose."""

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.crop_robustness import CHANGES, main
from data_prep import prepare
from data_prep.synthetic import dataset
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of three drawn faces in pictures of 240 px, all in the test split."""
    folder = tmp_path_factory.mktemp("drawn")
    (folder / "drawn" / "pictures").mkdir(parents=True)
    faces = dataset.read(24, 0)
    whole = np.flatnonzero(~np.isnan(faces.keypoints).any(axis=(1, 2)))[:3]
    with (folder / "drawn" / "keypoints.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["file", *FACE15.columns])
        for i in whole:
            picture = cv2.copyMakeBorder(faces.images[i], 72, 72, 72, 72, cv2.BORDER_REPLICATE)
            cv2.imwrite(str(folder / "drawn" / "pictures" / f"{i}.png"), picture)
            rows.writerow([f"{i}.png", *(faces.keypoints[i] + 72).ravel()])
    prepare.main([str(folder / "drawn"), "--split", "all-test", "--out", str(folder / "data")])
    return folder / "data"


def test_report_has_a_row_for_each_change(drawn: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """At 45 degrees the error is larger than in the unchanged crops."""
    main(["v2", "--data", str(drawn)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1 - len(CHANGES) - 2] == "3 faces, eye centers"
    cells = {row[1].strip(): float(row[2]) for row in (line.split("|") for line in lines[-len(CHANGES) :])}
    assert list(cells) == list(CHANGES)
    assert 0 < cells["as it was"] < 10
    assert cells["turned by 45 degrees"] > cells["as it was"]


@pytest.mark.parametrize(
    ("arguments", "reason"), [(["v2-68"], "do not fit v2-68"), (["v2", "--origin", "x?"], "no test face")]
)
def test_unsuitable_model_or_origin_is_rejected(drawn: Path, arguments: list[str], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        main([*arguments, "--data", str(drawn)])

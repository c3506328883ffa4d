"""A set in the format of MERL-RAV, from `.pts` files to the report: missing and occluded labels are counted."""

from pathlib import Path

import numpy as np
import pytest

from common.stage import read_manifest
from data_prep import arrays
from data_prep.arrays import PREPARE
from data_prep.prepare import main
from tests.data_prep.pictures import face_68, pts_text, save_pts


def test_missing_and_occluded_labels_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """24 faces of 68 keypoints; in 3 the jaw's first 4 points are not labelled and 2 others are occluded."""
    names = [f"{number:02}" for number in range(12)]
    folder, plain = save_pts(tmp_path / "merl", names), save_pts(tmp_path / "plain", names)
    written = face_68() + 1
    written[:4] = -1
    written[[20, 30]] *= -1
    for name in names[:3]:
        (folder / f"{name}.pts").write_text(pts_text(written - 1), encoding="utf-8")
    out = tmp_path / "data"
    main([str(folder), str(plain), "--split", "all-test", "--out", str(out)])
    printed, report = capsys.readouterr().out, (out / "report.md").read_text(encoding="utf-8")
    assert f"{100 * (1 - 12 / (24 * 68)):.1f} % of the keypoints are labelled" in printed
    assert "6 labels are of occluded keypoints; they count as labelled" in printed
    assert "- 6 labels are of occluded keypoints (0.4 % of all labels)." in report
    assert read_manifest(out, PREPARE)["metrics"]["occluded"] == 6
    split = arrays.load_split(out, "test")
    assert (~split.labelled[:3, :4]).all()
    assert split.labelled.sum() == 24 * 68 - 12
    assert split.crops is not None
    in_picture = (split.keypoints[0, 20] - split.crops[0, :, 2]) / split.crops[0, 0, 0]
    np.testing.assert_allclose(in_picture, face_68()[20], atol=1e-3)

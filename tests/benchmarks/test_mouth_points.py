"""The mouths of 68-point pictures as a custom keypoint set."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import mouth_points
from data_prep.readers import pictures_csv
from data_prep.readers.keypoint_sets import set_beside
from facial_keypoints.errors import InputError
from tests.data_prep.pictures import face_68, save_pts


def test_mouths_are_written_as_a_custom_keypoint_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [str(save_pts(tmp_path / name, ["7001_1", "7001_2"])) for name in ("helen68", "lfpw68")]
    out = tmp_path / "mouths"
    mouth_points.main([*folders, "--out", str(out)])
    assert "4 pictures" in capsys.readouterr().out
    keypoint_set = set_beside(out)
    assert keypoint_set is not None
    pictures = pictures_csv.read(out, given=keypoint_set)
    assert [face.file.name for face in pictures.faces] == [
        f"{name}_7001_{number}.jpg" for name in ("helen68", "lfpw68") for number in (1, 2)
    ]
    assert [face.person for face in pictures.faces] == ["helen:7001"] * 2 + ["lfpw:7001"] * 2  # one person per photo
    for face in pictures.faces:
        np.testing.assert_allclose(face.keypoints, face_68()[48:], atol=1e-3)


def test_mouth_keypoint_set_has_mirror_skeleton_and_normalizer(tmp_path: Path) -> None:
    (tmp_path / "keypoints.toml").write_text(mouth_points.toml(), encoding="utf-8")
    found = set_beside(tmp_path)
    assert found is not None
    assert found.mirror is not None
    assert found.names == tuple(f"m{number}" for number in range(20))
    # In 300-W the outer lip runs from the right corner over the upper lip, then the inner lip likewise.
    assert [found.mirror[k] for k in (0, 12, 3, 9)] == [6, 16, 3, 9]
    assert [len(run) for run in found.skeleton] == [13, 9]
    (normalizer,) = found.normalizers
    assert (normalizer.name, normalizer.first, normalizer.second) == ("outer mouth corners", (0,), (6,))


def test_existing_folder_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "mouths").mkdir()
    with pytest.raises(InputError, match="mouths: exists; remove it"):
        mouth_points.main([str(save_pts(tmp_path / "helen68", ["1"])), "--out", str(tmp_path / "mouths")])

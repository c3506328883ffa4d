"""The benchmark of reading a training.csv, from a folder of faces to the printed table."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import prepare_speed
from data_prep.readers.training_csv import read
from data_prep.synthetic import dataset
from facial_keypoints.keypoint_set import FACE15


def test_folder_of_faces_is_converted_and_its_reading_is_timed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    faces = dataset.read(6, seed=0)
    np.savez(tmp_path / "face_images.npz", face_images=faces.images[..., 0].transpose(1, 2, 0))
    table = faces.keypoints.reshape(6, -1)
    cells = "\n".join(",".join("" if np.isnan(value) else f"{value:.3f}" for value in row) for row in table)
    (tmp_path / "facial_keypoints.csv").write_text(f"{','.join(FACE15.columns)}\n{cells}\n", encoding="utf-8")

    prepare_speed.write_training_csv(tmp_path / "training.csv", str(tmp_path))
    again = read(tmp_path / "training.csv")
    np.testing.assert_array_equal(again.images, faces.images)
    np.testing.assert_allclose(again.keypoints, faces.keypoints, atol=1e-3)

    name, code = next(iter(prepare_speed.WAYS.items()))
    monkeypatch.setattr(prepare_speed, "WAYS", {name: code})
    prepare_speed.main([str(tmp_path), "--turns", "1"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("MB of text, 1 turns")
    assert lines[2].startswith(name)
    assert lines[2].endswith("1.0x")

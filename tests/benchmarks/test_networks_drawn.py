"""Plots of several networks: each gets drawn faces aligned as its training faces are."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks import networks_drawn
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import as_face15
from models.saved import LoadedModel, load_model
from tests.conftest import ROOT
from tests.models.folders import write_model_folder

PRETRAINED = ROOT / "artifacts" / "pretrained"


def errors_px(loaded: LoadedModel) -> np.ndarray:
    faces = networks_drawn.complete_faces()
    assert loaded.spec is not None
    keypoints = networks_drawn.predict_drawn(loaded, loaded.spec, faces)
    of_15 = as_face15(keypoints) if keypoints.shape[1] == 68 else keypoints
    return np.linalg.norm(of_15 - faces.keypoints, axis=-1).mean(axis=1)


def test_predictions_for_another_image_size_fit_the_drawn_faces() -> None:
    assert (errors_px(load_model(PRETRAINED / "v2-68")) < 2.5).all()  # of 96 px


def test_faces_and_curves_are_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    networks_drawn.main([str(PRETRAINED / "v2"), str(PRETRAINED / "v2-68"), "--out", str(tmp_path)])
    assert capsys.readouterr().out == f"{tmp_path}: faces.png, curves.png\n"
    for name in ("faces.png", "curves.png"):
        assert np.std(np.asarray(cv2.imread(str(tmp_path / name)))) > 10


def test_model_without_a_history_has_no_curves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, out = tmp_path / "model", tmp_path / "out"
    shutil.copytree(PRETRAINED / "v2-68", model)
    (model / "history.csv").unlink()
    manifest = json.loads((model / "manifest.json").read_text(encoding="utf-8"))
    del manifest["files"]["history.csv"]
    (model / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    out.mkdir()
    (out / "curves.png").write_bytes(b"of an earlier run")
    networks_drawn.main([str(model), "--out", str(out)])
    assert capsys.readouterr().out == f"{out}: faces.png\n"
    assert [path.name for path in out.iterdir()] == ["faces.png"]


def test_model_file_without_manifest_is_rejected(tmp_path: Path) -> None:
    write_model_folder(tmp_path / "model")
    with pytest.raises(InputError, match=r"does not say what the network predicts; give a folder that training wrote"):
        networks_drawn.main([str(tmp_path / "model" / "model.keras"), "--out", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()

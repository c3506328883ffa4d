"""The shipped weights: whole, small, the same in both formats, and as good as their model card says."""

import csv
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from common.stage import read_manifest
from data_prep import prepare, synthetic
from evaluation import evaluate
from facial_keypoints.errors import EXIT_BAD_INPUT
from tests.conftest import ROOT
from training.export import run_onnx

V2 = ROOT / "artifacts" / "pretrained" / "v2"
LARGEST_MB = 8.0
PUBLISHED = {"mae_px": 1.069, "rmse_px": 1.462, "within_5px_pct": 99.46}  # artifacts/pretrained/v2/README.md


def test_the_shipped_folder_is_whole_and_small() -> None:
    manifest = read_manifest(V2, "train")
    assert manifest["parameters"]["model"] == "v2"
    megabytes = sum((V2 / name).stat().st_size for name in ("model.keras", "model.onnx")) / 1e6
    assert megabytes < LARGEST_MB


def test_both_formats_find_a_drawn_face() -> None:
    faces = synthetic.read(32, seed=3)
    predicted = keras.saving.load_model(V2 / "model.keras", compile=False).predict(faces.images, verbose=0)
    np.testing.assert_allclose(run_onnx(V2 / "model.onnx", faces.images.astype(np.float32)), predicted, atol=0.01)
    labelled = ~np.isnan(faces.keypoints[:, 0]).any(axis=-1)
    eye_error = np.abs(predicted[:, 0, :2] - faces.keypoints[:, 0])[labelled].mean()
    assert eye_error < 4  # px; it was trained on photographs alone


def test_what_cannot_be_seen_is_predicted_with_a_larger_sigma() -> None:
    model = keras.saving.load_model(V2 / "model.keras", compile=False)
    images = synthetic.read(64, seed=5).images
    seen = model.predict(images, verbose=0)
    mouth, eyes = slice(11, 15), slice(0, 6)

    covered = images.copy()
    covered[:, 64:] = 128  # the lower third of the picture
    hidden = model.predict(covered, verbose=0)
    assert np.median(hidden[:, mouth, 2] / seen[:, mouth, 2]) > 1.5
    assert np.median(hidden[:, eyes, 2] / seen[:, eyes, 2]) < 1.5

    moved = np.concatenate([images[:, 24:], np.repeat(images[:, -1:], 24, axis=1)], axis=1)  # up by 24 px
    brows = slice(6, 10)
    above = model.predict(moved, verbose=0)
    assert np.median(above[:, brows, 2] / seen[:, brows, 2]) > 1.5


def test_altered_weights_are_refused_in_one_line(
    data_folder: Path, tmp_path: Path, run_stage: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    altered = tmp_path / "v2"
    shutil.copytree(V2, altered)
    data = bytearray((altered / "model.keras").read_bytes())
    data[len(data) // 2] ^= 1
    (altered / "model.keras").write_bytes(data)
    done = run_stage("evaluation.evaluate", altered, "--data", data_folder, "--out", tmp_path / "out")
    assert done.returncode == EXIT_BAD_INPUT
    assert "model.keras: is cut off or altered" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_model_card_says_what_the_weights_do(real_data: Path, tmp_path: Path) -> None:
    """On the people that neither training nor validation saw."""
    prepare.main([str(real_data / "faces15"), "--out", str(tmp_path / "data")])
    evaluate.main([str(V2), "--data", str(tmp_path / "data"), "--out", str(tmp_path / "out")])
    with (tmp_path / "out" / "accuracy.csv").open() as file:
        labelled = next(csv.DictReader(file))
    assert {name: float(labelled[name]) for name in PUBLISHED} == pytest.approx(PUBLISHED, abs=0.01)

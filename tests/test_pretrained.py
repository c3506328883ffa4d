"""The shipped weights: whole, small, the same in both formats, and as good as their model card says."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from data_prep import prepare, synthetic
from evaluation import evaluate
from facial_keypoints import Predictor
from facial_keypoints.errors import InputError
from facial_keypoints.spec import METADATA_KEY
from models.saved import LoadedModel, load_model, predict
from tests.conftest import ROOT

V2 = ROOT / "artifacts" / "pretrained" / "v2"
LARGEST_MB = 8.0
PUBLISHED = {"mae_px": 1.069, "rmse_px": 1.462, "within_5px_pct": 99.46}  # artifacts/pretrained/v2/README.md


@pytest.fixture(scope="module")
def v2() -> LoadedModel:
    return load_model(V2)


def test_the_shipped_files_are_small() -> None:
    assert sum((V2 / name).stat().st_size for name in ("model.keras", "model.onnx")) / 1e6 < LARGEST_MB


def test_the_weights_are_those_that_were_trained(v2: LoadedModel) -> None:
    """Three landmarks on a pattern of stripes, as the network gave them after training; it has been rewritten since."""
    y, x = np.mgrid[:96, :96]
    stripes = ((3 * x + 2 * y) % 256).astype(np.uint8)[None, ..., None]
    wanted = [[55.3025, 45.6088, 8.3453], [36.5523, 64.0265, 7.0125], [16.6520, 67.6530, 5.7585]]
    np.testing.assert_allclose(v2.model.predict(stripes, verbose=0)[0, [0, 10, 16]], wanted, atol=1e-3)


def test_both_formats_say_the_same_of_themselves(v2: LoadedModel) -> None:
    session = onnxruntime.InferenceSession(V2 / "model.onnx", providers=["CPUExecutionProvider"])
    assert v2.manifest is not None
    assert json.loads(session.get_modelmeta().custom_metadata_map[METADATA_KEY]) == v2.manifest["model"]


def test_both_formats_find_a_drawn_face(v2: LoadedModel) -> None:
    faces = synthetic.read(32, seed=3)
    predicted = predict(v2, faces.images, faces.keypoint_set)[:, : len(faces.keypoint_set)]
    coordinates, expected_error = Predictor("v2").predict_crops(faces.images)
    assert expected_error is not None
    np.testing.assert_allclose(coordinates, predicted[..., :2], atol=0.01)
    np.testing.assert_allclose(expected_error, predicted[..., 2], atol=0.01)
    labelled = ~np.isnan(faces.keypoints[:, 0]).any(axis=-1)
    eye_error = np.abs(coordinates[:, 0] - faces.keypoints[:, 0])[labelled].mean()
    assert eye_error < 4  # px; it was trained on photographs alone


def test_what_cannot_be_seen_is_predicted_with_a_larger_expected_error(v2: LoadedModel) -> None:
    images = synthetic.read(64, seed=5).images
    seen = v2.model.predict(images, verbose=0)
    mouth, eyes = slice(11, 15), slice(0, 6)

    covered = images.copy()
    covered[:, 64:] = 128  # the lower third of the image
    hidden = v2.model.predict(covered, verbose=0)
    assert np.median(hidden[:, mouth, 2] / seen[:, mouth, 2]) > 1.5
    assert np.median(hidden[:, eyes, 2] / seen[:, eyes, 2]) < 1.5

    moved = np.concatenate([images[:, 24:], np.repeat(images[:, -1:], 24, axis=1)], axis=1)  # up by 24 px
    brows = slice(6, 10)
    above = v2.model.predict(moved, verbose=0)
    assert np.median(above[:, brows, 2] / seen[:, brows, 2]) > 1.5


def test_altered_weights_are_refused(tmp_path: Path) -> None:
    altered = tmp_path / "v2"
    shutil.copytree(V2, altered)
    data = bytearray((altered / "model.keras").read_bytes())
    data[len(data) // 2] ^= 1
    (altered / "model.keras").write_bytes(data)
    with pytest.raises(InputError, match=r"model\.keras: is cut off or altered"):
        load_model(altered)


def test_the_model_card_says_what_the_weights_do(real_data: Path, tmp_path: Path) -> None:
    """On the people that neither training nor validation saw."""
    prepare.main([str(real_data / "faces15"), "--out", str(tmp_path / "data")])
    evaluate.main([str(V2), "--data", str(tmp_path / "data"), "--out", str(tmp_path / "out")])
    with (tmp_path / "out" / "accuracy.csv").open() as file:
        labelled = next(csv.DictReader(file))
    assert {name: float(labelled[name]) for name in PUBLISHED} == pytest.approx(PUBLISHED, abs=0.01)

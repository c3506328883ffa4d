"""The shipped weights: undamaged, small, equal in all formats, and as accurate as their model cards say."""

import csv
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest

from data_prep import prepare
from data_prep.synthetic import dataset
from evaluation import evaluate
from facial_keypoints import Predictor
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE68, as_face15
from facial_keypoints.spec import METADATA_KEY
from models.saved import LoadedModel, load_model, predict
from tests.conftest import ROOT

PRETRAINED = ROOT / "artifacts" / "pretrained"
V2, V2_68 = PRETRAINED / "v2", PRETRAINED / "v2-68"
LARGEST_MB, MOST_PARAMETERS = 10.0, 1.2e6
INT8_PX = 0.2  # largest mean difference between the int8 and the float32 file, on drawn faces
PUBLISHED = {"mae_px": 1.034, "rmse_px": 1.407, "within_5px_pct": 99.53}  # artifacts/pretrained/v2/README.md


every_model = pytest.mark.parametrize("folder", [V2, V2_68], ids=lambda folder: folder.name)


@pytest.fixture(scope="module")
def v2() -> LoadedModel:
    return load_model(V2)


@every_model
def test_shipped_model_is_small(folder: Path) -> None:
    assert sum(file.stat().st_size for file in folder.iterdir()) / 1e6 < LARGEST_MB
    assert load_model(folder).model.count_params() < MOST_PARAMETERS


def test_shipped_weights_give_the_recorded_predictions(v2: LoadedModel) -> None:
    """Three output points for a pattern of stripes, recorded after training."""
    y, x = np.mgrid[:96, :96]
    stripes = ((3 * x + 2 * y) % 256).astype(np.uint8)[None, ..., None]
    expected = [[57.2318, 43.5905, 8.3793], [52.4594, 58.5654, 7.2606], [50.2065, 60.6362, 21.9852]]
    np.testing.assert_allclose(v2.model.predict(stripes, verbose=0)[0, [0, 10, 16]], expected, atol=1e-3)


@every_model
@pytest.mark.parametrize("file", ["model.onnx", "model_int8.onnx"])
def test_all_formats_hold_the_same_metadata(folder: Path, file: str) -> None:
    session = onnxruntime.InferenceSession(folder / file, providers=["CPUExecutionProvider"])
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert json.loads(session.get_modelmeta().custom_metadata_map[METADATA_KEY]) == manifest["model"]


def test_all_formats_of_v2_68_find_the_keypoints_of_drawn_faces() -> None:
    """Eyes and mouth lie near the drawn 15 keypoints, although the network was not trained on drawn faces."""
    faces = dataset.read(24, seed=3)
    larger = np.stack([cv2.resize(image, (128, 128))[..., None] for image in faces.images])
    loaded = load_model(V2_68)
    of_keras = predict(loaded, larger, FACE68)[:, :68, :2]
    of_onnx, of_int8 = (Predictor("v2-68", int8=small).predict_crops(larger).coordinates for small in (False, True))
    np.testing.assert_allclose(of_onnx, of_keras, atol=0.01)
    assert np.abs(of_int8 - of_onnx).mean() < INT8_PX
    found = (as_face15(of_onnx) + 0.5) * 96 / 128 - 0.5
    error = np.linalg.norm(found - faces.keypoints, axis=-1)[:, [0, 1, 11, 12]]
    assert np.nanmedian(error) < 5  # px of 96


def test_keras_and_onnx_find_the_same_keypoints_on_drawn_faces(v2: LoadedModel) -> None:
    faces = dataset.read(32, seed=3)
    predicted = predict(v2, faces.images, faces.keypoint_set)[:, : len(faces.keypoint_set)]
    coordinates, expected_error = Predictor("v2").predict_crops(faces.images)
    assert expected_error is not None
    np.testing.assert_allclose(coordinates, predicted[..., :2], atol=0.01)
    np.testing.assert_allclose(expected_error, predicted[..., 2], atol=0.01)
    labelled = ~np.isnan(faces.keypoints[:, 0]).any(axis=-1)
    eye_error = np.abs(coordinates[:, 0] - faces.keypoints[:, 0])[labelled].mean()
    assert eye_error < 4  # px; the network was trained on photographs only


def test_hidden_keypoints_have_a_larger_expected_error(v2: LoadedModel) -> None:
    images = dataset.read(64, seed=5).images
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
    assert np.median(above[:, brows, 2] / seen[:, brows, 2]) > 1.25  # brows just outside the image are less certain


def test_altered_weights_are_refused(tmp_path: Path) -> None:
    altered = tmp_path / "v2"
    shutil.copytree(V2, altered)
    data = bytearray((altered / "model.keras").read_bytes())
    data[len(data) // 2] ^= 1
    (altered / "model.keras").write_bytes(data)
    with pytest.raises(InputError, match=r"model\.keras: is damaged or altered"):
        load_model(altered)


@pytest.mark.long
def test_nme_of_v2_68_matches_its_model_card(real_data: Path, tmp_path: Path) -> None:
    """NME in % by label source, on the people and pictures that neither training nor validation saw."""
    sources = [str(real_data / name) for name in ("youtube68", "lfpw68", "helen68", "afw68")]
    prepare.main([*sources, "--out", str(tmp_path / "data")])
    evaluate.main([str(V2_68), "--data", str(tmp_path / "data"), "--out", str(tmp_path / "v2-68")])
    with (tmp_path / "v2-68" / "by_origin.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if (row["by"], row["name"]) == ("label_source", "v2-68")]
    nme = {row["which"]: float(row["nme_pct"]) for row in rows if row["labels"] == "labelled"}
    assert nme == pytest.approx({"pictures": 3.41, "frames": 4.05}, abs=0.01)


@pytest.mark.long
def test_accuracy_of_v2_matches_its_model_card(real_data: Path, tmp_path: Path) -> None:
    """Accuracy on the people that neither training nor validation saw."""
    prepare.main([str(real_data / "faces15"), "--out", str(tmp_path / "data")])
    evaluate.main([str(V2), "--data", str(tmp_path / "data"), "--out", str(tmp_path / "out")])
    with (tmp_path / "out" / "accuracy.csv").open(encoding="utf-8") as file:
        labelled = next(csv.DictReader(file))
    assert {name: float(labelled[name]) for name in PUBLISHED} == pytest.approx(PUBLISHED, abs=0.01)

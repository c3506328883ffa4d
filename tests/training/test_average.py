"""The average of models of one network is a normal model folder."""

import json
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from common.hashes import file_hash
from data_prep import prepare
from evaluation.inputs import load_data
from evaluation.model_predictions import training_notes
from facial_keypoints.errors import InputError
from models.expected_error import calibrated, calibration_of, with_expected_error
from models.saved import LoadedModel, load_model
from tests.models.folders import write_model_folder
from training import average


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn faces, 96 x 96 px."""
    folder = tmp_path_factory.mktemp("data") / "data"
    prepare.main(["synthetic", "--count", "60", "--out", str(folder)])
    return folder


def weights(folder: Path) -> list[np.ndarray]:
    return [np.asarray(weight) for weight in load_model(folder).model.get_weights()]


def changed_copy(folder: Path, to: Path) -> None:
    """Copies a model folder with other weights."""
    shutil.copytree(folder, to)
    loaded = load_model(to)
    rng = np.random.default_rng(0)
    loaded.model.set_weights([weight + rng.uniform(0, 1e-4, weight.shape) for weight in loaded.model.get_weights()])
    save_again(loaded)


def save_again(loaded: LoadedModel) -> None:
    """Saves a changed network into its model folder."""
    assert loaded.manifest is not None
    loaded.model.save(loaded.file)
    loaded.manifest["files"]["model.keras"] = file_hash(loaded.file)
    (loaded.path / "manifest.json").write_text(json.dumps(loaded.manifest), encoding="utf-8")


def test_average_holds_the_mean_weights_of_two_models(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, mean = tmp_path / "first", tmp_path / "second", tmp_path / "mean"
    write_model_folder(first, "v2", sources=(0, 1), shape=(96, 96, 1))
    changed_copy(first, second)
    average.main([str(first), str(second), "--data", str(data), "--out", str(mean)])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[0] for line in lines] == [str(first), str(second), str(mean)]
    for one, other, both in zip(weights(first), weights(second), weights(mean), strict=True):
        np.testing.assert_allclose(both, (one.astype(np.float64) + other) / 2, rtol=1e-5, atol=1e-6)
    manifest = load_model(mean).manifest
    assert manifest is not None
    assert f"{manifest['metrics']['val_mae_px']:.3f}" in lines[-1]
    assert manifest["parameters"]["models"] == [str(first), str(second)]


def test_manifest_of_an_average_names_the_training_data_of_its_models(data: Path, tmp_path: Path) -> None:
    """Evaluation compares these hashes to note other training data."""
    write_model_folder(tmp_path / "a", shape=(96, 96, 1))
    average.main([str(tmp_path / "a"), str(tmp_path / "a"), "--data", str(data), "--out", str(tmp_path / "mean")])
    assert training_notes(load_model(tmp_path / "mean"), load_data(data)) == []
    hashes = average.inputs("c", [tmp_path / "a"], [{"inputs": {"data": "c", "extra_data": "b"}}])
    assert {"data": "c", "extra_data of model 1": "b"}.items() <= hashes.items()
    assert "data of model 1" not in hashes


def test_models_of_different_networks_are_rejected(data: Path, tmp_path: Path) -> None:
    write_model_folder(tmp_path / "base", shape=(96, 96, 1))
    write_model_folder(tmp_path / "v1", "v1", shape=(96, 96, 1))
    out = ["--data", str(data), "--out", str(tmp_path / "out")]
    with pytest.raises(InputError, match=r"v1: is another network than .*base; give models of one network"):
        average.main([str(tmp_path / "base"), str(tmp_path / "v1"), *out])
    write_model_folder(tmp_path / "small")
    with pytest.raises(InputError, match=r"small: is another network than .*base; give models of one network"):
        average.main([str(tmp_path / "base"), str(tmp_path / "small"), *out])
    shutil.copytree(tmp_path / "base", tmp_path / "scaled")
    scaled = load_model(tmp_path / "scaled")
    scaled.model.get_layer("pixels_to_unit").scale *= 2
    save_again(scaled)
    with pytest.raises(InputError, match=r"scaled: is another network than .*base; give models of one network"):
        average.main([str(tmp_path / "base"), str(tmp_path / "scaled"), *out])
    with pytest.raises(InputError, match="MODEL: give two or more"):
        average.main([str(tmp_path / "base"), *out])
    with pytest.raises(InputError, match=r"model\.keras: does not say what it predicts; give a folder"):
        average.main([str(tmp_path / "base" / "model.keras"), str(tmp_path / "base"), *out])
    assert not (tmp_path / "out").exists()


def small_network(*, scale: float = 2.0, factor: float = 3.0, inner_offset: float = 0.0) -> keras.Model:
    """Returns a network of unnamed layers, whose weights do not depend on the constants; all kernels are 1."""
    inputs = keras.Input((5, 2))
    first, second = (keras.layers.Dense(units, "relu", kernel_initializer="ones") for units in (4, 3))
    inner = keras.Sequential([first, keras.layers.Rescaling(1.0, inner_offset), second])
    numbers = factor * keras.ops.relu(inner(keras.layers.Rescaling(scale)(inputs)))
    return keras.Model(inputs, with_expected_error(numbers[..., :2], numbers[..., 2:]))


IMAGES = np.arange(20, dtype=np.uint8).reshape(2, 5, 2)


@pytest.mark.parametrize("constant", [{"scale": 2.1}, {"factor": 3.1}, {"inner_offset": 0.1}], ids=str)
def test_models_with_another_constant_are_another_network(constant: dict[str, Any]) -> None:
    assert not average.same_network(small_network(), small_network(**constant), IMAGES)


def test_models_with_other_weight_shapes_are_another_network() -> None:
    inputs = keras.Input((5, 2))
    assert not average.same_network(small_network(), keras.Model(inputs, keras.layers.Dense(3)(inputs)), IMAGES)


def test_models_with_other_weights_and_calibration_are_the_same_network_and_keep_them() -> None:
    model, other = small_network(), calibrated(small_network(), 0.5, 0.8)
    before = [2 * weight for weight in other.get_weights()]
    other.set_weights(before)
    calibration = calibration_of(other)
    assert average.same_network(model, other, IMAGES)
    assert all(np.array_equal(*pair) for pair in zip(other.get_weights(), before, strict=True))
    assert calibration_of(other) == calibration


def test_data_folder_that_does_not_fit_the_models_is_rejected(data: Path, tmp_path: Path) -> None:
    write_model_folder(tmp_path / "a", shape=(48, 48, 1))
    with pytest.raises(InputError, match="the network is for face15 in 48 x 48 px; give the data folder"):
        average.main([str(tmp_path / "a"), str(tmp_path / "a"), "--data", str(data), "--out", str(tmp_path / "out")])

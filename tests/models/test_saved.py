"""Trained networks are loaded from a model folder or a bare file; bad ones are refused with a one-line error."""

from pathlib import Path

import keras
import numpy as np
import pytest

from common.stage import read_manifest
from data_prep import arrays
from facial_keypoints.array_types import UInt8
from facial_keypoints.codec import decode
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15
from facial_keypoints.pretrained import KERAS_FILE
from models import networks
from models.networks import build_model, load_build
from models.saved import TRAIN, load_model, notes, predict
from tests.conftest import ROOT
from tests.models.folders import write_model_folder

SHAPE = (48, 48, 1)


def images(count: int, shape: tuple[int, int, int] = SHAPE) -> UInt8:
    return np.random.default_rng(0).integers(0, 256, (count, *shape), np.uint8)


@pytest.mark.any_backend
def test_shipped_network_predicts_accurately_under_any_backend(data_folder: Path) -> None:
    """It was not trained on these drawn faces; predicting the mean face has an error of about 4 px."""
    test, loaded = arrays.load_split(data_folder, "test"), load_model(ROOT / "artifacts" / "pretrained" / "v2")
    predicted = decode(predict(loaded, test.images, FACE15), test.label_sources, loaded.output_points(FACE15))
    errors = np.abs(predicted.coordinates - test.keypoints)[test.labelled]
    assert errors.mean() < 1.5
    assert predicted.expected_error is not None
    assert 0.5 < errors.mean() / predicted.expected_error[test.labelled].mean() < 2


@pytest.mark.parametrize("network", ["base", "v2", "own"])
def test_model_folder_describes_the_predictions_of_its_network(network: str, user_file: str, tmp_path: Path) -> None:
    model = write_model_folder(tmp_path / "model", user_file if network == "own" else network, sources=(0, 1))
    loaded = load_model(tmp_path / "model")
    assert loaded.spec is not None
    assert loaded.spec.label_sources == (0, 1)
    assert loaded.spec.expected_error == (network == "v2")
    assert loaded.manifest == read_manifest(tmp_path / "model", TRAIN)
    assert loaded.file == tmp_path / "model" / KERAS_FILE
    assert notes(loaded) == []
    assert len(loaded.output_points(FACE15)) == 17
    predicted = predict(loaded, images(5), FACE15)
    assert predicted.shape == (5, 17, 3 if network == "v2" else 2)
    np.testing.assert_allclose(predicted, model.predict(images(5), verbose=0), atol=1e-4)


def test_custom_layers_are_loaded_from_the_user_file_if_it_still_exists(user_file: str, tmp_path: Path) -> None:
    write_model_folder(tmp_path / "model", user_file)
    keras.saving.get_custom_objects().clear()  # as in a new process that has not run the file
    networks._run_file.cache_clear()
    assert load_model(tmp_path / "model").model.output_shape == (None, 15, 2)
    keras.saving.get_custom_objects().clear()
    Path(user_file).unlink()
    with pytest.raises(InputError, match=r"model\.keras: has layers of the user's file .*my_net\.py: no such file"):
        load_model(tmp_path / "model")


def test_bare_file_with_custom_layers_is_refused(user_file: str, tmp_path: Path) -> None:
    build_model(load_build(user_file), SHAPE, 15).save(tmp_path / "bare.keras")
    keras.saving.get_custom_objects().clear()
    with pytest.raises(InputError, match=r"bare\.keras: cannot be loaded .*locate class 'Doubled'.* the model folder"):
        load_model(tmp_path / "bare.keras")


def test_bare_file_loads_without_spec_and_with_notes(tmp_path: Path) -> None:
    file = tmp_path / "theirs.keras"
    model = keras.Sequential([keras.Input((48, 48, 3)), keras.layers.Flatten(), keras.layers.Dense(30)])
    model.save(file)
    loaded = load_model(file)
    assert loaded.spec is None
    assert loaded.manifest is None
    assert loaded.file == file
    assert len(notes(loaded)) > 1
    predicted = predict(loaded, images(4), FACE15)  # gray images, repeated for three channels
    expected = model.predict(np.repeat(images(4), 3, axis=-1), verbose=0)
    np.testing.assert_allclose(predicted[:, 3], expected[:, 6:8], rtol=1e-5)  # x and y of the fourth keypoint


def test_gray_image_and_its_rgb_copy_have_the_same_predictions(tmp_path: Path) -> None:
    write_model_folder(tmp_path / "model", shape=(48, 48, 3))
    loaded = load_model(tmp_path / "model")
    color = np.repeat(images(2), 3, axis=-1)
    np.testing.assert_array_equal(predict(loaded, images(2), FACE15), predict(loaded, color, FACE15))


def test_images_or_keypoints_that_do_not_match_the_network_are_refused(tmp_path: Path) -> None:
    write_model_folder(tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    with pytest.raises(InputError, match=r"takes images of \(N, 48, 48, 1\), the data has \(N, 64, 48, 1\)"):
        predict(loaded, images(1, (64, 48, 1)), FACE15)
    with pytest.raises(InputError, match=r"takes images of \(N, 48, 48, 1\), the data has \(N, 48, 48, 3\)"):
        predict(loaded, images(1, (48, 48, 3)), FACE15)
    loaded.model.save(tmp_path / "bare.keras")
    keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(136)]).save(tmp_path / "68.keras")
    with pytest.raises(InputError, match=r"68\.keras: gives \(N, 136\), the data has 15 keypoints \(face15\)"):
        predict(load_model(tmp_path / "68.keras"), images(1), FACE15)


@pytest.mark.parametrize(
    ("value", "message"), [(-1.0, "an expected error that is not above 0"), (np.nan, "values that are not finite")]
)
def test_nonpositive_expected_errors_and_nan_outputs_are_refused(value: float, message: str, tmp_path: Path) -> None:
    numbers = [keras.layers.Flatten(), keras.layers.Dense(45), keras.layers.Reshape((15, 3))]
    keras.Sequential([keras.Input(SHAPE), *numbers, keras.layers.Rescaling(0, value)]).save(tmp_path / "model.keras")
    with pytest.raises(InputError, match=message):
        predict(load_model(tmp_path / "model.keras"), images(1), FACE15)


def test_missing_and_truncated_models_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        load_model(tmp_path / "none")
    with pytest.raises(InputError, match=r"none\.keras: no such file"):
        load_model(tmp_path / "none.keras")
    (tmp_path / "torn.keras").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(InputError, match=r"torn\.keras: cannot be loaded"):
        load_model(tmp_path / "torn.keras")

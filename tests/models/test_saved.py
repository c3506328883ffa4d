"""Trained networks from disk: a model folder or a bare file; what fits is used, the rest is one clear line."""

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
def test_the_shipped_network_predicts_under_any_backend_what_it_learnt(data_folder: Path) -> None:
    """Drawn faces, of which it has learned none: a mean face errs by about 4 px."""
    test, loaded = arrays.load_split(data_folder, "test"), load_model(ROOT / "artifacts" / "pretrained" / "v2")
    said = decode(predict(loaded, test.images, FACE15), test.label_sources, loaded.output_points(FACE15))
    errors = np.abs(said.coordinates - test.keypoints)[test.labelled]
    assert errors.mean() < 1.5
    assert said.expected_error is not None
    assert 0.5 < errors.mean() / said.expected_error[test.labelled].mean() < 2


@pytest.mark.parametrize("network", ["base", "v2", "own"])
def test_a_model_folder_says_what_its_network_predicts(network: str, own: str, tmp_path: Path) -> None:
    model = write_model_folder(tmp_path / "model", own if network == "own" else network, sources=(0, 1))
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


def test_a_networks_own_layers_are_found_where_its_file_is(own: str, tmp_path: Path) -> None:
    write_model_folder(tmp_path / "model", own)
    keras.saving.get_custom_objects().clear()  # as in a new process, which has not run the file
    networks._run_file.cache_clear()
    assert load_model(tmp_path / "model").model.output_shape == (None, 15, 2)
    keras.saving.get_custom_objects().clear()
    Path(own).unlink()
    with pytest.raises(InputError, match=r"model\.keras: has layers of the user's file .*my_net\.py: no such file"):
        load_model(tmp_path / "model")


def test_a_bare_file_with_layers_of_the_users_own_is_one_line(own: str, tmp_path: Path) -> None:
    build_model(load_build(own), SHAPE, 15).save(tmp_path / "bare.keras")
    keras.saving.get_custom_objects().clear()
    with pytest.raises(InputError, match=r"bare\.keras: cannot be loaded .*locate class 'Doubled'.* the model folder"):
        load_model(tmp_path / "bare.keras")


def test_a_bare_file_comes_with_notes(tmp_path: Path) -> None:
    file = tmp_path / "theirs.keras"
    model = keras.Sequential([keras.Input((48, 48, 3)), keras.layers.Flatten(), keras.layers.Dense(30)])
    model.save(file)
    loaded = load_model(file)
    assert loaded.spec is None
    assert loaded.manifest is None
    assert loaded.file == file
    assert len(notes(loaded)) > 1
    predicted = predict(loaded, images(4), FACE15)  # gray images, repeated for three channels
    by_hand = model.predict(np.repeat(images(4), 3, axis=-1), verbose=0)
    np.testing.assert_allclose(predicted[:, 3], by_hand[:, 6:8], rtol=1e-5)  # x and y of the fourth keypoint


def test_a_gray_image_is_the_same_in_color(tmp_path: Path) -> None:
    write_model_folder(tmp_path / "model", shape=(48, 48, 3))
    loaded = load_model(tmp_path / "model")
    color = np.repeat(images(2), 3, axis=-1)
    np.testing.assert_array_equal(predict(loaded, images(2), FACE15), predict(loaded, color, FACE15))


def test_images_and_keypoints_that_do_not_fit(tmp_path: Path) -> None:
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
    ("always", "said"), [(-1.0, "an expected error that is not above 0"), (np.nan, "values that are not finite")]
)
def test_what_is_no_keypoint_is_refused(always: float, said: str, tmp_path: Path) -> None:
    numbers = [keras.layers.Flatten(), keras.layers.Dense(45), keras.layers.Reshape((15, 3))]
    keras.Sequential([keras.Input(SHAPE), *numbers, keras.layers.Rescaling(0, always)]).save(tmp_path / "model.keras")
    with pytest.raises(InputError, match=said):
        predict(load_model(tmp_path / "model.keras"), images(1), FACE15)


def test_models_that_are_not_whole(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        load_model(tmp_path / "none")
    with pytest.raises(InputError, match=r"none\.keras: no such file"):
        load_model(tmp_path / "none.keras")
    (tmp_path / "torn.keras").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(InputError, match=r"torn\.keras: cannot be loaded"):
        load_model(tmp_path / "torn.keras")

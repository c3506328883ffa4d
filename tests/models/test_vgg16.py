"""`vgg16`: VGG16 of keras.applications with its preprocessing, a head for keypoints, and weights from a file."""

from pathlib import Path
from typing import Any

import h5py  # type: ignore[import-untyped]
import keras
import numpy as np
import pytest

from facial_keypoints.errors import InputError
from models.vgg16 import WEIGHTS_FILE, build, load_convolutions

SHAPE = (96, 96, 3)


def no_network(*_: Any, **__: Any) -> None:
    raise OSError("Name or service not known")


def test_parameter_count_matches_hand_calculation(monkeypatch: pytest.MonkeyPatch) -> None:
    """VGG16's convolutions have 14,714,688 parameters in Keras; in the head, 7 x 7 px become 5 x 5 and 2 x 2."""
    monkeypatch.setattr("socket.create_connection", no_network)  # nothing is downloaded
    head = (512 * 9 + 1) * 512 + (2 * 2 * 512 + 1) * 512 + (512 + 1) * 136
    model = build((224, 224, 3), 68)
    assert model.count_params() == 14_714_688 + head == 18_193_352
    assert sum(np.prod(weight.shape) for weight in model.trainable_weights) == head == 3_478_664


def test_fine_tuning_trains_all_layers() -> None:
    assert build(SHAPE, 15, fine_tune=True).non_trainable_weights == []
    assert len(build(SHAPE, 15).non_trainable_weights) == 2 * 13


def test_preprocessing_matches_keras_applications() -> None:
    model = build(SHAPE, 15)
    pixels = keras.Model(model.inputs, model.get_layer("less_the_mean").output)
    images = np.random.default_rng(0).integers(0, 256, (2, *SHAPE), np.uint8)
    expected = keras.applications.vgg16.preprocess_input(images.astype(np.float32))
    np.testing.assert_allclose(pixels.predict(images, verbose=0), expected, atol=1e-4)


def test_head_receives_features_divided_by_58() -> None:
    model = build((96, 96, 1), 15)
    both = keras.Model(model.inputs, [model.get_layer(name).output for name in ("block5_pool", "features")])
    pooled, divided = both.predict(np.full((1, 96, 96, 1), 200, np.uint8), verbose=0)
    assert pooled.max() > 0
    np.testing.assert_allclose(divided, pooled / 58, rtol=1e-5)


def test_gray_image_and_its_rgb_copy_have_the_same_predictions() -> None:
    gray, color = build((96, 112, 1), 68), build((96, 112, 3), 68)
    color.set_weights(gray.get_weights())
    images = np.random.default_rng(0).integers(0, 256, (1, 96, 112, 1), np.uint8)
    in_color = color.predict(np.repeat(images, 3, axis=-1), verbose=0)
    np.testing.assert_allclose(gray.predict(images, verbose=0), in_color, atol=1e-4)


def test_outputs_are_fractions_of_the_image_sides() -> None:
    """The inverse of the sigmoid of 1/4 is -log 3: a quarter of the way from edge to edge."""
    model = build((96, 128, 1), 1)
    coordinates = model.get_layer("coordinates")
    weights, _ = coordinates.get_weights()
    coordinates.set_weights([0 * weights, np.array([0, -np.log(3)])])
    predicted = model.predict(np.zeros((1, 96, 128, 1), np.uint8), verbose=0)
    np.testing.assert_allclose(predicted, [[[64 - 0.5, 24 - 0.5]]], atol=1e-4)


def test_sides_under_96_px_are_refused() -> None:
    with pytest.raises(ValueError, match="it takes sides of at least 96 px"):
        build((95, 224, 3), 68)


@pytest.fixture(scope="module")
def saved_vgg16(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, keras.Model]:
    """A weights file in the layout of the published one, and the network whose weights it holds."""
    keras.utils.set_random_seed(7)
    model = keras.applications.VGG16(include_top=False, weights=None)
    path = tmp_path_factory.mktemp("weights") / WEIGHTS_FILE
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.name.encode() for layer in model.layers]
        for layer in model.layers:
            group = file.create_group(layer.name)
            names = [f"{layer.name}_W_1:0", f"{layer.name}_b_1:0"][: len(layer.weights)]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, values in zip(names, layer.get_weights(), strict=True):
                group[name] = values
    return path, model


def check_loaded(model: keras.Model, saved_vgg16: keras.Model, head: list[Any]) -> None:
    for block, number in ((1, 1), (3, 2), (5, 3)):
        name = f"block{block}_conv{number}"
        for ours, theirs in zip(
            model.get_layer(name).get_weights(), saved_vgg16.get_layer(name).get_weights(), strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)
    for ours, before in zip(model.get_layer("head_convolution").get_weights(), head, strict=True):
        np.testing.assert_array_equal(ours, before)


def test_load_convolutions_reads_weights_from_a_file(saved_vgg16: tuple[Path, keras.Model]) -> None:
    path, theirs = saved_vgg16
    model = build((96, 96, 1), 15)
    head = model.get_layer("head_convolution").get_weights()
    load_convolutions(model, path)
    check_loaded(model, theirs, head)


def test_load_convolutions_fetches_weights_through_keras_by_default(
    saved_vgg16: tuple[Path, keras.Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, theirs = saved_vgg16
    requested: list[str] = []

    def get_file(name: str, origin: str, **_: Any) -> str:
        requested.extend([name, origin])
        return str(path)

    monkeypatch.setattr("keras.src.applications.vgg16.file_utils.get_file", get_file)
    model = build(SHAPE, 15)
    head = model.get_layer("head_convolution").get_weights()
    load_convolutions(model)
    check_loaded(model, theirs, head)
    assert requested[0] == WEIGHTS_FILE
    assert requested[1].endswith(WEIGHTS_FILE)


def test_offline_download_is_a_one_line_error_that_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("keras.src.utils.file_utils.config.keras_home", lambda: str(tmp_path))  # nothing is there yet
    monkeypatch.setattr("socket.create_connection", no_network)
    with pytest.raises(
        InputError, match=rf"imagenet: Keras cannot fetch .*not known.*fetch {WEIGHTS_FILE}.* FILE"
    ) as caught:
        load_convolutions(build(SHAPE, 15))
    assert "\n" not in str(caught.value)


def test_file_without_vgg16_weights_is_refused(tmp_path: Path) -> None:
    (tmp_path / "torn.h5").write_bytes(b"\x89HDF and no more")
    with pytest.raises(InputError, match=r"torn\.h5: has no weights of VGG16's convolutions .*; give vgg16_weights"):
        load_convolutions(build(SHAPE, 15), tmp_path / "torn.h5")
    other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    other.save_weights(tmp_path / "other.weights.h5")
    with pytest.raises(InputError, match="has no weights of VGG16's convolutions"):
        load_convolutions(build(SHAPE, 15), tmp_path / "other.weights.h5")


def test_network_without_vgg16_convolutions_is_refused(saved_vgg16: tuple[Path, keras.Model]) -> None:
    with pytest.raises(InputError, match="does not have the convolutions of VGG16; only vgg16 can start from them"):
        load_convolutions(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]), saved_vgg16[0])

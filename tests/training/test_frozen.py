"""Caching the output of frozen layers: the result, where the network is split, and what is rejected."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

from common.stage import read_manifest
from data_prep import arrays
from facial_keypoints.errors import InputError
from models import vgg16
from models.saved import TRAIN
from tests.training.test_train import KILLED_IN_THE_MIDDLE_OF_AN_EPOCH, same, train_process
from training import distribution, frozen
from training.frozen import features, is_constant, split
from training.recipes import RECIPES
from training.train import main

NETWORK = """
import keras


def build(input_shape, keypoints, crop_px: int = 0):
    images = keras.Input(input_shape)
    x = keras.layers.Rescaling(1 / 255)(images)
    x = keras.layers.Conv2D(4, 3, strides=2, activation="relu", trainable=False)(x)
    x = keras.layers.BatchNormalization(trainable=False)(x)
    x = keras.layers.Add()([x, keras.layers.Conv2D(4, 3, padding="same", activation="relu", trainable=False)(x)])
    x = keras.layers.MaxPooling2D(name="last_frozen")(x)
    x = keras.layers.Conv2D(8, 3, activation="relu")(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Dropout(0.3)(keras.layers.Flatten()(x))
    x = keras.layers.Reshape((keypoints, 2))(keras.layers.Dense(2 * keypoints, "sigmoid")(x))
    height, width, _ = input_shape
    return keras.Model(images, keras.layers.Rescaling([width, height])(x))
"""
QUICK = ["--augment", "none", "--epochs", "4", "--batch-size", "12", "--learning-rate", "1e-3", "--loss", "mae"]
RECIPE = RECIPES["vgg16"]
SHAPE = (16, 16, 1)


@pytest.fixture
def command(small_data: Path, tmp_path: Path) -> list[str]:
    """The arguments that train a small network with frozen layers, without `--out`."""
    network = tmp_path / "network.py"
    network.write_text(NETWORK, encoding="utf-8")
    return [str(network), "--data", str(small_data), *QUICK]


def convolution(name: str, trainable: bool = False) -> keras.layers.Layer:
    return keras.layers.Conv2D(3, 3, padding="same", trainable=trainable, name=name)


def network(body: Any, head: Any = None) -> keras.Model:
    """Returns a network that ends with a trained dense layer, or with `head`."""
    images = keras.Input(SHAPE)
    x = keras.layers.Flatten(name="flat")(body(images))
    return keras.Model(images, (head or keras.layers.Dense(4))(x))


def faces(count: int) -> Any:
    return np.random.default_rng(0).integers(0, 256, (count, *SHAPE), np.uint8)


def last_frozen(model: keras.Model) -> str:
    """Returns the last layer that is run once; checks that both parts together equal the network."""
    images = faces(3)
    before, predicted = [np.array(value) for value in model.get_weights()], model.predict(images, verbose=0)
    first, head = split(model, RECIPE, images)
    np.testing.assert_allclose(head.predict(first.predict(images, verbose=0), verbose=0), predicted, atol=1e-4)
    assert all(np.array_equal(x, y) for x, y in zip(before, model.get_weights(), strict=True))
    assert {id(v) for v in head.trainable_variables} == {id(v) for v in model.trainable_variables}
    return str(first.layers[-1].name)


@pytest.mark.any_backend
def test_cached_features_give_the_result_of_a_normal_run(
    command: list[str],
    small_data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With batch normalization and dropout in the head; the frozen layers see each face once."""
    seen: list[int] = []

    def counted(first: keras.Model, images: Any, *rest: Any) -> Any:
        seen.append(len(images))
        return features(first, images, *rest)

    monkeypatch.setattr(frozen, "features", counted)
    usual, cached = tmp_path / "usual", tmp_path / "cached"
    keras.utils.clear_session()  # so that both runs have the same layer names
    main([*command, "--out", str(usual)])
    keras.utils.clear_session()
    capsys.readouterr()
    main([*command, "--out", str(cached), "--cache-frozen"])
    assert seen == [64, 8]
    assert "up to last_frozen once on 72 faces: 7 x 7 x 4 features each, 0 MB on disk\n" in capsys.readouterr().out
    models = [keras.saving.load_model(folder / "model.keras", compile=False) for folder in (usual, cached)]
    images = arrays.load_split(small_data, "test").images
    first, second = (model.predict(images, verbose=0) for model in models)
    np.testing.assert_allclose(second, first, atol=1e-4)
    assert models[1].count_params() == models[0].count_params()
    assert (cached / "summary.txt").read_bytes() == (usual / "summary.txt").read_bytes()
    tables = [pd.read_csv(folder / "history.csv") for folder in (usual, cached)]
    pd.testing.assert_frame_equal(*tables, check_exact=False, atol=1e-4, rtol=0)
    assert tables[0]["val_mae"].iloc[-1] < tables[0]["val_mae"].iloc[0]  # training had an effect
    manifests = [read_manifest(folder, TRAIN) for folder in (usual, cached)]
    assert [manifest["parameters"]["cache_frozen"] for manifest in manifests] == [False, True]
    assert {path.name for path in tmp_path.iterdir()} == {"network.py", "usual", "cached"}


@pytest.mark.long
def test_cached_run_killed_and_resumed_gives_the_uninterrupted_result(command: list[str], tmp_path: Path) -> None:
    cached = [*command, "--cache-frozen"]
    main([*cached, "--out", str(tmp_path / "uninterrupted")])
    killed = ["--out", str(tmp_path / "killed")]
    assert train_process([*cached, *killed], KILLED_IN_THE_MIDDLE_OF_AN_EPOCH) == -9
    assert [path.name for path in (tmp_path / "killed.unfinished").iterdir()] == ["state.npz"]
    with pytest.raises(InputError, match=r"was started with cache_frozen True, not False; use the same settings"):
        main([*command, *killed, "--resume"])
    main([*cached, *killed, "--resume"])
    assert same(tmp_path / "uninterrupted", tmp_path / "killed")


def test_cached_features_of_mixed_precision_give_the_result_of_a_normal_run(command: list[str], tmp_path: Path) -> None:
    half = [*command, "--epochs", "1", "--precision", "mixed_bfloat16"]
    main([*half, "--out", str(tmp_path / "usual")])
    main([*half, "--out", str(tmp_path / "cached"), "--cache-frozen"])
    assert same(tmp_path / "usual", tmp_path / "cached")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--augment", "light"], "--augment light changes the images in every epoch; use --augment none"),
        (["--crop-px", "16"], "--crop-px 16 changes the images in every epoch; use --crop-px 0"),
    ],
)
def test_options_that_change_the_images_in_every_epoch_are_rejected(
    options: list[str], message: str, command: list[str], tmp_path: Path
) -> None:
    arguments = [*command, *options, "--epochs", "1", "--cache-frozen", "--out", str(tmp_path / "out")]
    with pytest.raises(InputError, match=f"^--cache-frozen: {message}$"):
        main(arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["network.py"]


def test_network_without_frozen_layers_is_rejected(small_data: Path, tmp_path: Path) -> None:
    arguments = ["base", "--data", str(small_data), "--out", str(tmp_path / "out"), *QUICK, "--cache-frozen"]
    with pytest.raises(InputError, match=r"--cache-frozen: the network has no frozen layers, .*; omit it$"):
        main(arguments)
    assert list(tmp_path.iterdir()) == []


def test_several_devices_are_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distribution, "shard", lambda: distribution.Shard(devices=2))
    with pytest.raises(InputError, match="--cache-frozen: trains on one device of one process only"):
        split(network(convolution("a")), RECIPE, faces(2))


def test_vgg16_is_split_after_its_last_pooling_layer() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 96, 96, 1), np.uint8)
    first, head = split(vgg16.build((96, 96, 1), 15), RECIPE, images)
    assert (first.layers[-1].name, first.output_shape) == ("features", (None, 3, 3, 512))
    assert [layer.name for layer in head.layers if layer.weights] == ["head_convolution", "dense", "coordinates"]
    with pytest.raises(InputError, match="no frozen layers"):
        split(vgg16.build((96, 96, 1), 15, fine_tune=True), RECIPE, images)


@pytest.mark.any_backend
def test_network_is_split_at_the_last_constant_tensor_on_all_paths() -> None:
    layers = keras.layers
    frozen_norm, norm = layers.BatchNormalization(trainable=False), layers.BatchNormalization(center=False, scale=False)
    assert last_frozen(network(lambda x: frozen_norm(convolution("a")(x)))) == "flat"
    assert last_frozen(network(lambda x: norm(convolution("a")(x)))) == "a"  # it normalizes by the batch
    assert last_frozen(network(lambda x: convolution("b")(layers.Dropout(0.1)(convolution("a")(x))))) == "a"
    assert last_frozen(network(lambda x: layers.Concatenate()([convolution("a")(x), x]))) == "flat"

    def residual(x: Any) -> Any:
        x = convolution("a")(x)
        return layers.Add()([x, convolution("c", trainable=True)(convolution("b")(x))])

    assert last_frozen(network(residual)) == "a"


def test_nested_and_sequential_networks_are_split() -> None:
    inner = keras.Input(SHAPE)
    body = keras.Model(inner, keras.layers.BatchNormalization()(convolution("a")(inner)))
    body.trainable = False
    assert last_frozen(network(body)) == "flat"
    head = keras.Sequential([keras.layers.Dense(5), keras.layers.Dense(4)])
    assert last_frozen(network(body, head)) == "flat"
    flat = keras.layers.Flatten(name="flat")
    assert last_frozen(keras.Sequential([keras.Input(SHAPE), convolution("a"), flat, keras.layers.Dense(4)])) == "flat"
    everything = network(convolution("a"))
    everything.trainable = False
    with pytest.raises(InputError, match="no frozen layers"):
        split(everything, RECIPE, faces(2))


def test_custom_layer_with_noise_is_not_constant() -> None:
    class Noise(keras.layers.Layer):  # type: ignore[misc]
        def call(self, x: Any, training: bool = False) -> Any:
            return x + keras.random.normal(keras.ops.shape(x), seed=1) if training else x

    images = keras.Input(SHAPE)
    x = convolution("a")(images)
    assert is_constant(keras.Model(images, x), faces(2))
    assert not is_constant(keras.Model(images, Noise()(x)), faces(2))


def test_features_equal_the_layer_output_and_leave_no_file(tmp_path: Path) -> None:
    images = faces(5)
    first, _ = split(network(convolution("a")), RECIPE, images)
    kept = features(first, images, 2, tmp_path)  # the last batch is smaller
    assert kept.shape == (5, 16 * 16 * 3)
    assert kept.dtype == np.float32
    np.testing.assert_allclose(kept, first.predict(images, verbose=0), rtol=1e-5, atol=1e-5)
    del kept
    assert list(tmp_path.iterdir()) == []

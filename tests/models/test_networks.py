"""The networks: the documented sizes, uint8 pictures in, pixels out, files that plain Keras can read."""

import importlib
from pathlib import Path

import keras
import numpy as np
import pytest

from models.drawing import draw

DOCUMENTED_PARAMETERS = {"base": 6_662_750, "v1": 6_668_378}
NETWORKS = list(DOCUMENTED_PARAMETERS)


def build(name: str, *arguments: object) -> keras.Model:
    keras.utils.set_random_seed(0)
    return importlib.import_module(f"models.{name}").build(*arguments)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_documented_number_of_parameters(name: str) -> None:
    assert build(name, (96, 96, 3), 15).count_params() == DOCUMENTED_PARAMETERS[name]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("shape", [(96, 96, 1), (96, 96, 3), (64, 80, 1)])
@pytest.mark.parametrize("keypoints", [15, 68])
def test_pictures_go_in_as_they_are_and_pixels_come_out(name: str, shape: tuple[int, int, int], keypoints: int) -> None:
    model = build(name, shape, keypoints)
    pictures = np.random.default_rng(0).integers(0, 256, (3, *shape), np.uint8)
    points = keras.ops.convert_to_numpy(model(pictures))
    assert points.shape == (3, keypoints, 2)
    centre = np.array([shape[1] - 1, shape[0] - 1]) / 2
    assert np.abs(points - centre).max() < max(shape)  # an untrained network guesses about the middle
    assert np.abs(points.mean(axis=(0, 1)) - centre).max() < 0.3 * max(shape)


def test_v1_adds_the_gated_maps_to_the_maps() -> None:
    """x + x * gate, worked by hand from the layer's own weights."""
    from models.v1 import squeeze_and_excite

    maps = keras.Input((5, 4, 16))
    model = keras.Model(maps, squeeze_and_excite(maps, "block"))
    x = np.random.default_rng(1).normal(size=(2, 5, 4, 16)).astype(np.float32)
    reduce, gate = model.get_layer("block_reduce"), model.get_layer("block_gate")
    w1, b1, w2, b2 = (keras.ops.convert_to_numpy(v) for v in [*reduce.weights, *gate.weights])
    assert w1.shape == (16, 2)
    squeezed = np.maximum(x.mean(axis=(1, 2)) @ w1 + b1, 0)
    gates = 1 / (1 + np.exp(-(squeezed @ w2 + b2)))
    expected = x + x * gates[:, None, None, :]
    assert np.allclose(keras.ops.convert_to_numpy(model(x)), expected, atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_saved_network_needs_nothing_of_the_project(name: str, tmp_path: Path) -> None:
    model = build(name)
    pictures = np.random.default_rng(2).integers(0, 256, (2, 96, 96, 1), np.uint8)
    model.save(tmp_path / "model.keras")
    with keras.saving.CustomObjectScope({}):
        again = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    assert np.array_equal(*(keras.ops.convert_to_numpy(m(pictures)) for m in (model, again)))
    assert all(type(layer).__module__.startswith("keras.") for layer in again.layers)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_drawing_is_a_picture(name: str, tmp_path: Path) -> None:
    draw(build(name), tmp_path / "network.png")
    assert (tmp_path / "network.png").read_bytes()[1:4] == b"PNG"

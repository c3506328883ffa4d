"""Every network in `models` takes raw images, returns pixel coordinates and is saved as a plain Keras file."""

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from facial_keypoints.array_types import Float32, UInt8
from models.networks import build_model, load_build, network_names
from models.summary import summary

NETWORKS = network_names()
PARAMETERS = {  # on 96 x 96 images: (network, channels, keypoints) -> documented count
    ("base", 3, 15): 6_662_750,
    ("v1", 3, 15): 6_668_378,
    ("v2", 1, 17): 737_460,
    ("vgg16", 1, 15): 17_352_542,
    ("naimishnet", 1, 15): 7_516_990,
    ("cnn5", 1, 15): 461_726,
}


def built(name: str, shape: tuple[int, int, int] = (96, 96, 1), output_points: int = 15) -> keras.Model:
    keras.utils.set_random_seed(0)
    return build_model(load_build(name), shape, output_points)


def noise(count: int, shape: tuple[int, int, int]) -> UInt8:
    return np.random.default_rng(0).integers(0, 256, (count, *shape), np.uint8)


def output(model: keras.Model, images: UInt8) -> Float32:
    return np.asarray(model.predict(images, verbose=0))


def first_deviation_px(model: keras.Model, images: UInt8) -> float:
    """Returns the standard deviation of an untrained network's predictions over its random last weights.

    The last dense layer sums features, each times a weight of mean 0. The predictions of `v2` and of the sigmoid of
    `vgg16` stay within the image, whose sides are four deviations or more.
    """
    names = {layer.name for layer in model.layers}
    if "coordinates" not in names or model.get_layer("coordinates").activation is keras.activations.sigmoid:
        return float(max(images.shape[1:3])) / 4
    last = model.get_layer("coordinates")
    features = np.linalg.norm(output(keras.Model(model.inputs, last.input), images), axis=-1).max()
    weights = float(keras.ops.convert_to_numpy(last.kernel).std())
    return float(features) * weights * float(max(model.get_layer("keypoints_px").scale))


def test_every_network_has_a_documented_parameter_count() -> None:
    assert {name for name, _, _ in PARAMETERS} == set(NETWORKS)


@pytest.mark.parametrize(("name", "channels", "keypoints"), PARAMETERS)
def test_parameter_count_is_as_documented(name: str, channels: int, keypoints: int) -> None:
    assert built(name, (96, 96, channels), keypoints).count_params() == PARAMETERS[name, channels, keypoints]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(
    ("shape", "output_points"),
    [
        ((96, 96, 3), 15),
        ((96, 112, 1), 68),
        pytest.param((130, 100, 1), 17, marks=pytest.mark.any_backend),
    ],
)
def test_networks_take_raw_images_and_predict_pixel_coordinates(
    name: str, shape: tuple[int, int, int], output_points: int
) -> None:
    """An untrained network predicts points about the middle, as far from it as its random weights allow."""
    model, images = built(name, shape, output_points), noise(3, shape)
    predicted = output(model, images)
    assert predicted.dtype == np.float32
    assert predicted.shape[:2] == (3, output_points)
    points, expected_error = predicted[..., :2], predicted[..., 2:]
    center, deviation = np.array([shape[1] - 1, shape[0] - 1]) / 2, first_deviation_px(model, images)
    middle = 0.06 * max(shape)  # naimishnet predicts around 100/224 of the side
    assert np.abs(points - center).max() < middle + 6 * deviation
    assert np.abs(points.mean(axis=(0, 1)) - center).max() < middle + 6 * deviation / np.sqrt(output_points)
    assert (expected_error > 0).all()


def test_saved_networks_load_without_code_of_the_project(tmp_path: Path) -> None:
    images, expected = noise(2, (96, 96, 1)), {}
    np.save(tmp_path / "images.npy", images)
    for name in NETWORKS:
        model = built(name)
        model.save(tmp_path / f"{name}.keras")
        expected[name] = output(model, images)
    plain_keras = (
        "import sys, keras, numpy\n"
        "for name in sys.argv[1:]:\n"
        "    model = keras.saving.load_model(f'{name}.keras', compile=False)\n"
        "    numpy.save(f'{name}.npy', model.predict(numpy.load('images.npy'), verbose=0))\n"
    )
    subprocess.run([sys.executable, "-c", plain_keras, *NETWORKS], cwd=tmp_path, check=True, capture_output=True)
    for name in NETWORKS:
        np.testing.assert_array_equal(np.load(tmp_path / f"{name}.npy"), expected[name])


@pytest.mark.parametrize("name", NETWORKS)
def test_summary_truncates_no_word(name: str) -> None:
    model = built(name)
    text = summary(model)
    assert "…" not in text  # marks truncated text
    assert all(f"{layer.name} " in text for layer in model.layers)


@pytest.mark.parametrize("name", ["v1", "v2"])  # Keras leaves the column out where one layer follows another
def test_summary_shows_the_connections_of_each_layer(name: str) -> None:
    model = built(name)
    text = summary(model)
    assert "Connected to" in text
    assert all(f"{layer.name}[0][0]" in text for layer in model.layers[:-1])

"""A new network takes over the weights of the output points that a trained one has as well, whatever its layers."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from facial_keypoints.array_types import Float32, UInt8
from models.networks import load_build
from training.take_over import Layout, nearest, take_over
from training.targets import Targets

SHAPE = (32, 32, 1)
FEWER = [(point, 20 - 3 * point) for point in range(6)]  # six of 21 trained output points, in another order
REVERSED = [(point, 5 - point) for point in range(6)]  # all six, in reverse order
SOME = [(2, 0), (5, 3)]  # two of the 4 trained output points; the other four are new


def features(shape: tuple[int, int, int]) -> tuple[Any, Any]:
    images = keras.Input(shape)
    x = keras.layers.Conv2D(4, 5, strides=4, activation="relu")(keras.layers.Rescaling(1 / 255)(images))
    return images, keras.layers.Dense(8, activation="relu")(keras.layers.Flatten()(x))


def all_x_before_all_y(shape: tuple[int, int, int], points: int) -> keras.Model:
    images, x = features(shape)
    x = keras.layers.Reshape((2, points))(keras.layers.Dense(2 * points)(x))
    return keras.Model(images, keras.layers.Permute((2, 1))(x))


def background_first(shape: tuple[int, int, int], points: int) -> keras.Model:
    """The map of the background comes before those of the keypoints."""
    images, x = features(shape)
    return keras.Model(images, keras.layers.Reshape((points, 2))(keras.layers.Dense(2 + 2 * points)(x)[:, 2:]))


def one_layer_per_point(shape: tuple[int, int, int], points: int) -> keras.Model:
    images, x = features(shape)
    heads = [keras.layers.Dense(2)(x) for _ in range(points)]
    return keras.Model(images, keras.layers.Reshape((points, 2))(keras.layers.Concatenate()(heads)))


def named_layers_per_point(shape: tuple[int, int, int], points: int) -> keras.Model:
    images, x = features(shape)
    heads = [keras.layers.Dense(1, name=f"point_{point}_{axis}")(x) for axis in "xy" for point in range(points)]
    x = keras.layers.Reshape((2, points))(keras.layers.Concatenate()(heads))
    return keras.Model(images, keras.layers.Permute((2, 1))(x))


def nested_network(shape: tuple[int, int, int], points: int) -> keras.Model:
    images, x = features(shape)
    inner = keras.Sequential(
        [keras.Input(x.shape[1:]), keras.layers.BatchNormalization(), keras.layers.Dense(3 * points)]
    )
    return keras.Model(images, keras.layers.Reshape((points, 3))(keras.layers.Activation("softplus")(inner(x))))


def points_that_depend_on_each_other(shape: tuple[int, int, int], points: int) -> keras.Model:
    images, x = features(shape)
    x = keras.layers.Dense(2 * points)(keras.layers.Dense(2 * points)(x))
    return keras.Model(images, keras.layers.Reshape((points, 2))(x))


def pairs_of_points(shape: tuple[int, int, int], points: int) -> keras.Model:
    """As many weights as there are pairs of output points."""
    images, x = features(shape)
    x = keras.layers.Dense(points * points)(x)
    return keras.Model(images, keras.layers.Reshape((points, points))(x)[..., :2])


Network = Callable[[tuple[int, int, int], int], keras.Model]
CUSTOM: list[Network] = [all_x_before_all_y, background_first, one_layer_per_point,
                         named_layers_per_point, nested_network]  # fmt: skip


def trained(build: Network, shape: tuple[int, int, int], points: int) -> keras.Model:
    """Returns a network whose output points all have different weights; not the first layers of the process."""
    keras.layers.Dense(3)
    model = build(shape, points)
    rng = np.random.default_rng(points)
    for weight in model.trainable_weights:
        if (values := keras.ops.convert_to_numpy(weight)).min() == values.max():  # as initial biases are
            weight.assign(values + rng.uniform(0, 0.05, values.shape))
    return model


def images(shape: tuple[int, int, int]) -> UInt8:
    return np.random.default_rng(0).integers(0, 256, (3, *shape), np.uint8)


UNLABELLED: Float32 = np.full((3, 6, 2), np.nan, np.float32)


def faces(shape: tuple[int, int, int], labels: Float32 = UNLABELLED) -> Targets:
    """Returns three faces with these labels of output points, float32 (3, M, 2) in px, NaN where there is none."""
    weights: Float32 = np.asarray(np.isfinite(labels).all(axis=2), np.float32)
    points = np.nan_to_num(labels)
    return Targets(images(shape), points, weights, np.ones(3, bool), np.arange(3))


@pytest.mark.parametrize(
    ("network", "count", "pairs"),
    [(network, count, pairs) for network in CUSTOM for count, pairs in ((21, FEWER), (6, REVERSED), (4, SOME))]
    + [(network, 21, FEWER) for network in ("base", "v1", "cnn5", "naimishnet")]
    + [pytest.param("v2", 21, FEWER, marks=pytest.mark.any_backend)],
)
def test_common_output_points_are_predicted_as_by_the_trained_network(
    network: Network | str, count: int, pairs: list[tuple[int, int]]
) -> None:
    shape = (48, 48, 1) if network == "v2" else SHAPE
    build = load_build(network) if isinstance(network, str) else network
    old, new = trained(build, shape, count), build(shape, 6)
    untouched = np.asarray(new.predict(images(shape), verbose=0))
    left = take_over(new, old, pairs, count, lambda points: build(shape, points), faces(shape))
    assert left == ([], [], [])
    ours, theirs = ([pair[side] for pair in pairs] for side in (0, 1))
    predicted, expected = (np.asarray(model.predict(images(shape), verbose=0)) for model in (new, old))
    np.testing.assert_allclose(predicted[:, ours], expected[:, theirs], atol=1e-3)
    assert np.abs(untouched[:, ours] - expected[:, theirs]).max() > 0.01  # they differed before


@pytest.mark.parametrize("network", [points_that_depend_on_each_other, pairs_of_points])
def test_weights_of_no_single_output_point_keep_their_initial_values(network: Network) -> None:
    old, new = trained(network, SHAPE, 21), network(SHAPE, 6)
    before = [layer.get_weights() for layer in new.layers]
    left = take_over(new, old, FEWER, 21, lambda points: network(SHAPE, points), faces(SHAPE))
    assert left is not None
    assert left[1]
    for layer, weights in zip(new.layers, before, strict=True):
        if weights:
            kept = all(np.array_equal(a, b) for a, b in zip(layer.get_weights(), weights, strict=True))
            assert kept == (layer.name in left[1])


@pytest.mark.parametrize("network", [points_that_depend_on_each_other, pairs_of_points])
def test_all_weights_are_copied_if_the_output_points_are_the_same(network: Network) -> None:
    old, new = trained(network, SHAPE, 6), network(SHAPE, 6)
    same = [(point, point) for point in range(6)]
    assert take_over(new, old, same, 6, lambda points: network(SHAPE, points), faces(SHAPE)) == ([], [], [])
    assert all(np.array_equal(a, b) for a, b in zip(new.get_weights(), old.get_weights(), strict=True))


def test_other_image_size_keeps_its_grid_and_takes_over_other_weights() -> None:
    """Images of 48 x 96 and 96 x 48 px have equally many cells at different positions."""
    build = load_build("v2")
    old, new = trained(build, (48, 96, 1), 21), build((96, 48, 1), 6)
    centers = new.get_layer("cell_centres_px").get_weights()[0]
    assert centers.shape == old.get_layer("cell_centres_px").get_weights()[0].shape
    left = take_over(new, old, FEWER, 21, lambda points: build((96, 48, 1), points), faces((96, 48, 1)))
    assert left == ([], [], [])
    np.testing.assert_array_equal(new.get_layer("cell_centres_px").get_weights()[0], centers)
    np.testing.assert_array_equal(new.get_layer("stem_1").get_weights(), old.get_layer("stem_1").get_weights())
    expected = old.get_layer("attention_logits").get_weights()[1][[theirs for _, theirs in FEWER]]
    np.testing.assert_array_equal(new.get_layer("attention_logits").get_weights()[1], expected)


def test_nearest_prediction_has_the_smallest_mean_distance_to_the_labels() -> None:
    """Predictions 0 and 1 are at x = 10 and 30; point 0 has labels at 19 and 20, point 1 at 28, point 2 has none."""
    predicted = np.array([[[10, 0], [30, 0]]] * 3, np.float32)
    labels = np.full((3, 3, 2), np.nan, np.float32)
    labels[:2, 0] = (19, 0), (20, 0)
    labels[2, 1] = (28, 0)
    assert nearest(predicted, faces(SHAPE, labels)) == {0: 0, 1: 1}


def test_new_output_point_starts_from_the_nearest_trained_one() -> None:
    """Of six points, 2 and 5 have a pair. The labels of points 0 and 2 are the trained predictions of point 1."""
    build = load_build("cnn5")
    old, new = trained(build, SHAPE, 4), build(SHAPE, 6)
    expected = np.asarray(old.predict(images(SHAPE), verbose=0))
    labels = np.full((3, 6, 2), np.nan, np.float32)
    labels[:, [0, 2]] = expected[:, [1, 1]]
    left = take_over(new, old, SOME, 4, lambda points: build(SHAPE, points), faces(SHAPE, labels))
    assert left == ([], [], [0])
    predicted = np.asarray(new.predict(images(SHAPE), verbose=0))
    np.testing.assert_allclose(predicted[:, [0, 2, 5]], expected[:, [1, 0, 3]], atol=1e-3)


def test_new_output_points_without_labels_keep_their_initial_weights() -> None:
    build = load_build("cnn5")
    old, new = trained(build, SHAPE, 4), build(SHAPE, 6)
    before = new.get_layer("coordinates").get_weights()[0]
    take_over(new, old, SOME, 4, lambda points: build(SHAPE, points), faces(SHAPE))
    after = new.get_layer("coordinates").get_weights()[0]
    taken_over = [4, 5, 10, 11]  # x and y of the points 2 and 5
    np.testing.assert_array_equal(np.delete(after, taken_over, axis=1), np.delete(before, taken_over, axis=1))


def test_nothing_is_taken_over_from_another_network() -> None:
    build = load_build("base")
    old, new = load_build("cnn5")(SHAPE, 6), build(SHAPE, 6)
    before = new.get_weights()
    assert take_over(new, old, REVERSED, 6, lambda points: build(SHAPE, points), faces(SHAPE)) is None
    assert all(np.array_equal(a, b) for a, b in zip(new.get_weights(), before, strict=True))


@pytest.mark.parametrize(
    ("layout", "indexes"),
    [
        (Layout(by_point=True, others_last=True), [4, 5, 0, 1, 6]),
        (Layout(by_point=True, others_last=False), [5, 6, 1, 2, 0]),
        (Layout(by_point=False, others_last=True), [2, 5, 0, 3, 6]),
        (Layout(by_point=False, others_last=False), [3, 6, 1, 4, 0]),
    ],
)
def test_layout_indexes_match_hand_calculation(layout: Layout, indexes: list[int]) -> None:
    """Points 2 and 0 of three along an axis of 7: two weights for each point, and one weight of no point."""
    assert layout.indexes([2, 0], count=3, size=7, step=2) == indexes

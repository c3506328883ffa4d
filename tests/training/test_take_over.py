"""A network takes over what a trained one knows of the output points that both have, whatever its layers are."""

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
FEWER = [(point, 20 - 3 * point) for point in range(6)]  # of 21 trained output points, some, in another order
TURNED = [(point, 5 - point) for point in range(6)]  # all of 6, in another order
SOME = [(2, 0), (5, 3)]  # two of 4; the others are new


def features(shape: tuple[int, int, int]) -> tuple[Any, Any]:
    images = keras.Input(shape)
    x = keras.layers.Conv2D(4, 5, strides=4, activation="relu")(keras.layers.Rescaling(1 / 255)(images))
    return images, keras.layers.Dense(8, activation="relu")(keras.layers.Flatten()(x))


def all_x_before_all_y(shape: tuple[int, int, int], points: int) -> keras.Model:
    images, x = features(shape)
    x = keras.layers.Reshape((2, points))(keras.layers.Dense(2 * points)(x))
    return keras.Model(images, keras.layers.Permute((2, 1))(x))


def with_the_background_first(shape: tuple[int, int, int], points: int) -> keras.Model:
    """A map for what is no keypoint comes before those of the keypoints."""
    images, x = features(shape)
    return keras.Model(images, keras.layers.Reshape((points, 2))(keras.layers.Dense(2 + 2 * points)(x)[:, 2:]))


def a_layer_for_each_point(shape: tuple[int, int, int], points: int) -> keras.Model:
    images, x = features(shape)
    heads = [keras.layers.Dense(2)(x) for _ in range(points)]
    return keras.Model(images, keras.layers.Reshape((points, 2))(keras.layers.Concatenate()(heads)))


def named_layers_for_each_point(shape: tuple[int, int, int], points: int) -> keras.Model:
    images, x = features(shape)
    heads = [keras.layers.Dense(1, name=f"point_{point}_{axis}")(x) for axis in "xy" for point in range(points)]
    x = keras.layers.Reshape((2, points))(keras.layers.Concatenate()(heads))
    return keras.Model(images, keras.layers.Permute((2, 1))(x))


def a_network_within(shape: tuple[int, int, int], points: int) -> keras.Model:
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
OF_USERS: list[Network] = [all_x_before_all_y, with_the_background_first, a_layer_for_each_point,
                           named_layers_for_each_point, a_network_within]  # fmt: skip


def trained(build: Network, shape: tuple[int, int, int], points: int) -> keras.Model:
    """A network in which no two output points have the same weights, built after others in the process."""
    keras.layers.Dense(3)
    model = build(shape, points)
    rng = np.random.default_rng(points)
    for weight in model.trainable_weights:
        if (values := keras.ops.convert_to_numpy(weight)).min() == values.max():  # as biases are at first
            weight.assign(values + rng.uniform(0, 0.05, values.shape))
    return model


def images(shape: tuple[int, int, int]) -> UInt8:
    return np.random.default_rng(0).integers(0, 256, (3, *shape), np.uint8)


UNLABELLED: Float32 = np.full((3, 6, 2), np.nan, np.float32)


def faces(shape: tuple[int, int, int], labels: Float32 = UNLABELLED) -> Targets:
    """Three faces with these labels of output points, float32 (3, M, 2) in px, NaN without a label."""
    weights: Float32 = np.asarray(np.isfinite(labels).all(axis=2), np.float32)
    points = np.nan_to_num(labels)
    return Targets(images(shape), points, weights, np.ones(3, bool), np.arange(3))


@pytest.mark.parametrize(
    ("network", "count", "pairs"),
    [(network, count, pairs) for network in OF_USERS for count, pairs in ((21, FEWER), (6, TURNED), (4, SOME))]
    + [(network, 21, FEWER) for network in ("base", "v1", "cnn5", "naimishnet")]
    + [pytest.param("v2", 21, FEWER, marks=pytest.mark.any_backend)],
)
def test_points_that_both_have_are_predicted_alike(
    network: Network | str, count: int, pairs: list[tuple[int, int]]
) -> None:
    shape = (48, 48, 1) if network == "v2" else SHAPE
    build = load_build(network) if isinstance(network, str) else network
    old, new = trained(build, shape, count), build(shape, 6)
    untouched = np.asarray(new.predict(images(shape), verbose=0))
    left = take_over(new, old, pairs, count, lambda points: build(shape, points), faces(shape))
    assert left == ([], [], [])
    ours, theirs = ([pair[side] for pair in pairs] for side in (0, 1))
    said, wanted = (np.asarray(model.predict(images(shape), verbose=0)) for model in (new, old))
    np.testing.assert_allclose(said[:, ours], wanted[:, theirs], atol=1e-3)
    assert np.abs(untouched[:, ours] - wanted[:, theirs]).max() > 0.01  # not by chance


@pytest.mark.parametrize("network", [points_that_depend_on_each_other, pairs_of_points])
def test_weights_that_cannot_be_assigned_to_points_start_anew(network: Network) -> None:
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
def test_the_same_points_in_the_same_order_need_no_assignment(network: Network) -> None:
    old, new = trained(network, SHAPE, 6), network(SHAPE, 6)
    same = [(point, point) for point in range(6)]
    assert take_over(new, old, same, 6, lambda points: network(SHAPE, points), faces(SHAPE)) == ([], [], [])
    assert all(np.array_equal(a, b) for a, b in zip(new.get_weights(), old.get_weights(), strict=True))


def test_for_pictures_of_another_size_all_that_fits_is_taken_and_a_grid_of_cells_is_the_new_one_s() -> None:
    """Pictures of 48 x 96 and 96 x 48 px have as many cells, at other places."""
    build = load_build("v2")
    old, new = trained(build, (48, 96, 1), 21), build((96, 48, 1), 6)
    places = new.get_layer("cell_centres_px").get_weights()[0]
    assert places.shape == old.get_layer("cell_centres_px").get_weights()[0].shape
    left = take_over(new, old, FEWER, 21, lambda points: build((96, 48, 1), points), faces((96, 48, 1)))
    assert left == ([], [], [])
    np.testing.assert_array_equal(new.get_layer("cell_centres_px").get_weights()[0], places)
    np.testing.assert_array_equal(new.get_layer("stem_1").get_weights(), old.get_layer("stem_1").get_weights())
    wanted = old.get_layer("attention_logits").get_weights()[1][[theirs for _, theirs in FEWER]]
    np.testing.assert_array_equal(new.get_layer("attention_logits").get_weights()[1], wanted)


def test_the_nearest_prediction_is_that_of_the_smallest_mean_distance_to_the_labels() -> None:
    """Predictions 0 and 1 are at x = 10 and 30; labels of point 0 at 19 and 20, of 1 at 28, of 2 nowhere."""
    predicted = np.array([[[10, 0], [30, 0]]] * 3, np.float32)
    labels = np.full((3, 3, 2), np.nan, np.float32)
    labels[:2, 0] = (19, 0), (20, 0)
    labels[2, 1] = (28, 0)
    assert nearest(predicted, faces(SHAPE, labels)) == {0: 0, 1: 1}


def test_a_new_point_starts_from_the_nearest_of_the_trained_ones() -> None:
    """Of six points, 2 and 5 have a pair. The labels of point 0 are what the trained network predicts for point 1."""
    build = load_build("cnn5")
    old, new = trained(build, SHAPE, 4), build(SHAPE, 6)
    wanted = np.asarray(old.predict(images(SHAPE), verbose=0))
    labels = np.full((3, 6, 2), np.nan, np.float32)
    labels[:, [0, 2]] = wanted[:, [1, 1]]
    left = take_over(new, old, SOME, 4, lambda points: build(SHAPE, points), faces(SHAPE, labels))
    assert left == ([], [], [0])
    said = np.asarray(new.predict(images(SHAPE), verbose=0))
    np.testing.assert_allclose(said[:, [0, 2, 5]], wanted[:, [1, 0, 3]], atol=1e-3)


def test_what_is_new_keeps_the_weights_of_the_seed() -> None:
    build = load_build("cnn5")
    old, new = trained(build, SHAPE, 4), build(SHAPE, 6)
    before = new.get_layer("coordinates").get_weights()[0]
    take_over(new, old, SOME, 4, lambda points: build(SHAPE, points), faces(SHAPE))
    after = new.get_layer("coordinates").get_weights()[0]
    moved = [4, 5, 10, 11]  # x and y of the points 2 and 5
    np.testing.assert_array_equal(np.delete(after, moved, axis=1), np.delete(before, moved, axis=1))


def test_another_network_has_nothing_that_fits() -> None:
    build = load_build("base")
    old, new = load_build("cnn5")(SHAPE, 6), build(SHAPE, 6)
    before = new.get_weights()
    assert take_over(new, old, TURNED, 6, lambda points: build(SHAPE, points), faces(SHAPE)) is None
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
def test_layouts_worked_by_hand(layout: Layout, indexes: list[int]) -> None:
    """Points 2 and 0 of three along an axis of 7: two weights for each point, and one of none."""
    assert layout.indexes([2, 0], count=3, size=7, step=2) == indexes

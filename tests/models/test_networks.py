"""The networks: the documented sizes, uint8 pictures in, pixels out, files that plain Keras can read."""

import importlib
from pathlib import Path

import keras
import numpy as np
import pytest

from models.drawing import draw

DOCUMENTED_PARAMETERS = {"base": 6_662_750, "v1": 6_668_378}
NETWORKS = [*DOCUMENTED_PARAMETERS, "v2"]


def build(name: str, *arguments: object) -> keras.Model:
    keras.utils.set_random_seed(0)
    return importlib.import_module(f"models.{name}").build(*arguments)


@pytest.mark.parametrize("name", DOCUMENTED_PARAMETERS)
def test_the_documented_number_of_parameters(name: str) -> None:
    assert build(name, (96, 96, 3), 15).count_params() == DOCUMENTED_PARAMETERS[name]


@pytest.mark.parametrize("name", DOCUMENTED_PARAMETERS)
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


@pytest.mark.parametrize("marks", [17, 68])
@pytest.mark.parametrize("shape", [(96, 96, 1), (96, 96, 3), (64, 80, 1), (50, 70, 1)])
def test_v2_says_a_place_and_an_expected_error_in_px_for_each_mark(shape: tuple[int, int, int], marks: int) -> None:
    model = build("v2", shape, marks)
    pictures = np.random.default_rng(0).integers(0, 256, (3, *shape), np.uint8)
    predicted = keras.ops.convert_to_numpy(model(pictures))
    assert predicted.shape == (3, marks, 3)
    assert predicted.dtype == np.float32
    places, sigma = predicted[..., :2], predicted[..., 2]
    assert np.isfinite(predicted).all()
    assert (sigma > 0).all()
    centre = np.array([shape[1] - 1, shape[0] - 1]) / 2
    assert np.abs(places - centre).max() < max(shape)
    assert np.abs(places.mean(axis=(0, 1)) - centre).max() < 0.3 * max(shape)


ROWS, COLUMNS, MARKS = 6, 8, 3  # cells of 8 x 8 px: a picture of 64 x 48 px


@pytest.fixture
def last_layers() -> keras.Model:
    """What `v2` does with the features of its cells; each feature is handed on as one map of votes.

    The maps are the logits of attention of each mark, then what its cells vote: x, y in cells, log sigma.
    """
    from models.v2 import votes

    maps = keras.Input((ROWS, COLUMNS, 4 * MARKS))
    model = keras.Model(maps, votes(maps, MARKS, with_offsets=True))
    model.get_layer("votes").set_weights([np.eye(4 * MARKS)[None, None], np.zeros(4 * MARKS)])
    return model


def test_v2_without_a_preference_says_the_middle_of_the_picture(last_layers: keras.Model) -> None:
    said = keras.ops.convert_to_numpy(last_layers(np.zeros((1, ROWS, COLUMNS, 4 * MARKS), np.float32)))
    assert np.allclose(said, [(64 - 1) / 2, (48 - 1) / 2, np.e], atol=1e-4)


def test_v2_says_the_centre_of_the_cell_it_attends_to_plus_the_vote_of_that_cell(last_layers: keras.Model) -> None:
    """Mark 1 attends to the cell of row 2, column 5, whose pixels are x 40 to 47 and y 16 to 23."""
    maps = np.random.default_rng(0).normal(size=(1, ROWS, COLUMNS, 4 * MARKS)).astype(np.float32)
    maps[0, 2, 5, 1] = 200
    maps[0, 2, 5, [MARKS + 1, 2 * MARKS + 1, 3 * MARKS + 1]] = 0.5, -1, np.log(2)
    said = keras.ops.convert_to_numpy(last_layers(maps))[0, 1]
    assert np.allclose(said, [43.5 + 8 * 0.5, 19.5 - 8 * 1, 2 * np.e], atol=1e-4)


def test_v2_halfway_between_two_cells_says_the_mean_of_both_votes(last_layers: keras.Model) -> None:
    maps = np.zeros((1, ROWS, COLUMNS, 4 * MARKS), np.float32)
    maps[0, 0, [0, 2], 0] = 200  # attention of mark 0 to the centres (3.5, 3.5) and (19.5, 3.5)
    maps[0, 0, 0, MARKS] = 1  # the first says: a cell further to the right
    said = keras.ops.convert_to_numpy(last_layers(maps))[0, 0]
    assert np.allclose(said, [(3.5 + 8 + 19.5) / 2, 3.5, np.e], atol=1e-4)


def test_a_heatmap_says_centres_of_cells_whatever_the_cells_vote() -> None:
    from models.v2 import votes

    maps = keras.Input((ROWS, COLUMNS, 4 * MARKS))
    model = keras.Model(maps, votes(maps, MARKS, with_offsets=False))
    model.get_layer("votes").set_weights([np.eye(4 * MARKS)[None, None], np.zeros(4 * MARKS)])
    given = np.full((1, ROWS, COLUMNS, 4 * MARKS), 3, np.float32)
    given[0, 2, 5, 1] = 200
    assert np.allclose(keras.ops.convert_to_numpy(model(given))[0, 1], [43.5, 19.5, np.exp(1 + 3)], atol=1e-4)


@pytest.mark.parametrize("head", ["heatmap", "dense"])
def test_the_heads_to_compare_with_say_the_same_kinds_of_numbers(head: str, tmp_path: Path) -> None:
    model = build("v2", (50, 70, 3), 17, 0.34, head)
    pictures = np.random.default_rng(0).integers(0, 256, (3, 50, 70, 3), np.uint8)
    predicted = keras.ops.convert_to_numpy(model(pictures))
    assert predicted.shape == (3, 17, 3)
    assert (predicted[..., 2] > 0).all()
    assert np.abs(predicted[..., :2].mean(axis=(0, 1)) - [34.5, 24.5]).max() < 0.3 * 70
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    assert np.array_equal(predicted, keras.ops.convert_to_numpy(again(pictures)))


def test_the_places_of_the_cells_are_not_learnt() -> None:
    from models.v2 import cell_places_px

    model = build("v2", (48, 64, 1), 3)
    place = model.get_layer("cell_places_px")
    assert place.trainable_weights == []
    np.testing.assert_array_equal(place.get_weights()[0], cell_places_px(6, 8))


@pytest.mark.parametrize("shape", [(47, 96, 1), (96, 47, 1), (257, 96, 1), (96, 257, 1)])
def test_v2_refuses_sides_under_48_and_over_256_px(shape: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="it takes sides from 48 to 256 px"):
        build("v2", shape, 17)


def test_the_width_of_v2_multiplies_its_filters_in_eights() -> None:
    for width, last in ((1.0, 64), (0.34, 24), (0.01, 8)):
        model = build("v2", (48, 48, 1), 5, width)
        assert model.get_layer("decoder_2").filters == last
        convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
        assert all(layer.filters % 8 == 0 for layer in convolutions if layer.name != "votes")


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
    assert all(type(operation).__module__.startswith("keras.") for operation in again.operations)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_drawing_is_a_picture(name: str, tmp_path: Path) -> None:
    draw(build(name), tmp_path / "network.png")
    assert (tmp_path / "network.png").read_bytes()[1:4] == b"PNG"

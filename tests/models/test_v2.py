"""`v2`: soft-argmax with offsets, calculated by hand; accepted image sizes and widths."""

import keras
import numpy as np
import pytest

from models.v2 import build, cell_centers_px, soft_argmax_with_offsets

ROWS, COLUMNS, LANDMARKS = 6, 8, 3  # cells of 8 x 8 px: an image of 64 x 48 px


@pytest.fixture(scope="module")
def last_layers() -> keras.Model:
    """The last layers of `v2`, with weights that pass each feature of a cell on as one value of one landmark.

    The features are the attention logit of each landmark, then its offsets in x and in y, then its log error.
    """
    features = keras.Input((ROWS, COLUMNS, 4 * LANDMARKS))
    model = keras.Model(features, soft_argmax_with_offsets(features, LANDMARKS))
    number = np.arange(LANDMARKS)
    logits, values = np.zeros((1, 1, 4 * LANDMARKS, LANDMARKS)), np.zeros((LANDMARKS, 4 * LANDMARKS, 3))
    logits[0, 0, number, number] = 1
    for value in range(3):
        values[number, (1 + value) * LANDMARKS + number, value] = 1
    model.get_layer("attention_logits").set_weights([logits, np.zeros(LANDMARKS)])
    model.get_layer("offsets_and_log_error").set_weights([values, np.zeros((LANDMARKS, 3))])
    return model


@pytest.mark.any_backend
def test_even_attention_predicts_the_middle_of_the_image(last_layers: keras.Model) -> None:
    predicted = keras.ops.convert_to_numpy(last_layers(np.zeros((1, ROWS, COLUMNS, 4 * LANDMARKS), np.float32)))
    assert np.allclose(predicted, [(64 - 1) / 2, (48 - 1) / 2, np.e], atol=1e-4)


@pytest.mark.any_backend
def test_attention_to_one_cell_predicts_its_center_plus_its_offset(last_layers: keras.Model) -> None:
    """Landmark 1 attends to the cell at row 2, column 5, whose pixels are x 40 to 47 and y 16 to 23."""
    features = np.random.default_rng(0).normal(size=(1, ROWS, COLUMNS, 4 * LANDMARKS)).astype(np.float32)
    features[0, 2, 5, 1] = 200
    features[0, 2, 5, [LANDMARKS + 1, 2 * LANDMARKS + 1, 3 * LANDMARKS + 1]] = 0.5, -1, np.log(2)
    predicted = keras.ops.convert_to_numpy(last_layers(features))[0, 1]
    assert np.allclose(predicted, [43.5 + 8 * 0.5, 19.5 - 8 * 1, 2 * np.e], atol=1e-4)


@pytest.mark.any_backend
def test_attention_to_two_cells_predicts_the_mean_of_both(last_layers: keras.Model) -> None:
    features = np.zeros((1, ROWS, COLUMNS, 4 * LANDMARKS), np.float32)
    features[0, 0, [0, 2], 0] = 200  # attention of landmark 0 to the centers (3.5, 3.5) and (19.5, 3.5)
    features[0, 0, 0, LANDMARKS] = 1  # the first cell's offset: one cell to the right
    predicted = keras.ops.convert_to_numpy(last_layers(features))[0, 0]
    assert np.allclose(predicted, [(3.5 + 8 + 19.5) / 2, 3.5, np.e], atol=1e-4)


def test_cell_centers_are_not_trainable() -> None:
    centers = build((48, 64, 1), 3).get_layer("cell_centres_px")
    assert centers.trainable_weights == []
    np.testing.assert_array_equal(centers.get_weights()[0], cell_centers_px(6, 8))


@pytest.mark.parametrize("shape", [(47, 96, 1), (96, 47, 1), (257, 96, 1), (96, 257, 1)])
def test_sides_under_48_and_over_256_px_are_refused(shape: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="it takes sides from 48 to 256 px"):
        build(shape, 17)


def test_width_scales_the_filters_in_multiples_of_8() -> None:
    for width, last in ((1.0, 64), (0.34, 24), (0.01, 8)):
        model = build((48, 48, 1), 5, width)
        assert model.get_layer("decoder_2").filters == last
        convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
        assert all(layer.filters % 8 == 0 for layer in convolutions if layer.name != "attention_logits")

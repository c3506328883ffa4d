"""`naimishnet`: the paper's layers and those of the variant with five convolutions."""

from typing import Any

import keras
import numpy as np
import pytest

from models.naimishnet import build


def test_parameter_count_matches_the_paper() -> None:
    """One keypoint on 96 x 96 px: 7,488,962, of which the last layer has 2002."""
    assert build((96, 96, 1), 1).count_params() == 7_488_962
    assert build((96, 96, 1), 15).count_params() == 7_488_962 - 2002 + 15 * 2002 == 7_516_990


def test_parameter_count_of_the_variant_matches_hand_calculation() -> None:
    """A side of 224 px becomes 220, 110, 108, 54, 52, 26, 24, 12, 12 and 6 px after each convolution and pooling."""
    filters = 32 * 25 + 64 * 32 * 9 + 128 * 64 * 9 + 256 * 128 * 9 + 512 * 256
    biases = 32 + 64 + 128 + 256 + 512
    dense = (6 * 6 * 512 + 1) * 1024 + (1024 + 1) * 512 + (512 + 1) * 136
    assert build((224, 224, 1), 68, convolutions=5).count_params() == filters + biases + dense == 19_989_896


def layers(model: keras.Model, kind: Any) -> list[keras.layers.Layer]:
    return [layer for layer in model.layers if isinstance(layer, kind)]


def test_layers_match_the_paper() -> None:
    model = build((96, 96, 1), 15)
    assert [layer.filters for layer in layers(model, keras.layers.Conv2D)] == [32, 64, 128, 256]
    assert [layer.kernel_size for layer in layers(model, keras.layers.Conv2D)] == [(4, 4), (3, 3), (2, 2), (1, 1)]
    assert [layer.rate for layer in layers(model, keras.layers.Dropout)] == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    activations = [layer.activation.__name__ for layer in layers(model, (keras.layers.Conv2D, keras.layers.Dense))]
    assert activations == ["elu"] * 5 + ["linear"] * 2
    first, *_ = model.get_layer("convolution_4").get_weights()
    assert 0.045 < np.abs(first).max() <= 0.05  # uniform noise
    dense, *_ = model.get_layer("dense_2").get_weights()
    assert np.abs(dense).max() <= np.sqrt(6 / (1000 + 1000))  # Glorot & Bengio


def test_variant_has_five_relu_convolutions_and_he_initialization() -> None:
    model = build((96, 96, 1), 68, convolutions=5)
    assert [layer.filters for layer in layers(model, keras.layers.Conv2D)] == [32, 64, 128, 256, 512]
    assert [layer.rate for layer in layers(model, keras.layers.Dropout)] == [0.25, 0.25]
    activations = [layer.activation.__name__ for layer in layers(model, (keras.layers.Conv2D, keras.layers.Dense))]
    assert activations == ["relu"] * 7 + ["linear"]
    for name, inputs in {"convolution_4": 128 * 9, "dense_1": 512 * 2 * 2, "dense_2": 1024}.items():
        weights, *_ = model.get_layer(name).get_weights()
        assert weights.std() == pytest.approx(np.sqrt(2 / inputs), rel=0.02)  # He et al.


def test_outputs_0_and_1_are_the_published_mean_and_mean_plus_deviation() -> None:
    """100 and 150 px of 224, measured from the edge, which lies half a pixel before the first pixel's center."""
    model = build((112, 224, 1), 1)
    coordinates = model.get_layer("coordinates")
    weights, _ = coordinates.get_weights()
    coordinates.set_weights([0 * weights, np.array([1, 0])])
    predicted = model.predict(np.zeros((1, 112, 224, 1), np.uint8), verbose=0)
    np.testing.assert_allclose(predicted, [[[150 - 0.5, 50 - 0.5]]], atol=1e-4)


@pytest.mark.parametrize(("convolutions", "smallest"), [(4, 27), (5, 64)])
def test_smallest_image_leaves_one_pixel_and_smaller_ones_are_refused(convolutions: int, smallest: int) -> None:
    model = build((smallest, smallest, 1), 15, convolutions)
    assert model.get_layer(f"pooling_{convolutions}").output.shape[1:3] == (1, 1)
    with pytest.raises(ValueError, match=f"with {convolutions} convolutions it takes sides of at least {smallest} px"):
        build((96, smallest - 1, 1), 15, convolutions)
    with pytest.raises(ValueError, match=f"at least {smallest} px"):
        build((96, 96, 1), 15, convolutions, crop_px=smallest - 1)


def test_only_4_or_5_convolutions_are_accepted() -> None:
    with pytest.raises(ValueError, match="convolutions: give 4 or 5"):
        build((96, 96, 1), 15, 3)


def test_crop_option_predicts_what_the_network_predicts_for_the_middle() -> None:
    whole, middle = build((36, 30, 1), 3, crop_px=28), build((28, 28, 1), 3)
    middle.set_weights(whole.get_weights())
    images = np.random.default_rng(0).integers(0, 256, (4, 36, 30, 1), np.uint8)
    from_middle = middle.predict(images[:, 4:32, 1:29], verbose=0)
    np.testing.assert_allclose(whole.predict(images, verbose=0), from_middle + [1, 4], atol=1e-4)

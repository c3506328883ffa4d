"""`cnn5`: five convolutions with pooling and one dense layer; it can crop its images to their middle."""

import keras
import numpy as np
import pytest

from models.cnn5 import build


def test_parameter_count_matches_hand_calculation() -> None:
    """Five pooling layers reduce 224 x 224 px to 7 x 7."""
    filters = 16 * 25 + 32 * 16 * 9 + 64 * 32 * 9 + 128 * 64 * 9 + 256 * 128 * 9
    biases = 16 + 32 + 64 + 128 + 256
    dense = (7 * 7 * 256 + 1) * 2 * 68
    assert build((224, 224, 1), 68).count_params() == filters + biases + dense == 2_098_696


def test_outputs_of_minus_1_and_1_are_the_edges_of_the_image() -> None:
    """With zero weights the dense layer outputs its biases; the edges lie half a pixel beyond the outermost pixels."""
    model = build((96, 64, 1), 2)
    coordinates = model.get_layer("coordinates")
    weights, _ = coordinates.get_weights()
    coordinates.set_weights([0 * weights, np.array([-1, -1, 1, 0])])
    predicted = model.predict(np.zeros((1, 96, 64, 1), np.uint8), verbose=0)
    np.testing.assert_allclose(predicted, [[[-0.5, -0.5], [63.5, 47.5]]], atol=1e-5)


def test_crop_option_predicts_what_the_network_predicts_for_the_middle() -> None:
    """The middle 35 x 35 px of an image of 40 rows and 45 columns begins at row 2 and column 5."""
    whole, middle = build((40, 45, 1), 3, crop_px=35), build((35, 35, 1), 3)
    middle.set_weights(whole.get_weights())
    images = np.random.default_rng(0).integers(0, 256, (4, 40, 45, 1), np.uint8)
    from_middle = middle.predict(images[:, 2:37, 5:40], verbose=0)
    np.testing.assert_allclose(whole.predict(images, verbose=0), from_middle + [5, 2], atol=1e-4)


def test_crop_as_large_as_the_image_adds_no_layer() -> None:
    names = [layer.name for layer in build((40, 40, 1), 3).layers]
    assert [layer.name for layer in build((40, 40, 1), 3, crop_px=224).layers] == names


@pytest.mark.parametrize(("shape", "crop_px"), [((31, 96, 1), 0), ((96, 31, 3), 0), ((96, 96, 1), 31)])
def test_sides_under_32_px_are_refused(shape: tuple[int, int, int], crop_px: int) -> None:
    with pytest.raises(ValueError, match="it takes sides of at least 32 px"):
        build(shape, 15, crop_px)


def test_network_learns_the_position_of_a_dot() -> None:
    """After fifteen epochs its error is less than half that of always predicting the mean position."""
    rng = np.random.default_rng(0)
    keras.utils.set_random_seed(0)
    dots = rng.integers(8, 24, (128, 1, 2))
    images = np.zeros((128, 32, 32, 1), np.uint8)
    for image, ((x, y),) in zip(images, dots, strict=True):
        image[y - 2 : y + 3, x - 2 : x + 3] = 255
    model = build((32, 32, 1), 1)
    model.compile(keras.optimizers.Adam(1e-3), "mse", jit_compile=False)
    model.fit(images, dots.astype(np.float32), batch_size=32, epochs=15, verbose=0)
    error = np.abs(model.predict(images, verbose=0) - dots).mean()
    assert error < 0.5 * np.abs(dots - dots.mean(axis=0)).mean()

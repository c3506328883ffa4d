"""`cnn5`: five convolutions with poolings and one dense layer; a network that sees the middle of its images."""

import keras
import numpy as np
import pytest

from models.cnn5 import build


def test_its_parameters_worked_by_hand() -> None:
    """Five poolings leave 7 x 7 of 224 x 224 px."""
    filters = 16 * 25 + 32 * 16 * 9 + 64 * 32 * 9 + 128 * 64 * 9 + 256 * 128 * 9
    biases = 16 + 32 + 64 + 128 + 256
    dense = (7 * 7 * 256 + 1) * 2 * 68
    assert build((224, 224, 1), 68).count_params() == filters + biases + dense == 2_098_696


def test_minus_1_and_1_are_the_edges_of_the_image() -> None:
    """With no weights the dense layer says its biases; the edges lie half a pixel beyond the outermost pixels."""
    model = build((96, 64, 1), 2)
    coordinates = model.get_layer("coordinates")
    weights, _ = coordinates.get_weights()
    coordinates.set_weights([0 * weights, np.array([-1, -1, 1, 0])])
    said = model.predict(np.zeros((1, 96, 64, 1), np.uint8), verbose=0)
    np.testing.assert_allclose(said, [[[-0.5, -0.5], [63.5, 47.5]]], atol=1e-5)


def test_cropped_it_says_of_the_whole_image_what_it_says_of_its_middle() -> None:
    """Of 45 x 40 px it sees 35 x 35: from row 5 and column 2 on."""
    whole, middle = build((40, 45, 1), 3, crop_px=35), build((35, 35, 1), 3)
    middle.set_weights(whole.get_weights())
    images = np.random.default_rng(0).integers(0, 256, (4, 40, 45, 1), np.uint8)
    of_the_middle = middle.predict(images[:, 2:37, 5:40], verbose=0)
    np.testing.assert_allclose(whole.predict(images, verbose=0), of_the_middle + [5, 2], atol=1e-4)


def test_a_crop_that_is_no_smaller_changes_nothing() -> None:
    names = [layer.name for layer in build((40, 40, 1), 3).layers]
    assert [layer.name for layer in build((40, 40, 1), 3, crop_px=224).layers] == names


@pytest.mark.parametrize(("shape", "crop_px"), [((31, 96, 1), 0), ((96, 31, 3), 0), ((96, 96, 1), 31)])
def test_less_than_32_px_is_refused(shape: tuple[int, int, int], crop_px: int) -> None:
    with pytest.raises(ValueError, match="it takes sides of at least 32 px"):
        build(shape, 15, crop_px)


def test_it_learns_where_a_dot_is() -> None:
    """After fifteen epochs it errs by less than half of what the mean position errs by."""
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

"""The two ends of a network that predicts coordinates: pixel values in, px out. A saved model needs no side file."""

import keras
import numpy as np


def scaled_images(
    input_shape: tuple[int, int, int], scale: float = 1 / 255, offset: float = 0.0
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Returns the input of a network, images (N, H, W, C) with values 0..255, and the same scaled, to 0..1 by default.

    Whole rows are scaled: onnxruntime takes 12 ns for every pixel of a grey image otherwise, because it works in runs
    along the last axis, of length 1 there. It was a seventh of the time that v2 takes.
    """
    height, width, channels = input_shape
    images = keras.Input(input_shape, name="images")
    rows = keras.layers.Reshape((height, width * channels), name="rows")(images)
    rows = keras.layers.Rescaling(scale, offset, name="pixels_to_unit")(rows)
    return images, keras.layers.Reshape(input_shape, name="scaled_images")(rows)


def pixel_coordinates(
    features: keras.KerasTensor, input_shape: tuple[int, int, int], keypoints: int
) -> keras.KerasTensor:
    """Returns (N, K, 2) coordinates in px: a dense layer's outputs -1..1 spread from edge to edge of the image."""
    height, width, _ = input_shape
    half_px = np.array([width, height], np.float32) / 2
    x = keras.layers.Dense(2 * keypoints, name="coordinates")(features)
    x = keras.layers.Reshape((keypoints, 2), name="points")(x)
    return keras.layers.Rescaling(
        half_px.tolist(), offset=(half_px - 0.5).tolist(), dtype="float32", name="keypoints_px"
    )(x)

"""The ends of every network: uint8 pictures in, pixel coordinates out, so that a saved model needs no side file."""

import keras
import numpy as np


def scaled_pictures(input_shape: tuple[int, int, int]) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Returns the input of a network, pictures (N, H, W, C) with values 0..255, and the same scaled to 0..1."""
    pictures = keras.Input(input_shape, name="pictures")
    return pictures, keras.layers.Rescaling(1 / 255, name="pixels_to_unit")(pictures)


def pixel_coordinates(
    features: keras.KerasTensor, input_shape: tuple[int, int, int], keypoints: int
) -> keras.KerasTensor:
    """Returns (N, K, 2) coordinates in px: a dense layer's outputs -1..1 spread from edge to edge of the picture."""
    height, width, _ = input_shape
    half_px = np.array([width, height], np.float32) / 2
    x = keras.layers.Dense(2 * keypoints, name="coordinates")(features)
    x = keras.layers.Reshape((keypoints, 2), name="points")(x)
    return keras.layers.Rescaling(
        half_px.tolist(), offset=(half_px - 0.5).tolist(), dtype="float32", name="keypoints_px"
    )(x)

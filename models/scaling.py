"""Scales the input and output of a network, so that a saved model needs no side file."""

import keras
import numpy as np

from facial_keypoints.array_types import Int64


def scaled_images(
    input_shape: tuple[int, int, int], scale: float = 1 / 255, offset: float = 0.0, crop_px: int = 0
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Returns the input of a network, images (N, H, W, C) with values 0..255, and the scaled images, by default 0..1.

    Scales whole rows: onnxruntime works along the last axis, whose length of 1 in gray images would cost 12 ns per
    pixel, a seventh of the time of v2.

    Args:
        crop_px: scales and returns only the center crop; see `center_crop`.
    """
    images = keras.Input(input_shape, name="images")
    (top, left), (height, width) = (pair.tolist() for pair in center_crop(input_shape, crop_px))
    x, channels = images, input_shape[2]
    if (height, width) != input_shape[:2]:
        bottom, right = input_shape[0] - height - top, input_shape[1] - width - left
        x = keras.layers.Cropping2D(((top, bottom), (left, right)), name="middle")(x)
    x = keras.layers.Reshape((height, width * channels), name="rows")(x)
    x = keras.layers.Rescaling(scale, offset, name="pixels_to_unit")(x)
    return images, keras.layers.Reshape((height, width, channels), name="scaled_images")(x)


def pixel_coordinates(
    features: keras.KerasTensor,
    input_shape: tuple[int, int, int],
    keypoints: int,
    mean: float = 0.5,
    deviation: float = 0.5,
    crop_px: int = 0,
    activation: str | None = None,
) -> keras.KerasTensor:
    """Returns (N, K, 2) coordinates in px of the whole image from a dense layer's outputs.

    An output of 0 is the position `mean`, an output of 1 is `mean + deviation`, as fractions of the image side from
    edge to edge; by default -1..1 covers the image.

    Args:
        crop_px: the fractions refer to the sides of the center crop; see `center_crop`.
        activation: that of the dense layer.
    """
    start, size = center_crop(input_shape, crop_px)
    x = keras.layers.Dense(2 * keypoints, activation, name="coordinates")(features)
    x = keras.layers.Reshape((keypoints, 2), name="points")(x)
    scale, offset = deviation * size[::-1], start[::-1] + mean * size[::-1] - 0.5  # x before y
    return keras.layers.Rescaling(scale.tolist(), offset=offset.tolist(), dtype="float32", name="keypoints_px")(x)


def center_crop(input_shape: tuple[int, int, int], crop_px: int) -> tuple[Int64, Int64]:
    """Returns (top, left) and (height, width) of the center crop of images, in px.

    Args:
        crop_px: the side of the crop; 0: the whole image. Shorter sides of the image are not cropped.
    """
    sides = np.array(input_shape[:2])
    size = np.minimum(sides, crop_px) if crop_px else sides
    return (sides - size) // 2, size

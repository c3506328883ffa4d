"""The two ends of a network that predicts coordinates: pixel values in, px out. A saved model needs no side file."""

import keras
import numpy as np

from facial_keypoints.array_types import Int64


def scaled_images(
    input_shape: tuple[int, int, int], scale: float = 1 / 255, offset: float = 0.0, crop_px: int = 0
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Returns the input of a network, images (N, H, W, C) with values 0..255, and the same scaled, to 0..1 by default.

    Whole rows are scaled: onnxruntime takes 12 ns for every pixel of a gray image otherwise, because it works in runs
    along the last axis, of length 1 there. It was a seventh of the time that v2 takes.

    Args:
        crop_px: only the middle of the images is scaled and returned, see `middle`.
    """
    images = keras.Input(input_shape, name="images")
    (top, left), (height, width) = (pair.tolist() for pair in middle(input_shape, crop_px))
    x, channels = images, input_shape[2]
    if (height, width) != input_shape[:2]:
        below, right = input_shape[0] - height - top, input_shape[1] - width - left
        x = keras.layers.Cropping2D(((top, below), (left, right)), name="middle")(x)
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

    An output of 0 lies at `mean`, one of 1 lies `deviation` further, both as shares of the image's side from edge to
    edge; by default -1..1 is spread over the image.

    Args:
        crop_px: the network sees the middle of the images only; the shares are of its sides, see `middle`.
        activation: of the dense layer.
    """
    start, size = middle(input_shape, crop_px)
    x = keras.layers.Dense(2 * keypoints, activation, name="coordinates")(features)
    x = keras.layers.Reshape((keypoints, 2), name="points")(x)
    scale, offset = deviation * size[::-1], start[::-1] + mean * size[::-1] - 0.5  # x before y
    return keras.layers.Rescaling(scale.tolist(), offset=offset.tolist(), dtype="float32", name="keypoints_px")(x)


def middle(input_shape: tuple[int, int, int], crop_px: int) -> tuple[Int64, Int64]:
    """Returns where the middle square of images starts, (top, left), and its (height, width), in px.

    Args:
        crop_px: its side; 0: all of the image. A side of the image that is not longer is left whole.
    """
    sides = np.array(input_shape[:2])
    size = np.minimum(sides, crop_px) if crop_px else sides
    return (sides - size) // 2, size

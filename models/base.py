"""`base`: three convolutions and a dense layer, the first published network for the 15-keypoint set."""

import keras

from models.scaling import pixel_coordinates, scaled_images

FILTERS = (32, 64, 128)
DENSE_UNITS = 512


def build(input_shape: tuple[int, int, int] = (96, 96, 1), keypoints: int = 15) -> keras.Model:
    """Returns the untrained network, from images (N, H, W, C), 0..255, to keypoints (N, K, 2) in px.

    6,662,750 parameters on 96 x 96 x 3 images with 15 keypoints.
    """
    images, x = scaled_images(input_shape)
    for number, filters in enumerate(FILTERS, start=1):
        x = keras.layers.Conv2D(filters, 3, activation="relu", name=f"convolution_{number}")(x)
        x = keras.layers.MaxPooling2D(2, name=f"pooling_{number}")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    x = keras.layers.Dense(DENSE_UNITS, activation="relu", name="dense")(x)
    return keras.Model(images, pixel_coordinates(x, input_shape, keypoints), name="base")

"""`v1`: `base` with a squeeze-and-excitation residual after each pooling."""

import keras

from models.base import DENSE_UNITS, FILTERS
from models.scaling import pixel_coordinates, scaled_images

SQUEEZE_RATIO = 8


def build(input_shape: tuple[int, int, int] = (96, 96, 1), keypoints: int = 15) -> keras.Model:
    """Returns the untrained network, from images (N, H, W, C), 0..255, to keypoints (N, K, 2) in px.

    6,668,378 parameters on 96 x 96 x 3 images with 15 keypoints.
    """
    images, x = scaled_images(input_shape)
    for number, filters in enumerate(FILTERS, start=1):
        x = keras.layers.Conv2D(filters, 3, activation="relu", name=f"convolution_{number}")(x)
        x = keras.layers.MaxPooling2D(2, name=f"pooling_{number}")(x)
        x = squeeze_and_excite(x, f"excitation_{number}")
    x = keras.layers.Flatten(name="flatten")(x)
    x = keras.layers.Dense(DENSE_UNITS, activation="relu", name="dense")(x)
    return keras.Model(images, pixel_coordinates(x, input_shape, keypoints), name="v1")


def squeeze_and_excite(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Returns x + x * gate: a gate in 0..1 per channel from the channel means (Hu et al. 2018), and a residual.

    Computes x * (1 + gate), which is equal and saves one pass over the feature maps, forward and backward.
    """
    channels = x.shape[-1]
    gate = keras.layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_squeeze")(x)
    gate = keras.layers.Dense(channels // SQUEEZE_RATIO, activation="relu", name=f"{name}_reduce")(gate)
    gate = keras.layers.Dense(channels, activation="sigmoid", name=f"{name}_gate")(gate)
    one_plus_gate = keras.layers.Rescaling(1.0, offset=1.0, name=f"{name}_residual")(gate)
    return keras.layers.Multiply(name=name)([x, one_plus_gate])

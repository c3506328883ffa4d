"""`cnn5`: five convolutions, each followed by pooling, and one dense layer, for 68 keypoints and 224 x 224 x 1 images.

The published description does not give the sizes of the layers. This network doubles the filters from 16, so that
two cores can train it at 224 px. Its convolutions of 5 and then 3 px are padded, so that it accepts sides from 32 px.
It drops a quarter of the features before the dense layer and initializes convolutions as in He et al. (2015).
"""

import keras

from models.scaling import center_crop, pixel_coordinates, scaled_images

FILTERS = (16, 32, 64, 128, 256)
SIZES = (5, 3, 3, 3, 3)  # px
DROPOUT = 0.25
SMALLEST_PX = 32  # one pixel is left after the last pooling


def build(input_shape: tuple[int, int, int] = (96, 96, 1), keypoints: int = 15, crop_px: int = 0) -> keras.Model:
    """Returns the untrained network, from images (N, H, W, C), 0..255, to keypoints (N, K, 2) in px.

    2,098,696 parameters on 224 x 224 x 1 images with 68 keypoints. Sides of at least 32 px.

    Args:
        crop_px: side of the center crop that the network sees; 0: the whole image.

    Raises:
        ValueError: a side is too short.
    """
    if min(center_crop(input_shape, crop_px)[1]) < SMALLEST_PX:
        raise ValueError(f"it takes sides of at least {SMALLEST_PX} px")
    images, x = scaled_images(input_shape, crop_px=crop_px)
    for number, (filters, size) in enumerate(zip(FILTERS, SIZES, strict=True), start=1):
        name = f"convolution_{number}"
        x = keras.layers.Conv2D(filters, size, 1, "same", activation="relu", kernel_initializer="he_normal", name=name)(
            x
        )
        x = keras.layers.MaxPooling2D(2, name=f"pooling_{number}")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    x = keras.layers.Dropout(DROPOUT, name="dropout")(x)
    return keras.Model(images, pixel_coordinates(x, input_shape, keypoints, crop_px=crop_px), name="cnn5")

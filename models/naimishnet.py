"""`naimishnet`: NaimishNet (Agarwal et al. 2017, arXiv 1710.00977), and its variant with five convolutions.

The paper trains one network per keypoint, each with 7,488,962 parameters on 96 x 96 x 1 images; here one network
predicts all keypoints. Convolutions are initialized uniformly and dense layers as in Glorot & Bengio (2010); in the
variant all layers except the last are initialized as in He et al. (2015).
"""

import keras

from models.scaling import center_crop, pixel_coordinates, scaled_images

FILTERS = (32, 64, 128, 256, 512)
SIZES = {4: (4, 3, 2, 1), 5: (5, 3, 3, 3, 1)}  # of the convolutions, px
DENSE_UNITS = {4: (1000, 1000), 5: (1024, 512)}
DROPOUTS = {4: (0.1, 0.2, 0.3, 0.4, 0.5, 0.6), 5: (0.0, 0.0, 0.0, 0.0, 0.0, 0.25, 0.25)}
SMALLEST_PX = {4: 27, 5: 64}  # one pixel is left after the last pooling
KEYPOINT_MEAN, KEYPOINT_DEVIATION = 100 / 224, 50 / 224  # fractions of the side: 100 and 50 px of 224


def build(
    input_shape: tuple[int, int, int] = (96, 96, 1), keypoints: int = 15, convolutions: int = 4, crop_px: int = 0
) -> keras.Model:
    """Returns the untrained network, from images (N, H, W, C), 0..255, to keypoints (N, K, 2) in px.

    7,516,990 parameters on 96 x 96 x 1 images with 15 keypoints; 19,989,896 with five convolutions on 224 x 224 x 1
    images with 68 keypoints. Sides of at least 27 px, or 64 px with five convolutions.

    Args:
        convolutions: 4: the paper's network, with ELU; 5: the variant for 68 keypoints, with ReLU.
        crop_px: side of the center crop that the network sees; 0: the whole image.

    Raises:
        ValueError: `convolutions` is neither 4 nor 5, or a side is too short.
    """
    if convolutions not in SIZES:
        raise ValueError("convolutions: give 4 or 5")
    if min(center_crop(input_shape, crop_px)[1]) < SMALLEST_PX[convolutions]:
        raise ValueError(f"with {convolutions} convolutions it takes sides of at least {SMALLEST_PX[convolutions]} px")
    as_in_paper = convolutions == 4
    activation = "elu" if as_in_paper else "relu"
    initializer, dense_initializer = ("random_uniform", "glorot_uniform") if as_in_paper else ("he_normal", "he_normal")
    dropouts = DROPOUTS[convolutions]
    images, x = scaled_images(input_shape, crop_px=crop_px)
    for number, (filters, size) in enumerate(zip(FILTERS, SIZES[convolutions], strict=False), start=1):
        name = f"convolution_{number}"
        x = keras.layers.Conv2D(filters, size, activation=activation, kernel_initializer=initializer, name=name)(x)
        x = keras.layers.MaxPooling2D(2, name=f"pooling_{number}")(x)
        x = _dropout(x, dropouts[number - 1], f"dropout_{number}")
    x = keras.layers.Flatten(name="flatten")(x)
    for number, units in enumerate(DENSE_UNITS[convolutions], start=1):
        layer_activation = None if as_in_paper and number == 2 else activation  # the paper's second one is linear
        x = keras.layers.Dense(units, layer_activation, kernel_initializer=dense_initializer, name=f"dense_{number}")(x)
        x = _dropout(x, dropouts[convolutions + number - 1], f"dropout_{convolutions + number}")
    points = pixel_coordinates(x, input_shape, keypoints, KEYPOINT_MEAN, KEYPOINT_DEVIATION, crop_px)
    return keras.Model(images, points, name="naimishnet")


def _dropout(x: keras.KerasTensor, rate: float, name: str) -> keras.KerasTensor:
    return keras.layers.Dropout(rate, name=name)(x) if rate else x

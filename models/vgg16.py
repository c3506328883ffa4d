"""`vgg16`: the convolutions of VGG16 (Simonyan & Zisserman 2015), trained on ImageNet, and a head for keypoints.

The head follows the published project: one more convolution and pooling, 512 dense units, dropout of half of them,
and coordinates as fractions of the image sides. Gray images are converted to three equal channels.
"""

import warnings
from pathlib import Path

import keras

from facial_keypoints.errors import InputError, one_line
from models.scaling import pixel_coordinates

MEAN_BLUE_GREEN_RED = (103.939, 116.779, 123.68)  # of ImageNet's pixels, as in keras.applications.vgg16
# The convolutions were trained on pixels of 0 to 255, so their features reach 300, and after one epoch at the published
# learning rate all dense units give 0. The published project divides its pixels by their standard deviation, 58 gray
# levels on ImageNet. Here the features are divided, because the convolutions must see the pixels they were trained on.
PIXEL_DEVIATION = 58.0
HEAD_FILTERS = 512
DENSE_UNITS = 512
DROPOUT = 0.5
SMALLEST_PX = 96  # three pixels are left for the head's convolution
WEIGHTS_FILE = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"


def build(
    input_shape: tuple[int, int, int] = (224, 224, 3), keypoints: int = 68, fine_tune: bool = False
) -> keras.Model:
    """Returns the untrained network, from images (N, H, W, C), 0..255, to keypoints (N, K, 2) in px.

    Downloads nothing; `load_convolutions` loads the weights trained on ImageNet. 18,193,352 parameters on 224 x 224
    images with 68 keypoints, 3,478,664 of them in the head. Sides of at least 96 px.

    Args:
        fine_tune: trains all layers; otherwise only the head, as published.

    Raises:
        ValueError: a side is too short.
    """
    if min(input_shape[:2]) < SMALLEST_PX:
        raise ValueError(f"it takes sides of at least {SMALLEST_PX} px")
    images = keras.Input(input_shape, name="images")
    channels = [images[..., c : c + 1] for c in (2, 1, 0)] if input_shape[2] == 3 else [images] * 3
    x = keras.layers.Concatenate(name="blue_green_red")(channels)
    x = keras.layers.Rescaling(1.0, [-mean for mean in MEAN_BLUE_GREEN_RED], name="less_the_mean")(x)
    convolutions = keras.applications.VGG16(include_top=False, weights=None, input_tensor=x)
    for layer in convolutions.layers:
        layer.trainable = fine_tune
    x = keras.layers.Rescaling(1 / PIXEL_DEVIATION, name="features")(convolutions.output)
    x = keras.layers.Conv2D(HEAD_FILTERS, 3, name="head_convolution")(x)
    if min(x.shape[1:3]) > 1:
        x = keras.layers.MaxPooling2D(2, name="head_pooling")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    x = keras.layers.Dense(DENSE_UNITS, "relu", name="dense")(x)
    x = keras.layers.Dropout(DROPOUT, name="dropout")(x)
    points = pixel_coordinates(x, input_shape, keypoints, mean=0.0, deviation=1.0, activation="sigmoid")
    return keras.Model(images, points, name="vgg16")


def load_convolutions(model: keras.Model, file: Path | None = None) -> None:
    """Loads the weights of VGG16's 13 convolutions into a network; other layers keep theirs.

    Args:
        model: has layers with the names of VGG16's convolutions, `block1_conv1` to `block5_conv3`.
        file: the weights of keras.applications (WEIGHTS_FILE); None: Keras downloads them once.

    Raises:
        InputError: the network has no such layers, or the weights cannot be downloaded or are not in the file.
    """
    names = {layer.name for layer in model.layers}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # Keras only warns about missing weights
            pretrained = keras.applications.VGG16(include_top=False, weights=str(file) if file else "imagenet")
    except Exception as error:  # from the download, the file system, HDF5 or Keras
        cause = one_line(error)
        if file is None:
            raise InputError(
                f"--initial-weights imagenet: Keras cannot fetch the weights ({cause}); fetch {WEIGHTS_FILE} elsewhere "
                "and give it as --initial-weights FILE, or use random weights: --initial-weights none --fine-tune"
            ) from None
        raise InputError(f"{file}: has no weights of VGG16's convolutions ({cause}); give {WEIGHTS_FILE}") from None
    convolutions = [layer for layer in pretrained.layers if layer.weights]
    if not all(layer.name in names for layer in convolutions):
        raise InputError(
            f"--initial-weights: {model.name} does not have the convolutions of VGG16; only vgg16 can start from them"
        )
    for layer in convolutions:
        model.get_layer(layer.name).set_weights(layer.get_weights())

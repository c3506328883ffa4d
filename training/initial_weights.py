"""What a network starts from: nothing, VGG16's weights from ImageNet, or a file."""

from pathlib import Path

import keras

from facial_keypoints.errors import InputError
from models.networks import reason
from models.saved import load_model
from models.vgg16 import load_convolutions
from training.recipes import IMAGENET, NONE


def start_from(model: keras.Model, weights: str) -> None:
    """Gives a new network the weights to start from.

    Args:
        weights: NONE: those that it has. IMAGENET: of VGG16's convolutions, which Keras fetches once. Or the path of an
            `.h5` file with these, or of a `.keras` file or a model folder of the same network.

    Raises:
        InputError: they cannot be had, or do not fit the network.
    """
    if weights == IMAGENET:
        load_convolutions(model)
    elif weights.endswith(".h5"):
        load_convolutions(model, Path(weights))
    elif weights != NONE:
        try:
            model.set_weights(load_model(Path(weights)).model.get_weights())
        except ValueError as error:
            raise InputError(
                f"{weights}: holds no weights that fit {model.name} ({reason(error)}); give a .keras file or a model "
                "folder of this network"
            ) from None

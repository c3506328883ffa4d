"""What a network starts from: nothing, VGG16's weights from ImageNet, or a file."""

from pathlib import Path

import keras

from facial_keypoints.errors import InputError
from models.saved import load_model
from models.vgg16 import load_convolutions
from training.recipes import IMAGENET, NONE


def start_from(model: keras.Model, weights: str) -> None:
    """Gives a new network the weights to start from.

    Args:
        weights: NONE: those that it has. IMAGENET: of VGG16's convolutions, which Keras fetches once. Or the path of an
            `.h5` file with these, or of a `.keras` file or a model folder of the same network. Layers of another shape,
            as the last one is for other landmarks, start anew, and are named on the terminal.

    Raises:
        InputError: they cannot be had, or no layer fits the network.
    """
    if weights == IMAGENET:
        load_convolutions(model)
    elif weights.endswith(".h5"):
        load_convolutions(model, Path(weights))
    elif weights != NONE:
        take_over(model, load_model(Path(weights)).model, weights)


def take_over(model: keras.Model, trained: keras.Model, name: str) -> None:
    """Gives the layers of a network the weights of the layers of the same name, where their shapes are the same.

    Raises:
        InputError: not one is; `name` says where the trained network comes from.
    """
    theirs = {layer.name: layer.get_weights() for layer in trained.layers}
    taken, anew = 0, []
    for layer in model.layers:
        if own := layer.get_weights():
            found = theirs.get(layer.name, [])
            if [array.shape for array in found] == [array.shape for array in own]:
                layer.set_weights(found)
                taken += 1
            else:
                anew.append(layer.name)
    if not taken:
        raise InputError(
            f"{name}: holds no weights that fit {model.name}; give a .keras file or a model folder of this network"
        )
    if anew:
        print(f"{name}: does not fit {', '.join(anew)} of {model.name}, which start anew")

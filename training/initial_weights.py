"""What a network starts from: nothing, VGG16's weights from ImageNet, or a file."""

from collections.abc import Callable, Sequence
from pathlib import Path

import keras

from facial_keypoints.array_types import UInt8
from facial_keypoints.errors import InputError
from facial_keypoints.spec import ModelSpec
from models.expected_error import calibration_of, with_calibration
from models.networks import predicts_error, shape_of
from models.saved import LoadedModel, load_model
from models.vgg16 import load_convolutions
from training.recipes import IMAGENET, NONE
from training.take_over import take_over

# Of the logarithm of an expected error, by calibration. Others are of networks that had learnt little of their errors:
# v2 after three epochs on 100 faces has 111, with which the next training would diverge.
SMALLEST_SCALE, LARGEST_SCALE = 0.5, 2.0
NAMED = 6  # layers or output points in a line; of more it says how many


def start_from(
    model: keras.Model, weights: str, spec: ModelSpec, build: Callable[[int], keras.Model], images: UInt8
) -> keras.Model:
    """Returns a new network with the weights to start from.

    Args:
        model: the network; it is given the weights itself.
        weights: NONE: those that it has. IMAGENET: of VGG16's convolutions, which Keras fetches once. Or the path of an
            `.h5` file with these, or of a `.keras` file or a model folder of the same network (`start_from_trained`).
        spec: what the network predicts.
        build: returns a network like `model` in float32, with new weights, for any number of output points.
        images: uint8 (N, H, W, C), some that `model` takes.

    Raises:
        InputError: they cannot be had, or no layer fits the network.
    """
    if weights == IMAGENET:
        load_convolutions(model)
    elif weights.endswith(".h5"):
        load_convolutions(model, Path(weights))
    elif weights != NONE:
        return start_from_trained(model, load_model(Path(weights)), spec, build, images)
    return model


def start_from_trained(
    model: keras.Model, trained: LoadedModel, spec: ModelSpec, build: Callable[[int], keras.Model], images: UInt8
) -> keras.Model:
    """Returns a new network with the weights of a trained one, and with the calibration of its expected error.

    Weights of an output point go to the output point of the same keypoint and label source, whatever their order and
    number. Those of a bare `.keras` file are taken to be the same where there are as many. Output points that the
    trained network does not have start anew, as do layers of another shape; both are named on the terminal.

    Raises:
        InputError: not one layer fits.
    """
    ours = spec.point_names
    theirs = trained.spec.point_names if trained.spec else bare_points(trained.model, ours)
    pairs = [(index, theirs.index(point)) for index, point in enumerate(ours) if point in theirs]
    try:
        left = take_over(model, trained.model, pairs, len(theirs), build, images)
    except InputError as error:
        raise InputError(
            f"{trained.path}: predicts other output points than are wanted here; to find the weights of each one the "
            f"network must be built for other numbers of them, but {error}"
        ) from None
    if left is None:
        raise InputError(
            f"{trained.path}: holds no weights that fit {model.name}; give a .keras file or a model folder of this "
            "network"
        )
    if left.misfits:
        print(f"{trained.path}: does not fit {listed(left.misfits)} of {model.name}, which start anew")
    new = [name_of(point, (*ours, *theirs)) for point in ours if point not in theirs]
    if left.unmatched:
        names = listed(left.unmatched)
        print(f"{trained.path}: {names} of {model.name} start anew: their weights cannot be assigned to keypoints")
    elif trained.spec is None and new:
        print(f"{trained.path}: has {len(theirs)} output points and no manifest; the {len(ours)} wanted start anew")
    elif not pairs:
        print(f"{trained.path}: predicts none of the keypoints that are wanted; they start anew")
    elif new:
        print(f"{trained.path}: does not predict {listed(new)}, which start anew")
    calibration = calibration_of(trained.model) if predicts_error(model) else None
    if calibration is None:
        return model
    if not SMALLEST_SCALE <= calibration[1] <= LARGEST_SCALE:
        print(f"{trained.path}: its expected error needed a large correction after training, and starts without it")
        return model
    return with_calibration(model, *calibration)


def bare_points(model: keras.Model, wanted: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Returns the output points of a network of which nothing is known: those that are wanted, where it has as many."""
    shape = shape_of(model, "output_shape")
    count = shape[1] if isinstance(shape, tuple) and len(shape) == 3 and shape[1] else len(wanted)
    return list(wanted) if count == len(wanted) else [("", str(number)) for number in range(count)]


def name_of(point: tuple[str, str], points: Sequence[tuple[str, str]]) -> str:
    """Returns the name of an output point, with its label source where a keypoint of `points` has several."""
    keypoint, label_source = point
    several = len({of for name, of in points if name == keypoint}) > 1
    return f"{keypoint} (label source {label_source})" if several else keypoint


def listed(names: Sequence[str]) -> str:
    """Returns some names, and how many more there are."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")

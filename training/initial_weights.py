"""Initial weights of a network: new ones, those of VGG16 from ImageNet, or those of a file."""

from collections.abc import Callable, Sequence
from pathlib import Path

import keras

from facial_keypoints.errors import InputError, listed
from facial_keypoints.spec import ModelSpec
from models.expected_error import calibration_of, with_calibration
from models.networks import predicts_error, shape_of
from models.saved import LoadedModel, load_model
from models.vgg16 import load_convolutions
from training.recipes import IMAGENET, NONE
from training.take_over import take_over
from training.targets import Targets

# Range of the calibration's factor of the logarithm of the expected error. Networks with other factors have learned
# little about their errors: v2 has 111 after three epochs on 100 faces, and further training would diverge.
SMALLEST_SCALE, LARGEST_SCALE = 0.5, 2.0


def start_from(
    model: keras.Model, weights: str, spec: ModelSpec, build: Callable[[int], keras.Model], faces: Targets
) -> keras.Model:
    """Returns a new network with the weights to start from.

    Args:
        model: the network, which is changed.
        weights: NONE: its new weights. IMAGENET: those of VGG16's convolutions, which Keras downloads once. Or the path
            of an `.h5` file with these, or of a `.keras` file or model folder of the same network.
        spec: what the network predicts.
        build: returns a network like `model` in float32, with new weights, for any number of output points.
        faces: some training faces, to compare predictions.

    Raises:
        InputError: the weights cannot be loaded, or no layer fits the network.
    """
    if weights == IMAGENET:
        load_convolutions(model)
    elif weights.endswith(".h5"):
        load_convolutions(model, Path(weights))
    elif weights != NONE:
        return start_from_trained(model, load_model(Path(weights)), spec, build, faces)
    return model


def start_from_trained(
    model: keras.Model, trained: LoadedModel, spec: ModelSpec, build: Callable[[int], keras.Model], faces: Targets
) -> keras.Model:
    """Returns a new network with the weights of a trained one and the calibration of its expected error.

    Output points get the weights of the output point of the same keypoint and label source, in any order and number.
    A bare `.keras` file with the same number of output points is assumed to have the same ones. An output point
    that the trained network lacks starts from the trained one whose predictions are nearest to its labels, which few
    faces can move; layers of another shape keep their new weights. Both are printed.

    Raises:
        InputError: no layer fits.
    """
    ours = spec.point_names
    theirs = trained.spec.point_names if trained.spec else bare_points(trained.model, ours)
    pairs = [(index, theirs.index(point)) for index, point in enumerate(ours) if point in theirs]
    try:
        rest = take_over(model, trained.model, pairs, len(theirs), build, faces)
    except InputError as error:
        raise InputError(
            f"{trained.path}: has other output points; to find the weights of each, the network must be "
            f"built for other numbers of output points, but {error}"
        ) from None
    if rest is None:
        raise InputError(
            f"{trained.path}: has no weights that fit {model.name}; give a .keras file or a model folder of this "
            "network"
        )
    if rest.misfits:
        print(f"{trained.path}: does not fit {listed(rest.misfits)} of {model.name}, which start untrained")
    new = {name_of(point, (*ours, *theirs)): n in rest.nearest for n, point in enumerate(ours) if point not in theirs}
    if rest.unmatched:
        names = listed(rest.unmatched)
        print(f"{trained.path}: {names} of {model.name} start untrained: their weights cannot be assigned to keypoints")
    else:
        lacks = f"{trained.path}: {'does not predict' if trained.spec else 'has no manifest, and does not name'}"
        if from_nearest := [name for name, near in new.items() if near]:
            print(f"{lacks} {listed(from_nearest)}; each starts from the nearest keypoint")
        if untrained := [name for name, near in new.items() if not near]:
            print(f"{lacks} {listed(untrained)}, which start untrained")
    calibration = calibration_of(trained.model) if predicts_error(model) else None
    if calibration is None:
        return model
    if not SMALLEST_SCALE <= calibration[1] <= LARGEST_SCALE:
        print(f"{trained.path}: its expected error needed a large correction after training, and starts without it")
        return model
    return with_calibration(model, *calibration)


def bare_points(model: keras.Model, points: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Returns the assumed output points of a bare file: those of the new network if it has as many, else numbers."""
    shape = shape_of(model, "output_shape")
    count = shape[1] if isinstance(shape, tuple) and len(shape) == 3 and shape[1] else len(points)
    return list(points) if count == len(points) else [("", str(number)) for number in range(count)]


def name_of(point: tuple[str, str], points: Sequence[tuple[str, str]]) -> str:
    """Returns the name of an output point, with its label source if a keypoint of `points` has several."""
    keypoint, label_source = point
    several = len({source for name, source in points if name == keypoint}) > 1
    return f"{keypoint} (label source {label_source})" if several else keypoint

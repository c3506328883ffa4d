"""Loads trained networks from model folders or bare `.keras` files, and predicts with them."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from common.backend import check_device
from common.stage import Stage, read_manifest
from facial_keypoints.array_types import Float32, UInt8
from facial_keypoints.codec import WITH_ERROR, OutputPoints, output_points
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import KeypointSet, difference
from facial_keypoints.pretrained import KERAS_FILE
from facial_keypoints.spec import ModelSpec, from_json
from models.networks import is_file, load_build, reason, shape_of, shape_text

if TYPE_CHECKING:
    import keras

PREDICTION_BATCH = 64  # faces; for this many a deep network needs a few gigabytes at 224 px
TRAIN = Stage("train", "training.train", "NETWORK --out DIR")
TRAIN_AGAIN = f"train it again with `{TRAIN.command}`"
WHOLE_FILE = "give a whole .keras file of Keras' own layers, or the model folder that training wrote"


@dataclass(frozen=True)
class LoadedModel:
    """A trained network.

    Attributes:
        model: the network.
        spec: what it predicts; None for a bare file.
        manifest: that of its model folder; None for a bare file.
        path: the model folder or the bare file.
    """

    model: "keras.Model"
    spec: ModelSpec | None
    manifest: dict[str, Any] | None
    path: Path

    @property
    def file(self) -> Path:
        """The `.keras` file."""
        return self.path / KERAS_FILE if self.manifest is not None else self.path

    def output_points(self, keypoint_set: KeypointSet) -> OutputPoints:
        """Returns its output points; for a bare file, the keypoints of the set."""
        return self.spec.output_points if self.spec else output_points(keypoint_set)


def load_model(path: Path) -> LoadedModel:
    """Returns a trained network.

    Args:
        path: a model folder that training wrote, or a bare `.keras` file from anywhere.

    Raises:
        InputError: the network is missing or damaged, or its manifest does not describe it.
    """
    if path.is_file():
        return LoadedModel(_load_keras(path, WHOLE_FILE), None, None, path)
    if path.suffix == ".keras":
        raise InputError(f"{path}: no such file; give a model folder or a .keras file")
    manifest = read_manifest(path, TRAIN)
    spec = from_json(manifest.get("model"), f"{path}/manifest.json")
    model = _load_keras(path / KERAS_FILE, TRAIN_AGAIN, str(manifest["parameters"].get("network", "")))
    expected_output = (None, len(spec.output_points), WITH_ERROR if spec.expected_error else 2)
    if (shape_of(model, "input_shape"), shape_of(model, "output_shape")) != ((None, *spec.crop.shape), expected_output):
        raise InputError(f"{path}: {KERAS_FILE} is not the network that its manifest describes; {TRAIN_AGAIN}")
    return LoadedModel(model, spec, manifest, path)


def _load_keras(path: Path, fix: str, network: str = "") -> "keras.Model":
    """Returns the network of a `.keras` file; runs the user's file first if the network needs layers from it.

    Raises:
        InputError: it cannot be loaded; the message ends with `fix`.
    """
    import keras

    check_device()
    try:
        try:
            return keras.saving.load_model(path, compile=False)
        except Exception:
            if not is_file(network):
                raise
            load_build(network)
            return keras.saving.load_model(path, compile=False)
    except InputError as error:
        raise InputError(f"{path}: has layers of the user's file {network}, but {error}") from None
    except Exception as error:  # a damaged file raises errors of zip, JSON, HDF5 or Keras
        raise InputError(f"{path}: cannot be loaded ({reason(error)}); {fix}") from None


def predict(loaded: LoadedModel, images: UInt8, keypoint_set: KeypointSet) -> Float32:
    """Returns the predictions of a network: float32 (N, M, 2), or (N, M, 3) with the expected error.

    For a bare file, M is K, and an output of 2K numbers per face is read as x, y, x, y, ...

    Args:
        images: uint8 (N, H, W, C); gray ones are converted for a network of color images.
        keypoint_set: the K keypoints of the data.

    Raises:
        InputError: the network takes other images or predicts other keypoints, or its output is not valid.
    """
    model, count = loaded.model, len(loaded.output_points(keypoint_set))
    if loaded.spec and (mismatch := difference(loaded.spec.keypoint_set, keypoint_set)):
        raise InputError(
            f"{loaded.path}: predicts {loaded.spec.keypoint_set.name}, the data has {keypoint_set.name} ({mismatch}); "
            "train a model on this data"
        )
    output_shape = shape_of(model, "output_shape")
    if output_shape not in [(None, count, 2), (None, count, WITH_ERROR), (None, 2 * count)]:
        raise InputError(
            f"{loaded.path}: gives {shape_text(output_shape)}, the data has {count} keypoints ({keypoint_set.name}) of "
            "x and y; train a model on this data, or give the model folder if the file is from one"
        )
    input_shape = shape_of(model, "input_shape")
    if images.shape[-1] == 1 and isinstance(input_shape, tuple) and input_shape[-1] == 3:
        images = np.repeat(images, 3, axis=-1)  # the channels of a gray image are equal
    if not _accepts(input_shape, images.shape):
        raise InputError(
            f"{loaded.path}: takes images of {shape_text(input_shape)}, the data has {shape_text(images.shape)}; train "
            "a model on this data"
        )
    output = np.asarray(model.predict(images, batch_size=PREDICTION_BATCH, verbose=0), np.float32)
    output = output.reshape(len(images), count, -1)
    if not np.isfinite(output).all():
        raise InputError(f"{loaded.path}: predicts values that are not finite; {TRAIN_AGAIN}")
    if output.shape[-1] == WITH_ERROR and not (output[..., 2] > 0).all():
        raise InputError(f"{loaded.path}: predicts an expected error that is not above 0; {TRAIN_AGAIN}")
    return output


def _accepts(input_shape: Any, shape: tuple[int, ...]) -> bool:
    """Returns whether a network with this `input_shape` takes images of this shape."""
    same_rank = isinstance(input_shape, tuple) and len(input_shape) == len(shape)
    return same_rank and all(side in (None, actual) for side, actual in zip(input_shape[1:], shape[1:], strict=True))


def notes(loaded: LoadedModel) -> list[str]:
    """Returns what is unknown about a network without a model folder, one line each."""
    if loaded.manifest is not None:
        return []
    return [
        f"{loaded.path} has no manifest of this project. Unknown are:",
        "the faces it was trained on; they may be among these test faces",
        "the order and the unit of its output; assumed to be x and y in px, in the order of the data's columns",
        "its input values; assumed to be 0 to 255",
        "its label sources; its output is used for all of them",
    ]

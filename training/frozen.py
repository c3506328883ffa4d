"""Runs the frozen layers of a network once, before training, instead of in every epoch (`--cache-frozen`)."""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
from tqdm import tqdm

from facial_keypoints.array_types import Float32, UInt8
from facial_keypoints.errors import InputError
from training import distribution
from training.inputs import TrainingData
from training.recipes import Recipe

OPTION = "--cache-frozen"
COMPARED_FACES = 2  # the fewest on which batch normalization in training differs from inference
TOLERANCE = 1e-3  # relative; a GPU can add in another order


def split(model: keras.Model, recipe: Recipe, images: UInt8) -> tuple[keras.Model, keras.Model]:
    """Returns the frozen layers of a network and its head, which takes their features; they share its weights.

    The head begins after the last tensor that lies on all paths from images to keypoints and before which nothing is
    trained or random.

    Args:
        model: the network with its initial weights.
        recipe: how it is trained.
        images: of training, uint8 (N, H, W, C).

    Raises:
        InputError: the features of a face change with each epoch, the network has no such layers, or training uses
            several devices.
    """
    for option, value, neutral in (("--augment", recipe.augment, "none"), ("--crop-px", recipe.crop_px, 0)):
        if value != neutral:
            raise InputError(f"{OPTION}: {option} {value} changes the images in every epoch; use {option} {neutral}")
    if distribution.shard().all_devices > 1:
        raise InputError(f"{OPTION}: trains on one device of one process only; omit it")
    for tensor in reversed(list(tensors(model))):
        try:
            frozen = keras.Model(model.inputs[0], tensor, name="frozen")
            if frozen.weights and not frozen.trainable_variables and is_constant(frozen, images[:COMPARED_FACES]):
                head = keras.Model(tensor, model.outputs[0], name="head")
                if head.trainable_variables:
                    return frozen, head
        except ValueError:  # of Keras: other paths lead past this tensor, or it is inside a nested model
            continue
    raise InputError(f"{OPTION}: the network has no frozen layers, free of dropout, before the trained ones; omit it")


def tensors(model: keras.Model) -> Iterator[keras.KerasTensor]:
    """Yields the inputs and outputs of a network's layers, from images to keypoints; none for a subclassed model."""
    for layer in model.layers:
        try:
            yield from keras.tree.flatten([layer.input, layer.output])
        except AttributeError:  # it was called by code, not in a graph
            continue


def is_constant(frozen: keras.Model, images: UInt8) -> bool:
    """Returns whether layers have the same output in training as in inference, and keep their state.

    Dropout, and batch normalization that is not frozen, do not. The check does not change their state.
    """
    before = [variable.value for variable in frozen.non_trainable_variables]
    in_training, after = frozen.stateless_call([], before, images, training=True)
    output, expected, *states = (keras.ops.convert_to_numpy(x) for x in (in_training, frozen(images), *before, *after))
    unchanged = all(np.array_equal(*pair) for pair in zip(states[: len(before)], states[len(before) :], strict=True))
    return unchanged and np.allclose(output, expected, rtol=TOLERANCE, atol=TOLERANCE * np.abs(expected).mean())


def with_features(data: TrainingData, frozen: keras.Model, batch_size: int, folder: Path) -> TrainingData:
    """Returns the data with the features of frozen layers instead of the images, and prints their size.

    Args:
        data: of the training run.
        frozen: from `split`.
        batch_size: number of faces computed at once.
        folder: for temporary files.
    """
    faces, shape = len(data.train.images) + len(data.val.images), frozen.output_shape[1:]
    megabytes = faces * np.prod(shape) * np.dtype(np.float32).itemsize / 1e6
    print(
        f"runs the frozen layers up to {frozen.layers[-1].name} once on {faces:,} faces: "
        f"{' x '.join(map(str, shape))} features each, {megabytes:,.0f} MB on disk",
        flush=True,
    )
    splits = (data.train, data.val)
    train, val = (targets._replace(images=features(frozen, targets.images, batch_size, folder)) for targets in splits)
    return replace(data, train=train, val=val)


def features(frozen: keras.Model, images: UInt8, batch_size: int, folder: Path) -> Float32:
    """Returns the features of images (N, H, W, C): float32 (N, ...), mapped from a temporary file.

    The file has no name on most systems and is deleted with the last reference, also if the process is killed.
    """
    with tempfile.TemporaryFile(dir=folder) as file:
        for start in tqdm(range(0, len(images), batch_size), "frozen layers", unit="batch", leave=False, disable=None):
            batch = keras.ops.convert_to_numpy(frozen.predict_on_batch(images[start : start + batch_size]))
            file.write(batch.astype(np.float32).tobytes())
        return np.memmap(file, np.float32, "r", shape=(len(images), *frozen.output_shape[1:]))

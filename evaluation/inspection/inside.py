"""Reads convolutions, kernels and feature maps from a network.

Needs a started backend (`common.backend`). Works for any Keras model, also nested ones and subclasses.
"""

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
import numpy as np

from facial_keypoints.array_types import Float32, UInt8

CONVOLUTIONS = (
    keras.layers.Conv2D,
    keras.layers.Conv2DTranspose,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
)
RESIZING = (keras.layers.MaxPooling2D, keras.layers.AveragePooling2D, keras.layers.UpSampling2D)


class Step(NamedTuple):
    """One call of a layer or operation: its first input and its output, arrays of the backend."""

    operation: Any
    input: Any
    output: Any


class Convolution(NamedTuple):
    """One convolution of a network.

    Attributes:
        name: of the layer.
        kernels: float32 (h, w, C, F), F filters of C input channels.
    """

    name: str
    kernels: Float32


class Stage(NamedTuple):
    """The last feature maps of a resolution.

    Attributes:
        layer: the name of the layer.
        maps: float32 (h, w, F).
        reduction: the ratio of the image side to theirs, as the nearest power of two.
    """

    layer: str
    maps: Float32
    reduction: int


def steps(model: keras.Model, images: UInt8) -> list[Step]:
    """Returns the calls of all layers and operations for images (N, H, W, C), in order of computation."""
    recorded: list[Step] = []
    with contextlib.ExitStack() as stack:
        for operation in {id(each): each for each in _operations(model)}.values():
            stack.enter_context(_recorded(operation, recorded))
        model(images.astype(np.float32), training=False)
    return recorded


def _operations(layer: Any) -> Iterator[Any]:
    """Yields all layers and operations in a layer, but not nested models, which only call their layers."""
    if hasattr(layer, "operations"):  # a functional model has operations besides its layers
        inner = layer.operations
    else:
        inner = layer._flatten_layers(include_self=False, recursive=False) if hasattr(layer, "_flatten_layers") else ()
    for operation in inner:
        if not isinstance(operation, keras.Model):
            yield operation
        yield from _operations(operation)


@contextlib.contextmanager
def _recorded(operation: Any, recorded: list[Step]) -> Iterator[None]:
    """Records the inputs and outputs of an operation during the block."""
    call = operation.call

    def record_call(*inputs: Any, **options: Any) -> Any:
        output = call(*inputs, **options)
        recorded.append(Step(operation, inputs[0] if inputs else None, output))
        return output

    vars(operation)["call"] = record_call  # overrides the method of its class
    try:
        yield
    finally:
        del vars(operation)["call"]


def convolutions(recorded: list[Step]) -> list[Convolution]:
    """Returns the convolutions among steps, in order of computation, each once."""
    layers = {id(step.operation): step.operation for step in recorded if isinstance(step.operation, CONVOLUTIONS)}
    return [Convolution(layer.name, kernels(layer)) for layer in layers.values()]


def kernels(layer: keras.layers.Layer) -> Float32:
    """Returns the kernels of a convolution, float32 (h, w, C, F); see `Convolution`."""

    def array(variable: Any) -> Float32:
        return np.asarray(keras.ops.convert_to_numpy(variable), np.float32)

    if isinstance(layer, keras.layers.SeparableConv2D):  # one kernel per channel, then a mixture of channels
        depthwise, mixture = array(layer.depthwise_kernel), array(layer.pointwise_kernel)[0, 0]
        of_channel = mixture.reshape(*depthwise.shape[2:], -1)
        return np.einsum("hwcm,cmf->hwcf", depthwise, of_channel)
    kernel = array(layer.kernel)
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        return kernel.reshape(*kernel.shape[:2], 1, -1)
    return kernel.swapaxes(2, 3) if isinstance(layer, keras.layers.Conv2DTranspose) else kernel


def color_order(model: keras.Model, shape: tuple[int, int, int]) -> tuple[int, ...] | None:
    """Returns the input channels of the first convolution that are red, green and blue.

    None if a channel mixes colors: networks can reorder, scale or mix channels.

    Args:
        shape: (H, W, C) of the pictures.
    """
    if shape[2] != 3:
        return None
    probes = np.zeros((4, *shape), np.uint8)  # red, green, blue, black
    for channel in range(3):
        probes[channel, ..., channel] = 255
    first = next((step for step in steps(model, probes) if isinstance(step.operation, CONVOLUTIONS)), None)
    if first is None:
        return None
    means = np.asarray(keras.ops.convert_to_numpy(first.input), np.float32).mean(axis=(1, 2))
    rises = means[:3] - means[3]  # of each channel (second axis) for each color
    order = rises.argmax(axis=1)
    unmixed = np.zeros_like(rises)
    unmixed[np.arange(3), order] = rises.max(axis=1)
    is_order = rises.shape == (3, 3) and set(order.tolist()) == {0, 1, 2} and (rises.max(axis=1) > 0).all()
    return tuple(order.tolist()) if is_order and np.allclose(rises, unmixed, atol=1e-3 * rises.max()) else None


def stages(recorded: list[Step], shape: tuple[int, int, int]) -> list[Stage]:
    """Returns the stages of a network for the first image.

    Feature maps are the outputs of convolutions, and of later operations of the same size; sizes that differ by the
    border of an unpadded convolution count as one resolution. Each resolution on the way down to the coarsest is a
    stage, and so is each on the way up.

    Args:
        shape: (H, W, C) of the images.
    """
    first = next((i for i, step in enumerate(recorded) if isinstance(step.operation, CONVOLUTIONS)), len(recorded))
    maps = [(step, size) for step in recorded[first:] if (size := _map_size(step.output))]
    sizes = {size for step, size in maps if isinstance(step.operation, CONVOLUTIONS + RESIZING)}
    maps = [(step, size) for step, size in maps if size in sizes]
    octaves = [max(0, round(np.log2(shape[0] * shape[1] / (h * w)) / 2)) for _, (h, w) in maps]
    return [_stage(maps[i][0], 2 ** octaves[i]) for i in _last_of_each(octaves)]


def _last_of_each(octaves: list[int]) -> list[int]:
    """Returns the last index of each octave on the way up to the highest, and again on the way down from it."""
    if not octaves:
        return []
    peak = max(i for i, octave in enumerate(octaves) if octave == max(octaves))
    ends = {peak}
    for octave in set(octaves) - {max(octaves)}:
        higher = next(i for i, other in enumerate(octaves) if other > octave)
        ends.update([i for i in range(higher) if octaves[i] == octave][-1:])
        ends.update([i for i in range(peak + 1, len(octaves)) if octaves[i] == octave][-1:])
    return sorted(ends)


def _stage(step: Step, reduction: int) -> Stage:
    maps = keras.ops.convert_to_numpy(keras.ops.cast(step.output[0], "float32"))
    return Stage(step.operation.name, np.asarray(maps, np.float32), reduction)


def _map_size(output: Any) -> tuple[int, int] | None:
    """Returns the height and width of feature maps (N, h, w, F) with more than one cell; None for other arrays."""
    shape = tuple(getattr(output, "shape", ()))
    return (int(shape[1]), int(shape[2])) if len(shape) == 4 and shape[1] * shape[2] > 1 else None

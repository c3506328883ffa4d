"""Gives a network the weights of a trained one, output point by output point.

The network itself shows which weights belong to an output point: if it is built for one output point more, some of its
arrays are longer, or it has more layers of one kind. N images, M output points, M' of the trained network.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import product
from typing import Any, NamedTuple

import keras
import numpy as np

from facial_keypoints.array_types import Float32, UInt8
from models.networks import shape_of
from training.targets import Targets

MAX_DIFFERENCE_PX = 1e-3  # between the predictions of two networks for the same output point

Key = tuple[str, int]  # of a layer: its name, and the number of earlier layers of that name
Kind = tuple[str, tuple[tuple[int, ...], ...]]  # of layers: the name without numbers, and the shapes of the weights
Pairs = Sequence[tuple[int, int]]  # the same output point: its index in the new network and in the trained one


class Leftovers(NamedTuple):
    """Layers and output points that the pairs of output points do not cover.

    Attributes:
        misfits: layers that keep their new weights: the trained network has none of this name and shape.
        unmatched: layers that keep their new weights: it is unknown which belong to which output point.
        nearest: the indexes of output points without a pair that start from the nearest one.
    """

    misfits: list[str]
    unmatched: list[str]
    nearest: list[int]


class Layout(NamedTuple):
    """A possible order of the weights of output points along an axis.

    Attributes:
        by_point: all weights of a point together; otherwise one weight of each point, then the next of each, ...
        others_last: weights that belong to no output point come last, otherwise first.
    """

    by_point: bool
    others_last: bool

    def indexes(self, points: Sequence[int], count: int, size: int, step: int) -> list[int]:
        """Returns the indexes of the weights of some output points, followed by those that belong to none.

        Args:
            points: indexes below `count`.
            count: of all output points.
            size: of the axis.
            step: how many weights along the axis belong to each point.
        """
        others = size - step * count
        first = 0 if self.others_last else others
        next_point, next_weight = (step, 1) if self.by_point else (1, count)
        of_points = [first + point * next_point + n * next_weight for point in points for n in range(step)]
        return of_points + [*(range(size - others, size) if self.others_last else range(others))]


LAYOUTS = [Layout(*choices) for choices in product((True, False), repeat=2)]


def take_over(
    model: keras.Model,
    trained: keras.Model,
    pairs: Pairs,
    trained_points: int,
    build: Callable[[int], keras.Model],
    faces: Targets,
) -> Leftovers | None:
    """Gives a new network the weights of a trained one; returns the leftovers, or None if nothing fits.

    The trained weights go into a network for the images of `model` and the output points of `trained`, and from there
    to `model`. Those of output points are kept only if both networks then predict the same. An output point without
    a pair gets the weights of the trained one whose predictions lie nearest to its labels, so that few faces are enough
    to move it.

    Args:
        model: the new network, of M output points.
        trained: one of the same kind, perhaps for other images or with other options.
        pairs: the output points that both have.
        trained_points: M'.
        build: returns a network like `model` in float32, with new weights, for any number of output points.
        faces: some of its training faces.
    """
    points = model.output_shape[1]
    source, target = build(trained_points), build(points)
    constant = constants(source, target) if shape_of(trained, "input_shape") != model.input_shape else set()
    target.set_weights(model.get_weights())
    copy(target, source)
    copied = copy(trained, source, without=constant)
    if not copied:
        return None
    misfits = [key for key in layers_of(source) if key not in copied | constant]
    unmatched: list[Key] = []
    added: list[tuple[int, int]] = []
    if (trained_points, [*pairs]) == (points, [(point, point) for point in range(points)]):
        copy(source, target)
    else:
        paired, predicted = {index for index, _ in pairs}, predictions(source, faces.images)
        added = [(index, of) for index, of in nearest(predicted, faces).items() if index not in paired]
        unmatched = move(source, target, build(points + 1), [*pairs, *added], faces.images, predicted)
    model.set_weights(target.get_weights())
    names = {key: layer.name for key, layer in layers_of(model).items()}
    return Leftovers(
        [names[key] for key in misfits if key in names],
        [names[key] for key in unmatched],
        [index for index, _ in added],
    )


def move(
    source: keras.Model, target: keras.Model, grown: keras.Model, pairs: Pairs, images: UInt8, predicted: Float32
) -> list[Key]:
    """Gives `target` all weights of `source`, except those of output points without a pair.

    Args:
        source, target, grown: one network for M', M and M + 1 output points.
        pairs: output points of `target` and `source` that must predict the same.
        images: uint8 (N, H, W, C).
        predicted: (N, M', 2 or 3), what `source` predicts for them.

    Returns:
        The layers that depend on M and keep their weights, because no layout makes both networks predict the same.
    """
    slots = slots_of_points(source, target, grown)
    of_points = {id(layer) for slot in slots for layer in slot.ours}
    depending = [key for key, layer in layers_of(target).items() if id(layer) in of_points]
    copy(source, target, without=depending)
    counts = target.output_shape[1], source.output_shape[1]
    if not all(slot.fits(counts) for slot in slots):
        return depending
    ours, theirs = ([pair[side] for pair in pairs] for side in (0, 1))
    before, expected = target.get_weights(), predicted[:, theirs]
    for layout in LAYOUTS:
        for slot in slots:
            slot.move((ours, theirs), counts, layout)
        if np.allclose(predictions(target, images)[:, ours], expected, rtol=0, atol=MAX_DIFFERENCE_PX):
            return []
        target.set_weights(before)
    return depending


class Slot(NamedTuple):
    """A layer whose weights depend on M, or all the layers of one kind, whose number grows with the output points.

    Attributes:
        ours, theirs: the layers of the networks for M and M' output points.
        steps: for each array, by how much each of its axes is longer with one output point more. The arrays of several
            layers are stacked along a first axis.
    """

    ours: list[Any]
    theirs: list[Any]
    steps: list[tuple[int, ...]]

    def fits(self, counts: tuple[int, int]) -> bool:
        """Returns whether the steps explain the length of each axis for M and M' output points (`counts`)."""
        remainders = []
        for layers, count in zip((self.ours, self.theirs), counts, strict=True):
            arrays = stacked(layers)
            if [array.ndim for array in arrays] != [len(step) for step in self.steps]:
                return False
            of_points = [np.multiply(step, count) for step in self.steps]
            remainders.append([np.subtract(a.shape, size).tolist() for a, size in zip(arrays, of_points, strict=True)])
        return remainders[0] == remainders[1] and all(size >= 0 for remainder in remainders[0] for size in remainder)

    def move(self, points: tuple[list[int], list[int]], counts: tuple[int, int], layout: Layout) -> None:
        """Gives our layers the weights of theirs that belong to some output points or to none."""
        arrays = []
        for our_array, their_array, steps in zip(stacked(self.ours), stacked(self.theirs), self.steps, strict=True):
            to, origin = (
                np.ix_(*(layout.indexes(points[side], counts[side], *axis) for axis in zip(shape, steps, strict=True)))
                for side, shape in enumerate((our_array.shape, their_array.shape))
            )
            our_array[to] = their_array[origin]
            arrays.append(our_array)
        for number, layer in enumerate(self.ours):
            layer.set_weights([array[number] for array in arrays])


def slots_of_points(source: keras.Model, target: keras.Model, grown: keras.Model) -> list[Slot]:
    """Returns the layers that depend on the number of output points; the networks are for M', M and M + 1."""
    layers_now, layers_grown = layers_of(target), layers_of(grown)
    repeated = {kind_of(key, layer) for key, layer in layers_grown.items() if key not in layers_now}
    theirs, ours, more = (grouped(network, repeated) for network in (source, target, grown))
    slots = []
    for name, layers in ours.items():
        before, after = stacked(layers), stacked(more.get(name, []))
        same = [array.ndim for array in before] == [array.ndim for array in after]
        steps = (
            [tuple(np.subtract(b.shape, a.shape).tolist()) for a, b in zip(before, after, strict=True)] if same else []
        )
        if not same or any(map(any, steps)):
            slots.append(Slot(layers, theirs.get(name, []), steps))
    return slots


def grouped(network: keras.Model, repeated: Collection[Kind]) -> dict[Key | Kind, list[Any]]:
    """Returns the layers that have weights: one by one, or together if their kind is in `repeated`."""
    groups = defaultdict(list)
    for key, layer in layers_of(network).items():
        kind = kind_of(key, layer)
        groups[kind if kind in repeated else key].append(layer)
    return groups


def stacked(layers: Sequence[Any]) -> list[Float32]:
    """Returns the arrays of several layers of the same shapes, stacked along a new first axis."""
    return [np.stack(arrays) for arrays in zip(*(layer.get_weights() for layer in layers), strict=True)]


def copy(source: keras.Model, target: keras.Model, without: Collection[Key] = ()) -> set[Key]:
    """Gives the layers of `target` the weights of layers of the same name and shape; returns the changed ones."""
    sources, changed = layers_of(source), set()
    for key, layer in layers_of(target).items():
        if key in sources and key not in without and shapes(sources[key]) == shapes(layer):
            layer.set_weights(sources[key].get_weights())
            changed.add(key)
    return changed


def constants(one: keras.Model, other: keras.Model) -> set[Key]:
    """Returns the layers with constant weights: never trained, equal in two new networks, and not all one value.

    They follow from the size of the images, like the positions of a grid.
    """
    others = layers_of(other)
    return {
        key
        for key, layer in layers_of(one).items()
        if key in others
        and not layer.trainable_weights
        and any(array.min() < array.max() for array in layer.get_weights())
        and shapes(layer) == shapes(others[key])
        and all(np.array_equal(*arrays) for arrays in zip(layer.get_weights(), others[key].get_weights(), strict=True))
    }


def nearest(predicted: Float32, faces: Targets) -> dict[int, int]:
    """Returns for each labelled output point the predicted one that lies nearest to its labels on average.

    Args:
        predicted: float32 (N, M', 2 or 3) in px.
        faces: N faces with the labels of M output points.
    """
    indexes = {}
    for index, (labels, weights) in enumerate(zip(faces.points.swapaxes(0, 1), faces.weights.T, strict=True)):
        if (labelled := weights > 0).any():
            distances = np.linalg.norm(predicted[labelled, :, :2] - labels[labelled, None], axis=-1)  # (n, M')
            indexes[index] = int(distances.mean(axis=0).argmin())
    return indexes


def layers_of(network: keras.Model) -> dict[Key, Any]:
    """Returns the layers that have weights, including those of nested networks.

    Keras names an unnamed layer after its class, with a number that grows with each one made in the process. Here such
    a name loses its number, and layers of one name are counted from 0 in each network.
    """
    layers: dict[Key, Any] = {}
    counts: Counter[str] = Counter()
    for layer in _inner(network):
        name, number = re.fullmatch(r"(.+?)(_\d+)?", layer.name).groups()  # type: ignore[union-attr]
        if name.replace("_", "") != type(layer).__name__.replace("_", "").lower():
            name += number or ""
        layers[name, counts[name]] = layer
        counts[name] += 1
    return layers


def _inner(layer: Any) -> Iterator[Any]:
    inside = getattr(layer, "layers", [])
    if inside and sum(len(one.weights) for one in inside) == len(layer.weights):
        for one in inside:
            yield from _inner(one)
    elif layer.weights:
        yield layer


def kind_of(key: Key, layer: Any) -> Kind:
    """Returns the kind of a layer, equal for layers that a network repeats for each output point."""
    return re.sub(r"\d+", "#", key[0]), shapes(layer)


def shapes(layer: Any) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(array.shape) for array in layer.get_weights())


def predictions(network: keras.Model, images: UInt8) -> Float32:
    """Returns the predictions of a network, (N, M, 2 or 3)."""
    return keras.ops.convert_to_numpy(network(images, training=False))

"""Encodes labels as training targets, and decodes a network's output to keypoints.

A network predicts M output points: the K keypoints as the set's first label source defines them, then the keypoints
that other label sources define differently (`LabelSource.own`). N faces, K keypoints, M output points, S label sources.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from facial_keypoints.array_types import Bool, Float32, Float64, Int64
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import KeypointSet

UNKNOWN_LABEL_SOURCE = -1  # of a face; treated like label source 0
WITH_ERROR = 3  # length of the last axis of an output with x, y and the expected error


@dataclass(frozen=True)
class OutputPoints:
    """Which of a network's M output points belongs to each label source and keypoint.

    Attributes:
        of_label_source: S rows of K indexes below M. The first row counts from 0 to K - 1, as does the row of a label
            source without output points of its own.
        mirror: mirror[m] is the output point whose position output point m takes in a mirrored picture;
            None if the keypoint set has no mirror pairs.
    """

    of_label_source: tuple[tuple[int, ...], ...]
    mirror: tuple[int, ...] | None

    def __len__(self) -> int:
        return 1 + max(map(max, self.of_label_source))

    def of_faces(self, label_sources: Int64) -> Int64:
        """Returns the output point of each face's keypoints, int64 (N, K), from its label source, int64 (N,)."""
        return np.array(self.of_label_source, np.int64)[np.maximum(label_sources, 0)]


class Keypoints(NamedTuple):
    """A network's prediction for N faces.

    Attributes:
        coordinates: float32 (N, K, 2) in px.
        expected_error: float32 (N, K), the expected absolute error of x and of y, in px; None if not predicted.
    """

    coordinates: Float32
    expected_error: Float32 | None = None


def output_points(keypoint_set: KeypointSet, label_sources: Collection[int] = (0,)) -> OutputPoints:
    """Returns the output points of a network that distinguishes these label sources and label source 0."""
    count = len(keypoint_set)
    rows = [tuple(range(count))] * len(keypoint_set.label_sources)
    points = [(0, keypoint) for keypoint in range(count)]  # the label source and the keypoint of each output point
    for number, label_source in enumerate(keypoint_set.label_sources):
        if number in label_sources and label_source.own:
            own = {keypoint: len(points) + i for i, keypoint in enumerate(label_source.own)}
            rows[number] = tuple(own.get(keypoint, keypoint) for keypoint in range(count))
            points += [(number, keypoint) for keypoint in label_source.own]
    mirror = keypoint_set.mirror
    return OutputPoints(tuple(rows), mirror and tuple(rows[number][mirror[keypoint]] for number, keypoint in points))


def encode(keypoints: Float32, labelled: Bool, label_sources: Int64, points: OutputPoints) -> tuple[Float32, Bool]:
    """Returns training targets, float32 (N, M, 2) in px, 0 without a label, and which have a label, bool (N, M).

    Args:
        keypoints: float32 (N, K, 2) in px, finite where labelled.
        labelled: bool (N, K).
        label_sources: int64 (N,), the label source of each face.
        points: the network's output points.
    """
    indexes = points.of_faces(label_sources)
    targets = np.zeros((len(keypoints), len(points), 2), np.float32)
    has_label = np.zeros((len(keypoints), len(points)), bool)
    np.put_along_axis(targets, indexes[..., None], np.where(labelled[..., None], keypoints, 0), axis=1)
    np.put_along_axis(has_label, indexes, labelled, axis=1)
    return targets, has_label


def decode(output: Float32, label_sources: Int64, points: OutputPoints) -> Keypoints:
    """Returns the keypoints as each face's label source defines them.

    Args:
        output: float32 (N, M, 2), or (N, M, 3) with the expected error.
        label_sources: int64 (N,), the label source of each face.
        points: the network's output points.
    """
    selected = np.take_along_axis(output, points.of_faces(label_sources)[..., None], axis=1)
    return Keypoints(selected[..., :2], selected[..., 2] if output.shape[-1] == WITH_ERROR else None)


def mean_output(outputs: Float32 | Float64) -> Float64:
    """Returns the mean (..., 2 or 3) of several outputs for the same faces, (V, ..., 2 or 3).

    With expected errors, each point has the weight 1 / expected error^2, as for independent measurements. Networks and
    views make similar errors, so the expected error of the mean is the mean of theirs with the same weights.
    """
    if outputs.shape[-1] < WITH_ERROR:
        return np.mean(outputs, axis=0, dtype=np.float64)
    weights = 1 / outputs[..., 2:].astype(np.float64) ** 2
    return np.sum(weights * outputs, axis=0) / np.sum(weights, axis=0)


def flipped_back(output: Float32, width_px: int, points: OutputPoints) -> Float32:
    """Returns the output for the original images, (N, M, 2 or 3), from the output for mirrored ones.

    Raises:
        InputError: the keypoint set has no mirror pairs.
    """
    if points.mirror is None:
        raise InputError("the keypoint set has no mirror pairs: give them in keypoints.toml, or do not mirror faces")
    back = output[:, list(points.mirror)]
    back[..., 0] = width_px - 1 - back[..., 0]
    return back

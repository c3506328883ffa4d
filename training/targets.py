"""Training targets: the coordinates and weights of output points. N faces, K keypoints, M output points."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from data_prep.faces import Split
from data_prep.grouping import duplicate_groups
from facial_keypoints.array_types import Bool, Float32, Int64
from facial_keypoints.codec import OutputPoints, encode
from facial_keypoints.keypoint_set import KeypointSet


class Targets(NamedTuple):
    """Images uint8 (N, H, W, C), coordinates float32 (N, M, 2) in px, finite, and weights float32 (N, M).

    With `--cache-frozen`, features of the images, float32 (N, ...), replace them.

    `may_flip`, bool (N,): whether a face may be mirrored. `groups`, int64 (N,): equal for faces of one person or photo.
    """

    images: NDArray[Any]
    points: Float32
    weights: Float32
    may_flip: Bool
    groups: Int64


def targets(split: Split, labels: str, output_points: OutputPoints, keypoint_set: KeypointSet) -> Targets:
    """Returns the targets of the faces of a split.

    Args:
        labels: a value of `training.recipes.LABELS`.
        output_points: of the network.
        keypoint_set: with `by_source`, faces of a label source with a horizontal bias are not mirrored, because that
            would reverse the bias.
    """
    counts = np.ones_like(split.labelled) if labels == "imputed" else split.labelled
    points, weights = encode(split.keypoints, counts, split.label_sources, output_points)
    may_flip = ~np.isin(split.label_sources, keypoint_set.biased_label_sources if labels == "by_source" else [])
    return Targets(split.images, points, weights.astype(np.float32), may_flip, split.groups)


def concatenated(arrays: Sequence[Any]) -> Any:
    """Concatenates arrays; returns a single one as it is, because images can be mapped from a file."""
    return np.concatenate(arrays) if len(arrays) > 1 else arrays[0]


def merged(several: Sequence[Targets]) -> Targets:
    """Returns each distinct image once, with the mean of its coordinates that count.

    The group is that of the first occurrence; targets of different data folders must have different group numbers.
    """
    images, points, weights, may_flip, groups = map(concatenated, zip(*several, strict=True))
    first, face = np.unique(duplicate_groups(images), return_inverse=True)
    counts, sums = np.zeros((len(first), weights.shape[1])), np.zeros((len(first), *points.shape[1:]))
    np.add.at(counts, face, weights)
    np.add.at(sums, face, points * weights[..., None])
    means = sums / np.maximum(counts, 1)[..., None]
    flips = np.ones(len(first), bool)
    np.logical_and.at(flips, face, may_flip)
    distinct = images if len(first) == len(images) else images[first]  # not copied where nothing is left out
    return Targets(distinct, means.astype(np.float32), (counts > 0).astype(np.float32), flips, groups[first])

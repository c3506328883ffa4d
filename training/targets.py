"""What a network is trained towards: which values count, and as which landmarks. N faces, K keypoints, M landmarks."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from data_prep.faces import Split
from data_prep.grouping import duplicate_groups
from facial_keypoints.array_types import Bool, Float32, Int64, UInt8
from facial_keypoints.codec import OutputPoints, encode
from facial_keypoints.keypoint_set import KeypointSet


class Targets(NamedTuple):
    """Images uint8 (N, H, W, C), coordinates float32 (N, M, 2) in px, finite, and weights float32 (N, M).

    `may_flip`, bool (N,): whether the mirrored face may be trained on as well. `groups`, int64 (N,): faces with one
    number are one person, or of one photo.
    """

    images: UInt8
    points: Float32
    weights: Float32
    may_flip: Bool
    groups: Int64


def targets(split: Split, labels: str, output_points: OutputPoints, keypoint_set: KeypointSet) -> Targets:
    """Returns what the faces of a part should be predicted as.

    Args:
        labels: a value of `training.recipes.LABELS`.
        landmarks: what the network predicts.
        keypoint_set: where a network tells label sources apart, faces of one whose labels lie to one side may not be
            mirrored: it would be taught the opposite as well.
    """
    counts = np.ones_like(split.labelled) if labels == "imputed" else split.labelled
    points, weights = encode(split.keypoints, counts, split.label_sources, output_points)
    may_flip = ~np.isin(split.label_sources, keypoint_set.biased_label_sources if labels == "by_source" else [])
    return Targets(split.images, points, weights.astype(np.float32), may_flip, split.groups)


def merged(several: Sequence[Targets]) -> Targets:
    """Returns all their images once each, pixel for pixel, with the mean of the coordinates that count.

    The groups are those of the first time that an image comes; where `several` are of different data folders, their
    numbers have to be made apart before.
    """
    images, points, weights, may_flip, groups = (np.concatenate(arrays) for arrays in zip(*several, strict=True))
    first, face = np.unique(duplicate_groups(images), return_inverse=True)
    counts, sums = np.zeros((len(first), weights.shape[1])), np.zeros((len(first), *points.shape[1:]))
    np.add.at(counts, face, weights)
    np.add.at(sums, face, points * weights[..., None])
    means = sums / np.maximum(counts, 1)[..., None]
    flips = np.ones(len(first), bool)
    np.logical_and.at(flips, face, may_flip)
    return Targets(images[first], means.astype(np.float32), (counts > 0).astype(np.float32), flips, groups[first])

"""What a network is trained towards: which values count, and as which landmarks. N faces, K keypoints, M landmarks."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from data_prep.faces import Part
from data_prep.grouping import duplicate_groups
from facial_keypoints.array_types import Float32, UInt8
from facial_keypoints.codec import Landmarks, encode


class Targets(NamedTuple):
    """Images uint8 (N, H, W, C), coordinates float32 (N, M, 2) in px, finite, and weights float32 (N, M)."""

    images: UInt8
    points: Float32
    weights: Float32


def targets(part: Part, labels: str, landmarks: Landmarks) -> Targets:
    """Returns what the faces of a part should be predicted as.

    Args:
        labels: a value of `training.recipes.LABELS`.
        landmarks: what the network predicts.
    """
    counts = np.ones_like(part.labelled) if labels == "imputed" else part.labelled
    points, weights = encode(part.keypoints, counts, part.sources, landmarks)
    return Targets(part.images, points, weights.astype(np.float32))


def merged(several: Sequence[Targets]) -> Targets:
    """Returns all their images once each, pixel for pixel, with the mean of the coordinates that count."""
    images, points, weights = (np.concatenate(arrays) for arrays in zip(*several, strict=True))
    first, face = np.unique(duplicate_groups(images), return_inverse=True)
    counts, sums = np.zeros((len(first), weights.shape[1])), np.zeros((len(first), *points.shape[1:]))
    np.add.at(counts, face, weights)
    np.add.at(sums, face, points * weights[..., None])
    means = sums / np.maximum(counts, 1)[..., None]
    return Targets(images[first], means.astype(np.float32), (counts > 0).astype(np.float32))

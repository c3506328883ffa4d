"""What a network is trained towards: which values count, and as which marks. N faces, K keypoints, M marks."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from data_prep.faces import Part
from data_prep.quality import duplicate_groups
from facial_keypoints.array_types import Float32, UInt8
from facial_keypoints.keypoint_set import KeypointSet

LABELS = ("masked", "imputed", "marks")


class Targets(NamedTuple):
    """Pictures uint8 (N, H, W, C), places float32 (N, M, 2) in px, finite everywhere, and weights float32 (N, M)."""

    images: UInt8
    points: Float32
    weights: Float32


def mirror_of(labels: str, keypoint_set: KeypointSet) -> tuple[int, ...]:
    """Returns the mirror permutation of what a network predicts under a value of `LABELS`; its length is M."""
    return keypoint_set.mark_mirror if labels == "marks" else keypoint_set.mirror


def targets(part: Part, labels: str, keypoint_set: KeypointSet) -> Targets:
    """Returns what the faces of a part should be predicted as.

    Args:
        labels: `masked`: the real labels count, the others weigh 0. `imputed`: all count. `marks`: the real labels
            count, each as the mark that the face's label source means by it.
    """
    if labels == "imputed":
        return Targets(part.images, part.keypoints, np.ones(part.labelled.shape, np.float32))
    weights = part.labelled.astype(np.float32)
    if labels == "masked":
        return Targets(part.images, part.keypoints, weights)
    points = np.zeros((len(part), keypoint_set.marks, 2), np.float32)
    of_marks = np.zeros((len(part), keypoint_set.marks), np.float32)
    for source in (0, 1):
        faces, marks = np.flatnonzero(part.sources == source)[:, None], keypoint_set.marks_of(source)
        points[faces, marks], of_marks[faces, marks] = part.keypoints[faces[:, 0]], weights[faces[:, 0]]
    return Targets(part.images, points, of_marks)


def merged(several: Sequence[Targets]) -> Targets:
    """Returns all their pictures once each, pixel for pixel, with the mean of the places that count."""
    images, points, weights = (np.concatenate(arrays) for arrays in zip(*several, strict=True))
    first, face = np.unique(duplicate_groups(images), return_inverse=True)
    counts, sums = np.zeros((len(first), weights.shape[1])), np.zeros((len(first), *points.shape[1:]))
    np.add.at(counts, face, weights)
    np.add.at(sums, face, points * weights[..., None])
    means = sums / np.maximum(counts, 1)[..., None]
    return Targets(images[first], means.astype(np.float32), (counts > 0).astype(np.float32))

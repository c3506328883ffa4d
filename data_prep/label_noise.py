"""Measures label noise on images that were labelled twice."""

from dataclasses import dataclass

import numpy as np

from facial_keypoints.array_types import Float32, Int64


@dataclass(frozen=True)
class LabelNoise:
    """Differences between the labels of pixel-identical images.

    Attributes:
        images: number of images that occur more than once.
        copies: number of faces beyond the first of each of these images.
        points: number of compared pairs of labels of the same keypoint.
        rms_px: root mean square difference of a coordinate; NaN without compared pairs.
        median_px: median distance between two labels of a point; NaN without compared pairs.
    """

    images: int
    copies: int
    points: int
    rms_px: float
    median_px: float

    @property
    def one_label_px(self) -> float:
        """Standard error of one coordinate of one label: two independent labels differ by √2 times as much."""
        return self.rms_px / 2**0.5


def duplicate_label_noise(keypoints: Float32, groups: Int64, label_sources: Int64) -> LabelNoise:
    """Compares the labels of each copy with those of the first of its group from the same label source.

    Labels of different sources differ by convention, not by noise.

    Args:
        keypoints: float32 (N, K, 2), NaN where unlabelled.
        groups: int64 (N,), equal for pixel-identical images.
        label_sources: int64 (N,), the label source of each face.
    """
    first, inverse = np.unique(np.stack([groups, label_sources]), axis=1, return_index=True, return_inverse=True)[1:]
    original = first[inverse]
    copies = np.flatnonzero(original != np.arange(len(groups)))
    difference = (keypoints[copies] - keypoints[original[copies]]).astype(np.float64)
    difference = difference[~np.isnan(difference).any(axis=-1)]
    sizes = np.unique(groups, return_counts=True)[1]
    no_pairs = len(difference) == 0
    return LabelNoise(
        images=int((sizes > 1).sum()),
        copies=int((sizes - 1).sum()),
        points=len(difference),
        rms_px=float("nan") if no_pairs else float(np.sqrt(np.mean(difference**2))),
        median_px=float("nan") if no_pairs else float(np.median(np.hypot(*difference.T))),
    )

"""`Faces`: what every reader returns, and what the arrays on disk hold."""

from dataclasses import dataclass, fields

import numpy as np

from facial_keypoints.array_types import Bool, Float32, Int64, UInt8
from facial_keypoints.keypoint_set import KeypointSet

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Faces:
    """N faces as a reader found them.

    Attributes:
        images: uint8 (N, H, W, C), C is 1 (grey) or 3 (RGB).
        keypoints: float32 (N, K, 2), x then y in px from the centre of the top left pixel; NaN where unlabelled.
        rows: int64 (N,), the row of each face in its source, from 0.
        groups: int64 (N,), the person in each picture; None where the source does not say.
        keypoint_set: the mark-up.
    """

    images: UInt8
    keypoints: Float32
    rows: Int64
    groups: Int64 | None
    keypoint_set: KeypointSet

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True)
class Part:
    """One part of a data folder (train, val or test), N faces.

    Attributes:
        images: uint8 (N, H, W, C).
        keypoints: float32 (N, K, 2) in px, no gaps: imputed where unlabelled.
        labelled: bool (N, K), True where the keypoint is a real label.
        rows: int64 (N,), the row of each face in the source.
        groups: int64 (N,), faces with one number are one person or the same picture.
        sources: int64 (N,), the label source: 0 marks most keypoints, 1 only a few (see `data_prep.quality`).
    """

    images: UInt8
    keypoints: Float32
    labelled: Bool
    rows: Int64
    groups: Int64
    sources: Int64

    def __len__(self) -> int:
        return len(self.images)

    def only(self, kept: Bool | Int64) -> "Part":
        """Returns some of the faces, copied: where bool (N,) says so, or at the indexes int64 (n,), in order."""
        return Part(**{field.name: getattr(self, field.name)[kept] for field in fields(self)})


def labelled_points(keypoints: Float32) -> Bool:
    """Returns bool (N, K): both coordinates are there. (N, K, 2) in."""
    return np.asarray(~np.isnan(keypoints).any(axis=-1))

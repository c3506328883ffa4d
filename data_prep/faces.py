"""`Faces`: what every reader returns, and what the arrays on disk hold."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from facial_keypoints.array_types import Bool, Float32, Float64, Int64, UInt8
from facial_keypoints.keypoint_set import KeypointSet

SPLITS = ("train", "val", "test")
Text = npt.NDArray[np.str_]


@dataclass(frozen=True)
class Origins:
    """Where N faces come from.

    Attributes:
        folders: text (N,), the folder or file as it was named on the command line; of an imglab file its folder.
        files: text (N,), the picture below it; empty where the faces lie in one file.
    """

    folders: Text
    files: Text

    def only(self, kept: Bool) -> "Origins":
        """Returns those where bool (N,) says so."""
        return Origins(self.folders[kept], self.files[kept])


@dataclass(frozen=True)
class Faces:
    """N faces as a reader found them.

    Attributes:
        images: uint8 (N, H, W, C), C is 1 (gray) or 3 (RGB).
        keypoints: float32 (N, K, 2), x then y in px from the center of the top left pixel; NaN where unlabelled.
        rows: int64 (N,), the row of each face in its source, from 0.
        groups: text (N,), the person in each picture; None where the source does not say.
        keypoint_set: the K keypoints.
        label_sources: int64 (N,), indexes into `keypoint_set.label_sources`; None: `data_prep.grouping.label_sources`
            finds them from the pattern of labels.
        origins: where each face comes from; None: from the one source that was read.
        official_splits: text (N,), `training` or `test` as the set itself is split, else empty; None: all empty.
        crops: float64 (N, 2, 3), original picture to image; None where the faces were not cut from pictures.
        skipped: what is wrong with each face that was left out, as asked.
        nameless: the sources that name no person, so that one may be in several of their groups.
        visible: bool (N, K), the keypoint is labelled and not occluded; None where no label is of an occluded one.
    """

    images: UInt8
    keypoints: Float32
    rows: Int64
    groups: Text | None
    keypoint_set: KeypointSet
    label_sources: Int64 | None = None
    origins: Origins | None = None
    official_splits: Text | None = None
    crops: Float64 | None = None
    skipped: tuple[str, ...] = ()
    nameless: tuple[str, ...] = ()
    visible: Bool | None = None

    def __len__(self) -> int:
        return len(self.images)

    @property
    def people(self) -> Text | None:
        """The groups, text (N,), where all sources name people; else None."""
        return None if self.nameless else self.groups

    def only(self, kept: Bool) -> "Faces":
        """Returns the faces where bool (N,) says so."""
        return Faces(
            self.images[kept],
            self.keypoints[kept],
            self.rows[kept],
            None if self.groups is None else self.groups[kept],
            self.keypoint_set,
            None if self.label_sources is None else self.label_sources[kept],
            None if self.origins is None else self.origins.only(kept),
            None if self.official_splits is None else self.official_splits[kept],
            None if self.crops is None else self.crops[kept],
            self.skipped,
            self.nameless,
            None if self.visible is None else self.visible[kept],
        )


@dataclass(frozen=True)
class Split:
    """One part of a data folder (train, val or test), N faces.

    Attributes:
        images: uint8 (N, H, W, C).
        keypoints: float32 (N, K, 2) in px, no gaps: imputed where unlabelled.
        labelled: bool (N, K), True where the keypoint is a real label.
        rows: int64 (N,), the row of each face in the source.
        groups: int64 (N,), faces with one number are one person or the same picture.
        sources: int64 (N,), the label source of each face, an index into `keypoint_set.label_sources`.
        crops: float64 (N, 2, 3), original picture to image; None where the faces were not cut from pictures.
    """

    images: UInt8
    keypoints: Float32
    labelled: Bool
    rows: Int64
    groups: Int64
    label_sources: Int64
    crops: Float64 | None = None

    def __len__(self) -> int:
        return len(self.images)

    def only(self, kept: Bool | Int64) -> "Split":
        """Returns some of the faces, copied: where bool (N,) says so, or at the indexes int64 (n,), in order."""
        arrays = {field.name: getattr(self, field.name) for field in fields(self)}
        some: dict[str, Any] = {name: None if array is None else array[kept] for name, array in arrays.items()}
        return Split(**some)


def evenly_spread(count: int, most: int) -> Int64:
    """Returns at most so many indexes of `count` things, evenly from the first to the last, int64 (N,)."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(np.int64)


def labelled_points(keypoints: Float32) -> Bool:
    """Returns bool (N, K): both coordinates are there. (N, K, 2) in."""
    return np.asarray(~np.isnan(keypoints).any(axis=-1))


def never_labelled(labelled: Bool, keypoint_set: KeypointSet) -> list[str]:
    """Returns the names of the keypoints that none of these faces labels. (N, K) in."""
    return [keypoint_set.names[k] for k in np.flatnonzero(~labelled.any(axis=0))]


def labelled_mean(keypoints: Float32, labelled: Bool, fallback: Float32 | None = None) -> Float32:
    """Returns the mean of the real labels of each keypoint, float32 (K, 2) in px.

    Args:
        keypoints: float32 (N, K, 2) in px; what is not labelled does not count.
        labelled: bool (N, K).
        fallback: float32 (K, 2), for a keypoint that no face labels; NaN where None.
    """
    count = labelled.sum(axis=0)[:, None]
    total = np.where(labelled[..., None], keypoints, 0).sum(axis=0, dtype=np.float64)
    otherwise = np.float32(np.nan) if fallback is None else fallback
    return np.where(count > 0, total / np.maximum(count, 1), otherwise).astype(np.float32)

"""`Faces`, which every reader returns, and `Split`, the arrays on disk."""

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from data_prep import image_arrays
from facial_keypoints.array_types import Bool, Float32, Float64, Int64, UInt8
from facial_keypoints.keypoint_set import KeypointSet

SPLITS = ("train", "val", "test")
Text = npt.NDArray[np.str_]


@dataclass(frozen=True)
class Origins:
    """Where N faces come from.

    Attributes:
        folders: text (N,), the input as named on the command line; for an imglab file, its folder.
        files: text (N,), the picture in that folder; empty if the input holds the images themselves.
    """

    folders: Text
    files: Text

    def only(self, kept: Bool) -> "Origins":
        """Returns the origins where bool (N,) is true."""
        return Origins(self.folders[kept], self.files[kept])


@dataclass(frozen=True)
class Faces:
    """N faces as a reader returns them.

    Attributes:
        images: uint8 (N, H, W, C), C is 1 (gray) or 3 (RGB).
        keypoints: float32 (N, K, 2), x then y in px from the center of the top left pixel; NaN where unlabelled.
        rows: int64 (N,), the row of each face in its input, from 0.
        groups: text (N,), faces of one group must stay in one split: those of a person, or of a photo if the input
            names no people; empty if neither is known.
        keypoint_set: the K keypoints.
        label_sources: int64 (N,), indexes into `keypoint_set.label_sources`.
        origins: where each face comes from.
        official_splits: text (N,), `training` or `test` if the data set itself is split; otherwise empty.
        occluded: bool (N, K), the keypoint is labelled and occluded.
        crops: float64 (N, 2, 3), original picture to image; None if the images were not cropped from pictures here.
        unnamed: the inputs that name no people, so that one person can be in several of their groups.
        skipped: the error of each face that was skipped.
        knows_occluded: whether the labels of any input show which keypoints are occluded.
        unreviewed: the number of faces left out because they are unreviewed predictions.
    """

    images: UInt8
    keypoints: Float32
    rows: Int64
    groups: Text
    keypoint_set: KeypointSet
    label_sources: Int64
    origins: Origins
    official_splits: Text
    occluded: Bool
    crops: Float64 | None = None
    unnamed: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    knows_occluded: bool = False
    unreviewed: int = 0

    def __len__(self) -> int:
        return len(self.images)

    @property
    def labelled(self) -> Bool:
        """Bool (N, K): the keypoint has a label."""
        return labelled_points(self.keypoints)

    @property
    def people(self) -> Text | None:
        """The groups, text (N,), if all inputs name people; else None."""
        return None if self.unnamed else self.groups

    def only(self, kept: Bool) -> "Faces":
        """Returns the faces where bool (N,) is true."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        arrays = {name: value for name, value in values.items() if isinstance(value, np.ndarray) and name != "images"}
        selected: dict[str, Any] = {name: value[kept] for name, value in arrays.items()}
        return replace(self, origins=self.origins.only(kept), images=image_arrays.only(self.images, kept), **selected)


@dataclass(frozen=True)
class Split:
    """One split of a data folder (train, val or test), N faces.

    Attributes:
        images: uint8 (N, H, W, C).
        keypoints: float32 (N, K, 2) in px, no gaps: imputed where unlabelled.
        labelled: bool (N, K), True where the keypoint is a real label.
        rows: int64 (N,), the row of each face in the input.
        groups: int64 (N,), equal for faces of one person or of identical pictures.
        label_sources: int64 (N,), the label source of each face, an index into `keypoint_set.label_sources`.
        crops: float64 (N, 2, 3), original picture to image; None if the images were not cropped from pictures here.
        visible: bool (N, K), the keypoint is labelled and not occluded; None if the labels do not show this.
    """

    images: UInt8
    keypoints: Float32
    labelled: Bool
    rows: Int64
    groups: Int64
    label_sources: Int64
    crops: Float64 | None = None
    visible: Bool | None = None

    def __len__(self) -> int:
        return len(self.images)

    def only(self, kept: Bool | Int64) -> "Split":
        """Returns a copy of some faces: where bool (N,) is true, or at the indexes int64 (n,), in order."""
        arrays = {field.name: getattr(self, field.name) for field in fields(self)}
        selected: dict[str, Any] = {name: None if array is None else array[kept] for name, array in arrays.items()}
        return Split(**selected)


def evenly_spread(count: int, limit: int) -> Int64:
    """Returns at most `limit` indexes below `count`, evenly spaced from the first to the last, int64 (N,)."""
    return np.linspace(0, count - 1, min(count, limit)).round().astype(np.int64)


def labelled_points(keypoints: Float32 | Float64) -> Bool:
    """Returns bool (N, K): both coordinates of a keypoint (N, K, 2) are labelled."""
    return np.asarray(~np.isnan(keypoints).any(axis=-1))


def never_labelled(labelled: Bool, keypoint_set: KeypointSet) -> list[str]:
    """Returns the names of the keypoints that are labelled in no face, from bool (N, K)."""
    return [keypoint_set.names[k] for k in np.flatnonzero(~labelled.any(axis=0))]


def labelled_mean(keypoints: Float32, labelled: Bool, fallback: Float32 | None = None) -> Float32:
    """Returns the mean of the real labels of each keypoint, float32 (K, 2) in px.

    Args:
        keypoints: float32 (N, K, 2) in px; unlabelled ones are ignored.
        labelled: bool (N, K).
        fallback: float32 (K, 2), for keypoints that are labelled in no face; NaN if None.
    """
    count = labelled.sum(axis=0)[:, None]
    total = np.where(labelled[..., None], keypoints, 0).sum(axis=0, dtype=np.float64)
    default = np.float32(np.nan) if fallback is None else fallback
    return np.where(count > 0, total / np.maximum(count, 1), default).astype(np.float32)

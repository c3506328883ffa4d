"""A face in a picture."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from facial_keypoints.array_types import Float32, Float64
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import KeypointSet, check_roles
from facial_keypoints.measures import Measures, measures

# Multiples of the network's typical uncertainty (`Predictor.typical_uncertainty`), so that they hold for any network.
MAX_FIRST_UNCERTAINTY = 10  # above it after the first pass, a detection is false
MAX_FIRST_UNCERTAINTY_IF_EXACT = 4  # the same for crops from exact boxes
MAX_UNCERTAINTY = 2.0  # the same after the last pass; 99 % of faces had at most 1.9, most false detections 2.1 or more
SAME_FACE = 0.15  # faces whose keypoints are nearer on average, in widths of the box, are one face
DECIMALS = 3  # of a px, in `Face.to_dict`


class KeypointNameError(InputError, KeyError):
    """The keypoint set has no keypoint of this name; the message lists its names."""

    __str__ = InputError.__str__  # a KeyError shows its message in quotes


@dataclass(frozen=True, eq=False)
class Face:
    """A face and its K keypoints. `face["nose_tip"]` is one of them: (x, y).

    Coordinates are px of the picture; pixel centers are at whole numbers.

    Attributes:
        box: (x, y, width, height) of an upright square around the face, in px; it can reach outside the picture.
        keypoints: float32 (K, 2), x and y in px, in the order of `keypoint_set.names`.
        expected_error: float32 (K,), the expected absolute error of x and of y, in px; None if the network does not
            predict it.
        crop: float64 (2, 3), the matrix from the picture to the crop that the network saw.
        keypoint_set: the names of the keypoints, and all other facts about them.
        score: the detector's score, higher is more certain; 1 for a face that no detector found.

    Example:
        >>> from facial_keypoints import Predictor
        >>> face = Predictor("v2").predict("photo.jpg")[0]
        >>> x, y = face["nose_tip"]
        >>> print(f"{x:.0f}, {y:.0f}")
        380, 162
        >>> sorted(face.to_dict())
        ['box', 'expected_error', 'keypoints', 'score']
    """

    box: tuple[float, float, float, float]
    keypoints: Float32
    expected_error: Float32 | None
    crop: Float64
    keypoint_set: KeypointSet
    score: float = 1.0

    def __getitem__(self, name: str) -> tuple[float, float]:
        """Returns a keypoint, (x, y) in px.

        Raises:
            KeypointNameError: there is no keypoint of this name. It is an InputError and a KeyError.
        """
        names = self.keypoint_set.names
        if name not in names:
            raise KeypointNameError(f"{name!r}: no such keypoint; the face has {', '.join(names)}")
        x, y = self.keypoints[names.index(name)].tolist()
        return x, y

    def role(self, name: str) -> tuple[float, float]:
        """Returns the position of the keypoint `name` of face15, (x, y) in px, in a face of any keypoint set.

        Raises:
            InputError: the keypoint set does not have this role.

        Example:
            >>> from facial_keypoints import Predictor
            >>> face = Predictor("v2-68").predict("photo.jpg")[0]
            >>> face.role("nose_tip") == face["nose_bridge_4"]
            True
        """
        check_roles(self.keypoint_set, [name], "Face.role")
        x, y = self.keypoints[list(self.keypoint_set.role(name))].astype(np.float64).mean(axis=0).tolist()
        return x, y

    def measures(self) -> Measures:
        """Returns head pose, openness of eyes and mouth, and the distance between the pupils (docs/measures.md).

        Example:
            >>> from facial_keypoints import Predictor
            >>> face = Predictor("v2").predict("photo.jpg")[0]
            >>> face.measures()._fields[:3]
            ('yaw_deg', 'pitch_deg', 'roll_deg')
        """
        return measures(self.keypoints, self.keypoint_set)

    def to_dict(self) -> dict[str, Any]:
        """Returns the face as plain Python values for `json.dumps`; px are rounded to thousandths.

        Returns:
            `box` [x, y, width, height], `keypoints` {name: [x, y]}, `expected_error` {name: px} or None, and `score`.
        """
        names, errors = self.keypoint_set.names, self.expected_error
        points = [[round(x, DECIMALS), round(y, DECIMALS)] for x, y in self.keypoints.tolist()]
        rounded = None if errors is None else [round(error, DECIMALS) for error in errors.tolist()]
        return {
            "box": [round(value, DECIMALS) for value in self.box],
            "keypoints": dict(zip(names, points, strict=True)),
            "expected_error": rounded and dict(zip(names, rounded, strict=True)),
            "score": round(self.score, DECIMALS),
        }


def uncertainty(face: Face) -> float:
    """Returns the mean expected error of a face in widths of its box; 0 if the network does not predict it."""
    return 0.0 if face.expected_error is None else float(face.expected_error.mean()) / face.box[2]


def without_duplicates(faces: Iterable[Face]) -> list[Face]:
    """Returns the faces in their order, without those whose keypoints coincide with an earlier face's."""
    kept: list[Face] = []
    for face in faces:
        if not any(_distance_px(face, other) < SAME_FACE * max(face.box[2], other.box[2]) for other in kept):
            kept.append(face)
    return kept


def _distance_px(one: Face, other: Face) -> float:
    return float(np.linalg.norm(one.keypoints - other.keypoints, axis=1).mean())

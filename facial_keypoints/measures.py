"""Measures from keypoints: head pose, openness of eyes and mouth, distance between the pupils. K keypoints."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from facial_keypoints.array_types import Float64
from facial_keypoints.head_pose import head_pose
from facial_keypoints.keypoint_set import MIN_OUTLINE, OUTLINES, KeypointSet


class Measures(NamedTuple):
    """The measures of one face; None if its keypoint set lacks the roles that a measure needs.

    Attributes:
        yaw_deg: above 0 if the person turns to their own left, which is the right of the picture.
        pitch_deg: above 0 if the person looks up; 0 is the usual pose in photos.
        roll_deg: above 0 if the head is tilted clockwise in the picture, towards the person's own left shoulder.
        left_eye_openness, right_eye_openness: height over width of the eye, the person's own left and right.
        mouth_openness: height over width of the gap between the lips.
        pupil_distance_px: the distance between the eye centers in the picture.
    """

    yaw_deg: float | None
    pitch_deg: float | None
    roll_deg: float | None
    left_eye_openness: float | None
    right_eye_openness: float | None
    mouth_openness: float | None
    pupil_distance_px: float | None


COLUMNS = Measures._fields


def measures(keypoints: npt.ArrayLike, keypoint_set: KeypointSet, unsmoothed: npt.ArrayLike | None = None) -> Measures:
    """Returns the measures of a face.

    Args:
        keypoints: (K, 2) in px of the picture.
        keypoint_set: its K keypoints.
        unsmoothed: (K, 2), for a clip: the keypoints before smoothing from frame to frame. They give the openness,
            because smoothing hides blinks.
    """
    points = np.asarray(keypoints, np.float64)
    sharp = points if unsmoothed is None else np.asarray(unsmoothed, np.float64)
    pose = head_pose(points[None], keypoint_set)
    yaw, pitch, roll = (None, None, None) if pose is None else pose[0].tolist()
    outlines = (list(keypoint_set.role(name)) for name in OUTLINES)
    left, right, mouth = (openness(sharp[outline]) if len(outline) >= MIN_OUTLINE else None for outline in outlines)
    return Measures(yaw, pitch, roll, left, right, mouth, _pupil_distance_px(points, keypoint_set))


def openness(outline: Float64) -> float:
    """Returns the ratio of an eye's or mouth's height to its width; the height is the mean distance of both edges.

    For the six keypoints of an eye this is the eye aspect ratio of Soukupova and Cech 2016, "Real-Time Eye Blink
    Detection using Facial Landmarks".

    Args:
        outline: (2M, 2), M at least 2: from one corner along the upper edge to the other corner, and back along the
            lower edge.

    Example:
        >>> openness(np.array([[0, 0], [1, -1], [2, -1], [3, 0], [2, 1], [1, 1]]))
        0.6666666666666666
    """
    half = len(outline) // 2
    width = np.linalg.norm(outline[half] - outline[0])
    heights = np.linalg.norm(outline[1:half] - outline[:half:-1], axis=1)
    return float(heights.mean() / max(width, np.finfo(float).tiny))


def _pupil_distance_px(points: Float64, keypoint_set: KeypointSet) -> float | None:
    if keypoint_set.eyes is None:
        return None
    left, right = (points[list(eye)].mean(axis=0) for eye in keypoint_set.eyes)
    return float(np.linalg.norm(left - right))

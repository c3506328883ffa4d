"""Test faces by condition: how far the head is turned, how dark the image is. N faces, K keypoints."""

import numpy as np

from data_prep.faces import Split
from facial_keypoints.array_types import Bool, Float64
from facial_keypoints.keypoint_set import KeypointSet

YAW, LIGHT = "yaw", "light"
# Distance of the nose tip from the middle between the eye centers, along their line, as a fraction of their distance.
# The nose tip lies about half that distance in front of them, so 0.13 and 0.29 are about 15 and 30 degrees.
TURNED, FAR_TURNED = 0.13, 0.29
DARK = 70.0  # mean gray level of the image
ROLES = ("left_eye_center", "right_eye_center", "nose_tip")


def conditions(test: Split, keypoint_set: KeypointSet) -> list[tuple[str, str, Bool]]:
    """Returns the conditions that any test face meets: YAW or LIGHT, the name of the condition, and bool (N,).

    A face whose eyes or nose tip are not labelled meets no condition of yaw.
    """
    nose = np.abs(nose_offset(test, keypoint_set))  # NaN meets none of the three conditions
    dark = test.images.mean(axis=(1, 2, 3)) < DARK
    all_conditions = [
        (YAW, "up to 15 degrees", nose < TURNED),
        (YAW, "15 to 30 degrees", (nose >= TURNED) & (nose < FAR_TURNED)),
        (YAW, "over 30 degrees", nose >= FAR_TURNED),
        (LIGHT, "dark", dark),
        (LIGHT, "not dark", ~dark),
    ]
    return [(by, which, faces) for by, which, faces in all_conditions if faces.any()]


def nose_offset(test: Split, keypoint_set: KeypointSet) -> Float64:
    """Returns the offset of the nose tip from the eyes' middle as a fraction of the eyes' distance, float64 (N,).

    It is measured along the line of the eyes; NaN if eyes or nose tip are not labelled or not in the set.
    """
    points = [list(keypoint_set.role(name)) for name in ROLES]
    if not all(points):
        return np.full(len(test), np.nan)
    left, right, nose = (test.keypoints[:, role].mean(axis=1).astype(np.float64) for role in points)
    across = left - right
    usable = test.labelled[:, [k for role in points for k in role]].all(axis=1) & across.any(axis=1)
    offset = ((nose - (left + right) / 2) * across).sum(axis=1) / np.maximum((across**2).sum(axis=1), 1e-12)
    return np.where(usable, offset, np.nan)

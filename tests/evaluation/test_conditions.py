"""Which faces count as turned and which as dark, compared with hand calculations."""

import numpy as np
import pytest

from data_prep.faces import Split
from evaluation.conditions import conditions, nose_offset
from facial_keypoints.array_types import Float32
from facial_keypoints.keypoint_set import FACE15, FACE68, KeypointSet, face15_of_68, from_names

NOSE = FACE15.index("nose_tip")


def faces(nose_x_px: list[float], gray: list[int]) -> Split:
    """Returns faces of 15 keypoints with eyes 40 px apart around x = 50 and the nose tip at the given x."""
    keypoints = np.zeros((len(nose_x_px), 15, 2), np.float32)
    keypoints[:, 0], keypoints[:, 1] = (70, 40), (30, 40)
    keypoints[:, NOSE] = np.stack([nose_x_px, np.full(len(nose_x_px), 60.0)], axis=1)
    images = np.ones((len(nose_x_px), 8, 8, 1), np.uint8) * np.array(gray, np.uint8)[:, None, None, None]
    n = np.arange(len(nose_x_px))
    return Split(images, keypoints, np.ones((len(n), 15), bool), n, n, np.zeros_like(n))


def test_yaw_and_light_classes_match_hand_calculation() -> None:
    """Noses 2, 8 and 20 px from the middle are 0.05, 0.2 and 0.5 of the eyes' distance from it; one has no label."""
    test = faces([52, 42, 70, 50], [69, 70, 200, 0])
    test.labelled[3, NOSE] = False
    np.testing.assert_allclose(nose_offset(test, FACE15), [0.05, -0.2, 0.5, np.nan], atol=1e-6)
    found = {(by, which): np.flatnonzero(kept).tolist() for by, which, kept in conditions(test, FACE15)}
    assert found == {
        ("yaw", "up to 15 degrees"): [0],
        ("yaw", "15 to 30 degrees"): [1],
        ("yaw", "over 30 degrees"): [2],
        ("light", "dark"): [0, 3],
        ("light", "not dark"): [1, 2],
    }


def test_keypoint_set_without_eyes_and_nose_has_light_classes_only() -> None:
    test = faces([52, 42], [69, 200])
    cat = from_names("cat", [f"p{k}" for k in range(15)], "")
    assert [(by, which) for by, which, _ in conditions(test, cat)] == [("light", "dark"), ("light", "not dark")]


@pytest.mark.parametrize("keypoint_set", [FACE15, FACE68])
def test_tilting_a_face_does_not_change_its_yaw(keypoint_set: KeypointSet) -> None:
    """The offset of the nose is measured along the line through the eyes."""
    turn = np.array([[0.8, 0.6], [-0.6, 0.8]])
    points = faces([54], [0]).keypoints @ turn
    test = faces([54], [0])
    tilted = Split(test.images, as_set(points.astype(np.float32), keypoint_set), np.ones((1, len(keypoint_set)), bool),
                  test.rows, test.groups, test.label_sources)  # fmt: skip
    np.testing.assert_allclose(nose_offset(tilted, keypoint_set), [0.1], atol=1e-6)


def as_set(points15: Float32, keypoint_set: KeypointSet) -> Float32:
    """Returns the same face with 68 keypoints: those that form one of the 15 keypoints all lie at its position."""
    if keypoint_set == FACE15:
        return points15
    points = np.zeros((len(points15), len(FACE68), 2), np.float32)
    for keypoint in (2, 3, 4, 5, 0, 1, NOSE):  # eye centers last: they are means of the corners' points too
        points[:, list(face15_of_68()[keypoint])] = points15[:, keypoint, None]
    return points

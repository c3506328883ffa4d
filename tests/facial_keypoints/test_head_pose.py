"""Head pose: known poses of the mean face are recovered, those of drawn faces approximately."""

import numpy as np
import pytest

from benchmarks.measures import draw_people, right_signs, true_poses
from facial_keypoints.array_types import Float64
from facial_keypoints.head_pose import MEAN_FACE, angles, head_pose, rotations
from facial_keypoints.keypoint_set import FACE15, FACE68, KeypointSet, face15_of_68, from_dict, from_names

FIVE = ["left_eye_center", "right_eye_center", "nose_tip", "mouth_left_corner", "mouth_right_corner"]


def projected(pose_degrees: tuple[float, float, float], names: tuple[str, ...] = FACE15.names) -> Float64:
    """Returns the mean face's points in that pose, (1, K, 2), in parallel projection with 1.7 px per mm."""
    shape = np.array([MEAN_FACE[name] for name in names])
    return np.asarray(1.7 * (shape @ rotations(np.array([pose_degrees]))[0].T)[None, :, :2] + (300, -40))


@pytest.mark.parametrize(
    "pose_degrees", [(0, 0, 0), (20, 0, 0), (0, 15, 0), (0, 0, 30), (-35, -20, 170), (60, 10, -45), (-80, 5, 3)]
)
def test_pose_of_the_mean_face_is_recovered(pose_degrees: tuple[float, float, float]) -> None:
    found = head_pose(projected(pose_degrees), FACE15)
    assert found is not None
    np.testing.assert_allclose(found, [pose_degrees], atol=0.05)


def test_five_keypoints_are_enough_for_a_pose() -> None:
    found = head_pose(projected((25, -10, 5), tuple(FIVE)), from_names("five", FIVE, "five.csv"))
    assert found is not None
    np.testing.assert_allclose(found, [(25, -10, 5)], atol=0.05)


def test_pose_of_68_keypoints_equals_that_of_the_derived_15() -> None:
    points_15 = projected((15, 10, -20))
    points_68 = np.zeros((1, len(FACE68), 2))
    for k, members in enumerate(face15_of_68()):
        points_68[:, list(members)] = points_15[:, [k]]  # an eye's corners after its center
    found, expected = head_pose(points_68, FACE68), head_pose(as_15(points_68), FACE15)
    assert found is not None
    assert expected is not None
    np.testing.assert_allclose(found, expected, atol=1e-9)


def as_15(points_68: Float64) -> Float64:
    return np.stack([points_68[:, list(members)].mean(axis=1) for members in face15_of_68()], axis=1)


@pytest.mark.parametrize(
    "names",
    [
        ["ear", "tail", "nose"],
        ["left_eye_center", "right_eye_center", "nose_tip", "mouth_left_corner"],  # too few
        ["left_eye_center", "right_eye_center", *(n for n in FACE15.names if "eye_" in n and "corner" in n)],  # flat
    ],
)
def test_set_with_too_few_or_coplanar_roles_has_no_pose(names: list[str]) -> None:
    assert head_pose(np.zeros((1, len(names), 2)), from_names("few", names, "few.csv")) is None


def test_roles_of_keypoints_with_other_names_are_used() -> None:
    names = {f"p{k}": role for k, role in enumerate(FIVE)}
    keypoint_set: KeypointSet = from_dict(
        {"name": "mine", "keypoints": list(names), "roles": {role: [name] for name, role in names.items()}}, "mine.toml"
    )
    found = head_pose(projected((-12, 8, 4), tuple(FIVE)), keypoint_set)
    assert found is not None
    np.testing.assert_allclose(found, [(-12, 8, 4)], atol=0.05)


@pytest.mark.parametrize("pose_degrees", [(0, 0, 0), (30, 0, 0), (45, 0, 0), (0, 15, 0), (0, -15, 0)])
def test_angles_are_within_5_degrees_at_40_cm_from_the_camera(
    pose_degrees: tuple[float, float, float],
) -> None:
    shape = np.array([MEAN_FACE[name] for name in FACE15.names]) + (0, 0, 35)  # relative to the middle of the face
    x, y, z = (shape @ rotations(np.array([pose_degrees]))[0].T).T
    close = np.stack([x, y], axis=1) / (400 - z)[:, None] * 1000  # px; a pinhole camera 400 mm away
    found = head_pose(close[None], FACE15)
    assert found is not None
    np.testing.assert_allclose(found, [pose_degrees], atol=5)


def test_angles_are_the_inverse_of_rotations() -> None:
    degrees = np.random.default_rng(0).uniform((-170, -80, -170), (170, 80, 170), (50, 3))
    np.testing.assert_allclose(angles(rotations(degrees)), degrees, atol=1e-9)


def test_positive_yaw_pitch_and_roll_turn_left_up_and_clockwise() -> None:
    nose = np.array([0.0, 0.0, 1.0])  # towards the camera; x to the right of the picture, y down
    top = np.array([0.0, -1.0, 0.0])
    yaw, pitch, roll = rotations(20.0 * np.eye(3))
    assert (yaw @ nose)[0] > 0  # to the right of the picture, the person's own left
    assert (pitch @ nose)[1] < 0  # upwards
    assert (roll @ top)[0] > 0  # clockwise


def test_poses_of_drawn_faces_are_recovered_approximately() -> None:
    faces = draw_people(60, seed=11)
    found = head_pose(np.stack([face.keypoints for face in faces]), FACE15)
    assert found is not None
    errors = np.median(np.abs(found - true_poses(faces)), axis=0)
    assert (errors < (6, 6, 1)).all()
    assert (right_signs(found, true_poses(faces))[:2] > 0.95).all()


def test_mean_face_is_symmetric() -> None:
    assert FACE15.mirror is not None
    shape = np.array([MEAN_FACE[name] for name in FACE15.names])
    np.testing.assert_allclose(shape[list(FACE15.mirror)] * (-1, 1, 1), shape)

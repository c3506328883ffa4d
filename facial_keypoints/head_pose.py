"""Head pose: fits a 3-D mean face to keypoints. N faces, P points.

The camera is scaled orthographic, which suits faces that are small compared with their distance from it: a point X of
the mean face, in mm, appears at `scale * (rotation @ X)[:2] + shift`, in px. The axes are those of a picture, x to the
right and y down, and z towards the camera.
"""

from typing import NamedTuple

import numpy as np

from facial_keypoints.array_types import Float64
from facial_keypoints.keypoint_set import KeypointSet

Point = tuple[float, float, float]  # x, y, z in mm from the tip of the nose, for a face seen from the front

# Measured by `python -m benchmarks.mean_face` on the 1,952 labelled photos of LFPW, HELEN and AFW (the training set of
# 300-W; Sagonas et al. 2016, "300 Faces In-The-Wild Challenge"): the rigid shape that explains their keypoints best
# (structure from motion: Tomasi and Kanade 1992, "Shape and Motion from Image Streams under Orthography"). The pupils
# are 63 mm apart (Dodgson 2004, "Variation and extrema of human interpupillary distance"), and the median photo has
# pitch 0. Keys are the names of roles (`KeypointSet.role`).
MEAN_FACE: dict[str, Point] = {
    "left_eye_center": (31.5, -34.0, -31.6),
    "right_eye_center": (-31.5, -34.0, -31.6),
    "left_eye_inner_corner": (18.8, -32.3, -30.4),
    "left_eye_outer_corner": (43.6, -33.9, -34.9),
    "right_eye_inner_corner": (-18.8, -32.3, -30.4),
    "right_eye_outer_corner": (-43.6, -33.9, -34.9),
    "left_eyebrow_inner_end": (11.9, -50.5, -17.0),
    "left_eyebrow_outer_end": (57.9, -47.0, -40.6),
    "right_eyebrow_inner_end": (-11.9, -50.5, -17.0),
    "right_eyebrow_outer_end": (-57.9, -47.0, -40.6),
    "nose_tip": (0.0, 0.0, 0.0),
    "mouth_left_corner": (27.0, 31.5, -32.7),
    "mouth_right_corner": (-27.0, 31.5, -32.7),
    "mouth_center_top_lip": (0.0, 26.3, -15.3),
    "mouth_center_bottom_lip": (0.0, 44.6, -18.6),
}

MIN_POINTS = 5  # of the mean face; the fit has six unknowns and two coordinates per point
MIN_DEPTH_MM = 3.0  # standard deviation of the points from their plane; flatter points fit two poses
MAX_STEPS = 50  # of the fit
SMALLEST_STEP = 1e-5  # in radians and as a logarithm of the scale; smaller steps end the fit
DAMPING = 1e-3  # of the normal equations, as a fraction of their mean diagonal
MAX_STEP = 0.3  # in radians and as a logarithm of the scale


class Pose(NamedTuple):
    """The poses of N heads.

    Attributes:
        rotation: float64 (N, 3, 3), head to camera.
        scale: float64 (N,), px per mm.
        shift: float64 (N, 2), the position of the mean of the head's points, in px.
    """

    rotation: Float64
    scale: Float64
    shift: Float64


def head_pose(keypoints: Float64, keypoint_set: KeypointSet) -> Float64 | None:
    """Returns yaw, pitch and roll of faces, float64 (N, 3) in degrees; None if the set has too few roles.

    Roll turns the head clockwise in the picture, pitch moves the nose up, yaw moves the nose to the right of the
    picture, which is the person's own left. Yaw is applied first, then pitch, then roll.

    Args:
        keypoints: (N, K, 2) in px.
        keypoint_set: must have at least MIN_POINTS roles that are points of MEAN_FACE and do not lie in a plane.
    """
    roles = {name: list(keypoint_set.role(name)) for name in MEAN_FACE if keypoint_set.role(name)}
    if len(roles) < MIN_POINTS:
        return None
    shape = np.array([MEAN_FACE[name] for name in roles], np.float64)
    depth_mm = np.linalg.svd(shape - shape.mean(axis=0), compute_uv=False)[-1] / np.sqrt(len(shape))
    if depth_mm < MIN_DEPTH_MM:
        return None
    seen = np.stack([keypoints[:, keypoints_of_role].mean(axis=1) for keypoints_of_role in roles.values()], axis=1)
    return angles(fit(shape, seen).rotation)


def fit(shape: Float64, seen: Float64) -> Pose:
    """Returns the poses with the least squared error, by Gauss-Newton steps from the frontal pose.

    Args:
        shape: (P, 3) in mm.
        seen: (N, P, 2) in px.
    """
    shape = shape - shape.mean(axis=0)
    shift = seen.mean(axis=1)
    centered = seen - shift[:, None]
    flat = shape[:, :2] @ np.array([1, 1j])
    turn = (centered @ np.array([1, 1j])) @ flat.conj() / (np.abs(flat) ** 2).sum()
    scale = np.maximum(np.abs(turn), np.finfo(float).tiny)
    rotation = rotations(np.column_stack([np.zeros((len(seen), 2)), np.degrees(np.angle(turn))]))
    for _ in range(MAX_STEPS):
        x, y, z = rotated = np.moveaxis(shape @ rotation.swapaxes(1, 2), 2, 0)  # each (N, P)
        zero = np.zeros_like(x)
        jacobian = np.array([[zero, z, -y, x], [-z, zero, x, y]])  # by the turns about x, y, z, and by the scale
        residuals = np.moveaxis(centered / scale[:, None, None], 2, 0) - rotated[:2]
        normal = np.einsum("ianp,ibnp->nab", jacobian, jacobian)
        normal += DAMPING * np.trace(normal, axis1=1, axis2=2)[:, None, None] / 4 * np.eye(4)
        right = np.einsum("ianp,inp->na", jacobian, residuals)
        step = np.linalg.solve(normal, right[..., None])[..., 0].clip(-MAX_STEP, MAX_STEP)
        rotation = _small_turns(step[:, :3]) @ rotation
        scale = scale * np.exp(step[:, 3])
        if np.abs(step).max(initial=0) < SMALLEST_STEP:
            break
    return Pose(rotation, scale, shift)


def _small_turns(vectors: Float64) -> Float64:
    """Returns rotations (N, 3, 3) about vectors (N, 3) by nearly their lengths in radians (Cayley's transform)."""
    a, b, c = vectors.T / 2
    zero = np.zeros_like(a)
    half = np.moveaxis(np.array([[zero, -c, b], [c, zero, -a], [-b, a, zero]]), 2, 0)
    return np.asarray(np.linalg.solve(np.eye(3) - half, np.eye(3) + half))


def rotations(degrees: Float64) -> Float64:
    """Returns the matrices, head to camera, (N, 3, 3) of yaw, pitch and roll (N, 3)."""
    (sy, sp, sr), (cy, cp, cr) = np.sin(np.radians(degrees)).T, np.cos(np.radians(degrees)).T
    zero, one = np.zeros_like(sy), np.ones_like(sy)
    yaw = np.array([[cy, zero, sy], [zero, one, zero], [-sy, zero, cy]])
    pitch = np.array([[one, zero, zero], [zero, cp, -sp], [zero, sp, cp]])
    roll = np.array([[cr, -sr, zero], [sr, cr, zero], [zero, zero, one]])
    yaw, pitch, roll = (np.moveaxis(matrix, 2, 0) for matrix in (yaw, pitch, roll))
    return np.asarray(roll @ pitch @ yaw)


def angles(rotation: Float64) -> Float64:
    """Returns yaw, pitch and roll, float64 (N, 3) in degrees, of matrices (N, 3, 3): the inverse of `rotations`."""
    yaw = np.arctan2(-rotation[:, 2, 0], rotation[:, 2, 2])
    pitch = np.arcsin(rotation[:, 2, 1].clip(-1, 1))
    roll = np.arctan2(-rotation[:, 0, 1], rotation[:, 1, 1])
    return np.asarray(np.degrees(np.stack([yaw, pitch, roll], axis=1)))

"""Measures the 3-D mean face of `facial_keypoints.head_pose`: from labelled photos of many people, one of each.

    python -m benchmarks.mean_face FOLDER...

FOLDER holds `.pts` files of 68 keypoints beside their pictures. The fit alternates: each face's pose given the mean
face, then the symmetric mean face given all poses. Points far from their fit count less. It prints
MEAN_FACE, in mm: the pupils PUPILS_MM apart, the median photo at pitch 0, the tip of the nose at the origin.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from common.options import stage_parser
from data_prep.readers import pts
from facial_keypoints.array_types import Float32, Float64
from facial_keypoints.errors import InputError, run
from facial_keypoints.head_pose import Point, angles, fit, rotations
from facial_keypoints.keypoint_set import FACE15, FACE68, as_face15

PUPILS_MM = 63.0
ROUNDS = 60  # of the alternation; in the last one, all points move by less than 0.01 mm
TYPICAL_ERROR_MM = 3.0  # a point twice as far from its fit counts a fifth
HEAD_MM = (70.0, 95.0, 20.0)  # of the first guess: half width and half depth of a head, and what its nose adds
MIRROR = list(FACE15.mirror or ())
FLIP = np.diag([-1.0, 1.0, 1.0])


def mean_face(points: Float64) -> dict[str, Point]:
    """Returns the points of the mean face by name, for the 15 keypoints of N faces, (N, 15, 2) in px."""
    shape = first_guess(points)
    for _ in range(ROUNDS):
        pose = fit(shape, points)
        positions = (points - pose.shift[:, None]) / pose.scale[:, None, None]
        errors = positions - ((shape - shape.mean(axis=0)) @ pose.rotation.swapaxes(1, 2))[..., :2]
        counts = 1 / (1 + (errors**2).sum(axis=2) / TYPICAL_ERROR_MM**2)
        projections = pose.rotation[:, :2]
        normal = np.einsum("np,nia,nib->pab", counts, projections, projections)
        right = np.einsum("np,nia,npi->pa", counts, projections, positions)
        normal, right = normal + FLIP @ normal[MIRROR] @ FLIP, right + right[MIRROR] @ FLIP
        shape = np.linalg.solve(normal, right[..., None])[..., 0]
        shape *= PUPILS_MM / np.linalg.norm(shape[0] - shape[1])
    pitch = float(np.median(angles(fit(shape, points).rotation)[:, 1]))
    shape = shape @ rotations(np.array([[0, pitch, 0]]))[0].T
    shape = (shape - shape[FACE15.index("nose_tip")]).round(1) + 0.0  # no minus zero
    return {name: (x, y, z) for name, (x, y, z) in zip(FACE15.names, shape.tolist(), strict=True)}


def first_guess(points: Float64) -> Float64:
    """Returns the mean of the faces, leveled and symmetric, on the front of an ellipsoid: (15, 3) in mm."""
    left, right = points[:, 0] @ np.array([1, 1j]), points[:, 1] @ np.array([1, 1j])
    leveled = ((points @ np.array([1, 1j])) - ((left + right) / 2)[:, None]) / (left - right)[:, None] * PUPILS_MM
    mean = np.median(leveled.real, axis=0) + 1j * np.median(leveled.imag, axis=0)
    mean = (mean - mean[MIRROR].conj()) / 2
    half_width, half_depth, nose = HEAD_MM
    depth = half_depth * np.sqrt(1 - (mean.real / half_width).clip(-0.95, 0.95) ** 2)
    depth[FACE15.index("nose_tip")] += nose
    return np.column_stack([mean.real, mean.imag, depth])


def keypoints_of(folder: Path) -> Float32:
    """Returns the keypoints of a folder's faces, (N, 68, 2); raises InputError if they do not have 68."""
    faces = pts.read(folder)
    if faces.keypoint_set != FACE68:
        raise InputError(f"{folder}: has the keypoint set {faces.keypoint_set.name}, expected {FACE68.name}")
    return np.stack([face.keypoints for face in faces.faces])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = stage_parser("benchmarks.mean_face", __doc__)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="`.pts` files beside their pictures")
    options = parser.parse_args(arguments)
    points = np.asarray(as_face15(np.concatenate([keypoints_of(folder) for folder in options.folders])), np.float64)
    points = points[np.isfinite(points).all(axis=(1, 2))]
    print(f"# {len(points):,} faces")
    for name, mean_point in mean_face(points).items():
        print(f'    "{name}": {mean_point},')


if __name__ == "__main__":
    run(main)

"""Calibration of a peer's points to the keypoints of a label source."""

import numpy as np
import pytest

from benchmarks.calibration import calibrated, fit, map_by_hand
from data_prep.faces import Split
from facial_keypoints.array_types import Float32, Float64
from facial_keypoints.keypoint_set import FACE15, FACE68

SPARSE_OWN = FACE15.label_sources[1].own  # nose tip and lower lip
UNCALIBRATED = 7.0


def test_15_keypoints_from_68_points_match_hand_calculation() -> None:
    face = np.stack([np.arange(68.0), 100 + np.arange(68.0)], axis=1)  # point i is at (i, 100 + i)
    predicted = map_by_hand(np.stack([face] * 3), np.array([0, 1, 2]), FACE15)
    # The person's left is on the right of the picture: eye 42 to 47, mouth corner 54.
    first = [44.5, 38.5, 42, 45, 39, 36, 22, 26, 21, 17, 30, 54, 48, 51, 57]
    assert predicted[0, :, 0].tolist() == first
    assert (predicted[..., 1] == predicted[..., 0] + 100).all()
    assert predicted[1, SPARSE_OWN, 0].tolist() == [33, 66]
    others = [k for k in range(len(FACE15)) if k not in SPARSE_OWN]
    assert (predicted[1, others] == predicted[0, others]).all()
    assert (predicted[2] == predicted[0]).all()  # it is not known which of the 68 points source 2 labels


def test_68_points_are_unchanged() -> None:
    points = np.random.default_rng(0).normal(50, 30, (4, 68, 2))
    assert (map_by_hand(points, np.array([0, 1, 0, 1]), FACE68) == points.astype(np.float32)).all()


def labelled_split(points: Float64) -> Split:
    """Returns faces with keypoint k at point k + (k, 1) in source 0; source 1 labels two, at point k + (10, 10)."""
    count = len(points)
    sources = np.arange(count) % 2
    shift = np.stack([np.arange(15.0), np.ones(15)], axis=1)
    keypoints = (points[:, :15] + np.where(sources[:, None, None] == 0, shift, 10)).astype(np.float32)
    labelled = np.ones((count, 15), bool)
    labelled[sources == 1, 2:] = False
    labelled[:, 14] = False
    labelled[:6, 3] = False  # so keypoint 3 is fitted on other faces than the rest
    images = np.zeros((count, 8, 8, 1), np.uint8)
    return Split(images, keypoints, labelled, np.arange(count), np.arange(count) // 4, sources)


def uncalibrated(count: int) -> Float32:
    return np.full((count, 15, 2), UNCALIBRATED, np.float32)


def test_calibration_recovers_a_linear_map() -> None:
    points = np.random.default_rng(0).normal(50, 30, (800, 68, 2))
    part = labelled_split(points[:780])
    fits = fit(points[:780], part, uncalibrated(780))
    assert sorted(fits) == [(0, k) for k in range(14)] + [(1, 0), (1, 1)]
    sources = np.array([0] * 10 + [1] * 10)
    predicted = calibrated(fits, points[780:], sources, uncalibrated(20))
    assert predicted[:10, :14] == pytest.approx(points[780:790, :14] + [[k, 1] for k in range(14)], abs=0.1)
    assert predicted[10:, :2] == pytest.approx(points[790:, :2] + 10, abs=0.1)
    # Keypoints that source 1 never labels are calibrated as in source 0; keypoints without labels are unchanged.
    assert predicted[10:, 2:14] == pytest.approx(points[790:, 2:14] + [[k, 1] for k in range(2, 14)], abs=0.1)
    assert (predicted[:, 14] == UNCALIBRATED).all()


def test_30_faces_are_enough_to_calibrate_a_constant_shift() -> None:
    points = np.random.default_rng(0).normal(50, 30, (40, 68, 2))
    part = labelled_split(points)
    fits = fit(points[:30], part.only(np.arange(30)), points[:30, :15].astype(np.float32))
    predicted = calibrated(fits, points[30:], part.label_sources[30:], points[30:, :15].astype(np.float32))
    assert predicted[::2, :14] == pytest.approx(part.keypoints[30::2, :14], abs=1e-3)


def test_source_with_fewer_groups_than_folds_is_not_fitted() -> None:
    points = np.random.default_rng(0).normal(50, 30, (16, 68, 2))  # four groups, fewer than folds
    assert fit(points, labelled_split(points), uncalibrated(16)) == {}

"""Measured errors against expected errors, compared with hand calculations."""

import numpy as np
import pytest

from data_prep.faces import Split
from evaluation.bootstrap import resampling_weights
from evaluation.reliability import reliability_table
from facial_keypoints.array_types import Bool, Float32


def part(count: int, labelled: Bool) -> Split:
    """Returns faces of two keypoints, both at (0, 0), in groups of two."""
    rows = np.arange(count)
    images, keypoints = np.zeros((count, 4, 4, 1), np.uint8), np.zeros((count, 2, 2), np.float32)
    return Split(images, keypoints, labelled, rows, rows // 2, np.zeros_like(rows))


def test_bins_of_two_points_match_hand_calculation() -> None:
    expected = np.arange(24, 0, -1, dtype=np.float32).reshape(12, 2)  # from 24 down to 1 px
    labelled = np.ones((12, 2), bool)
    labelled[-2:] = False  # the four points with the lowest expected errors have no real labels
    predicted = np.stack(
        [expected, np.zeros_like(expected)], axis=-1
    )  # |dx| = expected, |dy| = 0: half the expected error
    predicted[0] = (24, -24), (0, -69)  # errors of 24 and 34.5 px in the last bin, which expects 23.5
    table = reliability_table(predicted, expected, part(12, labelled), resampling_weights(np.arange(12) // 2))
    assert table["bin"].tolist() == list(range(1, 11))
    assert table["points"].tolist() == [2] * 10
    assert table["expected_error_px"].tolist() == [5.5, 7.5, 9.5, 11.5, 13.5, 15.5, 17.5, 19.5, 21.5, 23.5]
    assert table["error_px"].tolist() == [2.75, 3.75, 4.75, 5.75, 6.75, 7.75, 8.75, 9.75, 10.75, 29.25]
    assert table["ratio"].tolist() == pytest.approx([0.5] * 9 + [29.25 / 23.5], abs=1e-4)
    assert table["error_px_low"].isna().all()  # each bin lies in a single group


def test_interval_contains_the_error_and_mostly_the_expected_error() -> None:
    rng = np.random.default_rng(0)
    expected: Float32 = rng.uniform(0.5, 4, (600, 2)).astype(np.float32)
    predicted = (expected[..., None] * rng.laplace(0, 1, (600, 2, 2))).astype(np.float32)  # mean |error| is expected
    test = part(600, np.ones((600, 2), bool))
    table = reliability_table(predicted, expected, test, resampling_weights(test.groups))
    assert (table["error_px_low"] < table["error_px"]).all()
    assert (table["error_px"] < table["error_px_high"]).all()
    inside = (table["error_px_low"] < table["expected_error_px"]) & (
        table["expected_error_px"] < table["error_px_high"]
    )
    assert inside.sum() >= 8


def test_fewer_points_than_bins_get_one_bin_each() -> None:
    expected, labelled = np.array([[3, 1], [2, 9]], np.float32), np.array([[True, True], [True, False]])
    table = reliability_table(np.zeros((2, 2, 2), np.float32), expected, part(2, labelled), np.ones((1, 1)))
    assert table["expected_error_px"].tolist() == [1, 2, 3]
    assert table["error_px"].tolist() == [0, 0, 0]

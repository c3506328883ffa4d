"""Label noise from images that were labelled twice: known answers on small sets."""

import numpy as np
import pytest

from data_prep.label_noise import duplicate_label_noise


def test_label_noise_of_a_known_shift_matches_hand_calculation() -> None:
    keypoints = np.zeros((5, 3, 2), np.float32)
    keypoints[2] = (3, 4)  # the copy of face 0
    keypoints[2, 2] = np.nan
    keypoints[4] = 99  # a copy too, but from the other source
    noise = duplicate_label_noise(keypoints, np.array([0, 1, 0, 3, 0]), np.array([0, 0, 0, 0, 1]))
    assert (noise.images, noise.copies, noise.points) == (1, 2, 2)
    assert noise.median_px == 5
    assert noise.rms_px == pytest.approx(np.sqrt((9 + 16) / 2))
    assert noise.one_label_px == pytest.approx(2.5)


def test_label_noise_without_copies_is_nan() -> None:
    noise = duplicate_label_noise(np.zeros((3, 2, 2), np.float32), np.arange(3), np.zeros(3, np.int64))
    assert (noise.images, noise.copies, noise.points) == (0, 0, 0)
    assert np.isnan(noise.rms_px)

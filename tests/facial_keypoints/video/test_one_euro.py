"""The one-euro filter: the paper's formulas and their effect."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facial_keypoints.array_types import Float32, Float64
from facial_keypoints.video.one_euro import CUTOFF_HZ, CUTOFF_PER_SPEED, SPEED_CUTOFF_HZ, OneEuro

FPS, WIDTH_PX = 30.0, 100.0


def smooth(frames: Float64, width_px: float = WIDTH_PX) -> Float32:
    """Returns the smoothed keypoints (T, K, 2) of a face in T frames."""
    smoothed = OneEuro()
    return np.stack([smoothed(points.astype(np.float32), width_px, t / FPS) for t, points in enumerate(frames)])


def test_second_frame_matches_the_formulas_of_the_paper() -> None:
    def alpha(cutoff_hz: float) -> float:
        tau = 1 / (2 * np.pi * cutoff_hz)
        return 1 / (1 + tau * FPS)

    step = np.array([3.0, 4.0])  # px: 5 px, 0.05 of the face's width, 1.5 widths per second
    cutoff_hz = CUTOFF_HZ + CUTOFF_PER_SPEED * alpha(SPEED_CUTOFF_HZ) * 1.5
    first, second = smooth(np.stack([np.zeros((1, 2)), step[None]]))
    assert first == pytest.approx(0)
    assert second[0] == pytest.approx(alpha(cutoff_hz) * step, rel=1e-6)


def test_each_keypoint_is_smoothed_separately() -> None:
    frames = np.full((5, 2, 2), 50.0)
    frames[2:, 0] += 20
    smoothed = smooth(frames)
    assert smoothed[:, 1] == pytest.approx(50)
    assert 50 < smoothed[2, 0, 0] < smoothed[3, 0, 0] < 70


@given(st.floats(0.1, 10), st.floats(-500, 500), st.integers(0, 2**32 - 1))
def test_smoothing_is_independent_of_size_and_position(scale: float, shift: float, seed: int) -> None:
    frames = np.random.default_rng(seed).normal(0, 10, (6, 3, 2))
    transformed = smooth(frames * scale + shift, WIDTH_PX * scale)
    assert transformed == pytest.approx(smooth(frames) * scale + shift, abs=1e-3 * (1 + scale))


def test_jitter_is_halved_and_the_lag_is_less_than_half_a_frame() -> None:
    jitter = np.random.default_rng(0).normal(0, 0.3, (200, 15, 2))
    before, after = (np.diff(frames, 2, axis=0).std() for frames in (jitter, smooth(jitter)))
    assert after < before / 2
    per_frame_px = 10.0
    ramp = np.arange(30)[:, None, None] * np.full((1, 1, 2), per_frame_px)
    assert (ramp - smooth(ramp))[-1].max() < per_frame_px / 2

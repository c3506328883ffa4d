"""The one-euro filter: the paper's formulas, and what they are good for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facial_keypoints.array_types import Float32, Float64
from facial_keypoints.video.one_euro import CUTOFF_HZ, CUTOFF_PER_SPEED, SPEED_CUTOFF_HZ, OneEuro

FPS, WIDTH_PX = 30.0, 100.0


def smooth(frames: Float64, width_px: float = WIDTH_PX) -> Float32:
    """The keypoints (T, K, 2) of a face in T frames, smoothed."""
    smoothed = OneEuro()
    return np.stack([smoothed(points.astype(np.float32), width_px, t / FPS) for t, points in enumerate(frames)])


def test_the_second_frame_by_the_paper_s_formulas() -> None:
    def alpha(cutoff_hz: float) -> float:
        tau = 1 / (2 * np.pi * cutoff_hz)
        return 1 / (1 + tau * FPS)

    step = np.array([3.0, 4.0])  # px: 5 in all, 0.05 of the face's width, 1.5 widths in a second
    cutoff_hz = CUTOFF_HZ + CUTOFF_PER_SPEED * alpha(SPEED_CUTOFF_HZ) * 1.5
    first, second = smooth(np.stack([np.zeros((1, 2)), step[None]]))
    assert first == pytest.approx(0)
    assert second[0] == pytest.approx(alpha(cutoff_hz) * step, rel=1e-6)


def test_one_keypoint_s_movement_leaves_the_others_alone() -> None:
    frames = np.full((5, 2, 2), 50.0)
    frames[2:, 0] += 20
    smoothed = smooth(frames)
    assert smoothed[:, 1] == pytest.approx(50)
    assert 50 < smoothed[2, 0, 0] < smoothed[3, 0, 0] < 70


@given(st.floats(0.1, 10), st.floats(-500, 500), st.integers(0, 2**32 - 1))
def test_a_face_of_another_size_elsewhere_is_smoothed_alike(scale: float, shift: float, seed: int) -> None:
    frames = np.random.default_rng(seed).normal(0, 10, (6, 3, 2))
    elsewhere = smooth(frames * scale + shift, WIDTH_PX * scale)
    assert elsewhere == pytest.approx(smooth(frames) * scale + shift, abs=1e-3 * (1 + scale))


def test_trembling_is_halved_and_a_fast_face_is_less_than_half_a_frame_late() -> None:
    tremble = np.random.default_rng(0).normal(0, 0.3, (200, 15, 2))
    before, after = (np.diff(frames, 2, axis=0).std() for frames in (tremble, smooth(tremble)))
    assert after < before / 2
    per_frame_px = 10.0
    ramp = np.arange(30)[:, None, None] * np.full((1, 1, 2), per_frame_px)
    assert (ramp - smooth(ramp))[-1].max() < per_frame_px / 2

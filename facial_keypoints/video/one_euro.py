"""The one-euro filter, a low-pass filter whose cutoff grows with the speed. K keypoints.

Casiez, Roussel and Vogel 2012, "1 Euro Filter: A Simple Speed-based Low-pass Filter for Noisy Input in Interactive
Systems", CHI 2012.
"""

import numpy as np

from facial_keypoints.array_types import Float32, Float64

# Chosen on a clip, as a compromise between jitter and lag (docs/clips.md).
CUTOFF_HZ = 1.0  # at rest
CUTOFF_PER_SPEED = 10.0  # additional Hz for a speed of one width of the face per second
SPEED_CUTOFF_HZ = 3.0  # for the speed itself; 1 in the paper


class OneEuro:
    """Smooths the keypoints of one face from frame to frame.

    Each keypoint has one cutoff for x and y. Speeds are in widths of the face, so that the smoothing does not depend on
    the size of the face or of the clip.
    """

    def __init__(self) -> None:
        self._time_s = 0.0
        self._points: Float64 | None = None
        self._speeds: Float64 | None = None  # (K, 2), widths of the face per second

    def __call__(self, points: Float32, width_px: float, time_s: float) -> Float32:
        """Returns smoothed keypoints, float32 (K, 2); the first call returns them unchanged.

        Args:
            points: (K, 2) in px.
            width_px: the width of the face.
            time_s: the time of the frame, later than that of the previous frame.
        """
        measured = points.astype(np.float64)
        if self._points is None or self._speeds is None:
            self._points, self._speeds = measured, np.zeros_like(measured)
        else:
            elapsed_s = time_s - self._time_s
            speeds = (measured - self._points) / (elapsed_s * width_px)
            self._speeds = self._speeds + _weight(np.array(SPEED_CUTOFF_HZ), elapsed_s) * (speeds - self._speeds)
            cutoff_hz = CUTOFF_HZ + CUTOFF_PER_SPEED * np.linalg.norm(self._speeds, axis=1, keepdims=True)
            self._points = self._points + _weight(cutoff_hz, elapsed_s) * (measured - self._points)
        self._time_s = time_s
        return self._points.astype(np.float32)


def _weight(cutoff_hz: Float64, elapsed_s: float) -> Float64:
    """Returns the weight of a new value in a low-pass filter."""
    radians = 2 * np.pi * cutoff_hz * elapsed_s
    return np.asarray(radians / (radians + 1))

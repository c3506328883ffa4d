"""Positions of eyes, brows, lips and keypoints on a face, in mm from the center of the head at eye height."""

import numpy as np

from data_prep.synthetic.brush import Points
from data_prep.synthetic.person import Moment, Person
from facial_keypoints.array_types import Float32


def eye_outline(p: Person, m: Moment) -> tuple[Points, Points]:
    """Returns the edges of the upper and the lower lid of the left eye, (13, 2) mm each, inner to outer corner."""
    t = np.linspace(-1, 1, 13)
    x = p.eye_x + 12.8 * p.eye_size * t
    low = 3.6 * p.eye_size * (1 - np.abs(t) ** 2.5)
    high = -6.8 * p.eye_size * (1 - np.abs(t + 0.1) ** 2.2 / 1.1**2.2 * (1 + 0.25 * (t < -0.5)))
    high = np.where(np.abs(t) == 1, 0, np.minimum(high, 0))
    high = high * m.lids + (low - 0.2) * (1 - m.lids)
    return np.stack([x, 1.5 + high - 0.8 * t], -1), np.stack([x, 1.5 + low - 0.8 * t], -1)


def brow_line(p: Person, m: Moment) -> Points:
    """Returns the middle of the left brow, (5, 2) mm, inner to outer end."""
    x = p.eye_x + np.array([-17.5, -8, 3, 13, 23.5])
    arch = p.brow_arch * np.array([0, 0.6, 1, 0.75, 0])
    slope = p.brow_slope * np.array([-0.5, -0.25, 0, 0.25, 0.5])
    return np.stack([x, p.brow_y - m.brow_lift - arch + slope], -1)


def lip_lines(p: Person, m: Moment) -> list[Points]:
    """Returns the upper lip's outer and inner edge and the lower lip's inner and outer edge, (17, 2) mm each."""
    t = np.linspace(-1, 1, 17)
    arch = 1 - t * t
    x = t * (p.mouth_width + 5 * m.smile - 0.25 * m.mouth_open)
    middle = p.mouth_y - 6 * m.smile * (t * t - 0.25)
    inner_top, inner_low = middle - 0.25 * m.mouth_open * arch, middle + 0.75 * m.mouth_open * arch
    bow = 1 - 0.22 * np.exp(-((t / 0.14) ** 2))
    thin = p.lip_size * (1 - 0.2 * max(m.smile, 0))
    outer_top, outer_low = inner_top - 7.5 * thin * bow * arch, inner_low + 9 * thin * arch**0.8
    return [np.stack([x, y], -1) for y in (outer_top, inner_top, inner_low, outer_low)]


def output_points(p: Person, m: Moment) -> Float32:
    """Returns float32 (17, 2) mm: the 15 keypoints in order, the base of the nose, the inner edge of the lower lip."""
    high, low = eye_outline(p, m)
    brow = brow_line(p, m)
    top, _, in_low, bottom = lip_lines(p, m)
    mirror = np.array([-1, 1])
    left = [(high[6] + low[6]) / 2, high[0], high[-1], brow[0], brow[-1]]
    eye, inner, outer, brow_in, brow_out = left
    pairs = [eye, eye * mirror, inner, outer, inner * mirror, outer * mirror]
    pairs += [brow_in, brow_out, brow_in * mirror, brow_out * mirror]
    nose_tip, nose_base = np.array([0, p.nose_y]), np.array([0, p.nose_y + 12])
    return np.array([*pairs, nose_tip, top[-1], top[0], top[8], bottom[8], nose_base, in_low[8]], np.float32)

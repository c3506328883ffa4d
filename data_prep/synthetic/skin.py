"""Paints the skin: an unrolled, evenly lit face."""

import cv2
import numpy as np

from data_prep.synthetic.brush import Points, disc, fill, mix, stroke
from data_prep.synthetic.features import brow_line, eye_outline, lip_lines
from data_prep.synthetic.head import BOTTOM_Y, HALF_X
from data_prep.synthetic.person import Moment, Person
from facial_keypoints.array_types import Float32, UInt8

SKIN_STEP = 0.6  # mm per cell of the painted skin
SKIN_TOP_Y = -60.0  # mm, its upper edge; nothing is painted on the forehead above


def paint_skin(p: Person, m: Moment) -> UInt8:
    """Returns uint8 (rows, columns), one cell per SKIN_STEP mm: an unrolled, evenly lit face."""
    width, height = (skin_cells(np.array([HALF_X, BOTTOM_Y])) + 1).astype(int)
    canvas = np.full((height, width), 255 * p.skin, np.uint8)
    if p.beard or p.moustache:
        canvas[:] = canvas * (1 - beard_cover(p, m, width, height))
    paint_mouth(canvas, p, m)
    paint_eyes(canvas, p, m)
    paint_brows(canvas, p, m)
    return canvas


def paint_brows(canvas: UInt8, p: Person, m: Moment) -> None:
    """Paints both brows on the skin, in place."""
    area, first_cell = band(canvas, -42, 8)
    cover = np.zeros_like(area)
    brow = brow_line(p, m)
    thick = p.brow_weight * np.array([0.85, 1, 0.85, 0.55, 0.2])[:, None] * (0, 0.5)
    for side in (1, -1):
        fill(cover, skin_cells(np.vstack([brow - thick, (brow + thick)[::-1]]) * (side, 1)) - first_cell, 225)
    gray = 255 * min(p.hair + 0.04, 0.6 * p.skin)
    mix(area, np.full_like(area, gray), cv2.stackBlur(cover, (7, 7)))


def beard_cover(p: Person, m: Moment, width: int, height: int) -> Float32:
    """Returns float32 (rows, columns): how much beard and moustache darken the skin, 0..1."""
    mask = np.zeros((height, width), np.uint8)
    y, drop = p.mouth_y, m.mouth_open
    jaw = [[84, 140], [80, 5], [70, 18], [60, 44], [42, y - 8], [31, y + 1], [20, y + 15 + drop], [0, y + 13 + drop]]
    jaw = [*jaw, [0, 140]]
    lip = [[0, y - 13], [12, y - 14], [27, y - 4], [33, y + 12 - 6 * m.smile], [23, y + 2], [0, y - 6]]
    for side in (1, -1):
        fill(mask, skin_cells(np.array(jaw) * (side, 1)), int(225 * p.beard))
    mask = cv2.blur(cv2.blur(mask, (17, 17)), (17, 17))
    for side in (1, -1):
        if p.moustache:
            fill(mask, skin_cells(np.array(lip) * (side, 1)), int(225 * p.moustache))
    grain = np.random.default_rng(p.seed).integers(0, 110, (height // 5, width // 3), np.uint8)
    mask = cv2.subtract(mask, cv2.min(cv2.resize(grain, (width, height)), mask))
    cover: Float32 = cv2.blur(mask, (7, 7)) * np.float32(1 / 255)
    return cover * max(1 - (p.hair + 0.05) / p.skin, -0.25)


def paint_mouth(canvas: UInt8, p: Person, m: Moment) -> None:
    """Paints lips, teeth and tongue on the skin, in place."""
    top, in_top, in_low, bottom = lip_lines(p, m)
    gray = 255 * p.skin * p.lips
    area, first_cell = band(canvas, p.mouth_y - 22, p.mouth_y + 46)
    lips = np.zeros_like(area)
    fill(lips, skin_cells(np.vstack([top, bottom[::-1]])) - first_cell, 235)
    layer = np.full_like(area, gray)
    fill(layer, skin_cells(np.vstack([top, in_top[::-1]])) - first_cell, 0.86 * gray)
    stroke(layer, skin_cells(0.45 * in_low + 0.55 * bottom)[5:12] - first_cell, min(1.18 * gray, 255), 4)
    layer = cv2.blur(layer, (5, 5))
    fill(layer, skin_cells(np.vstack([in_top, in_low[::-1]])) - first_cell, 30)
    if m.mouth_open > 2.5:
        gap = in_low - in_top
        teeth = in_top + np.minimum(gap, (0, 5.5 + 2 * m.smile)) * 0.95
        fill(layer, skin_cells(np.vstack([in_top, teeth[::-1]])[2:-2]) - first_cell, 205 * (0.6 + 0.4 * p.skin))
        tongue = in_low - np.maximum(gap - (0, 8), 0) * (0, 0.5)
        fill(layer, skin_cells(np.vstack([tongue, in_low[::-1]])[3:-3]) - first_cell, 85)
    stroke(layer, skin_cells(in_top) - first_cell, 0.35 * gray, 2)
    mix(area, layer, cv2.stackBlur(lips, (5, 5)))


def paint_eyes(canvas: UInt8, p: Person, m: Moment) -> None:
    """Paints both eyes on the skin, in place."""
    high, low = eye_outline(p, m)
    area, first_cell = band(canvas, -18, 16)
    opening, layer = np.zeros_like(area), np.full_like(area, 215)
    radius = 6.2 * p.eye_size**0.5 / SKIN_STEP
    shine = np.array([np.copysign(0.35, m.light[0]), -0.35]) * radius
    for side in (1, -1):
        fill(opening, skin_cells(np.vstack([high, low[::-1]]) * (side, 1)) - first_cell, 255)
        center = skin_cells(np.array([side * p.eye_x + m.gaze[0], 0.2 + m.gaze[1]])) - first_cell
        disc(layer, center, radius, 110 * p.iris)
        disc(layer, center + (0, 0.1 * radius), 0.84 * radius, 255 * p.iris)
        disc(layer, center, 0.45 * radius, 8)
        stroke(layer, skin_cells((high + (0, 1)) * (side, 1)) - first_cell, 95, 3)  # the lid's shadow on the eye
        disc(layer, center + shine, 0.24 * radius, 255)
    mix(area, layer, opening)
    for side in (1, -1):
        # Fold of the lid
        stroke(area, skin_cells((high[1:] + (0.3, -4.4 * m.lids)) * (side, 1)) - first_cell, 255 * p.skin * 0.72, 2)
        stroke(area, skin_cells(low[3:] * (side, 1)) - first_cell, 255 * p.skin * 0.62, 1)
        stroke(area, skin_cells(high * (side, 1)) - first_cell, min(35, 90 * p.skin), 3)


def skin_cells(xy: Points) -> Points:
    """Converts mm to cells of the painted skin, float (..., 2)."""
    return (xy + np.array([HALF_X, -SKIN_TOP_Y], np.float32)) / SKIN_STEP


def band(canvas: UInt8, top: float, bottom: float) -> tuple[UInt8, Points]:
    """Returns a view of the painted skin between two heights in mm, and its first cell, to subtract from cells."""
    first, last = (int((y - SKIN_TOP_Y) / SKIN_STEP) for y in (top, bottom))
    return canvas[first:last], np.array([0, first])

"""Draws one grey face: a solid head with a relief, its skin painted flat, wrapped, lit and photographed.

Head coordinates are mm from the middle of the head at eye height: x to the person's left (right in a frontal picture),
y down, z towards the camera. A head is a stack of ellipses (half width a(y), half depth c(y)) pushed forward by a
relief h(x, y), so the surface is z = h + c sqrt(1 - (x / a)^2). The same maps place the keypoints and the pixels.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from facial_keypoints.array_types import Float32, UInt8

Points = npt.NDArray[np.floating[Any]]  # (n, 2) or (n, 3), floats of 32 or 64 bits

SIZE = 96  # px, height and width of a picture
FINE = 2  # the skin is sampled on a grid this much finer
STEP = 1.5  # mm per cell of the relief map
SKIN_STEP = 0.6  # mm per cell of the painted skin
HALF_X, TOP_Y, BOTTOM_Y = 84.0, -120.0, 126.0  # mm, the extent of the relief map; its edge goes on for ever
SKIN_TOP_Y = -60.0  # mm, where the painted skin begins: nothing is painted on the forehead above
BITS = 4  # binary digits below the pixel in OpenCV's drawing calls

_xs = np.arange(-HALF_X, HALF_X + STEP, STEP, dtype=np.float32)
_ys = np.arange(TOP_Y, BOTTOM_Y + STEP, STEP, dtype=np.float32)
_pixels = np.stack(np.meshgrid(np.arange(SIZE), np.arange(SIZE)), -1).astype(np.float32)


@dataclass(frozen=True)
class Person:
    """What stays the same in every picture of a person. Lengths in mm, greys 0..1 (albedo), `_size` 1 is average."""

    head_width: float  # half
    jaw: float  # width of the jaw over that of the head
    chin: float  # y
    eye_x: float
    eye_size: float
    iris: float  # grey
    brow_y: float
    brow_arch: float
    brow_slope: float  # how much lower the outer end lies
    brow_weight: float  # thickness at the inner end
    nose_y: float  # of the tip
    nose_size: float
    nose_width: float
    mouth_y: float
    mouth_width: float  # half
    lip_size: float
    cheek: float  # height of the cheek bones
    age: float  # 0 young .. 1 old
    skin: float  # grey
    lips: float  # lip over skin grey
    hair: float  # grey
    cut: str  # bald, short, fringe, long, curly, beanie
    hairline: float  # y in the middle of the forehead
    parting: float  # -1..1, side to which the hairline rises
    beard: float  # 0 none .. 1 full
    moustache: float  # 0..1
    glasses: str  # none, clear, dark
    seed: int  # for the strands and blemishes


@dataclass(frozen=True)
class Moment:
    """What differs from picture to picture. Angles in radians, lengths in mm unless px is said."""

    yaw: float  # positive: nose to the right of the picture
    pitch: float  # positive: nose up
    roll: float
    px_per_mm: float
    centre: tuple[float, float]  # px, where the middle between the eyes lands
    lids: float  # 0 closed .. 1 open
    gaze: tuple[float, float]
    brow_lift: float
    smile: float  # -0.3 .. 1
    mouth_open: float
    light: tuple[float, float, float]  # towards the light, in camera coordinates
    ambient: float  # share of the light that comes from everywhere
    gain: float
    gamma: float
    blur: float  # px
    noise: float  # grey levels of 255
    hidden_by: str  # nothing, hand, bar
    seed: int  # for background, clothes, noise


def rotation(m: Moment) -> Float32:
    """Returns float32 (3, 3), head to camera: yaw, then pitch, then roll."""
    (cy, cp, cr), (sy, sp, sr) = np.cos([m.yaw, m.pitch, m.roll]), np.sin([m.yaw, m.pitch, m.roll])
    yaw = [[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]]
    pitch = [[1, 0, 0], [0, cp, -sp], [0, sp, cp]]
    roll = [[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]]
    turn: Float32 = (np.array(roll) @ np.array(pitch) @ np.array(yaw)).astype(np.float32)
    return turn


# ---- the solid head


def solid(p: Person, m: Moment) -> Float32:
    """Returns float32 (rows, columns, 4), one cell per STEP mm: half width a, half depth c, relief h, hollow shade."""
    jaw, chin = p.jaw, p.chin
    y_a = [-114, -110, -98, -66, -30, 0, 25, chin - 40, chin - 13, chin - 3, chin + 6]
    a = p.head_width * np.interp(_ys, y_a, [0.05, 0.35, 0.66, 0.93, 1, 1, 0.97, jaw, 0.62 * jaw, 0.38 * jaw, 0.05])
    y_c = [-112, -98, -66, -30, 10, 60, chin - 14, chin, chin + 14]
    c = np.interp(_ys, y_c, [30, 62, 86, 94, 95, 91, 87, 76, 60])
    a, c = (cv2.GaussianBlur(v.astype(np.float32)[:, None], (1, 0), sigmaX=1, sigmaY=5) for v in (a, c))
    h = relief(p, m)
    maps: Float32 = cv2.merge([cv2.repeat(a, 1, len(_xs)), cv2.repeat(c, 1, len(_xs)), h, hollows(p, m, h)])
    return maps


def bump(x: float, y: float, width: float, height: float, mm: float) -> Float32:
    """Returns float32 (rows, columns): hills `mm` high at x and -x, with their standard deviations."""
    across: Float32 = np.exp(-0.5 * ((np.abs(_xs) - x) / width) ** 2)
    down: Float32 = mm * np.exp(-0.5 * ((_ys - y) / height) ** 2)
    return down[:, None] * across


def relief(p: Person, m: Moment) -> Float32:
    """Returns float32 (rows, columns) in mm: brows, sockets, nose, cheeks, lips and chin, as they move."""
    smile, size, width = m.smile, p.nose_size, p.nose_width
    along = p.nose_y + np.array([-62, -44, -30, -8, 0, 6, 16])
    ridge = np.interp(_ys, along, np.array([0, 3, 6, 14, 17, 13, 0]) * size)
    ridge = cv2.GaussianBlur(ridge.astype(np.float32)[:, None], (1, 0), sigmaX=1, sigmaY=1.6)
    spread = np.interp(_ys, p.nose_y + np.array([-40, -15, 0, 8]), np.array([6.5, 7, 8.5, 10]) * width)
    h: Float32 = ridge * np.exp(-0.5 * (_xs / spread[:, None].astype(np.float32)) ** 2)
    h += bump(12.5 * width, p.nose_y + 4, 4.5, 4.5, 6 * size)  # nostril wings
    h += bump(p.eye_x - 3, -2, 12, 9, -9)  # sockets
    h += bump(p.eye_x, 0, 8, 6, 4)  # eyeballs
    h += bump(p.eye_x - 6, p.brow_y - m.brow_lift - 2, 17, 5, 3)
    h += bump(40, 32 - 4 * smile, 14, 11, p.cheek + 3 * max(smile, 0))
    h += bump(48, 62, 11, 16, -3 * p.age)  # hollow cheeks
    h += bump(26 + 3 * smile, 56, 4, 10, -1.2 * p.age - 1.8 * max(smile, 0))  # from the nose to the mouth's corners
    h += bump(0, p.mouth_y + 0.3 * m.mouth_open, 19, 9, 5)
    h += bump(0, p.mouth_y + 17 + m.mouth_open, 14, 4, -2.5)
    h += bump(0, p.chin - 13 + 0.6 * m.mouth_open, 15, 8, 6)
    return h


def surface(head: Float32, xy: Points) -> Float32:
    """Returns float32 (K, 3): the points of the head in front of (K, 2)."""
    at = np.asarray(xy, np.float32)
    a, c, h, _ = cv2.split(look_up(head, at[:, None, 0], at[:, None, 1]))
    z = h + c * np.sqrt(np.maximum(1 - (at[:, :1] / a) ** 2, 0))
    return np.hstack([at, z])


def look_up(maps: Float32, x: Float32, y: Float32) -> Float32:
    """Returns float32 (H, W, ...): the maps at x and y, float32 (H, W) mm."""
    at = (x + HALF_X) / STEP, (y - TOP_Y) / STEP
    values: Float32 = cv2.remap(maps, *at, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return values


@dataclass(frozen=True)
class View:
    """A camera: x_px = px_per_mm * (turn @ x_mm)[:2] + shift."""

    turn: Float32
    px_per_mm: float
    shift: Float32

    def project(self, xyz: Float32) -> Float32:
        """Returns float32 (K, 2) px for (K, 3) mm."""
        return xyz @ self.turn[:2].T * np.float32(self.px_per_mm) + self.shift


def view_of(p: Person, m: Moment, head: Float32) -> View:
    """Returns the camera that sees the middle between the eyes at `m.centre`."""
    turn = rotation(m)
    eyes = surface(head, np.array([[-p.eye_x, 0], [p.eye_x, 0]], np.float32)).mean(0)
    return View(turn, m.px_per_mm, np.array(m.centre, np.float32) - m.px_per_mm * (turn @ eyes)[:2])


def strike(maps: Float32, view: View, rounds: int, back: bool = False) -> tuple[Float32, Float32, Float32]:
    """Finds where the line of sight of each pixel meets the solid.

    For a fixed height y the solid is an ellipse and the answer a quadratic; y follows in a few rounds.

    Args:
        rounds: of the search; hair, which has no nose, takes fewer.
        back: the far side of the solid instead of the near one.

    Returns:
        float32 (SIZE, SIZE, 3), head coordinates in mm; depth towards the camera (SIZE, SIZE) in mm; cover, 0..1.
    """
    plane = (_pixels - view.shift) / np.float32(view.px_per_mm)
    base = plane @ view.turn[:2]  # where the line crosses the plane through the middle of the head
    rx, ry, rz = view.turn[2]
    depth = np.full((SIZE, SIZE), -60 if back else 90, np.float32)
    x0, y0, z0 = cv2.split(base)
    for _ in range(rounds):
        a, c, h, _ = cv2.split(look_up(maps, x0 + depth * rx, y0 + depth * ry))
        ka, kc, z = 1 / (a * a), 1 / (c * c), z0 - h
        square = rx * rx * ka + rz * rz * kc
        linear = x0 * rx * ka + z * rz * kc
        inside = linear * linear / square - (x0 * x0 * ka + z * z * kc - 1)  # 1 in the middle, 0 on the outline
        root = np.sqrt(np.maximum(inside, 0) / square)
        depth = 0.2 * depth + 0.8 * ((-root if back else root) - linear / square)
    half = np.sqrt(square) * a * c * view.px_per_mm  # of the outline's width, px
    cover = np.clip(0.5 + 0.5 * inside * half, 0, 1)
    return cv2.merge([x0 + depth * rx, y0 + depth * ry, z0 + depth * rz]), depth, cover


def lit(depth: Float32, m: Moment, gloss: float) -> Float32:
    """Returns float32 (SIZE, SIZE): light on a surface of that depth (mm), about 1 where it faces the light."""
    depth = cv2.GaussianBlur(depth, (0, 0), 0.6)
    gx, gy = (np.clip(cv2.Sobel(depth, cv2.CV_32F, i, 1 - i, scale=m.px_per_mm / 8), -6, 6) for i in (1, 0))
    length = np.sqrt(gx * gx + gy * gy + 1)
    light = np.array(m.light) / np.linalg.norm(m.light)
    half_way = (light + (0, 0, 1)) / np.linalg.norm(light + (0, 0, 1))  # between light and camera: where skin shines

    def towards(x: float, y: float, z: float) -> Float32:
        cosine: Float32 = (z - x * gx - y * gy) / length
        return cosine

    soft = np.maximum(towards(*light.tolist()) + 0.35, 0) / 1.35  # light creeps a little round the edge
    shine: Float32 = cv2.pow(np.maximum(towards(*half_way.tolist()), 0), 24)
    light_seen: Float32 = (1.12 - m.ambient) * soft + gloss * shine + m.ambient
    return light_seen


# ---- the painted skin


def flat(xy: Points) -> Points:
    """Returns cells (float, (..., 2)) of the painted skin for mm."""
    return (xy + np.array([HALF_X, -SKIN_TOP_Y], np.float32)) / SKIN_STEP


def coarse(xy: Points) -> Points:
    """Returns cells (float, (..., 2)) of the relief map for mm."""
    return (xy + np.array([HALF_X, -TOP_Y], np.float32)) / STEP


def band(canvas: UInt8, top: float, bottom: float) -> tuple[UInt8, Points]:
    """Returns the view of the painted skin between two heights in mm, and its first cell, to subtract from `flat`."""
    first, last = (int((y - SKIN_TOP_Y) / SKIN_STEP) for y in (top, bottom))
    return canvas[first:last], np.array([0, first])


def fixed(points: Points) -> npt.NDArray[np.int32]:
    """Returns points as OpenCV's whole numbers with BITS binary digits below the pixel."""
    whole: npt.NDArray[np.int32] = np.rint(points * 2**BITS).astype(np.int32)
    return whole


def fill(canvas: UInt8, points: Points, grey: float) -> None:
    cv2.fillPoly(canvas, [fixed(points)], grey, cv2.LINE_AA, BITS)


def stroke(canvas: UInt8, points: Points, grey: float, thickness: int) -> None:
    cv2.polylines(canvas, [fixed(points)], False, grey, thickness, cv2.LINE_AA, BITS)


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


def landmarks(p: Person, m: Moment) -> Float32:
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


def hollows(p: Person, m: Moment, h: Float32) -> Float32:
    """Returns float32 (rows, columns), one cell per STEP mm: what folds, hollows and blemishes leave of the light."""
    soft = np.zeros(h.shape, np.uint8)
    high, low = eye_outline(p, m)
    _, _, _, bottom = lip_lines(p, m)
    happy, corner = max(m.smile, 0), p.mouth_width + 5 * m.smile
    fold = np.array([[11, p.nose_y + 3], [18, p.nose_y + 8], [corner, p.mouth_y - 6], [corner + 5, p.mouth_y + 4]])
    for side in (np.array([1, 1]), np.array([-1, 1])):
        fill(soft, coarse(np.vstack([high + (0, -4), low[::-1] + (0, 2)]) * side), 55)  # eye socket
        stroke(soft, coarse(fold * side), int(8 + 45 * p.age + 30 * happy), 3)
        stroke(soft, coarse((low + (0, 5)) * side), int(10 + 60 * p.age), 2)  # bag under the eye
        stroke(soft, coarse(np.array([[5, 9], [8, 8.5]]) * (p.nose_width, 1) * side + (0, p.nose_y)), 235, 2)  # nostril
    for wrinkle in range(3):  # across the forehead
        y = p.brow_y - 20 - 9 * wrinkle - m.brow_lift
        line = np.array([[-30, 0], [-12, -2], [12, -2], [30, 0]]) + (0, y)
        stroke(soft, coarse(line), int(35 * p.age + 6 * max(m.brow_lift, 0)), 1)
    stroke(soft, coarse(bottom[4:13] + (0, 3)), 70, 2)
    blotches = np.random.default_rng(p.seed).standard_normal((18, 10), np.float32)
    blotches = cv2.resize(blotches, h.shape[::-1], interpolation=cv2.INTER_CUBIC)
    left: Float32 = 1 - cv2.stackBlur(soft, (7, 7)) * np.float32(1 / 255)
    left *= np.clip(1 + 0.03 * (h - cv2.blur(h, (15, 15))), 0.72, 1.12) * (1 + 0.02 * blotches)
    return left


def paint_skin(p: Person, m: Moment) -> UInt8:
    """Returns uint8 (rows, columns), one cell per SKIN_STEP mm: the face as if unrolled and lit evenly."""
    width, height = (flat(np.array([HALF_X, BOTTOM_Y])) + 1).astype(int)
    canvas = np.full((height, width), 255 * p.skin, np.uint8)
    if p.beard or p.moustache:
        canvas[:] = canvas * (1 - hairs(p, m, width, height))
    paint_mouth(canvas, p, m)
    paint_eyes(canvas, p, m)
    paint_brows(canvas, p, m)
    return canvas


def paint_brows(canvas: UInt8, p: Person, m: Moment) -> None:
    """Paints both brows on the skin, in place."""
    area, lift = band(canvas, -42, 8)
    cover = np.zeros_like(area)
    brow = brow_line(p, m)
    thick = p.brow_weight * np.array([0.85, 1, 0.85, 0.55, 0.2])[:, None] * (0, 0.5)
    for side in (1, -1):
        fill(cover, flat(np.vstack([brow - thick, (brow + thick)[::-1]]) * (side, 1)) - lift, 225)
    grey = 255 * min(p.hair + 0.04, 0.6 * p.skin)
    mix(area, np.full_like(area, grey), cv2.stackBlur(cover, (7, 7)))


def hairs(p: Person, m: Moment, width: int, height: int) -> Float32:
    """Returns float32 (rows, columns), how much beard and moustache darken the skin, 0..1."""
    mask = np.zeros((height, width), np.uint8)
    y, drop = p.mouth_y, m.mouth_open
    jaw = [[84, 140], [80, 5], [70, 18], [60, 44], [42, y - 8], [31, y + 1], [20, y + 15 + drop], [0, y + 13 + drop]]
    jaw = [*jaw, [0, 140]]
    lip = [[0, y - 13], [12, y - 14], [27, y - 4], [33, y + 12 - 6 * m.smile], [23, y + 2], [0, y - 6]]
    for side in (1, -1):
        fill(mask, flat(np.array(jaw) * (side, 1)), int(225 * p.beard))
    mask = cv2.blur(cv2.blur(mask, (17, 17)), (17, 17))
    for side in (1, -1):
        if p.moustache:
            fill(mask, flat(np.array(lip) * (side, 1)), int(225 * p.moustache))
    grain = np.random.default_rng(p.seed).integers(0, 110, (height // 5, width // 3), np.uint8)
    mask = cv2.subtract(mask, cv2.min(cv2.resize(grain, (width, height)), mask))
    cover: Float32 = cv2.blur(mask, (7, 7)) * np.float32(1 / 255)
    return cover * max(1 - (p.hair + 0.05) / p.skin, -0.25)


def paint_mouth(canvas: UInt8, p: Person, m: Moment) -> None:
    """Paints lips, teeth and tongue on the skin, in place."""
    top, in_top, in_low, bottom = lip_lines(p, m)
    grey = 255 * p.skin * p.lips
    area, lift = band(canvas, p.mouth_y - 22, p.mouth_y + 46)
    lips = np.zeros_like(area)
    fill(lips, flat(np.vstack([top, bottom[::-1]])) - lift, 235)
    layer = np.full_like(area, grey)
    fill(layer, flat(np.vstack([top, in_top[::-1]])) - lift, 0.86 * grey)
    stroke(layer, flat(0.45 * in_low + 0.55 * bottom)[5:12] - lift, min(1.18 * grey, 255), 4)
    layer = cv2.blur(layer, (5, 5))
    fill(layer, flat(np.vstack([in_top, in_low[::-1]])) - lift, 30)
    if m.mouth_open > 2.5:
        gap = in_low - in_top
        teeth = in_top + np.minimum(gap, (0, 5.5 + 2 * m.smile)) * 0.95
        fill(layer, flat(np.vstack([in_top, teeth[::-1]])[2:-2]) - lift, 205 * (0.6 + 0.4 * p.skin))
        tongue = in_low - np.maximum(gap - (0, 8), 0) * (0, 0.5)
        fill(layer, flat(np.vstack([tongue, in_low[::-1]])[3:-3]) - lift, 85)
    stroke(layer, flat(in_top) - lift, 0.35 * grey, 2)
    mix(area, layer, cv2.stackBlur(lips, (5, 5)))


def paint_eyes(canvas: UInt8, p: Person, m: Moment) -> None:
    """Paints both eyes on the skin, in place."""
    high, low = eye_outline(p, m)
    area, lift = band(canvas, -18, 16)
    opening, layer = np.zeros_like(area), np.full_like(area, 215)
    radius = 6.2 * p.eye_size**0.5 / SKIN_STEP
    shine = np.array([np.copysign(0.35, m.light[0]), -0.35]) * radius
    for side in (1, -1):
        fill(opening, flat(np.vstack([high, low[::-1]]) * (side, 1)) - lift, 255)
        centre = flat(np.array([side * p.eye_x + m.gaze[0], 0.2 + m.gaze[1]])) - lift
        disc(layer, centre, radius, 110 * p.iris)
        disc(layer, centre + (0, 0.1 * radius), 0.84 * radius, 255 * p.iris)
        disc(layer, centre, 0.45 * radius, 8)
        stroke(layer, flat((high + (0, 1)) * (side, 1)) - lift, 95, 3)  # the lid's shadow on the eye
        disc(layer, centre + shine, 0.24 * radius, 255)
    mix(area, layer, opening)
    for side in (1, -1):
        stroke(
            area, flat((high[1:] + (0.3, -4.4 * m.lids)) * (side, 1)) - lift, 255 * p.skin * 0.72, 2
        )  # fold of the lid
        stroke(area, flat(low[3:] * (side, 1)) - lift, 255 * p.skin * 0.62, 1)
        stroke(area, flat(high * (side, 1)) - lift, min(35, 90 * p.skin), 3)


def disc(canvas: UInt8, centre: Points, radius: float, grey: float) -> None:
    x, y = fixed(centre)
    cv2.circle(canvas, (int(x), int(y)), int(radius * 2**BITS), grey, -1, cv2.LINE_AA, BITS)


def mix(canvas: UInt8, layer: UInt8, cover: UInt8) -> None:
    """Lays the layer over the canvas, in place, where cover (0..255) says."""
    weight = cover * np.float32(1 / 255)
    canvas[:] = cv2.blendLinear(layer, canvas, weight, 1 - weight)


# ---- the picture


def draw(p: Person, m: Moment) -> tuple[UInt8, Float32]:
    """Returns the picture, uint8 (SIZE, SIZE), and where the 17 `landmarks` lie in it, float32 (17, 2) px."""
    rng = np.random.default_rng(m.seed)
    head = solid(p, m)
    view = view_of(p, m, head)
    place, depth, cover = strike(head, view, rounds=4)
    points = view.project(surface(head, landmarks(p, m)))

    picture = background(rng)
    long = p.cut in ("long", "curly")
    if p.cut != "bald":
        shell = hair_shell(p, head)
        if long:
            _, _, behind = strike(shell, view, rounds=2, back=True)
            blend(picture, 255 * p.hair * (0.25 + 0.45 * m.ambient), behind)
    body(picture, p, m, view, rng)
    ears(picture, p, m, view, head)
    hollow = look_up(head[..., 3], place[..., 0], place[..., 1])
    blend(picture, skin_seen(p, m, place) * lit(depth, m, gloss=0.04) * hollow, cover)
    if p.cut != "bald":
        hair(picture, p, m, view, shell)
    if p.glasses != "none":
        glasses(picture, p, m, view, head)
    if m.hidden_by != "nothing":
        hide(picture, p, m, view, rng)
    return photograph(picture, m, rng), points


def skin_seen(p: Person, m: Moment, place: Float32) -> Float32:
    """Returns float32 (SIZE, SIZE): the painted skin wrapped on the head, unlit."""
    cells = flat(place[..., :2])
    fine = cv2.resize(cells, None, fx=FINE, fy=FINE, interpolation=cv2.INTER_LINEAR)
    seen = cv2.remap(paint_skin(p, m), fine, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    skin: Float32 = cv2.resize(seen, (SIZE, SIZE), interpolation=cv2.INTER_AREA).astype(np.float32)
    return skin


def background(rng: np.random.Generator) -> Float32:
    """Returns float32 (SIZE, SIZE): a wall, a sky or lights out of focus."""
    corners = rng.uniform(0, 128, (2, 2)) + rng.uniform(0, 128)
    picture: Float32 = cv2.resize(corners.astype(np.float32), (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
    for _ in range(int(rng.integers(0, 7))):
        x, y, w, h = (int(v) for v in rng.uniform((-20, -20, 4, 10), (90, 90, 50, 90)))
        grey = rng.uniform(0, 240)
        if rng.random() < 0.6:
            cv2.rectangle(picture, (x, y), (x + w, y + h), grey, -1)
        else:
            cv2.circle(picture, (x, y), w // 2, grey, -1)
    picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(1, 5))
    return picture


def blend(canvas: Float32, grey: Points | float, cover: Float32) -> None:
    """Lays grey over the canvas, in place, where cover (0..1) says."""
    canvas += (grey - canvas) * cover


def on_canvas(polygon: Points, softness: float = 0.0) -> Float32:
    """Returns float32 (SIZE, SIZE), 0..1: the cover of a polygon given in px, (n, 2)."""
    mask = np.zeros((SIZE, SIZE), np.uint8)
    fill(mask, polygon, 255)
    if softness:
        mask = cv2.GaussianBlur(mask, (0, 0), softness)
    return mask * np.float32(1 / 255)


def body(picture: Float32, p: Person, m: Moment, view: View, rng: np.random.Generator) -> None:
    """Lays neck and clothes under the head, in place; the body stays more upright than the head."""
    x, y = view.project(np.array([[0, p.chin - 15, 20]], np.float32))[0]
    s = m.px_per_mm
    half = 0.72 * p.head_width * s
    cloth, light = rng.uniform(10, 235), (m.ambient + 0.5 * (1 - m.ambient))
    across = (_pixels[..., 0] - x) / (half * 1.1) - 0.6 * m.light[0]
    tone = 255 * p.skin * light * np.clip(0.95 - 0.35 * across**2, 0.3, 1)
    neck = np.array([[x - half, y - 40 * s], [x - half, y + 45 * s], [x + half, y + 45 * s], [x + half, y - 40 * s]])
    blend(picture, 0.85 * tone, on_canvas(neck, 0.8))
    for side in (-1, 1):
        slope = np.array([[0, 75], [38, 38], [52, 22], [70, 38], [160, 70], [160, 300], [0, 300]]) * s
        blend(picture, cloth * light * (0.9 - 0.1 * side), on_canvas(slope * (side, 1) + (x, y), 0.7))


def ears(picture: Float32, p: Person, m: Moment, view: View, head: Float32) -> None:
    """Lays the ears beside the head, in place."""
    light = m.ambient + 0.55 * (1 - m.ambient)
    for side in (-1, 1):
        x, y = view.project(np.array([[side * (p.head_width + 2), 14, -8]], np.float32))[0]
        for size, grey in ((1, 0.92), (0.55, 0.65)):
            axes = (float(2 * 11 * size * m.px_per_mm), float(2 * 29 * size * m.px_per_mm))
            mask = np.zeros((SIZE, SIZE), np.uint8)
            box = ((float(x), float(y)), axes, float(np.degrees(m.roll) + 12 * side))
            cv2.ellipse(mask, box, 255, -1, cv2.LINE_AA)
            blend(picture, 255 * p.skin * light * grey, cv2.GaussianBlur(mask, (0, 0), 0.7) * np.float32(1 / 255))


THICKNESS = {"short": 7, "fringe": 9, "long": 10, "curly": 20, "beanie": 9}  # mm


def hair_shell(p: Person, head: Float32) -> Float32:
    """Returns float32 (rows, 1, 4) like `solid`: the outside of the hair, smooth and so one column wide."""
    thick = THICKNESS[p.cut]
    taller = 112 / (112 + 1.5 * thick)
    above = [np.interp(_ys * taller, _ys, head[:, 0, i]) for i in (0, 1)]
    below = p.head_width * (1 - 0.1 * np.clip(_ys / 90, 0, 1)), 95
    a = np.where(_ys < 0, above[0], below[0]) + thick
    c = np.where(_ys < 0, above[1], below[1]) + 0.7 * thick
    return np.stack([a, c, 0 * a, 0 * a], -1)[:, None].astype(np.float32)


def hair(picture: Float32, p: Person, m: Moment, view: View, shell: Float32) -> None:
    """Lays the hair over the head, in place; it begins above a line that runs round the head."""
    place, depth, cover = strike(shell, view, rounds=2)
    x, y, z = cv2.split(place)
    angle = cv2.phase(z, x, angleInDegrees=True)  # 0 in front, grows to the left
    angle = np.where(angle > 180, angle - 360, angle)
    top = p.hairline
    lines: dict[str, list[float]] = {  # y at 0, 18, 38, 51, 70 and 90 degrees from the front and behind
        "short": [top, top + 2, top + 12, -30, 22, 30],
        "fringe": [top + 28, top + 30, top + 36, -8, 28, 45],
        "long": [top - 4, top + 4, top + 18, 20, 160, 160],
        "curly": [top - 2, top + 4, top + 16, -5, 95, 95],
        "beanie": [-44, -44, -42, -38, -20, 10],
    }
    rng = np.random.default_rng(p.seed)
    edge_angle = np.abs(np.arange(-180, 181)) / 90
    edge = np.interp(edge_angle, [0, 0.2, 0.42, 0.57, 0.78, 1.0], lines[p.cut])
    edge += 14 * p.parting * np.sin(np.arange(-180, 181) / 57.3) * (edge_angle < 0.8) * (p.cut != "beanie")
    waves = rng.standard_normal((361, 2), np.float32) * {"beanie": 0, "fringe": 9}.get(p.cut, 6)
    edge += cv2.GaussianBlur(waves, (1, 0), sigmaX=1, sigmaY=7)[:, 0] * 3
    above = edge.astype(np.float32)[(angle + 180.5).astype(np.int32)] - y
    rows, columns = {"beanie": (60, 4), "curly": (90, 60)}.get(p.cut, (200, 24))
    strands = cv2.GaussianBlur(rng.standard_normal((rows, columns), np.float32), (0, 0), 0.7)
    at = (y + 150) * (columns / 300), (angle + 180) * (rows / 360)
    strands = cv2.remap(strands, *at, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    knitted = p.cut == "beanie"
    above = cv2.GaussianBlur(above if knitted else above + 7 * strands, (0, 0), 0.7)
    over = np.clip(0.5 + above * m.px_per_mm / 2, 0, 1) * cover
    picture *= 1 - 0.3 * np.exp(-np.abs(above) / 8) * cover  # the shadow of the hair
    light = lit(depth, m, 0 if knitted else 0.1) * (0.75 + 0.25 * np.clip(above / 25, 0, 1))
    blend(picture, 255 * p.hair * (1 + (0.25 if knitted else 0.45) * strands) * light, over)


def glasses(picture: Float32, p: Person, m: Moment, view: View, head: Float32) -> None:
    """Lays glasses over the face, in place."""
    turn = np.linspace(0, 2 * np.pi, 25)
    rim = np.stack([24 * np.cos(turn), 17 * np.sin(turn) + 2 * np.sin(turn) ** 2], -1) * (1, 1 if p.seed % 2 else 0.8)
    rim = np.sign(rim) * np.abs(rim) ** 0.9 * np.array([24, 17]) ** 0.1
    front = float(surface(head, np.array([[0, 2]], np.float32))[0, 2]) + 4
    mask, lens = np.zeros((SIZE * 2, SIZE * 2), np.uint8), np.zeros((SIZE * 2, SIZE * 2), np.uint8)

    def seen(points: Points) -> Points:
        return 2 * view.project(np.asarray(points, np.float32)) + 0.5

    for side in (-1, 1):
        x = rim[:, 0] + (p.eye_x + 1) * side
        ring = seen(np.stack([x, rim[:, 1] + 3, front - 0.004 * x**2], -1))
        fill(lens, ring, 255)
        stroke(mask, ring, 255, 2 + p.seed % 3)
        arm = seen(np.array([[side * (p.eye_x + 24), -3, front - 12], [side * (p.head_width + 2), -2, 0]]))
        if side * m.yaw < 0.1:
            stroke(mask, arm, 255, 2)
    stroke(mask, seen(np.array([[-p.eye_x + 23, 0, front], [0, -3, front + 2], [p.eye_x - 23, 0, front]])), 255, 3)
    mask, lens = (cv2.resize(v, (SIZE, SIZE), interpolation=cv2.INTER_AREA) * np.float32(1 / 255) for v in (mask, lens))
    glare = np.clip(np.sin((_pixels @ np.array([0.09, 0.06], np.float32)) + p.seed % 7), 0, 1) ** 6
    if p.glasses == "dark":
        blend(picture, 22 + 60 * glare, 0.9 * lens)
    else:
        blend(picture, 245, 0.06 * lens + 0.22 * lens * glare)
    blend(picture, 30 + 40 * (p.seed % 4), 0.9 * mask)


def hide(picture: Float32, p: Person, m: Moment, view: View, rng: np.random.Generator) -> None:
    """Lays a hand or a bar over the face, in place."""
    light = m.ambient + 0.6 * (1 - m.ambient)
    if m.hidden_by == "bar":
        middle, angle = rng.uniform(0, SIZE, 2), rng.uniform(0, np.pi)
        reach = 120 * np.array([np.cos(angle), np.sin(angle)])
        capsule(picture, middle - reach, middle + reach, rng.uniform(2, 7), rng.uniform(15, 230))
        return
    side = rng.choice([-1, 1])
    root = view.project(np.array([[side * 48, p.chin + 25, 100]], np.float32))[0]
    angle = side * rng.uniform(-0.15, 0.7)
    width = 9.0 * m.px_per_mm
    for finger in (0, 3, 1, 2):
        lean = -angle + 0.16 * side * (finger - 1.5)
        start = root + np.array([side * -1.6 * width * (finger - 1.5), 0])
        length = m.px_per_mm * (72, 84, 80, 62)[finger]
        capsule(picture, start, start + length * np.array([np.sin(lean), -np.cos(lean)]), width, 245 * p.skin * light)
    palm = np.array([1.2 * width, 0])
    root = root + (0, 2 * width)
    capsule(picture, root - palm, root + palm, 2.4 * width, 235 * p.skin * light)


def capsule(picture: Float32, a: Points, b: Points, radius: float, grey: float) -> None:
    """Lays a rounded stick from a to b (px), darker at its sides, in place."""
    along = (b - a).astype(np.float32)
    from_a = _pixels - a.astype(np.float32)
    part = np.clip(from_a @ along / (along @ along), 0, 1)
    gap = from_a - part[..., None] * along
    off = np.sqrt(gap[..., 0] ** 2 + gap[..., 1] ** 2)
    picture *= 1 - 0.35 * np.clip(1.5 - off / radius, 0, 1)
    blend(picture, grey * np.clip(1.1 - 0.5 * (off / radius) ** 2, 0.2, None), np.clip(radius - off + 0.5, 0, 1))


def photograph(picture: Float32, m: Moment, rng: np.random.Generator) -> UInt8:
    """Returns uint8 (SIZE, SIZE): exposed, out of focus by `blur` px, with the noise of a sensor."""
    exposed: Float32 = np.clip(picture * np.float32(m.gain / 255), 0, 1) ** m.gamma * 255
    if m.blur > 0.2:
        exposed = cv2.GaussianBlur(exposed, (0, 0), m.blur)
    exposed += rng.standard_normal((SIZE, SIZE), np.float32) * np.float32(m.noise)
    photo: UInt8 = np.clip(exposed + 0.5, 0, 255).astype(np.uint8)
    return photo

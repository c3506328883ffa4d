"""Draws the filters NAME.png with their anchors NAME.json into `facial_keypoints/filters`.

python -m tools.draw_filters [NAME...]

Coordinates are in eye distances from the point between the eyes of a mean frontal face, x to the right of the picture,
y down; FACE has its keypoints. Shapes are drawn SUPERSAMPLING times as large and shrunk by area, which smooths their
edges.
"""

import json
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

Points = npt.NDArray[np.float64]  # (P, 2) points
Mask = npt.NDArray[np.floating]  # (H, W) 0..1
Color = tuple[int, ...] | npt.NDArray[np.floating]  # RGB 0..255, or (H, W, 3)

FILTERS = Path(__file__).parents[1] / "facial_keypoints" / "filters"
SUPERSAMPLING = 4
SUBPIXEL_BITS = 4  # OpenCV takes coordinates in sixteenths of a pixel

# Means over the 457 frontal ones of 1,615 faces of HELEN and LFPW (300-W's 68 points).
FACE = {
    "left_eye_center": (0.5, 0.0),
    "right_eye_center": (-0.5, 0.0),
    "left_eye_outer_corner": (0.69, 0.0),
    "right_eye_outer_corner": (-0.69, 0.0),
    "nose_tip": (0.0, 0.55),
    "mouth_left_corner": (0.43, 1.02),
    "mouth_right_corner": (-0.43, 1.02),
    "mouth_center_top_lip": (0.0, 0.95),
}
NOSE_DEPTH = 0.5  # distance of the nose tip in front of the eyes
EYES, MOUTH = (["left_eye_center"], ["right_eye_center"]), (["mouth_left_corner"], ["mouth_right_corner"])


# Anchors for drawings in the plane of eyes and mouth, on top of the skull, and at the tip of the nose.
PLANE = [(group, 0.0) for group in (*EYES, *MOUTH)]
HEAD = [*[(group, 0.9) for group, _ in PLANE], (["nose_tip"], 0.9 + NOSE_DEPTH)]
NOSE = [*[(group, -NOSE_DEPTH) for group, _ in PLANE], (["nose_tip"], 0.0)]


class Canvas:
    """A drawing: colors and opacity of (H, W) pixels, SUPERSAMPLING per pixel of the PNG."""

    def __init__(self, left: float, top: float, right: float, bottom: float, width_px: int = 800) -> None:
        """Starts a transparent drawing of a region of the face's plane."""
        self.scale = width_px / (right - left)  # px of the PNG per eye distance
        self.origin = np.array([left, top])
        height = round((bottom - top) * self.scale)
        shape = (height * SUPERSAMPLING, width_px * SUPERSAMPLING)
        self.rgb = np.zeros((*shape, 3), np.float32)  # premultiplied
        self.alpha = np.zeros(shape, np.float32)
        step = self.scale * SUPERSAMPLING
        self.x = ((np.arange(shape[1]) + 0.5) / step + left)[None].astype(np.float32)
        self.y = ((np.arange(shape[0]) + 0.5) / step + top)[:, None].astype(np.float32)

    def _px(self, points: npt.ArrayLike) -> npt.NDArray[np.int32]:
        px = (np.asarray(points) - self.origin) * self.scale * SUPERSAMPLING - 0.5
        return np.asarray(np.round(px * 2**SUBPIXEL_BITS), np.int32)

    def fill(self, *outlines: npt.ArrayLike) -> Mask:
        """Returns a mask of the inside of outlines (P, 2)."""
        mask = np.zeros(self.alpha.shape, np.uint8)
        for outline in outlines:
            cv2.fillPoly(mask, [self._px(outline)], 255, cv2.LINE_AA, SUBPIXEL_BITS)
        return np.asarray(mask / 255, np.float32)

    def stroke(self, points: npt.ArrayLike, width: float | npt.NDArray[np.float64]) -> Mask:
        """Returns a mask of a line along points (P, 2), with one width or a width (P,) per point."""
        path = np.asarray(points, np.float64)
        along = np.gradient(path, axis=0)
        across = np.stack([-along[:, 1], along[:, 0]], axis=1) / np.linalg.norm(along, axis=1, keepdims=True)
        half = np.broadcast_to(np.asarray(width) / 2, len(path))[:, None]
        return self.fill(np.concatenate([path + across * half, (path - across * half)[::-1]]))

    def blurred(self, mask: Mask, radius: float) -> Mask:
        """Returns a mask with edges blurred by `radius`."""
        factor = 8  # the blur is wide enough for an eighth of the resolution
        small = cv2.resize(mask, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA)
        sigma = max(radius * self.scale * SUPERSAMPLING / factor, 0.1)
        soft = cv2.GaussianBlur(small, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
        return np.asarray(cv2.resize(soft, mask.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)

    def lit(self, mask: Mask, radius: float, towards: tuple[float, float] = (-0.5, -1.0)) -> Mask:
        """Returns the shading of a shape with rounded edges: -1..1."""
        soft = self.blurred(mask, radius)
        step = radius * self.scale * SUPERSAMPLING
        slope = -np.gradient(soft, axis=1) * towards[0] - np.gradient(soft, axis=0) * towards[1]
        return np.clip(slope * step * 2, -1, 1).astype(np.float32)

    def paint(self, mask: Mask, color: Color, opacity: float | Mask = 1.0) -> None:
        """Paints a color over the drawing."""
        cover = np.asarray(mask * opacity, np.float32)
        self.rgb = np.asarray(color, np.float32) * cover[..., None] + self.rgb * (1 - cover[..., None])
        self.alpha = cover + self.alpha * (1 - cover)

    def save(
        self, name: str, anchors: list[tuple[list[str], float]], fit: str = "similarity", paint: str = "picture"
    ) -> None:
        """Writes the PNG and its anchors: groups of keypoints, and the distance of each in front of the drawing."""
        height, width = (side // SUPERSAMPLING for side in self.alpha.shape)
        alpha = cv2.resize(self.alpha, (width, height), interpolation=cv2.INTER_AREA)
        rgb = cv2.resize(self.rgb, (width, height), interpolation=cv2.INTER_AREA)
        rgb = rgb / np.maximum(alpha, 1e-6)[..., None]
        rgba = np.concatenate([rgb, alpha[..., None] * 255], axis=-1)
        rgba[alpha < 0.5 / 255] = 0
        image = Image.fromarray(np.rint(rgba.clip(0, 255)).astype(np.uint8))
        image.save(FILTERS / f"{name}.png", optimize=True)
        rows = ",\n    ".join(json.dumps(self._anchor(*anchor)) for anchor in anchors)  # one anchor per line
        text = f'{json.dumps({"fit": fit, "paint": paint})[:-1]}, "anchors": [\n    {rows}\n]}}\n'
        (FILTERS / f"{name}.json").write_text(text, encoding="utf-8")

    def _anchor(self, keypoints: list[str], depth: float) -> dict[str, Any]:
        position = np.mean([FACE[keypoint] for keypoint in keypoints], axis=0)
        x, y = (position - self.origin) * self.scale - 0.5
        values = {"keypoints": keypoints, "x": round(float(x), 1), "y": round(float(y), 1)}
        return values | ({"depth": round(depth * self.scale, 1)} if depth else {})


def smooth(points: Sequence[tuple[float, float]], closed: bool = True, steps: int = 24) -> Points:
    """Returns a curve through points (Catmull-Rom), with `steps` points from each to the next."""
    p = np.array(points, np.float64)
    p = np.concatenate([p[-1:], p, p[:2]]) if closed else np.concatenate([p[:1], p, p[-1:]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    runs = []
    for a, b, c, d in zip(p[:-3], p[1:-2], p[2:-1], p[3:], strict=True):
        runs.append(b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a))))
    return np.concatenate(runs + ([] if closed else [p[-2:-1]]))


def mirrored(points: npt.ArrayLike) -> Points:
    """Returns the mirrored points."""
    return np.asarray(points) * (-1, 1)


def both_sides(half: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Returns the symmetric outline of which `half` is one side; it starts and ends on the center line."""
    return [*half, *[(-x, y) for x, y in half[::-1] if x]]


def arc(middle: tuple[float, float], radii: tuple[float, float], start: float = 0, end: float = 360) -> Points:
    """Returns part of an ellipse, by angles in degrees, clockwise from the right."""
    angles = np.radians(np.linspace(start, end, 200))
    return np.stack([middle[0] + radii[0] * np.cos(angles), middle[1] + radii[1] * np.sin(angles)], axis=1)


def between(first: Color, second: Color, share: Mask) -> npt.NDArray[np.float32]:
    """Returns the mix of two colors (H, W, 3)."""
    share = np.clip(share, 0, 1)[..., None]
    return np.asarray(np.asarray(first, np.float32) * (1 - share) + np.asarray(second, np.float32) * share, np.float32)


def shaded(base: Color, light: Mask, bright: Color, dark: Color, limit: tuple[float, float]) -> npt.NDArray[np.float32]:
    """Returns a color (H, W, 3), brighter where `light` is above 0 and darker below 0, by at most `limit`."""
    brighter = between(base, bright, light.clip(0, 1) * limit[0])
    return between(brighter, dark, (-light).clip(0, 1) * limit[1])


def draw_sunglasses() -> None:
    """Draws black sunglasses with lenses that are lighter at the bottom."""
    c = Canvas(-1.3, -0.5, 1.3, 0.5)
    rim = smooth(
        [
            (0.1, -0.17),
            (0.3, -0.3),
            (0.7, -0.34),
            (1.02, -0.31),
            (1.07, -0.2),
            (0.99, 0.04),
            (0.84, 0.3),
            (0.55, 0.38),
            (0.27, 0.3),
            (0.14, 0.05),
        ]
    )
    lens = smooth(
        [
            (0.17, -0.14),
            (0.33, -0.235),
            (0.68, -0.265),
            (0.92, -0.235),
            (0.955, -0.15),
            (0.9, 0.04),
            (0.775, 0.245),
            (0.55, 0.31),
            (0.32, 0.245),
            (0.205, 0.05),
        ]
    )
    bridge = both_sides([(0, -0.215), (0.1, -0.225), (0.26, -0.29), (0.2, -0.08), (0.09, -0.12), (0, -0.13)])
    hinge = smooth([(0.98, -0.33), (1.1, -0.345), (1.18, -0.33), (1.2, -0.25), (1.12, -0.2), (1.0, -0.16)])
    lenses = c.fill(lens, mirrored(lens))
    frame = np.maximum(c.fill(rim, mirrored(rim), hinge, mirrored(hinge)), c.fill(smooth(bridge)))
    frame_only = frame * (1 - lenses)
    down = np.clip((c.y + 0.27) / 0.58, 0, 1) + 0 * c.x
    c.paint(lenses, between((14, 16, 22), (84, 74, 66), down**1.3), 0.94 - 0.12 * down)
    shine = np.zeros_like(lenses)
    for middle in (0.56, -0.56):
        for left, right, strength in ((-0.2, 0.02, 0.2), (0.07, 0.13, 0.14)):
            band = np.array([(left + 0.12, -0.5), (right + 0.12, -0.5), (right - 0.14, 0.5), (left - 0.14, 0.5)])
            shine += c.fill(band + (middle, 0)) * strength
    c.paint(lenses * c.blurred(shine, 0.012) * (1 - 0.75 * down), (235, 242, 255))
    inner_shadow = c.blurred(frame_only, 0.035) * lenses
    c.paint(inner_shadow, (0, 0, 0), 0.6)
    c.paint(frame_only, shaded((24, 24, 27), c.lit(frame_only, 0.03), (175, 178, 188), (0, 0, 0), (0.75, 0.6)))
    for side in (1, -1):
        for dot in ((0.985, -0.265), (1.035, -0.26)):
            c.paint(c.fill(arc((dot[0] * side, dot[1]), (0.017, 0.017))), (205, 208, 214))
    c.save("sunglasses", PLANE, fit="affine")


def draw_glasses() -> None:
    """Draws round glasses of gold wire."""
    c = Canvas(-1.3, -0.5, 1.3, 0.56, width_px=760)
    radius, middle = 0.395, (0.53, 0.04)
    ring = np.zeros_like(c.alpha)
    glass = np.zeros_like(c.alpha)
    for side in (1, -1):
        center = (middle[0] * side, middle[1])
        ring = np.maximum(ring, c.fill(arc(center, (radius + 0.026,) * 2)) - c.fill(arc(center, (radius - 0.026,) * 2)))
        glass = np.maximum(glass, c.fill(arc(center, (radius - 0.02,) * 2)))
    bridge = c.stroke(
        smooth([(-0.16, -0.02), (-0.09, -0.1), (0, -0.13), (0.09, -0.1), (0.16, -0.02)], closed=False), 0.052
    )
    hinge = smooth([(0.915, -0.045), (1.02, -0.085), (1.14, -0.09), (1.14, -0.03), (1.02, -0.025), (0.92, 0.02)])
    metal = np.maximum(np.maximum(ring, bridge), c.fill(hinge, mirrored(hinge)))
    c.paint(c.blurred(metal, 0.02), (20, 10, 0), 0.28)
    c.paint(glass, (225, 238, 255), 0.1)
    for middle_x in (0.53, -0.53):
        for start, end, r, width in ((195, 262, 0.31, 0.05), (272, 284, 0.31, 0.045), (20, 62, 0.32, 0.022)):
            path = arc((middle_x, middle[1]), (r, r), start, end)
            taper = np.sin(np.linspace(0, np.pi, len(path))) ** 0.5 * width + 1e-3
            c.paint(c.blurred(c.stroke(path, taper), 0.006) * glass, (255, 255, 255), 0.5)
    c.paint(metal, shaded((176, 128, 48), c.lit(metal, 0.018), (255, 240, 180), (84, 52, 10), (1, 0.9)))
    c.save("glasses", PLANE, fit="affine")


def draw_moustache() -> None:
    """Draws a handlebar moustache, hair by hair."""
    c = Canvas(-0.76, 0.54, 0.76, 1.08, width_px=600)
    spine = smooth(
        [
            (0.0, 0.8),
            (0.16, 0.81),
            (0.33, 0.885),
            (0.49, 0.91),
            (0.61, 0.85),
            (0.65, 0.75),
            (0.61, 0.675),
            (0.555, 0.68),
        ],
        closed=False,
        steps=40,
    )
    along = np.linspace(0, 1, len(spine))
    width = np.interp(along, [0, 0.1, 0.3, 0.5, 0.7, 0.85, 1], [0.135, 0.2, 0.215, 0.15, 0.085, 0.05, 0.012])
    body = np.maximum(c.stroke(spine, width), c.stroke(mirrored(spine), width))
    ground = np.maximum(c.blurred(body, 0.02) * 0.9, 0)
    c.paint(c.blurred(body, 0.045), (30, 14, 4), 0.3)
    c.paint(np.clip(ground * 1.6 - 0.3, 0, 1), (44, 25, 13))
    rng = np.random.default_rng(7)
    tangent = np.gradient(spine, axis=0)
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1) / np.linalg.norm(tangent, axis=1, keepdims=True)
    for _ in range(900):
        side = rng.choice([-1, 1])
        start = rng.uniform(0, 0.93) ** 1.25
        length = rng.uniform(0.12, 0.28)
        span = (along >= start) & (along <= start + length)
        if span.sum() < 8:
            continue
        across = np.clip(rng.normal(0, 0.55), -1.06, 1.06)
        drift = np.linspace(0, rng.normal(0, 0.12), span.sum())
        path = spine[span] + normal[span] * (width[span] / 2 * np.clip(across + drift, -1.12, 1.12))[:, None]
        path += normal[span] * (np.linspace(0, 1, span.sum()) ** 2 * rng.normal(0, 0.012))[:, None]
        thin = np.sin(np.linspace(0.25, np.pi, span.sum())) * rng.uniform(0.006, 0.013) + 5e-4
        shade = rng.uniform(0, 1) * np.clip(0.75 - 0.6 * across, 0.1, 1.2)
        color = tuple(int(low + (high - low) * shade) for low, high in ((34, 150), (18, 98), (8, 56)))
        path = path if side > 0 else mirrored(path)
        _hair(c, path, thin, color, rng.uniform(0.55, 0.95))
    c.save("moustache", [*PLANE, (["mouth_center_top_lip"], 0.0), (["nose_tip"], 0.35)], fit="affine")


def _hair(c: Canvas, path: Points, width: npt.NDArray[np.float64], color: Color, opacity: float) -> None:
    """Paints one hair, like `paint`, but only in the region around it."""
    margin = 0.02
    low = np.clip(c._px(path.min(axis=0) - margin) >> SUBPIXEL_BITS, 0, None)
    high = np.clip(c._px(path.max(axis=0) + margin) >> SUBPIXEL_BITS, 0, None)
    region = Canvas.__new__(Canvas)
    rows, columns = slice(low[1], high[1]), slice(low[0], high[0])
    region.scale, region.origin = c.scale, c.origin + low / (c.scale * SUPERSAMPLING)
    region.rgb, region.alpha = c.rgb[rows, columns], c.alpha[rows, columns]
    region.paint(region.stroke(path, width), color, opacity)
    c.rgb[rows, columns], c.alpha[rows, columns] = region.rgb, region.alpha


def draw_hat() -> None:
    """Draws a top hat with a red band."""
    c = Canvas(-1.95, -3.2, 1.95, -0.5)
    side = [(1.12, -1.1), (1.07, -1.6), (1.1, -2.2), (1.22, -2.85)]
    top_middle, top = -2.85, (1.22, 0.17)
    bottom = arc((0, -1.06), (1.12, 0.2), 0, 180)
    right = smooth(side, closed=False)
    crown = c.fill(np.concatenate([right[::-1], bottom, mirrored(right), arc((0, top_middle), top, 180, 360)]))
    front = [(0, -0.64), (0.9, -0.71), (1.5, -0.9), (1.78, -1.2)]
    behind = [(1.86, -1.24), (1.62, -1.26), (1.1, -1.12), (0, -1.06)]
    brim_mask = c.fill(smooth(both_sides([*front, *behind])))
    sheen = np.exp(-(((c.x + 0.45) / 0.3) ** 2)) * 0.6 + np.exp(-(((c.x - 0.75) / 0.16) ** 2)) * 0.25 + 0 * c.y
    felt = between((22, 22, 27), (98, 98, 112), sheen.astype(np.float32))
    dark_sides = np.clip((np.abs(c.x) - 0.7) / 0.5, 0, 1) + 0 * c.y
    felt = between(felt, (6, 6, 9), dark_sides * 0.7)
    c.paint(brim_mask, shaded((26, 26, 31), c.lit(brim_mask, 0.05), (122, 122, 136), (0, 0, 0), (0.8, 0.55)))
    contact = c.blurred(crown, 0.06) * brim_mask
    c.paint(contact, (0, 0, 0), 0.55)
    c.paint(crown, felt)
    lid = c.fill(arc((0, top_middle), top))
    c.paint(lid, between((58, 58, 66), (30, 30, 36), (c.y - top_middle + 0.17) / 0.34 + 0 * c.x))
    c.paint(lid - np.minimum(lid, c.fill(arc((0, top_middle + 0.012), (1.2, 0.158)))), (140, 140, 152), 0.8)
    curve = 0.2 * np.sqrt(np.clip(1 - (c.x / 1.12) ** 2, 0, 1))
    band = crown * ((c.y > -1.46 + curve) & (c.y < -1.04 + curve)).astype(np.float32)
    red = between((150, 20, 34), (232, 92, 98), sheen.astype(np.float32))
    red = between(red, (62, 4, 12), dark_sides * 0.8)
    folds = sum(np.clip(1 - np.abs((c.y - (y + curve)) / 0.03), 0, 1) for y in (-1.46, -1.04))
    c.paint(cv2.GaussianBlur(band, (0, 0), 1.2), between(red, (60, 4, 12), folds * 0.7))
    c.save("hat", HEAD)


def draw_crown() -> None:
    """Draws a golden crown with five points and gems."""
    c = Canvas(-1.5, -2.35, 1.5, -0.6, width_px=720)
    half, base, curve = 1.18, -0.93, 0.2

    def low(x: npt.ArrayLike, y: float = base) -> Any:  # the rim runs around the head
        return y + curve * np.sqrt(np.clip(1 - (np.asarray(x) / half) ** 2, 0, 1))

    xs = np.linspace(-half, half, 121)
    tips = [(-1.32, -1.93), (-0.7, -2.0), (0.0, -2.1), (0.7, -2.0), (1.32, -1.93)]
    valleys = [(-0.98, -1.42), (-0.36, -1.36), (0.36, -1.36), (0.98, -1.42)]
    zigzag: list[tuple[float, float]] = []
    for tip, valley in zip(tips, [*valleys, None], strict=True):
        zigzag += [tip] + ([valley] if valley else [])
    upper = []
    for a, b in pairwise(zigzag):  # slightly concave edges
        t = np.linspace(0, 1, 30)[:, None]
        mid = (np.array(a) + b) / 2 + np.array([0, 0.07])
        upper.append((1 - t) ** 2 * np.array(a) + 2 * t * (1 - t) * mid + t**2 * np.array(b))
    front = c.fill(np.concatenate([np.stack([xs, low(xs)], axis=1)[::-1], *upper]))
    back = c.fill(both_sides([(0, -1.42), (0.36, -1.86), (0.68, -1.42), (1.05, -1.78), (1.12, -1.1)]))
    c.paint(back, between((128, 84, 16), (70, 42, 4), (c.y + 1.9) / 0.8 + 0 * c.x))
    sheen = np.exp(-(((c.x + 0.4) / 0.26) ** 2)) + 0.5 * np.exp(-(((c.x - 0.72) / 0.14) ** 2)) + 0 * c.y
    gold = between((222, 160, 40), (255, 240, 170), sheen.astype(np.float32))
    gold = between(gold, (120, 70, 8), np.clip((np.abs(c.x) - 0.75) / 0.5, 0, 1) * 0.75 + 0 * c.y)
    gold = shaded(gold, c.lit(front, 0.035), (255, 250, 215), (104, 60, 4), (0.8, 0.7))
    c.paint(c.blurred(front, 0.05) * back * (1 - front), (40, 20, 0), 0.5)
    c.paint(front, gold)
    rail = c.y - low(c.x)
    for y in (-0.3, -0.035):  # two rails
        bar = front * np.clip(1.4 - np.abs((rail - y) / 0.035), 0, 1)
        c.paint(bar, between((255, 238, 160), (130, 80, 10), (rail - y) / 0.06 + 0.45), 0.95)
    red, blue, green = (200, 24, 48), (24, 96, 200), (20, 150, 90)
    for x, color in ((0.0, red), (-0.46, blue), (0.46, blue), (-0.86, green), (0.86, green)):
        turn = float(np.sqrt(1 - (x / half) ** 2))
        _gem(c, (x, float(low(x)) - 0.167), (0.1 * turn + 0.01, 0.085), color)
    for x, y in tips:
        ball = c.fill(arc((x, y - 0.06), (0.095, 0.095)))
        bulge = np.hypot(c.x - x + 0.03, c.y - y + 0.06 + 0.035) / 0.11
        c.paint(ball, between((255, 252, 244), (176, 150, 128), bulge**2.2))
    c.save("crown", HEAD)


def _gem(c: Canvas, middle: tuple[float, float], radii: tuple[float, float], color: tuple[int, int, int]) -> None:
    x, y = middle
    c.paint(c.fill(arc(middle, (radii[0] + 0.022, radii[1] + 0.022))), (118, 72, 8))
    c.paint(c.fill(arc((x - 0.004, y - 0.006), (radii[0] + 0.012, radii[1] + 0.012))), (250, 222, 130))
    stone = c.fill(arc(middle, radii))
    depth = ((c.x - x) / radii[0] * 0.4 + (c.y - y) / radii[1]) / 2 + 0.5
    dark, bright = tuple(v // 3 for v in color), tuple(min(255, v + 90) for v in color)
    c.paint(stone, between(between(dark, color, depth * 1.6), bright, (depth - 0.62) * 1.8))
    c.paint(
        c.blurred(c.fill(arc((x - radii[0] * 0.35, y - radii[1] * 0.4), (radii[0] * 0.3, radii[1] * 0.22))), 0.008),
        (255, 255, 255),
        0.9,
    )


def draw_cat_ears() -> None:
    """Draws gray cat ears, pink inside."""
    c = Canvas(-1.25, -2.25, 1.25, -1.05, width_px=560)
    rng = np.random.default_rng(3)
    for side in (1, -1):

        def move(points: Sequence[tuple[float, float]], side: int = side) -> list[tuple[float, float]]:
            return [((x - 0.08) * side, y - 0.28) for x, y in points]

        outer = smooth(
            move(
                [
                    (0.4, -1.13),
                    (0.62, -1.55),
                    (0.98, -1.9),
                    (1.1, -1.92),
                    (1.19, -1.82),
                    (1.26, -1.35),
                    (1.2, -0.86),
                    (0.98, -0.83),
                    (0.66, -0.93),
                ]
            )
        )
        inner = smooth(
            move([(0.63, -1.1), (0.78, -1.42), (1.0, -1.7), (1.06, -1.68), (1.11, -1.35), (1.08, -0.98), (0.86, -0.96)])
        )
        ear, pink = c.fill(outer), c.fill(inner)
        fade = np.clip((-1.08 - c.y) / 0.28, 0, 1) + 0 * c.x  # fades into the hair below
        c.paint(ear * fade, shaded((72, 66, 66), c.lit(ear, 0.07), (150, 140, 138), (28, 24, 26), (1, 0.8)))
        c.paint(
            c.blurred(pink, 0.03) * ear * fade, between((250, 176, 180), (196, 104, 118), (c.y + 1.7) / 0.8 + 0 * c.x)
        )
        for _ in range(170):  # hairs from below over the pink, and along the rim
            x, y = rng.uniform(0.5, 1.2), -0.84 - rng.uniform(0, 0.14)
            height = rng.uniform(0.18, 0.5) * (1.0 if x < 0.8 or x > 1.05 else 0.7)
            end = (x + (0.98 - x) * 0.45 + rng.normal(0, 0.04), y - height)
            path = smooth(move([(x, y), ((x + end[0]) / 2 - 0.03, (y + end[1]) / 2), end]), closed=False)
            width = np.linspace(0.022, 0.001, len(path))
            shade = int(rng.uniform(190, 250)) if 0.62 < x < 1.1 else int(rng.uniform(70, 125))
            _hair(c, path, width, (shade, shade - 6, shade - 8), 0.6)
    c.save("cat_ears", HEAD)


def draw_cat_nose() -> None:
    """Draws a pink nose and whiskers."""
    c = Canvas(-1.45, 0.35, 1.45, 1.1)
    nose = smooth(both_sides([(0, 0.5), (0.1, 0.475), (0.2, 0.5), (0.19, 0.585), (0.08, 0.69), (0, 0.72)]))
    tip = c.fill(nose)
    c.paint(c.blurred(tip, 0.03), (60, 20, 20), 0.3)
    c.paint(tip, shaded((226, 116, 132), c.lit(tip, 0.05), (255, 214, 216), (128, 44, 62), (1, 0.8)))
    c.paint(c.blurred(c.fill(arc((-0.06, 0.535), (0.05, 0.018))), 0.01), (255, 255, 255), 0.75)
    for side in (1, -1):
        for y, rise, reach in ((0.66, -0.2, 1.28), (0.73, -0.02, 1.36), (0.8, 0.17, 1.24)):
            path = smooth(
                [(0.36 * side, y), (0.8 * side, y + rise * 0.35 - 0.05), (reach * side, y + rise)],
                closed=False,
                steps=60,
            )
            width = np.linspace(0.026, 0.004, len(path))
            c.paint(c.stroke(path + (0, 0.014), width + 0.006), (40, 30, 30), 0.35)
            c.paint(c.stroke(path, width), (252, 250, 246))
        for x, y in ((0.3, 0.7), (0.27, 0.78), (0.36, 0.76)):
            c.paint(c.fill(arc((x * side, y), (0.018, 0.018))), (70, 44, 44), 0.8)
    c.save("cat_nose", NOSE, fit="affine")


def draw_clown() -> None:
    """Draws a red nose."""
    c = Canvas(-0.4, 0.1, 0.4, 0.9, width_px=480)
    middle, radius = (0.0, 0.5), 0.34
    ball = c.fill(arc(middle, (radius, radius)))
    x, y = (c.x - middle[0]) / radius, (c.y - middle[1]) / radius
    height = np.sqrt(np.clip(1 - x**2 - y**2, 0, 1))
    facing = np.clip(-0.42 * x - 0.55 * y + 0.72 * height, 0, 1)
    red = between((96, 0, 6), (236, 24, 30), facing * 1.25)
    red = between(red, (255, 120, 104), np.clip(facing - 0.7, 0, 1) * 1.6)
    rim = np.clip(0.45 - height, 0, 1) * np.clip(x * 0.5 + y, 0, 1)  # light reflected from the cheek
    c.paint(ball, between(red, (214, 60, 50), rim * 0.8))
    c.paint(c.blurred(c.fill(arc((-0.12, 0.34), (0.085, 0.055))), 0.022), (255, 255, 255), 0.85)
    c.paint(c.blurred(c.fill(arc((0.02, 0.27), (0.022, 0.016))), 0.008), (255, 255, 255), 0.6)
    c.save("clown", NOSE)


def draw_blur() -> None:
    """Draws the mask of the blur: the head from hairline to throat and from ear to ear."""
    c = Canvas(-1.65, -1.7, 1.65, 2.4, width_px=200)
    away = np.hypot(c.x / 1.45, (c.y - 0.35) / 1.85)
    c.paint(np.clip((1.1 - away) * 10, 0, 1).astype(np.float32), (128, 128, 128))
    c.save("blur", [*[(group, 0.3) for group, _ in PLANE], (["nose_tip"], 0.3 + NOSE_DEPTH)], paint="blur")


def main() -> None:
    """Draws all filters, or those named on the command line."""
    names = sys.argv[1:]
    for draw in (
        draw_sunglasses,
        draw_glasses,
        draw_moustache,
        draw_hat,
        draw_crown,
        draw_cat_ears,
        draw_cat_nose,
        draw_clown,
        draw_blur,
    ):
        if not names or draw.__name__.removeprefix("draw_") in names:
            draw()


if __name__ == "__main__":
    main()

"""Draws objects around and in front of a face: body, ears, hair, glasses, a hand or a bar."""

import cv2
import numpy as np

from data_prep.synthetic.brush import SIZE, Points, blend, fill, pixels, polygon_cover, stroke
from data_prep.synthetic.camera import View, brightness, intersect
from data_prep.synthetic.head import grid_y, surface
from data_prep.synthetic.person import Moment, Person
from facial_keypoints.array_types import Float32

THICKNESS = {"short": 7, "fringe": 9, "long": 10, "curly": 20, "beanie": 9}  # mm of hair


def body(picture: Float32, p: Person, m: Moment, view: View, rng: np.random.Generator) -> None:
    """Draws neck and clothes below the head, in place; the body is more upright than the head."""
    x, y = view.project(np.array([[0, p.chin - 15, 20]], np.float32))[0]
    s = m.px_per_mm
    half = 0.72 * p.head_width * s
    cloth, light = rng.uniform(10, 235), (m.ambient + 0.5 * (1 - m.ambient))
    across = (pixels()[..., 0] - x) / (half * 1.1) - 0.6 * m.light[0]
    tone = 255 * p.skin * light * np.clip(0.95 - 0.35 * across**2, 0.3, 1)
    neck = np.array([[x - half, y - 40 * s], [x - half, y + 45 * s], [x + half, y + 45 * s], [x + half, y - 40 * s]])
    blend(picture, 0.85 * tone, polygon_cover(neck, 0.8))
    for side in (-1, 1):
        slope = np.array([[0, 75], [38, 38], [52, 22], [70, 38], [160, 70], [160, 300], [0, 300]]) * s
        blend(picture, cloth * light * (0.9 - 0.1 * side), polygon_cover(slope * (side, 1) + (x, y), 0.7))


def ears(picture: Float32, p: Person, m: Moment, view: View, head: Float32) -> None:
    """Draws the ears, in place."""
    light = m.ambient + 0.55 * (1 - m.ambient)
    for side in (-1, 1):
        x, y = view.project(np.array([[side * (p.head_width + 2), 14, -8]], np.float32))[0]
        for size, gray in ((1, 0.92), (0.55, 0.65)):
            axes = (float(2 * 11 * size * m.px_per_mm), float(2 * 29 * size * m.px_per_mm))
            mask = np.zeros((SIZE, SIZE), np.uint8)
            box = ((float(x), float(y)), axes, float(np.degrees(m.roll) + 12 * side))
            cv2.ellipse(mask, box, 255, -1, cv2.LINE_AA)
            blend(picture, 255 * p.skin * light * gray, cv2.GaussianBlur(mask, (0, 0), 0.7) * np.float32(1 / 255))


def hair_shell(p: Person, head: Float32) -> Float32:
    """Returns float32 (rows, 1, 4) like `solid`: the surface of the hair, smooth and therefore one column wide."""
    thickness = THICKNESS[p.haircut]
    taller = 112 / (112 + 1.5 * thickness)
    above = [np.interp(grid_y() * taller, grid_y(), head[:, 0, i]) for i in (0, 1)]
    below = p.head_width * (1 - 0.1 * np.clip(grid_y() / 90, 0, 1)), 95
    a = np.where(grid_y() < 0, above[0], below[0]) + thickness
    c = np.where(grid_y() < 0, above[1], below[1]) + 0.7 * thickness
    return np.stack([a, c, 0 * a, 0 * a], -1)[:, None].astype(np.float32)


def hair(picture: Float32, p: Person, m: Moment, view: View, shell: Float32) -> None:
    """Draws the hair, in place, above a line around the head."""
    position, depth, cover = intersect(shell, view, rounds=2)
    x, y, z = cv2.split(position)
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
    edge = np.interp(edge_angle, [0, 0.2, 0.42, 0.57, 0.78, 1.0], lines[p.haircut])
    edge += 14 * p.parting * np.sin(np.arange(-180, 181) / 57.3) * (edge_angle < 0.8) * (p.haircut != "beanie")
    waves = rng.standard_normal((361, 2), np.float32) * {"beanie": 0, "fringe": 9}.get(p.haircut, 6)
    edge += cv2.GaussianBlur(waves, (1, 0), sigmaX=1, sigmaY=7)[:, 0] * 3
    above = edge.astype(np.float32)[(angle + 180.5).astype(np.int32)] - y
    rows, columns = {"beanie": (60, 4), "curly": (90, 60)}.get(p.haircut, (200, 24))
    strands = cv2.GaussianBlur(rng.standard_normal((rows, columns), np.float32), (0, 0), 0.7)
    cells = (y + 150) * (columns / 300), (angle + 180) * (rows / 360)
    strands = cv2.remap(strands, *cells, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    is_beanie = p.haircut == "beanie"
    above = cv2.GaussianBlur(above if is_beanie else above + 7 * strands, (0, 0), 0.7)
    opacity = np.clip(0.5 + above * m.px_per_mm / 2, 0, 1) * cover
    picture *= 1 - 0.3 * np.exp(-np.abs(above) / 8) * cover  # the shadow of the hair
    light = brightness(depth, m, 0 if is_beanie else 0.1) * (0.75 + 0.25 * np.clip(above / 25, 0, 1))
    blend(picture, 255 * p.hair * (1 + (0.25 if is_beanie else 0.45) * strands) * light, opacity)


def glasses(picture: Float32, p: Person, m: Moment, view: View, head: Float32) -> None:
    """Draws glasses, in place."""
    turn = np.linspace(0, 2 * np.pi, 25)
    rim = np.stack([24 * np.cos(turn), 17 * np.sin(turn) + 2 * np.sin(turn) ** 2], -1) * (1, 1 if p.seed % 2 else 0.8)
    rim = np.sign(rim) * np.abs(rim) ** 0.9 * np.array([24, 17]) ** 0.1
    front = float(surface(head, np.array([[0, 2]], np.float32))[0, 2]) + 4
    mask, lens = np.zeros((SIZE * 2, SIZE * 2), np.uint8), np.zeros((SIZE * 2, SIZE * 2), np.uint8)

    def on_mask(points: Points) -> Points:
        return 2 * view.project(np.asarray(points, np.float32)) + 0.5

    for side in (-1, 1):
        x = rim[:, 0] + (p.eye_x + 1) * side
        ring = on_mask(np.stack([x, rim[:, 1] + 3, front - 0.004 * x**2], -1))
        fill(lens, ring, 255)
        stroke(mask, ring, 255, 2 + p.seed % 3)
        arm = on_mask(np.array([[side * (p.eye_x + 24), -3, front - 12], [side * (p.head_width + 2), -2, 0]]))
        if side * m.yaw < 0.1:
            stroke(mask, arm, 255, 2)
    stroke(mask, on_mask(np.array([[-p.eye_x + 23, 0, front], [0, -3, front + 2], [p.eye_x - 23, 0, front]])), 255, 3)
    mask, lens = (cv2.resize(v, (SIZE, SIZE), interpolation=cv2.INTER_AREA) * np.float32(1 / 255) for v in (mask, lens))
    glare = np.clip(np.sin((pixels() @ np.array([0.09, 0.06], np.float32)) + p.seed % 7), 0, 1) ** 6
    if p.glasses == "dark":
        blend(picture, 22 + 60 * glare, 0.9 * lens)
    else:
        blend(picture, 245, 0.06 * lens + 0.22 * lens * glare)
    blend(picture, 30 + 40 * (p.seed % 4), 0.9 * mask)


def obstruct(picture: Float32, p: Person, m: Moment, view: View, rng: np.random.Generator) -> None:
    """Draws a hand or a bar in front of the face, in place."""
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


def capsule(picture: Float32, a: Points, b: Points, radius: float, gray: float) -> None:
    """Draws a rounded stick from a to b (px), darker at its sides, in place."""
    along = (b - a).astype(np.float32)
    from_a = pixels() - a.astype(np.float32)
    fraction = np.clip(from_a @ along / (along @ along), 0, 1)
    to_axis = from_a - fraction[..., None] * along
    distance = np.sqrt(to_axis[..., 0] ** 2 + to_axis[..., 1] ** 2)
    picture *= 1 - 0.35 * np.clip(1.5 - distance / radius, 0, 1)
    blend(
        picture, gray * np.clip(1.1 - 0.5 * (distance / radius) ** 2, 0.2, None), np.clip(radius - distance + 0.5, 0, 1)
    )

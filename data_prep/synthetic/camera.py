"""Projects the solid by a camera, and finds the surface point and the brightness of each pixel."""

from dataclasses import dataclass

import cv2
import numpy as np

from data_prep.synthetic.brush import SIZE, pixels
from data_prep.synthetic.head import look_up, surface
from data_prep.synthetic.person import Moment, Person
from facial_keypoints.array_types import Float32
from facial_keypoints.head_pose import rotations


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
    """Returns the camera that projects the middle between the eyes to `m.center`."""
    turn = rotation(m)
    eyes = surface(head, np.array([[-p.eye_x, 0], [p.eye_x, 0]], np.float32)).mean(0)
    return View(turn, m.px_per_mm, np.array(m.center, np.float32) - m.px_per_mm * (turn @ eyes)[:2])


def rotation(m: Moment) -> Float32:
    """Returns float32 (3, 3), head to camera: yaw, then pitch, then roll."""
    return rotations(np.degrees([[m.yaw, m.pitch, m.roll]]))[0].astype(np.float32)


def intersect(maps: Float32, view: View, rounds: int, back: bool = False) -> tuple[Float32, Float32, Float32]:
    """Finds where the line of sight of each pixel meets the solid.

    For a fixed height y the solid is an ellipse, and the equation is quadratic; y converges in a few iterations.

    Args:
        rounds: number of iterations; hair, which has no nose, needs fewer.
        back: find the far side of the solid instead of the near one.

    Returns:
        float32 (SIZE, SIZE, 3), head coordinates in mm; depth towards the camera (SIZE, SIZE) in mm; cover, 0..1.
    """
    plane = (pixels() - view.shift) / np.float32(view.px_per_mm)
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
    half_width_px = np.sqrt(square) * a * c * view.px_per_mm  # half the width of the outline, px
    cover = np.clip(0.5 + 0.5 * inside * half_width_px, 0, 1)
    return cv2.merge([x0 + depth * rx, y0 + depth * ry, z0 + depth * rz]), depth, cover


def brightness(depth: Float32, m: Moment, gloss: float) -> Float32:
    """Returns float32 (SIZE, SIZE): brightness of a surface from its depth (mm), about 1 where it faces the light."""
    depth = cv2.GaussianBlur(depth, (0, 0), 0.6)
    gx, gy = (np.clip(cv2.Sobel(depth, cv2.CV_32F, i, 1 - i, scale=m.px_per_mm / 8), -6, 6) for i in (1, 0))
    length = np.sqrt(gx * gx + gy * gy + 1)
    light = np.array(m.light) / np.linalg.norm(m.light)
    half_way = (light + (0, 0, 1)) / np.linalg.norm(light + (0, 0, 1))  # the direction of highlights

    def towards(x: float, y: float, z: float) -> Float32:
        return (z - x * gx - y * gy) / length

    soft = np.maximum(towards(*light.tolist()) + 0.35, 0) / 1.35  # some light beyond the edge of the shadow
    shine: Float32 = cv2.pow(np.maximum(towards(*half_way.tolist()), 0), 24)
    return (1.12 - m.ambient) * soft + gloss * shine + m.ambient

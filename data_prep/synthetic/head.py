"""Models the solid head as maps over x and y.

A head is a stack of ellipses (half width a(y), half depth c(y)) pushed forward by a relief h(x, y), so the surface is
z = h + c sqrt(1 - (x / a)^2). The same maps give the positions of keypoints and pixels.
"""

from functools import cache

import cv2
import numpy as np

from data_prep.synthetic.brush import Points, fill, stroke
from data_prep.synthetic.features import eye_outline, lip_lines
from data_prep.synthetic.person import Moment, Person
from facial_keypoints.array_types import Float32

STEP = 1.5  # mm per cell of the maps
HALF_X, TOP_Y, BOTTOM_Y = 84.0, -120.0, 126.0  # mm, the extent of the maps; beyond it their edge is repeated


@cache
def grid_x() -> Float32:
    """Returns x of the columns of the maps, float32 (columns,) in mm."""
    return np.arange(-HALF_X, HALF_X + STEP, STEP, dtype=np.float32)


@cache
def grid_y() -> Float32:
    """Returns y of the rows of the maps, float32 (rows,) in mm."""
    return np.arange(TOP_Y, BOTTOM_Y + STEP, STEP, dtype=np.float32)


def solid(p: Person, m: Moment) -> Float32:
    """Returns float32 (rows, columns, 4), one cell per STEP mm: half width a, half depth c, relief h, hollow shade."""
    jaw, chin = p.jaw, p.chin
    y_a = [-114, -110, -98, -66, -30, 0, 25, chin - 40, chin - 13, chin - 3, chin + 6]
    a = p.head_width * np.interp(grid_y(), y_a, [0.05, 0.35, 0.66, 0.93, 1, 1, 0.97, jaw, 0.62 * jaw, 0.38 * jaw, 0.05])
    y_c = [-112, -98, -66, -30, 10, 60, chin - 14, chin, chin + 14]
    c = np.interp(grid_y(), y_c, [30, 62, 86, 94, 95, 91, 87, 76, 60])
    a, c = (cv2.GaussianBlur(v.astype(np.float32)[:, None], (1, 0), sigmaX=1, sigmaY=5) for v in (a, c))
    h = relief(p, m)
    return cv2.merge([cv2.repeat(a, 1, len(grid_x())), cv2.repeat(c, 1, len(grid_x())), h, hollows(p, m, h)])


def bump(x: float, y: float, width: float, height: float, mm: float) -> Float32:
    """Returns float32 (rows, columns): hills at x and -x, `mm` high, with standard deviations `width` and `height`."""
    across: Float32 = np.exp(-0.5 * ((np.abs(grid_x()) - x) / width) ** 2)
    down: Float32 = mm * np.exp(-0.5 * ((grid_y() - y) / height) ** 2)
    return down[:, None] * across


def relief(p: Person, m: Moment) -> Float32:
    """Returns float32 (rows, columns) in mm: brows, sockets, nose, cheeks, lips and chin, moved as in `m`."""
    smile, size, width = m.smile, p.nose_size, p.nose_width
    along = p.nose_y + np.array([-62, -44, -30, -8, 0, 6, 16])
    ridge = np.interp(grid_y(), along, np.array([0, 3, 6, 14, 17, 13, 0]) * size)
    ridge = cv2.GaussianBlur(ridge.astype(np.float32)[:, None], (1, 0), sigmaX=1, sigmaY=1.6)
    spread = np.interp(grid_y(), p.nose_y + np.array([-40, -15, 0, 8]), np.array([6.5, 7, 8.5, 10]) * width)
    h: Float32 = ridge * np.exp(-0.5 * (grid_x() / spread[:, None].astype(np.float32)) ** 2)
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


def hollows(p: Person, m: Moment, h: Float32) -> Float32:
    """Returns float32 (rows, columns), one cell per STEP mm: the share of light in folds, hollows and blemishes."""
    soft = np.zeros(h.shape, np.uint8)
    high, low = eye_outline(p, m)
    _, _, _, bottom = lip_lines(p, m)
    smiling, corner = max(m.smile, 0), p.mouth_width + 5 * m.smile
    fold = np.array([[11, p.nose_y + 3], [18, p.nose_y + 8], [corner, p.mouth_y - 6], [corner + 5, p.mouth_y + 4]])
    for side in (np.array([1, 1]), np.array([-1, 1])):
        fill(soft, map_cells(np.vstack([high + (0, -4), low[::-1] + (0, 2)]) * side), 55)  # eye socket
        stroke(soft, map_cells(fold * side), int(8 + 45 * p.age + 30 * smiling), 3)
        stroke(soft, map_cells((low + (0, 5)) * side), int(10 + 60 * p.age), 2)  # bag under the eye
        # Nostril
        stroke(soft, map_cells(np.array([[5, 9], [8, 8.5]]) * (p.nose_width, 1) * side + (0, p.nose_y)), 235, 2)
    for wrinkle in range(3):  # across the forehead
        y = p.brow_y - 20 - 9 * wrinkle - m.brow_lift
        line = np.array([[-30, 0], [-12, -2], [12, -2], [30, 0]]) + (0, y)
        stroke(soft, map_cells(line), int(35 * p.age + 6 * max(m.brow_lift, 0)), 1)
    stroke(soft, map_cells(bottom[4:13] + (0, 3)), 70, 2)
    blotches = np.random.default_rng(p.seed).standard_normal((18, 10), np.float32)
    blotches = cv2.resize(blotches, h.shape[::-1], interpolation=cv2.INTER_CUBIC)
    light_share: Float32 = 1 - cv2.stackBlur(soft, (7, 7)) * np.float32(1 / 255)
    light_share *= np.clip(1 + 0.03 * (h - cv2.blur(h, (15, 15))), 0.72, 1.12) * (1 + 0.02 * blotches)
    return light_share


def map_cells(xy: Points) -> Points:
    """Converts mm to cells of the maps, float (..., 2)."""
    return (xy + np.array([HALF_X, -TOP_Y], np.float32)) / STEP


def surface(head: Float32, xy: Points) -> Float32:
    """Returns float32 (K, 3): the points of the head at x and y (K, 2), in mm."""
    at = np.asarray(xy, np.float32)
    a, c, h, _ = cv2.split(look_up(head, at[:, None, 0], at[:, None, 1]))
    z = h + c * np.sqrt(np.maximum(1 - (at[:, :1] / a) ** 2, 0))
    return np.hstack([at, z])


def look_up(maps: Float32, x: Float32, y: Float32) -> Float32:
    """Returns float32 (H, W, ...): the values of the maps at x and y, float32 (H, W) in mm."""
    cells = (x + HALF_X) / STEP, (y - TOP_Y) / STEP
    return cv2.remap(maps, *cells, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

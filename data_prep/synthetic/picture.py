"""Draws one picture of a person, with its output points."""

import cv2
import numpy as np

from data_prep.synthetic.brush import SIZE, blend
from data_prep.synthetic.camera import brightness, intersect, view_of
from data_prep.synthetic.extras import body, ears, glasses, hair, hair_shell, obstruct
from data_prep.synthetic.features import output_points
from data_prep.synthetic.head import look_up, solid, surface
from data_prep.synthetic.person import Moment, Person
from data_prep.synthetic.skin import paint_skin, skin_cells
from facial_keypoints.array_types import Float32, UInt8

FINE = 2  # the skin is sampled on a grid this much finer


def draw(p: Person, m: Moment) -> tuple[UInt8, Float32]:
    """Returns the picture, uint8 (SIZE, SIZE), and its 17 `output_points`, float32 (17, 2) px."""
    rng = np.random.default_rng(m.seed)
    head = solid(p, m)
    view = view_of(p, m, head)
    position, depth, cover = intersect(head, view, rounds=4)
    points = view.project(surface(head, output_points(p, m)))

    picture = background(rng)
    long = p.haircut in ("long", "curly")
    if p.haircut != "bald":
        shell = hair_shell(p, head)
        if long:
            _, _, behind = intersect(shell, view, rounds=2, back=True)
            blend(picture, 255 * p.hair * (0.25 + 0.45 * m.ambient), behind)
    body(picture, p, m, view, rng)
    ears(picture, p, m, view, head)
    hollow = look_up(head[..., 3], position[..., 0], position[..., 1])
    blend(picture, visible_skin(p, m, position) * brightness(depth, m, gloss=0.04) * hollow, cover)
    if p.haircut != "bald":
        hair(picture, p, m, view, shell)
    if p.glasses != "none":
        glasses(picture, p, m, view, head)
    if m.hidden_by != "nothing":
        obstruct(picture, p, m, view, rng)
    return photograph(picture, m, rng), points


def visible_skin(p: Person, m: Moment, position: Float32) -> Float32:
    """Returns float32 (SIZE, SIZE): the unlit painted skin at `position`, (SIZE, SIZE, 3) in mm."""
    cells = skin_cells(position[..., :2])
    fine = cv2.resize(cells, None, fx=FINE, fy=FINE, interpolation=cv2.INTER_LINEAR)
    sampled = cv2.remap(paint_skin(p, m), fine, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return cv2.resize(sampled, (SIZE, SIZE), interpolation=cv2.INTER_AREA).astype(np.float32)


def background(rng: np.random.Generator) -> Float32:
    """Returns float32 (SIZE, SIZE): a wall, a sky or lights, out of focus."""
    corners = rng.uniform(0, 128, (2, 2)) + rng.uniform(0, 128)
    picture: Float32 = cv2.resize(corners.astype(np.float32), (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
    for _ in range(int(rng.integers(0, 7))):
        x, y, w, h = (int(v) for v in rng.uniform((-20, -20, 4, 10), (90, 90, 50, 90)))
        gray = rng.uniform(0, 240)
        if rng.random() < 0.6:
            cv2.rectangle(picture, (x, y), (x + w, y + h), gray, -1)
        else:
            cv2.circle(picture, (x, y), w // 2, gray, -1)
    return cv2.GaussianBlur(picture, (0, 0), rng.uniform(1, 5))


def photograph(picture: Float32, m: Moment, rng: np.random.Generator) -> UInt8:
    """Returns uint8 (SIZE, SIZE): exposed, out of focus by `blur` px, with the noise of a sensor."""
    exposed: Float32 = np.clip(picture * np.float32(m.gain / 255), 0, 1) ** m.gamma * 255
    if m.blur > 0.2:
        exposed = cv2.GaussianBlur(exposed, (0, 0), m.blur)
    exposed += rng.standard_normal((SIZE, SIZE), np.float32) * np.float32(m.noise)
    return np.clip(exposed + 0.5, 0, 255).astype(np.uint8)

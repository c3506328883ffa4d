"""Draws `docs/measures.png`: one drawn person in poses that show the signs of yaw, pitch and roll.

python -m tools.draw_measures
"""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from data_prep.synthetic.person import a_moment, a_person
from data_prep.synthetic.picture import draw
from facial_keypoints.array_types import UInt8

FILE = Path(__file__).parent.parent / "docs" / "measures.png"
SEED = 38  # of a person without glasses or beard
SIDE_PX, CAPTION_PX = 150, 20
PX_PER_MM = 0.53  # of the drawn picture, 96 px wide
FONT_PX = 13
POSES_DEGREES = {
    "yaw +30": (30, 0, 0),
    "yaw -30": (-30, 0, 0),
    "pitch +18": (0, 18, 0),
    "pitch -18": (0, -18, 0),
    "roll +20": (0, 0, 20),
    "roll -20": (0, 0, -20),
}


def strip() -> Image.Image:
    """Returns the poses side by side, each with its caption below."""
    image = Image.new("RGB", (len(POSES_DEGREES) * SIDE_PX, SIDE_PX + CAPTION_PX), (255, 255, 255))
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(FONT_PX)
    for index, (caption, degrees) in enumerate(POSES_DEGREES.items()):
        image.paste(Image.fromarray(face(*degrees)), (index * SIDE_PX, 0))
        middle = (index + 0.5) * SIDE_PX
        pen.text((middle, SIDE_PX + 2), caption, (20, 20, 20), font, anchor="ma")
    return image


def face(yaw: float, pitch: float, roll: float) -> UInt8:
    """Returns the person in a pose, uint8 (SIDE_PX, SIDE_PX)."""
    person = a_person(np.random.default_rng(SEED))
    yaw, pitch, roll = np.radians([yaw, pitch, roll]).tolist()
    moment = replace(
        a_moment(np.random.default_rng(SEED), person),
        yaw=yaw,
        pitch=pitch,
        roll=roll,
        px_per_mm=PX_PER_MM,
        gaze=(0.0, 0.0),
        lids=1.0,
        smile=0.0,
        mouth_open=0.3,
        hidden_by="nothing",
        blur=0.0,
        noise=0.0,
    )
    picture, _ = draw(person, moment)
    return np.asarray(cv2.resize(picture, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_CUBIC), np.uint8)


if __name__ == "__main__":
    strip().save(FILE, optimize=True)

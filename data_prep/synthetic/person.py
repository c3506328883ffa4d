"""Generates random people and moments, distributed as in the published pictures."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Person:
    """The features of a person, the same in every picture. Lengths in mm, grays 0..1 (albedo), `_size` 1 is average."""

    head_width: float  # half
    jaw: float  # width of the jaw over that of the head
    chin: float  # y
    eye_x: float
    eye_size: float
    iris: float  # gray
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
    skin: float  # gray
    lips: float  # lip over skin gray
    hair: float  # gray
    haircut: str  # bald, short, fringe, long, curly, beanie
    hairline: float  # y in the middle of the forehead
    parting: float  # -1..1, side to which the hairline rises
    beard: float  # 0 none .. 1 full
    moustache: float  # 0..1
    glasses: str  # none, clear, dark
    seed: int  # for the strands and blemishes


@dataclass(frozen=True)
class Moment:
    """The features of one picture. Angles in radians, lengths in mm unless marked as px."""

    yaw: float  # positive: nose to the right of the picture
    pitch: float  # positive: nose up
    roll: float
    px_per_mm: float
    center: tuple[float, float]  # px, the middle between the eyes
    lids: float  # 0 closed .. 1 open
    gaze: tuple[float, float]
    brow_lift: float
    smile: float  # -0.3 .. 1
    mouth_open: float
    light: tuple[float, float, float]  # towards the light, in camera coordinates
    ambient: float  # share of ambient light
    gain: float
    gamma: float
    blur: float  # px
    noise: float  # gray levels of 255
    hidden_by: str  # nothing, hand, bar
    seed: int  # for background, clothes, noise


def a_person(rng: np.random.Generator) -> Person:
    """Returns a random person, whose lengths in mm vary as among real people."""
    man = rng.random() < 0.55
    age, skin = rng.random() ** 1.3, rng.choice([0.82, 0.74, 0.66, 0.52, 0.36], p=[0.3, 0.28, 0.2, 0.13, 0.09])
    haircuts = ["bald", "short", "fringe", "long", "curly", "beanie"]
    haircut_shares = [0.15, 0.6, 0.1, 0.03, 0.05, 0.07] if man else [0, 0.1, 0.17, 0.51, 0.17, 0.05]
    hair = (
        rng.choice([0.06, 0.12, 0.22, 0.4, 0.62], p=[0.25, 0.3, 0.2, 0.15, 0.1])
        if skin > 0.6
        else rng.uniform(0.05, 0.12)
    )
    has_beard = man and rng.random() < 0.4

    def about(mean: float, scatter: float) -> float:
        return float(mean + scatter * np.clip(rng.standard_normal(), -2.2, 2.2))

    return Person(
        head_width=about(70, 3.5),
        jaw=about(0.84 if man else 0.79, 0.05),
        chin=about(113, 4),
        eye_x=about(32, 1.2),
        eye_size=about(1.02, 0.1),
        iris=float(rng.choice([0.1, 0.16, 0.28, 0.42])) if skin > 0.6 else 0.1,
        brow_y=about(-13.2, 2),
        brow_arch=about(4.5, 1.5),
        brow_slope=about(2.5, 1.6),
        brow_weight=about(6 if man else 4.2, 1),
        nose_y=about(36, 2.5),
        nose_size=about(1, 0.17),
        nose_width=about(0.98, 0.13) * (1.15 if skin < 0.6 else 1),
        mouth_y=about(68.5, 2.5),
        mouth_width=about(25.5, 1.8),
        lip_size=about(1, 0.2) * (1.2 if skin < 0.6 else 1),
        cheek=about(3.5, 1.5),
        age=float(age),
        skin=float(skin * rng.uniform(0.93, 1.07)),
        lips=float(rng.uniform(0.66, 0.86) if man else rng.uniform(0.5, 0.78)),
        hair=float(0.75 if age > 0.85 else hair),
        haircut=str(rng.choice(haircuts, p=haircut_shares)),
        hairline=about(-57, 7),
        parting=float(rng.uniform(-1, 1)),
        beard=float(rng.choice([0, 0.3, 0.6, 1])) if has_beard else 0.0,
        moustache=float(rng.uniform(0.5, 1)) if has_beard else 0.0,
        glasses=str(rng.choice(["none", "clear", "dark"], p=[0.83, 0.14, 0.03])),
        seed=int(rng.integers(2**31)),
    )


def a_moment(rng: np.random.Generator, p: Person) -> Moment:
    """Returns a random moment of a person, with position and scale as in the published set."""
    yaw, pitch = float(np.clip(rng.normal(0, 0.21), -0.56, 0.56)), float(np.clip(rng.normal(0, 0.13), -0.34, 0.34))
    smile = float(rng.choice([-0.2, 0.05, 0.35, 0.85], p=[0.12, 0.3, 0.26, 0.32])) + rng.uniform(-0.1, 0.15)
    openness = rng.random()
    side, height = rng.normal(0, 0.6), rng.uniform(-0.9, 0.15)
    least_open = 3.5 if smile > 0.6 and openness < 0.7 else 0.3  # a broad smile mostly shows the teeth
    return Moment(
        yaw=yaw,
        pitch=pitch,
        roll=float(rng.normal(0, 0.095)),
        px_per_mm=float(np.clip(rng.normal(0.575, 0.035), 0.48, 0.66)),
        center=(float(rng.normal(48, 2.2)), float(rng.normal(37.0, 2.2))),
        lids=float(rng.choice([1, 0.85, 0.65, 0], p=[0.5, 0.28, 0.14, 0.08])) * (1 - 0.2 * max(smile, 0)),
        gaze=(float(-6 * yaw * (rng.random() < 0.6) + rng.normal(0, 0.9)), float(rng.normal(0, 0.5))),
        brow_lift=float(np.clip(rng.normal(0.6, 1.8), -2.5, 6)),
        smile=float(smile),
        mouth_open=float(
            least_open if openness < 0.5 else rng.uniform(0.5, 7) if openness < 0.88 else rng.uniform(7, 18)
        ),
        light=(float(side), float(height), 1.0),
        ambient=float(rng.uniform(0.25, 0.7)),
        gain=float(np.exp(rng.normal(-0.12, 0.22)) * (0.66 / p.skin) ** 0.55),
        gamma=float(rng.uniform(0.8, 1.3)),
        blur=float(rng.choice([0, 0.5, 0.8, 1.3], p=[0.4, 0.35, 0.18, 0.07])),
        noise=float(min(rng.exponential(2), 6)),
        hidden_by=str(rng.choice(["nothing", "hand", "bar"], p=[0.9, 0.06, 0.04])),
        seed=int(rng.integers(2**31)),
    )

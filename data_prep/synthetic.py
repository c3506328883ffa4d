"""The built-in source: faces the project draws itself, with exact keypoints, no download."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import tqdm

from data_prep.faces import Faces
from data_prep.synthetic_drawing import SIZE, Moment, Person, draw
from facial_keypoints.array_types import Float32, Int64, UInt8
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15

SPARSE = FACE15.sources[1]  # the label source of the last rows
THREADS = 2  # OpenCV and NumPy let go of the interpreter for part of the work; more help little
COUNT = 7049  # rows of the published set, whose make-up the shares below follow
FIRST_SOURCE = 2284 / COUNT  # share of rows that the first source marked, the first rows
ROWS_PER_PERSON = 5  # on average
DUPLICATES = 60 / COUNT  # share of rows that repeat the picture of another row
LABEL_NOISE = 0.4  # px, standard deviation of each coordinate: two labels of one picture lie 0.7 px apart on average
# Visible keypoints -> rows of the first source that have so many, in the published set
VISIBLE = {5: 2, 8: 2, 9: 5, 10: 3, 11: 8, 12: 9, 13: 28, 14: 87, 15: 2140}
SECOND_SOURCE_INCOMPLETE = 10 / 4765  # share of rows with three keypoints in place of four
# How often a keypoint is the one missing, in its order in FACE15: outer ends of brows most, the nose never
MISSED = np.array([10, 13, 13, 17, 16, 16, 14, 59, 14, 48, 0, 15, 14, 9, 23]) / 281


def read(count: int = COUNT, seed: int = 0) -> Faces:
    """Draws `count` faces, alike for a seed on every machine; a smaller count is not the beginning of a larger one.

    The first rows come from a source that marks nearly all 15 keypoints, the others from one that marks four. As in the
    published set, the second takes the base of the nose for its tip and the inner edge of the lower lip for its bottom.
    Labels carry LABEL_NOISE; a label outside the picture is left out. Groups are the persons.

    Raises:
        InputError: count is below 1.
    """
    if count < 1:
        raise InputError(f"--count {count}: the number of faces to draw must be at least 1")
    rng = np.random.default_rng([seed, count])
    first = round(count * FIRST_SOURCE)
    origin = with_duplicates(count, first, rng)
    person = np.unique(rng.integers(0, -(-count // ROWS_PER_PERSON), count), return_inverse=True)[1][origin]

    images = np.empty((count, SIZE, SIZE, 1), np.uint8)
    landmarks = np.empty((count, len(FACE15) + 2, 2), np.float32)
    drawn = np.unique(origin)
    with one_opencv_thread(), ThreadPoolExecutor(THREADS) as pool:
        faces = pool.map(lambda row: face(seed, int(person[row]), int(row)), drawn)
        bar = tqdm.tqdm(faces, "drawing faces", len(drawn), leave=False, unit="face", disable=None)
        for row, (image, points) in zip(drawn, bar, strict=True):
            images[row, ..., 0], landmarks[row] = image, points
    images, landmarks = images[origin], landmarks[origin]
    keypoints = marked(landmarks, first, rng)
    return Faces(images, keypoints, np.arange(count, dtype=np.int64), person.astype(np.int64), FACE15)


@contextlib.contextmanager
def one_opencv_thread() -> Iterator[None]:
    """Keeps OpenCV from sharing out work on pictures so small that waiting for the other core costs more."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def with_duplicates(count: int, first: int, rng: np.random.Generator) -> Int64:
    """Returns int64 (count,), the row whose picture each row shows: its own, but for a few; never across sources."""
    origin = np.arange(count)
    for rows in (origin[:first], origin[first:]):
        pairs = rng.permutation(rows)[: 2 * round(len(rows) * DUPLICATES)].reshape(2, -1)
        origin[pairs[0]] = pairs[1]
    return origin


def marked(landmarks: Float32, first: int, rng: np.random.Generator) -> Float32:
    """Returns float32 (N, 15, 2): what the two sources mark of (N, 17, 2) landmarks, NaN where they do not."""
    count, points = len(landmarks), len(FACE15)
    keypoints = landmarks[:, :points].copy()
    keypoints[first:, SPARSE.own] = landmarks[first:, points:]
    keypoints += rng.normal(0, LABEL_NOISE, keypoints.shape).astype(np.float32)

    hidden = np.zeros((count, points), bool)
    visible = rng.permutation(np.repeat(list(VISIBLE), list(VISIBLE.values())))
    for row, seen in enumerate(np.resize(visible, first)):
        hidden[row, rng.choice(points, points - seen, replace=False, p=MISSED)] = True
    hidden[first:] = True
    hidden[first:, SPARSE.keypoints] = False
    incomplete = rng.permutation(np.arange(first, count))[: round((count - first) * SECOND_SOURCE_INCOMPLETE)]
    hidden[incomplete, rng.choice(SPARSE.keypoints, len(incomplete))] = True
    outside = ((keypoints < 0) | (keypoints > SIZE - 1)).any(-1)
    keypoints[hidden | outside] = np.nan
    return keypoints


def face(seed: int, person: int, row: int) -> tuple[UInt8, Float32]:
    """Returns one picture, uint8 (SIZE, SIZE), and its 17 landmarks, float32 (17, 2) px."""
    someone = a_person(np.random.default_rng([seed, 1, person]))
    return draw(someone, a_moment(np.random.default_rng([seed, 2, row]), someone))


def a_person(rng: np.random.Generator) -> Person:
    """Returns someone; lengths in mm scatter as among people."""
    man = rng.random() < 0.55
    age, skin = rng.random() ** 1.3, rng.choice([0.82, 0.74, 0.66, 0.52, 0.36], p=[0.3, 0.28, 0.2, 0.13, 0.09])
    cuts = ["bald", "short", "fringe", "long", "curly", "beanie"]
    hair = (
        rng.choice([0.06, 0.12, 0.22, 0.4, 0.62], p=[0.25, 0.3, 0.2, 0.15, 0.1])
        if skin > 0.6
        else rng.uniform(0.05, 0.12)
    )
    hairy = man and rng.random() < 0.4

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
        cut=str(rng.choice(cuts, p=[0.15, 0.6, 0.1, 0.03, 0.05, 0.07] if man else [0, 0.1, 0.17, 0.51, 0.17, 0.05])),
        hairline=about(-57, 7),
        parting=float(rng.uniform(-1, 1)),
        beard=float(rng.choice([0, 0.3, 0.6, 1])) if hairy else 0.0,
        moustache=float(rng.uniform(0.5, 1)) if hairy else 0.0,
        glasses=str(rng.choice(["none", "clear", "dark"], p=[0.83, 0.14, 0.03])),
        seed=int(rng.integers(2**31)),
    )


def a_moment(rng: np.random.Generator, p: Person) -> Moment:
    """Returns a picture of someone being taken; place and scale as in the published set."""
    yaw, pitch = float(np.clip(rng.normal(0, 0.21), -0.56, 0.56)), float(np.clip(rng.normal(0, 0.13), -0.34, 0.34))
    smile, opened = (
        float(rng.choice([-0.2, 0.05, 0.35, 0.85], p=[0.12, 0.3, 0.26, 0.32])) + rng.uniform(-0.1, 0.15),
        rng.random(),
    )
    side, height = rng.normal(0, 0.6), rng.uniform(-0.9, 0.15)
    least = 3.5 if smile > 0.6 and opened < 0.7 else 0.3  # a broad smile mostly shows the teeth
    return Moment(
        yaw=yaw,
        pitch=pitch,
        roll=float(rng.normal(0, 0.095)),
        px_per_mm=float(np.clip(rng.normal(0.575, 0.035), 0.48, 0.66)),
        centre=(float(rng.normal(48, 2.2)), float(rng.normal(37.0, 2.2))),
        lids=float(rng.choice([1, 0.85, 0.65, 0], p=[0.5, 0.28, 0.14, 0.08])) * (1 - 0.2 * max(smile, 0)),
        gaze=(float(-6 * yaw * (rng.random() < 0.6) + rng.normal(0, 0.9)), float(rng.normal(0, 0.5))),
        brow_lift=float(np.clip(rng.normal(0.6, 1.8), -2.5, 6)),
        smile=float(smile),
        mouth_open=float(least if opened < 0.5 else rng.uniform(0.5, 7) if opened < 0.88 else rng.uniform(7, 18)),
        light=(float(side), float(height), 1.0),
        ambient=float(rng.uniform(0.25, 0.7)),
        gain=float(np.exp(rng.normal(-0.12, 0.22)) * (0.66 / p.skin) ** 0.55),
        gamma=float(rng.uniform(0.8, 1.3)),
        blur=float(rng.choice([0, 0.5, 0.8, 1.3], p=[0.4, 0.35, 0.18, 0.07])),
        noise=float(min(rng.exponential(2), 6)),
        hidden_by=str(rng.choice(["nothing", "hand", "bar"], p=[0.9, 0.06, 0.04])),
        seed=int(rng.integers(2**31)),
    )

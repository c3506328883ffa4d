"""The built-in data set, which needs no download: drawn faces with exact keypoints."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tqdm

from common.process import one_opencv_thread
from data_prep.faces import Faces
from data_prep.readers.face_arrays import faces_of
from data_prep.synthetic.brush import SIZE
from data_prep.synthetic.person import a_moment, a_person
from data_prep.synthetic.picture import draw
from facial_keypoints.array_types import Float32, Int64, UInt8
from facial_keypoints.codec import decode, output_points
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15

NAME = "synthetic"
SPARSE = FACE15.label_sources[1]  # the label source of the last rows
THREADS = 2  # OpenCV and NumPy release the interpreter lock for part of the work; more threads help little
MOST = 1_000_000  # faces
COUNT = 7049  # rows of the published data set, which also defines the shares below
FIRST_SOURCE = 2284 / COUNT  # share of rows from the first source, which come first
ROWS_PER_PERSON = 5  # on average
DUPLICATES = 60 / COUNT  # share of rows that repeat the picture of another row
LABEL_NOISE_PX = 0.4  # standard deviation of each coordinate: two labels of one picture lie 0.7 px apart on average
# Number of labelled keypoints -> rows of the first source with this number, in the published data set
VISIBLE = {5: 2, 8: 2, 9: 5, 10: 3, 11: 8, 12: 9, 13: 28, 14: 87, 15: 2140}
SPARSE_INCOMPLETE = 10 / 4765  # share of rows of the second source with three keypoints instead of four
# How often each keypoint is missing, of 281 times, in FACE15's order: often the outer ends of brows, never the nose
MISSED = (10, 13, 13, 17, 16, 16, 14, 59, 14, 48, 0, 15, 14, 9, 23)


def read(count: int = COUNT, seed: int = 0) -> Faces:
    """Draws `count` faces, the same for a seed on every machine; another count draws other faces.

    The first rows are from a label source that labels nearly all 15 keypoints, the others from one that labels four. As
    in the published set, the second labels the base of the nose instead of its tip, and the inner edge of the lower lip
    instead of its bottom. Labels have noise of LABEL_NOISE_PX and are missing outside the picture. Groups are people.

    Raises:
        InputError: count is below 1 or above MOST.
    """
    if not 1 <= count <= MOST:
        raise InputError(f"--count {count}: the number of faces to draw must be at least 1 and at most {MOST:,}")
    rng = np.random.default_rng([seed, count])
    first_count = round(count * FIRST_SOURCE)
    origin = with_duplicates(count, first_count, rng)
    person = np.unique(rng.integers(0, -(-count // ROWS_PER_PERSON), count), return_inverse=True)[1][origin]

    images = np.empty((count, SIZE, SIZE, 1), np.uint8)
    points = np.empty((count, len(output_points(FACE15, (0, 1))), 2), np.float32)
    drawn = np.unique(origin)
    with one_opencv_thread(), ThreadPoolExecutor(THREADS) as pool:
        faces = pool.map(lambda row: face(seed, int(person[row]), int(row)), drawn)
        bar = tqdm.tqdm(faces, "drawing faces", len(drawn), leave=False, unit="face", disable=None)
        for row, (image, in_image) in zip(drawn, bar, strict=True):
            images[row, ..., 0], points[row] = image, in_image
    keypoints = labels(points[origin], first_count, rng)
    people = np.array([f"drawn:{seed}:{number}" for number in person])  # another seed draws other people
    return faces_of(NAME, images[origin], keypoints, FACE15, people)


def with_duplicates(count: int, first_count: int, rng: np.random.Generator) -> Int64:
    """Returns int64 (count,), the row whose picture each row shows: its own, or in duplicates another of its source."""
    origin = np.arange(count)
    for rows in (origin[:first_count], origin[first_count:]):
        pairs = rng.permutation(rows)[: 2 * round(len(rows) * DUPLICATES)].reshape(2, -1)
        origin[pairs[0]] = pairs[1]
    return origin


def labels(drawn: Float32, first_count: int, rng: np.random.Generator) -> Float32:
    """Returns the labels of the two sources, float32 (N, 15, 2), NaN if missing, from points (N, 17, 2)."""
    count, points = len(drawn), len(FACE15)
    sources = (np.arange(count) >= first_count).astype(np.int64)
    keypoints = decode(drawn, sources, output_points(FACE15, (0, 1))).coordinates
    keypoints += rng.normal(0, LABEL_NOISE_PX, keypoints.shape).astype(np.float32)

    hidden = np.zeros((count, points), bool)
    visible = rng.permutation(np.repeat(list(VISIBLE), list(VISIBLE.values())))
    missing_share = np.array(MISSED) / sum(MISSED)
    for row, visible_count in enumerate(np.resize(visible, first_count)):
        hidden[row, rng.choice(points, points - visible_count, replace=False, p=missing_share)] = True
    hidden[first_count:] = True
    hidden[first_count:, SPARSE.keypoints] = False
    incomplete = rng.permutation(np.arange(first_count, count))[: round((count - first_count) * SPARSE_INCOMPLETE)]
    hidden[incomplete, rng.choice(SPARSE.keypoints, len(incomplete))] = True
    outside = ((keypoints < 0) | (keypoints > SIZE - 1)).any(-1)
    keypoints[hidden | outside] = np.nan
    return keypoints


def face(seed: int, person: int, row: int) -> tuple[UInt8, Float32]:
    """Returns one picture, uint8 (SIZE, SIZE), and its 17 output points, float32 (17, 2) px."""
    drawn_person = a_person(np.random.default_rng([seed, 1, person]))
    return draw(drawn_person, a_moment(np.random.default_rng([seed, 2, row]), drawn_person))

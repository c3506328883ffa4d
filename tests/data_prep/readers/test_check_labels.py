"""Values that cannot be labels: placeholders, and points far outside the picture."""

import numpy as np
import pytest

from data_prep.readers.bad_faces import STRICT, BadFaces
from data_prep.readers.check_labels import check_inside, check_placeholders, far_outside, placeholders, usable_rows
from facial_keypoints.errors import InputError

NAMES = ("eye", "nose", "chin")
GAP = (np.nan, np.nan)


def test_placeholders_are_minus_one_or_zero_in_both_coordinates() -> None:
    points = np.array([[(-1, -1), (0, 0), (-1, 0), (0, 5), (-2, -2), GAP]], np.float32)
    assert placeholders(points).tolist() == [[True, True, False, False, False, False]]
    with pytest.raises(
        InputError, match=r"^a\.csv: row 3: has -1, -1 as nose, which often stands .*; empty both cells"
    ):
        check_placeholders(np.array([(0, 5), (-1, -1), (0, 0)], np.float32), NAMES, "a.csv: row 3", "empty both cells")


@pytest.mark.parametrize(
    ("outside", "far"),
    [
        ((119.5, 50), False),  # 20 px beyond the edge at 99.5: half of the 40 px between eye and nose
        ((119.6, 50), True),
        ((50, -20.5), False),
        ((50, -20.6), True),
        ((-20.6, 200), True),
        ((99.5, 79.5), False),
        (GAP, False),
    ],
)
def test_far_outside_is_beyond_half_the_size_of_the_labels_inside(outside: tuple[float, float], far: bool) -> None:
    """In a picture of 100 x 80 px; the box of the two labels inside is 40 x 10 px."""
    points = np.array([[(30, 30), (70, 40), outside]], np.float32)
    assert far_outside(points, 100, 80).tolist() == [[False, False, far]]


def test_far_outside_is_beyond_one_pixel_without_a_label_inside() -> None:
    points = np.array([[(100.4, 30), (100.6, 40), GAP], [GAP, GAP, GAP]], np.float32)
    assert far_outside(points, 100, 80).tolist() == [[False, True, False], [False, False, False]]


def test_error_names_the_label_far_outside() -> None:
    points = np.array([(30, 30), (70, 40), (300, 40)], np.float32)
    with pytest.raises(InputError, match=r"^a: has chin at 300, 40, which lies outside its picture of 100 x 80 px by"):
        check_inside(points, NAMES, (100, 80), "a")


def test_bad_rows_are_refused_or_skipped() -> None:
    good = [(30, 30), (70, 40), GAP]
    points = np.array([good, [(-1, -1), *good[1:]], good, [*good[:2], (300, 40)]], np.float32)
    bad = BadFaces(skip=True)
    assert usable_rows(points, NAMES, (100, 80), "row {}".format, bad).tolist() == [True, False, True, False]
    assert [line[:14] for line in bad.lines] == ["row 1: has -1,", "row 3: has chi"]
    with pytest.raises(InputError, match=r"^row 1: has -1, -1 as eye"):
        usable_rows(points, NAMES, (100, 80), "row {}".format, STRICT)

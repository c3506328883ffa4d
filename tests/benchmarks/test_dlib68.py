"""Pictures and boxes in the form that dlib's downloadable predictor expects."""

import numpy as np

from benchmarks import dlib68


def test_coordinates_are_converted_to_the_enlarged_picture_and_back() -> None:
    # Twice as large, 32 px of margin: the left edge of the picture, -0.5, is the left edge of enlarged pixel 64.
    assert dlib68.to_enlarged([-0.5, 0, 10], 32).tolist() == [63.5, 64.5, 84.5]
    assert dlib68.from_enlarged([63.5, 64.5, 84.5], 32).tolist() == [-0.5, 0, 10]
    image = np.zeros((96, 96, 1), np.uint8)
    image[40:44, 60:64] = 255
    rows, columns = np.nonzero(dlib68.enlarge(image) > 128)
    assert dlib68.from_enlarged([columns.mean(), rows.mean()], 32).tolist() == [61.5, 41.5]


def test_fixed_box_matches_hand_calculation() -> None:
    # Middle of 96 columns is 47.5; half of 96 rows is 48 from the edge, so 47.5 from the first center.
    assert dlib68.fixed_box((96, 96, 1), 0.5, 0.5).tolist() == [23.5, 23.5, 71.5, 71.5]


def test_box_keeps_its_relation_to_the_points() -> None:
    points = np.tile([[-1.0, 0], [1, 0]], (1, 34, 1))  # center (0, 0), size 1
    relation = dlib68.box_relation(points, np.array([[-2.0, -3, 2, 1]]))
    assert relation.tolist() == [-2, -3, 2, 1]
    assert dlib68.boxes_around(10 * points + [50, 40], relation).tolist() == [[30, 10, 70, 50]]

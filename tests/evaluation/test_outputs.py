"""Three keypoints, left, right and middle; source 1 marks the middle elsewhere, so that there are four marks."""

import numpy as np

from evaluation.outputs import fits, mirrored_back, to_predictions
from facial_keypoints.keypoint_set import KeypointSet

THREE = KeypointSet("three", ("left", "right", "middle"), (1, 0, 2), (0, 1), (), second_marks=(2,))
MARKS = np.array([[[70, 40, 1], [20, 41, 2], [45, 60, 3], [46, 64, 4]]], np.float32)


def test_each_row_takes_the_marks_of_its_own_source() -> None:
    keypoints, sigma = to_predictions(np.repeat(MARKS, 2, axis=0), np.array([1, 0]), THREE)
    assert keypoints.tolist() == [[[70, 40], [20, 41], [46, 64]], [[70, 40], [20, 41], [45, 60]]]
    assert sigma is not None
    assert sigma.tolist() == [[1, 2, 4], [1, 2, 3]]
    assert keypoints.dtype == sigma.dtype == np.float32


def test_a_network_gives_keypoints_or_marks_with_or_without_sigma() -> None:
    assert all(fits(shape, THREE) for shape in [(3, 2), (3, 3), (4, 2), (4, 3)])
    assert not any(fits(shape, THREE) for shape in [(5, 2), (3, 4), (6,), (3, 2, 1)])


def test_keypoints_alone_are_taken_as_they_are() -> None:
    keypoints, sigma = to_predictions(MARKS[:, :3, :2], np.array([1]), THREE)
    assert keypoints.tolist() == MARKS[:, :3, :2].tolist()
    assert sigma is None


def test_mirroring_back_swaps_left_and_right_about_the_middle_of_the_picture() -> None:
    back = mirrored_back(MARKS, 96, THREE)
    assert back.tolist() == [[[75, 41, 2], [25, 40, 1], [50, 60, 3], [49, 64, 4]]]
    np.testing.assert_array_equal(mirrored_back(back, 96, THREE), MARKS)
    assert mirrored_back(MARKS[:, :3, :2], 96, THREE).tolist() == [[[75, 41], [25, 40], [50, 60]]]

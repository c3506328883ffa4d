"""Some of the faces of a part; facts of labels."""

from dataclasses import fields, replace

import numpy as np

from data_prep.faces import Split, evenly_spread, labelled_mean, never_labelled
from facial_keypoints.keypoint_set import FACE15


def test_only_some_faces_are_kept_in_every_array() -> None:
    n = np.arange(4)
    images = np.zeros((4, 8, 8, 1), np.uint8) + n[:, None, None, None].astype(np.uint8)
    keypoints = (np.ones((4, 3, 2)) * n[:, None, None]).astype(np.float32)
    crops = np.ones((4, 2, 3)) * n[:, None, None]
    part = Split(images, keypoints, np.ones((4, 3), bool), n, n + 10, n % 2, crops, crops[:, 0] > 1)
    for kept, rows in ((np.array([False, True, False, True]), [1, 3]), (np.array([2, 0, 0]), [2, 0, 0])):
        some = part.only(kept)
        assert some.rows.tolist() == rows
        for field in fields(Split):
            np.testing.assert_array_equal(getattr(some, field.name), getattr(part, field.name)[rows])
    assert replace(part, crops=None).only(np.array([1])).crops is None
    some.images[:] = 99
    assert part.images.max() == 3  # a copy


def test_the_mean_of_labels_skips_what_is_unlabelled() -> None:
    keypoints = np.array([[[1, 2], [7, 7], [np.nan, np.nan]], [[3, 4], [9, 9], [5, 5]]], np.float32)
    labelled = np.array([[True, False, False], [True, False, True]])
    np.testing.assert_array_equal(labelled_mean(keypoints, labelled), [[2, 3], [np.nan, np.nan], [5, 5]])
    fallback = np.full((3, 2), 8, np.float32)
    np.testing.assert_array_equal(labelled_mean(keypoints, labelled, fallback), [[2, 3], [8, 8], [5, 5]])


def test_some_of_many_are_spread_over_all() -> None:
    assert evenly_spread(63, 32).tolist() == list(range(0, 63, 2))
    assert evenly_spread(3, 32).tolist() == [0, 1, 2]
    assert evenly_spread(0, 32).tolist() == []


def test_keypoints_that_nobody_labels_are_named() -> None:
    labelled = np.zeros((4, 15), bool)
    labelled[1, 2:] = True
    labelled[3, 0] = True
    assert never_labelled(labelled, FACE15) == [FACE15.names[1]]

"""Selected faces of a split; statistics of labels."""

from dataclasses import fields, replace

import numpy as np

from data_prep.faces import Split, evenly_spread, labelled_mean, never_labelled
from facial_keypoints.keypoint_set import FACE15


def test_only_selects_the_same_faces_in_every_array() -> None:
    n = np.arange(4)
    images = np.zeros((4, 8, 8, 1), np.uint8) + n[:, None, None, None].astype(np.uint8)
    keypoints = (np.ones((4, 3, 2)) * n[:, None, None]).astype(np.float32)
    crops = np.ones((4, 2, 3)) * n[:, None, None]
    split = Split(images, keypoints, np.ones((4, 3), bool), n, n + 10, n % 2, crops, crops[:, 0] > 1)
    for kept, rows in ((np.array([False, True, False, True]), [1, 3]), (np.array([2, 0, 0]), [2, 0, 0])):
        some = split.only(kept)
        assert some.rows.tolist() == rows
        for field in fields(Split):
            np.testing.assert_array_equal(getattr(some, field.name), getattr(split, field.name)[rows])
    assert replace(split, crops=None).only(np.array([1])).crops is None
    some.images[:] = 99
    assert split.images.max() == 3  # a copy


def test_mean_of_labels_skips_unlabelled_keypoints() -> None:
    keypoints = np.array([[[1, 2], [7, 7], [np.nan, np.nan]], [[3, 4], [9, 9], [5, 5]]], np.float32)
    labelled = np.array([[True, False, False], [True, False, True]])
    np.testing.assert_array_equal(labelled_mean(keypoints, labelled), [[2, 3], [np.nan, np.nan], [5, 5]])
    fallback = np.full((3, 2), 8, np.float32)
    np.testing.assert_array_equal(labelled_mean(keypoints, labelled, fallback), [[2, 3], [8, 8], [5, 5]])


def test_evenly_spread_indexes_cover_the_whole_range() -> None:
    assert evenly_spread(63, 32).tolist() == list(range(0, 63, 2))
    assert evenly_spread(3, 32).tolist() == [0, 1, 2]
    assert evenly_spread(0, 32).tolist() == []


def test_never_labelled_lists_keypoints_without_a_label() -> None:
    labelled = np.zeros((4, 15), bool)
    labelled[1, 2:] = True
    labelled[3, 0] = True
    assert never_labelled(labelled, FACE15) == [FACE15.names[1]]

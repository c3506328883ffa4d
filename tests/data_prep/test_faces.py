"""Some of the faces of a part."""

from dataclasses import fields

import numpy as np

from data_prep.faces import Part


def test_only_some_faces_are_kept_in_every_array() -> None:
    n = np.arange(4)
    images, keypoints = np.zeros((4, 8, 8, 1), np.uint8) + n[:, None, None, None].astype(np.uint8), np.ones((4, 3, 2))
    part = Part(images, (keypoints * n[:, None, None]).astype(np.float32), np.ones((4, 3), bool), n, n + 10, n % 2)
    for kept, rows in ((np.array([False, True, False, True]), [1, 3]), (np.array([2, 0, 0]), [2, 0, 0])):
        some = part.only(kept)
        assert some.rows.tolist() == rows
        for field in fields(Part):
            np.testing.assert_array_equal(getattr(some, field.name), getattr(part, field.name)[rows])
    some.images[:] = 99
    assert part.images.max() == 3  # a copy

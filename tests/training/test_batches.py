"""Batches depend on the seed, the epoch and their number, and on nothing that came before."""

import numpy as np
import pytest

from data_prep.faces import Part
from data_prep.keypoint_set import FACE15
from training.batches import Batches


@pytest.fixture
def part() -> Part:
    """Ten faces; the picture of face i is all i, its keypoints all 10 + i."""
    number = np.arange(10)
    images = np.ones((10, 32, 32, 1), np.uint8) * number.astype(np.uint8)[:, None, None, None]
    keypoints = (np.ones((10, 15, 2)) * (10 + number[:, None, None])).astype(np.float32)
    return Part(images, keypoints, np.ones((10, 15), bool), number, number, number * 0)


def batches(part: Part, level: str = "none", seed: int = 0, epoch: int = 0) -> Batches:
    return Batches(part, part.labelled.astype(np.float32), 4, level, FACE15.mirror, seed, epoch)


def test_an_epoch_holds_each_face_once_with_its_own_keypoints(part: Part) -> None:
    epoch = batches(part)
    seen = [epoch[number] for number in range(len(epoch))]
    assert [len(images) for images, _, _ in seen] == [4, 4, 2]
    pictures = np.concatenate([images[:, 0, 0, 0] for images, _, _ in seen])
    keypoints = np.concatenate([points[:, 0, 0] for _, points, _ in seen])
    assert sorted(pictures) == list(range(10))
    assert np.array_equal(keypoints, pictures + 10.0)


def test_batches_repeat_for_the_same_seed_and_epoch_alone(part: Part) -> None:
    first, again = batches(part, "full", seed=1, epoch=3), batches(part, "full", seed=1, epoch=3)
    for number in (2, 0, 1, 0):  # in any order, any number of times
        for a, b in zip(first[number], again[number], strict=True):
            np.testing.assert_array_equal(np.asarray(a), np.asarray(b))
    assert not np.array_equal(first.order, batches(part, seed=1, epoch=4).order)
    assert not np.array_equal(first.order, batches(part, seed=2, epoch=3).order)

"""Batches depend on the seed, the epoch and their number, and on nothing that came before."""

import numpy as np
import pytest

from facial_keypoints.keypoint_set import FACE15
from training.batches import Batches
from training.targets import Targets


@pytest.fixture
def train() -> Targets:
    """Ten faces; the picture of face i is all i, its keypoints all 10 + i."""
    number = np.arange(10)
    images = np.ones((10, 32, 32, 1), np.uint8) * number.astype(np.uint8)[:, None, None, None]
    keypoints = (np.ones((10, 15, 2)) * (10 + number[:, None, None])).astype(np.float32)
    return Targets(images, keypoints, np.ones((10, 15), np.float32))


def batches(train: Targets, level: str = "none", seed: int = 0, epoch: int = 0) -> Batches:
    return Batches(train, 4, level, FACE15.mirror, seed, epoch)


def test_an_epoch_holds_each_face_once_with_its_own_keypoints(train: Targets) -> None:
    epoch = batches(train)
    seen = [epoch[number] for number in range(len(epoch))]
    assert [len(images) for images, _, _ in seen] == [4, 4, 2]
    pictures = np.concatenate([images[:, 0, 0, 0] for images, _, _ in seen])
    keypoints = np.concatenate([points[:, 0, 0] for _, points, _ in seen])
    assert sorted(pictures) == list(range(10))
    assert np.array_equal(keypoints, pictures + 10.0)


def test_batches_repeat_for_the_same_seed_and_epoch_alone(train: Targets) -> None:
    first, again = batches(train, "strong", seed=1, epoch=3), batches(train, "strong", seed=1, epoch=3)
    for number in (2, 0, 1, 0):  # in any order, any number of times
        for a, b in zip(first[number], again[number], strict=True):
            np.testing.assert_array_equal(np.asarray(a), np.asarray(b))
    assert not np.array_equal(first.order, batches(train, seed=1, epoch=4).order)
    assert not np.array_equal(first.order, batches(train, seed=2, epoch=3).order)

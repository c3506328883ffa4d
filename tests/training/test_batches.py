"""A batch depends on the seed and its number only, not on earlier batches."""

from typing import Any

import numpy as np
import pytest

from facial_keypoints.keypoint_set import FACE15
from training.batches import Batches
from training.distribution import Shard
from training.recipes import resolve
from training.targets import Targets


@pytest.fixture
def train() -> Targets:
    """Ten faces; all pixels of face i are i, all its coordinates 10 + i."""
    number = np.arange(10)
    images = np.ones((10, 32, 32, 1), np.uint8) * number.astype(np.uint8)[:, None, None, None]
    keypoints = (np.ones((10, 15, 2)) * (10 + number[:, None, None])).astype(np.float32)
    return Targets(images, keypoints, np.ones((10, 15), np.float32), np.ones(10, bool), np.repeat([7, 3], [6, 4]))


def batches(train: Targets, augment: str = "none", seed: int = 0, first_epoch: int = 0, **choices: float) -> Batches:
    recipe = resolve("base", "default", {"batch_size": 4, "epochs": 6, "augment": augment, **choices})
    return Batches(train, recipe, FACE15.mirror, seed, first_epoch)


def test_an_epoch_has_each_face_once_with_its_own_keypoints(train: Targets) -> None:
    run = batches(train)
    assert (run.steps, len(run)) == (3, 18)
    for epoch in (0, 5):
        seen = [run[epoch * 3 + number] for number in range(3)]
        assert [len(images) for images, _, _ in seen] == [4, 4, 2]
        grays = np.concatenate([images[:, 0, 0, 0] for images, _, _ in seen])
        keypoints = np.concatenate([points[:, 0, 0] for _, points, _ in seen])
        assert sorted(grays) == list(range(10))
        assert np.array_equal(keypoints, grays + 10.0)


def equal(a: tuple[Any, ...], b: tuple[Any, ...]) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_a_batch_depends_on_seed_and_number_only(train: Targets) -> None:
    first, again = batches(train, "strong", seed=1), batches(train, "strong", seed=1)
    for number in (2, 0, 1, 0):  # in any order, any number of times
        assert equal(first[number], again[number])
    assert not equal(first[0], first[3])  # another epoch
    assert not equal(first[0], batches(train, "strong", seed=2)[0])


def test_a_resumed_run_gets_the_batches_of_the_uninterrupted_run(train: Targets) -> None:
    uninterrupted, resumed = batches(train, "strong"), batches(train, "strong", first_epoch=4)
    assert len(resumed) == 6
    assert all(equal(uninterrupted[4 * 3 + number], resumed[number]) for number in range(6))


def test_shards_of_three_processes_join_to_the_batch_of_one_process(train: Targets) -> None:
    """Batches of 4, 4 and 2 faces on 3 devices: 2 faces for each, then 1; the repeated ones have weight 0."""
    varied = train._replace(images=np.random.default_rng(0).integers(0, 256, train.images.shape, np.uint8))
    recipe = resolve("base", "default", {"batch_size": 4, "epochs": 1, "augment": "elastic", "crop_px": 28})
    whole = Batches(varied, recipe, FACE15.mirror, 5)
    parts = [Batches(varied, recipe, FACE15.mirror, 5, shard=Shard(process, 3)) for process in range(3)]
    for number, size in enumerate([2, 2, 1]):
        shards = [part[number] for part in parts]
        assert [len(images) for images, _, _ in shards] == [size] * 3
        joined = tuple(np.concatenate(arrays) for arrays in zip(*shards, strict=True))
        faces = len(whole[number][0])
        assert equal(whole[number], tuple(array[:faces] for array in joined))
        assert not joined[2][faces:].any()


def test_last_epochs_mirror_no_face(train: Targets) -> None:
    """Faces that are dark on the left and bright on the right show whether they were mirrored."""
    halves = train._replace(images=np.zeros_like(train.images))
    halves.images[:, :, 16:] = 255
    run = batches(halves, "light", flip_epochs_fraction=2 / 3)

    def mirrored(epoch: int) -> int:
        images = [run[epoch * 3 + number][0].astype(int) for number in range(3)]
        return sum(int((i[:, 16, 4, 0] > i[:, 16, -4, 0]).sum()) for i in images)

    assert [mirrored(epoch) > 0 for epoch in range(6)] == [True] * 4 + [False] * 2


def test_faces_per_group_limits_an_epoch_and_varies_the_faces(train: Targets) -> None:
    """Faces 0 to 5 are of one person, 6 to 9 of another; two of each make one batch of four."""
    run = batches(train, faces_per_group=2)
    assert (run.steps, len(run)) == (1, 6)
    seen = [sorted(run[epoch][0][:, 0, 0, 0].tolist()) for epoch in range(6)]
    assert all(epoch[1] < 6 <= epoch[2] and len(set(epoch)) == 4 for epoch in seen)
    assert {face for epoch in seen for face in epoch} == set(range(10))


def test_random_crops_have_all_positions_and_move_the_keypoints(train: Targets) -> None:
    """Images that get brighter by 1 per column show where they were cropped: 32 - 29 + 1 positions."""
    columns = train._replace(images=np.zeros_like(train.images) + np.arange(32, dtype=np.uint8)[:, None])
    run = batches(columns, crop_px=29)
    shifts = set()
    for number in range(18):
        images, points, counts = run[number]
        assert images.shape[1:] == (32, 32, 1)
        assert counts.all()
        shift = 1 - images[:, 0, 1, 0].astype(int)  # the middle starts at column 1
        number_of_face = points[:, 0, 0] - 10 - shift
        assert np.array_equal(number_of_face, number_of_face.round())
        assert ((number_of_face >= 0) & (number_of_face < 10)).all()
        shifts |= set(shift)
    assert shifts == {-2, -1, 0, 1}

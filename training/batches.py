"""The faces of one epoch, shuffled, augmented and in batches; the same for the same seed, whatever came before."""

import keras
import numpy as np

from facial_keypoints.array_types import Float32, UInt8
from training.augment import augment
from training.targets import Targets


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """One epoch of training batches for `keras.Model.fit`: (pictures, places px, weights (n, M)).

    Order and augmentation follow from (seed, epoch, number of the batch) alone, so that a resumed run meets the
    same batches as an unbroken one.
    """

    def __init__(
        self, train: Targets, batch_size: int, level: str, mirror: tuple[int, ...] | None, seed: int, epoch: int
    ) -> None:
        super().__init__(workers=1, max_queue_size=8)  # one thread prepares the next batches while a step runs
        self.train, self.level, self.mirror = train, level, mirror
        self.batch_size, self.seed, self.epoch = batch_size, seed, epoch
        self.order = np.random.default_rng((seed, epoch)).permutation(len(train.images))

    def __len__(self) -> int:
        return int(-(-len(self.order) // self.batch_size))

    def __getitem__(self, number: int) -> tuple[UInt8, Float32, Float32]:
        chosen = self.order[number * self.batch_size : (number + 1) * self.batch_size]
        train = self.train
        images, points, weights = train.images[chosen], train.points[chosen], train.weights[chosen]
        rng = np.random.default_rng((self.seed, self.epoch, number))
        images, points, counts = augment(images, points, weights > 0, self.mirror, self.level, rng)
        return images, points, counts.astype(np.float32)

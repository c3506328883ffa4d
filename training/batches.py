"""All training batches of a run: shuffled, augmented, each a function of the seed and its number alone."""

import keras
import numpy as np

from facial_keypoints.array_types import Float32, UInt8
from training.augment import augment, random_crop
from training.recipes import Recipe
from training.targets import Targets


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """The batches from one epoch to the last: (images, coordinates px, weights (n, M)).

    One data set holds all epochs, and `keras.Model.fit` is told how many steps make one. Which epoch a batch is of
    follows from its number, so that a thread that fetches ahead can be wrong about nothing, and a resumed run meets
    the same batches as an unbroken one.

    Args:
        train: the faces.
        recipe: says how large batches are, and how faces are augmented.
        mirror: the permutation of the M landmarks.
        seed: of order and augmentation.
        first_epoch: the first of these epochs, from 0.
    """

    def __init__(
        self, train: Targets, recipe: Recipe, mirror: tuple[int, ...], seed: int, first_epoch: int = 0
    ) -> None:
        super().__init__()
        self.train, self.recipe, self.mirror = train, recipe, mirror
        self.seed, self.first_epoch = seed, first_epoch
        self.steps = -(-len(train.images) // recipe.batch_size)  # of an epoch

    def __len__(self) -> int:
        return self.steps * (self.recipe.epochs - self.first_epoch)

    def __getitem__(self, index: int) -> tuple[UInt8, Float32, Float32]:
        epoch, number = divmod(index, self.steps)
        epoch += self.first_epoch
        size = self.recipe.batch_size
        order = np.random.default_rng((self.seed, epoch)).permutation(len(self.train.images))
        chosen = order[number * size : (number + 1) * size]
        images, points, weights = self.train.images[chosen], self.train.points[chosen], self.train.weights[chosen]
        mirror = self.mirror if epoch < self.recipe.flip_epochs else None
        rng = np.random.default_rng((self.seed, epoch, number))
        may_flip = self.train.may_flip[chosen]
        images, points, counts = augment(images, points, weights > 0, mirror, self.recipe.augment, rng, may_flip)
        if self.recipe.crop_px:
            images, points = random_crop(images, points, self.recipe.crop_px, rng)
        return images, points, counts.astype(np.float32)

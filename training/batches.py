"""The training batches of a run: shuffled and augmented; each depends only on the seed and its number."""

import keras
import numpy as np

from facial_keypoints.array_types import Float32, Int64, UInt8
from training.augment import augment, random_crop
from training.distribution import ALONE, Shard
from training.recipes import Recipe
from training.targets import Targets


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """The batches of an epoch and all later ones: (images, coordinates px, weights (n, M)).

    One data set holds all epochs, and `keras.Model.fit` gets the number of steps of an epoch. The epoch of a batch
    follows from its number, so prefetching threads make no difference, and a resumed run gets the same batches as an
    uninterrupted one.

    Args:
        train: the faces.
        recipe: sets the batch size and the augmentation.
        mirror: the permutation of the M output points; None if faces are not mirrored.
        seed: of the order and the augmentation.
        first_epoch: the first of these epochs, from 0.
        shard: the share of each batch to return. The shares of all processes make up the batch that one process would
            return, plus repeated faces of weight 0.
    """

    def __init__(
        self,
        train: Targets,
        recipe: Recipe,
        mirror: tuple[int, ...] | None,
        seed: int,
        first_epoch: int = 0,
        shard: Shard = ALONE,
    ) -> None:
        super().__init__()
        self.train, self.recipe, self.mirror = train, recipe, mirror
        self.seed, self.first_epoch, self.shard = seed, first_epoch, shard
        self.steps = steps_per_epoch(train, recipe)

    def __len__(self) -> int:
        return self.steps * (self.recipe.epochs - self.first_epoch)

    def __getitem__(self, index: int) -> tuple[UInt8 | Float32, Float32, Float32]:
        epoch, number = divmod(index, self.steps)
        epoch += self.first_epoch
        size = self.recipe.batch_size
        order = np.random.default_rng((self.seed, epoch)).permutation(len(self.train.images))
        if self.recipe.faces_per_group:
            order = first_of_groups(order, self.train.groups, self.recipe.faces_per_group)
        indexes = order[number * size : (number + 1) * size]
        images, points, weights = self.train.images[indexes], self.train.points[indexes], self.train.weights[indexes]
        mirror = self.mirror if epoch < self.recipe.flip_epochs else None
        rng = np.random.default_rng((self.seed, epoch, number))
        may_flip = self.train.may_flip[indexes]
        rows, counted = self.shard.rows(len(indexes))
        ours = np.isin(np.arange(len(indexes)), rows)
        images, points, counts = augment(images, points, weights > 0, mirror, self.recipe.augment, rng, may_flip, ours)
        if self.recipe.crop_px:
            images, points = random_crop(images, points, self.recipe.crop_px, rng)
        return images[rows], points[rows], (counts[rows] & counted[:, None]).astype(np.float32)


def first_of_groups(order: Int64, groups: Int64, max_faces: int) -> Int64:
    """Returns the first `max_faces` indexes of each group, in the order of `order`."""
    by_group = np.argsort(groups[order], kind="stable")
    _, starts, sizes = np.unique(groups[order][by_group], return_index=True, return_counts=True)
    rank = np.arange(len(order)) - np.repeat(starts, sizes)
    return order[np.sort(by_group[rank < max_faces])]


def steps_per_epoch(train: Targets, recipe: Recipe) -> int:
    """Returns the number of batches in an epoch of all faces, or of those that the recipe takes from each group."""
    faces = len(train.images)
    if recipe.faces_per_group:
        sizes = np.unique(train.groups, return_counts=True)[1]
        faces = int(np.minimum(sizes, recipe.faces_per_group).sum())
    return -(-faces // recipe.batch_size)

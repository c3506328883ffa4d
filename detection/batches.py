"""Makes training batches of composed pictures and their targets; each depends only on the seed and its number."""

from collections.abc import Sequence

import keras
import numpy as np

from detection.mosaic import compose, shares_of
from detection.scenes import Scene
from detection.targets import targets_of
from facial_keypoints.array_types import Float32, Float64, UInt8

VALIDATION = 1  # in the seed of a picture, so that validation pictures differ from training ones


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches (pictures uint8 (n, S, S, 1), targets (n, A, 13)) of all epochs; a thread prepares them in advance.

    Args:
        scenes: the scenes that the pictures are composed of.
        batch_size: n.
        side_px: S, a multiple of 32.
        count: the number of batches.
        seed: for the composition.
        first: the number of the first batch; a resumed run gets the same batches as an uninterrupted one.
    """

    def __init__(
        self, scenes: Sequence[Scene], batch_size: int, side_px: int, count: int, seed: int, first: int = 0
    ) -> None:
        super().__init__(workers=2)  # with one worker, Keras composes the batches between the steps
        self.scenes, self.shares, self.batch_size, self.side_px = scenes, shares_of(scenes), batch_size, side_px
        self.count, self.seed, self.first = count, seed, first

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[UInt8, Float32]:
        numbers = (self.first + index) * self.batch_size + np.arange(self.batch_size)
        return composed_pictures(self.scenes, self.shares, numbers.tolist(), self.side_px, self.seed)


def composed_pictures(
    scenes: Sequence[Scene], shares: Float64, numbers: Sequence[int], side_px: int, seed: int, validation: int = 0
) -> tuple[UInt8, Float32]:
    """Returns the composed pictures of these numbers, uint8 (n, S, S, 1), and their targets, float32 (n, A, 13)."""
    rngs = [np.random.default_rng((seed, validation, number)) for number in numbers]
    mosaics = [compose(scenes, shares, side_px, rng) for rng in rngs]
    pictures = np.stack([mosaic.picture for mosaic in mosaics])[..., None]
    return pictures, np.stack([targets_of(mosaic) for mosaic in mosaics])

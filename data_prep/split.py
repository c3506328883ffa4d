"""Which faces train, which validate, which test."""

from collections.abc import Mapping

import numpy as np

from data_prep.faces import Text
from data_prep.readers.labelled_pictures import TEST, TRAINING
from facial_keypoints.array_types import Int64
from facial_keypoints.errors import InputError

SPLIT_METHODS = ("grouped", "random", "official", "published", "all-test")
HELD_OUT_FRACTION = 0.2  # validation and test together
PUBLISHED_SEED = 42
FEWEST_FACES = 10


def split_sizes(count: int) -> tuple[int, int, int]:
    """Returns how many of `count` faces train, validate and test: 0.8, 0.1 and 0.1 of them, rounded as published."""
    held_out = int(np.ceil(HELD_OUT_FRACTION * count))
    test = int(np.ceil(held_out / 2))
    return count - held_out, held_out - test, test


def sizes_text(method: str, indexes: Mapping[str, Int64]) -> str:
    """Returns the sizes of the splits in words, and whether they are 0.8, 0.1 and 0.1 of the faces to the face."""
    sizes = tuple(len(part) for part in indexes.values())
    if method == "all-test":
        return f"{sizes[-1]:,} faces, all in test"
    if method == "official":
        return f"{sizes[0]}/{sizes[1]}/{sizes[2]} faces to train/val/test"
    wanted = split_sizes(sum(sizes))
    words = "exactly" if sizes == wanted else f"as near to {wanted[0]}/{wanted[1]}/{wanted[2]} as whole groups allow:"
    return f"{words} {sizes[0]}/{sizes[1]}/{sizes[2]} faces to train/val/test"


def split(method: str, groups: Int64, seed: int, official: Text | None = None) -> dict[str, Int64]:
    """Returns the indexes of the faces of each part, `{"train": int64, "val": int64, "test": int64}`.

    Args:
        method: `grouped`: no group on two sides, sizes as near as groups allow. `random`: by faces.
            `official`: test as whoever made the set says; validation is drawn from its training part by faces.
            `published`: the published procedure, scikit-learn's shuffle with its seed 42 twice.
            `all-test`: every face into test.
        groups: int64 (N,), faces with one number belong together.
        official: text (N,), `training` or `test` where the set says so.

    Raises:
        InputError: fewer faces, or groups, than the splits need.
    """
    count = len(groups)
    if method == "all-test":
        nothing = np.empty(0, np.int64)
        return {"train": nothing, "val": nothing, "test": np.arange(count)}
    if count < FEWEST_FACES:
        raise InputError(f"{count} faces are too few to split; bring at least {FEWEST_FACES} or use --split all-test")
    if method == "grouped":
        return _split_grouped(groups, seed)
    from sklearn.model_selection import train_test_split

    if method == "official":
        test = np.flatnonzero(official == TEST) if official is not None else np.empty(0, np.int64)
        if official is None or not len(test) or not np.isin(official, (TRAINING, TEST)).all():
            raise InputError("--split official: not all faces are in a training or test part there; use another split")
        if (official == TRAINING).sum() < FEWEST_FACES:
            raise InputError(f"--split official: fewer than {FEWEST_FACES} faces are in its training part; bring more")
        share = HELD_OUT_FRACTION / 2 / (1 - HELD_OUT_FRACTION / 2)  # of training, as much as of all faces elsewhere
        train, val = train_test_split(np.flatnonzero(official == TRAINING), test_size=share, random_state=seed)
        return {"train": train, "val": val, "test": test}
    shuffle_seed = PUBLISHED_SEED if method == "published" else seed
    train, held_out = train_test_split(np.arange(count), test_size=HELD_OUT_FRACTION, random_state=shuffle_seed)
    val, test = train_test_split(held_out, test_size=0.5, random_state=shuffle_seed)
    return {"train": train, "val": val, "test": test}


def _split_grouped(groups: Int64, seed: int) -> dict[str, Int64]:
    """Fills test, then val, with whole groups in random order, each group taken only where it still fits.

    Where room is left, the group that brings the part nearest to its size is added, though it does not fit.
    """
    names, inverse, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if len(names) < 3:
        raise InputError(
            f"the faces form {len(names)} group(s); three splits need three: use --split random or all-test"
        )
    order = np.random.default_rng(seed).permutation(len(names))
    _, val_size, test_size = split_sizes(len(groups))
    split_of = np.zeros(len(names), np.int64)
    for split, size in ((2, test_size), (1, val_size)):
        room = size
        for group in order:
            if split_of[group] == 0 and sizes[group] <= room:
                split_of[group] = split
                room -= sizes[group]
        free = order[split_of[order] == 0]
        if room and len(free):
            nearest = free[np.abs(sizes[free] - room).argmin()]
            if room == size or abs(sizes[nearest] - room) < room:
                split_of[nearest] = split
    splits = {name: np.flatnonzero(split_of[inverse] == p) for p, name in enumerate(("train", "val", "test"))}
    if empty := [name for name, indexes in splits.items() if len(indexes) == 0]:
        raise InputError(
            f"the groups are too large to give {' and '.join(empty)} a face: use --split random, or bring more people"
        )
    return splits

"""Splits the faces into train, val and test."""

from collections.abc import Mapping

import numpy as np

from data_prep.faces import Text
from data_prep.readers.labelled_pictures import TEST, TRAINING
from facial_keypoints.array_types import Int64
from facial_keypoints.errors import InputError, counted

SPLIT_METHODS = ("grouped", "random", "official", "published", "all-test")
HELD_OUT_FRACTION = 0.2  # val and test together
PUBLISHED_SEED = 42
MIN_FACES = 10
FEW_GROUPS = 10  # a split with fewer gives unreliable figures


def split_sizes(count: int) -> tuple[int, int, int]:
    """Returns the sizes of train, val and test: 0.8, 0.1 and 0.1 of `count` faces, rounded as published."""
    held_out = int(np.ceil(HELD_OUT_FRACTION * count))
    test = int(np.ceil(held_out / 2))
    return count - held_out, held_out - test, test


def sizes_text(method: str, indexes: Mapping[str, Int64]) -> str:
    """Returns the sizes of the splits as text, and whether they are exactly 0.8, 0.1 and 0.1 of the faces."""
    sizes = tuple(len(faces) for faces in indexes.values())
    if method == "all-test":
        return f"{sizes[-1]:,} faces, all in test"
    if method == "official":
        return f"{sizes[0]}/{sizes[1]}/{sizes[2]} faces to train/val/test"
    exact = split_sizes(sum(sizes))
    words = "exactly" if sizes == exact else f"as close to {exact[0]}/{exact[1]}/{exact[2]} as whole groups allow:"
    return f"{words} {sizes[0]}/{sizes[1]}/{sizes[2]} faces to train/val/test"


def few_faces(split_name: str, groups: Int64) -> str:
    """Returns a split's size in words if it has fewer than FEW_GROUPS groups, otherwise an empty text.

    Args:
        split_name: for example `val`.
        groups: int64 (N,), the group of each face.

    Example:
        >>> few_faces("val", np.array([1, 2, 3]))
        'val has 3 faces'
        >>> few_faces("test", np.array([1, 1, 2, 2]))
        'test has 4 faces in 2 groups'
    """
    faces, count = len(groups), len(np.unique(groups))
    if not faces or count >= FEW_GROUPS:
        return ""
    text = f"{split_name} has {counted(faces, 'face')}"
    return text if count == faces else f"{text} in {counted(count, 'group')}"


def split(method: str, groups: Int64, seed: int, official: Text | None = None) -> dict[str, Int64]:
    """Returns the indexes of the faces of each split, `{"train": int64, "val": int64, "test": int64}`.

    Args:
        method: `grouped`: each group in one split, with sizes as close as groups allow. `random`: by faces.
            `official`: test is the test set of the data set; val is drawn from its training set by faces.
            `published`: the published procedure, scikit-learn's shuffle with seed 42, twice.
            `all-test`: every face in test.
        groups: int64 (N,), equal for faces of one group.
        official: text (N,), `training` or `test` if the data set is split.

    Raises:
        InputError: there are fewer faces or groups than the splits need.
    """
    count = len(groups)
    if method == "all-test":
        empty = np.empty(0, np.int64)
        return {"train": empty, "val": empty, "test": np.arange(count)}
    if count < MIN_FACES:
        raise InputError(f"{count} faces are not enough to split; bring at least {MIN_FACES} or use --split all-test")
    if method == "grouped":
        return _split_grouped(groups, seed)
    from sklearn.model_selection import train_test_split

    if method == "official":
        test = np.flatnonzero(official == TEST) if official is not None else np.empty(0, np.int64)
        if official is None or not len(test) or not np.isin(official, (TRAINING, TEST)).all():
            raise InputError("--split official: not all faces are in an official training or test set; choose another")
        if (official == TRAINING).sum() < MIN_FACES:
            raise InputError(f"--split official: fewer than {MIN_FACES} faces are in the training set; bring more")
        # Of the training set: 0.1 of all faces, as in the other splits.
        val_share = HELD_OUT_FRACTION / 2 / (1 - HELD_OUT_FRACTION / 2)
        train, val = train_test_split(np.flatnonzero(official == TRAINING), test_size=val_share, random_state=seed)
        return {"train": train, "val": val, "test": test}
    shuffle_seed = PUBLISHED_SEED if method == "published" else seed
    train, held_out = train_test_split(np.arange(count), test_size=HELD_OUT_FRACTION, random_state=shuffle_seed)
    val, test = train_test_split(held_out, test_size=0.5, random_state=shuffle_seed)
    return {"train": train, "val": val, "test": test}


def _split_grouped(groups: Int64, seed: int) -> dict[str, Int64]:
    """Fills test, then val, with whole groups in random order; skips groups that no longer fit.

    If space is left, it adds the group that brings the split closest to its size, even if that group is too large.
    """
    names, inverse, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if len(names) < 3:
        raise InputError(
            f"the faces form {counted(len(names), 'group')}, but three splits need three; "
            "use --split random or all-test"
        )
    order = np.random.default_rng(seed).permutation(len(names))
    _, val_size, test_size = split_sizes(len(groups))
    split_of = np.zeros(len(names), np.int64)
    for split, size in ((2, test_size), (1, val_size)):
        free_faces = size
        for group in order:
            if split_of[group] == 0 and sizes[group] <= free_faces:
                split_of[group] = split
                free_faces -= sizes[group]
        free = order[split_of[order] == 0]
        if free_faces and len(free):
            nearest = free[np.abs(sizes[free] - free_faces).argmin()]
            if free_faces == size or abs(sizes[nearest] - free_faces) < free_faces:
                split_of[nearest] = split
    splits = {name: np.flatnonzero(split_of[inverse] == number) for number, name in enumerate(("train", "val", "test"))}
    if empty := [name for name, indexes in splits.items() if len(indexes) == 0]:
        raise InputError(
            f"the groups are too large to give {' and '.join(empty)} a face: use --split random, or bring more people"
        )
    return splits

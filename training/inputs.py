"""What `train` reads of data folders."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_prep.arrays import data_hash, load_data_manifest, load_keypoint_set, load_part, load_parts
from data_prep.faces import Part
from facial_keypoints.array_types import Bool
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import KeypointSet
from training.targets import Targets, merged, mirror_of, targets


@dataclass(frozen=True)
class Data:
    """What a run learns from.

    Attributes:
        train: from the data folder, and from `--more`.
        val: from the data folder.
        labels: a value of `LABELS`: the one asked for, or `masked` in place of `marks` where a mark has no label.
        mirror: the permutation of the marks.
        hashes: of the arrays of each folder, by the name of its option.
    """

    train: Targets
    val: Targets
    labels: str
    mirror: tuple[int, ...]
    hashes: dict[str, str]


def load_data(folder: Path, more: Path | None, labels: str) -> Data:
    """Returns the training and validation faces of a data folder, and the faces of a second one to train on.

    Raises:
        InputError: no data folder, there is nothing in it to train or validate on, or the second folder does not fit
            or holds what the first one's validation and test part must keep unseen.
    """
    manifest = load_data_manifest(folder)
    keypoint_set = load_keypoint_set(manifest)
    train, val = load_part(folder, "train"), load_part(folder, "val")
    if not len(train) or not len(val):
        raise InputError(f"{folder}: has no faces to train and validate on; prepare it with another --split")
    if not val.labelled.any():
        raise InputError(f"{folder}: no validation face has a real label; prepare it with another --seed")
    hashes = {"data": data_hash(manifest)}
    faces = [train]
    if more is not None:
        second = load_data_manifest(more)
        if load_keypoint_set(second) != keypoint_set:
            raise InputError(f"{more}: has other keypoints than {folder}; prepare one like the other")
        if second["inputs"].get("like", hashes["data"]) != hashes["data"]:
            raise InputError(
                f"{more}: was cut for another split than that of {folder}; cut it again with --like {folder}"
            )
        extra = [part for part in load_parts(more).values() if len(part)]
        check_more(more, extra, train, [val, load_part(folder, "test")])
        faces += extra
        hashes["more"] = data_hash(second)

    of_train = together(faces, labels, keypoint_set)
    if labels == "marks" and not of_train.weights.any(axis=0).all():
        labels = "masked"
        of_train = together(faces, labels, keypoint_set)
    known: Bool = np.asarray(of_train.weights.any(axis=0))
    if never := [name for k, name in enumerate(keypoint_set.names) if not known[k]]:
        raise InputError(
            f"{folder}: no training face has a label of {', '.join(never)}; prepare it with another --seed"
        )
    return Data(of_train, targets(val, labels, keypoint_set), labels, mirror_of(labels, keypoint_set), hashes)


def together(parts: Sequence[Part], labels: str, keypoint_set: KeypointSet) -> Targets:
    """Returns the targets of all parts; pictures that occur twice once, where there are marks or parts to merge."""
    several = [targets(part, labels, keypoint_set) for part in parts]
    return merged(several) if labels == "marks" or len(several) > 1 else several[0]


def check_more(more: Path, extra: Sequence[Part], train: Part, unseen: Sequence[Part]) -> None:
    """Raises InputError where more faces have another size, or are pictures that must stay unseen."""
    size = train.images.shape[1:]
    held_out = {image.tobytes() for part in unseen for image in part.images}
    for part in extra:
        if part.images.shape[1:] != size:
            theirs, ours = ("x".join(map(str, shape)) for shape in (part.images.shape[1:], size))
            raise InputError(f"{more}: has pictures of {theirs}, the data folder of {ours}; prepare one like the other")
        seen = [int(row) for image, row in zip(part.images, part.rows, strict=True) if image.tobytes() in held_out]
        if seen:
            raise InputError(
                f"{more}: row {seen[0]} and {len(seen) - 1} more are validation or test pictures; take them out"
            )

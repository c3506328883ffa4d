"""Reads the training and validation faces of data folders."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from data_prep import faces_csv
from data_prep.arrays import data_hash, load_data_manifest, load_keypoint_set, load_split, load_splits
from data_prep.faces import Split, labelled_mean
from facial_keypoints.array_types import Bool
from facial_keypoints.codec import output_points
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import KeypointSet, difference
from facial_keypoints.spec import Crop, ModelSpec
from training.targets import Targets, merged, targets


@dataclass(frozen=True)
class TrainingData:
    """The data of a training run.

    Attributes:
        train: of the data folder and of `--extra-data`.
        val: of the data folder.
        keypoint_set: of the data folder.
        label_sources: those with their own output points; see `ModelSpec`.
        crop: of the training images.
        hashes: of the arrays of each data folder, by the name of its option.
    """

    train: Targets
    val: Targets
    keypoint_set: KeypointSet
    label_sources: tuple[int, ...]
    crop: Crop
    hashes: dict[str, str]

    def spec(self, expected_error: bool) -> ModelSpec:
        """Returns the specification of a network trained on these faces."""
        return ModelSpec(self.keypoint_set, self.label_sources, expected_error, self.crop)


def load_data(folder: Path, extra: Path | None, labels: str) -> TrainingData:
    """Returns the training and validation faces of a data folder, with the faces of a second one added to training.

    Args:
        labels: a value of `training.recipes.LABELS`. With `by_source`, label sources whose own positions all have
            training labels get their own output points; the others count as source 0.

    Raises:
        InputError: the data folder is missing or has no faces to train or validate on; or the second folder does not
            fit, or holds people or images of the first one's val or test split.
    """
    manifest = load_data_manifest(folder)
    keypoint_set = load_keypoint_set(manifest, folder)
    train, val = (load_split(folder, split, keypoint_set) for split in ("train", "val"))
    if not len(train) or not len(val):
        raise InputError(f"{folder}: has no faces to train and validate on; prepare it with another --split")
    if not val.labelled.any():
        raise InputError(f"{folder}: no validation face has a real label; prepare it with another --seed")
    hashes, faces = {"data": data_hash(manifest)}, [train]
    if extra is not None:
        extra_splits = load_extra(extra, folder, keypoint_set, train, val)
        hashes["extra_data"] = data_hash(load_data_manifest(extra))
        faces += [replace(split, groups=split.groups + 1 + train.groups.max()) for split in extra_splits]

    label_sources = separate_label_sources(faces, keypoint_set) if labels == "by_source" else (0,)
    points = output_points(keypoint_set, label_sources)
    split_targets = [targets(split, labels, points, keypoint_set) for split in faces]
    merged_targets = merged(split_targets) if labels == "by_source" or len(split_targets) > 1 else split_targets[0]
    labelled: Bool = np.asarray(merged_targets.weights.any(axis=0))
    if unlabelled := [name for k, name in enumerate(keypoint_set.names) if not labelled[k]]:
        raise InputError(
            f"{folder}: no training face has a label of {', '.join(unlabelled)}, so it cannot be learned; "
            "prepare it with another --seed, or add faces that have labels with --extra-data"
        )
    val_targets = targets(val, labels, points, keypoint_set)
    return TrainingData(merged_targets, val_targets, keypoint_set, label_sources, crop_of(train), hashes)


def separate_label_sources(splits: Sequence[Split], keypoint_set: KeypointSet) -> tuple[int, ...]:
    """Returns source 0 and the label sources whose own positions all have training labels.

    Source 0 must have labels of these keypoints too; otherwise one output point is enough.
    """

    def has_labels(label_source: int, keypoint: int) -> bool:
        return any(bool(split.labelled[split.label_sources == label_source, keypoint].any()) for split in splits)

    own_points = {
        number: label_source.own for number, label_source in enumerate(keypoint_set.label_sources) if label_source.own
    }
    separate = (n for n, points in own_points.items() if all(has_labels(n, k) and has_labels(0, k) for k in points))
    return (0, *separate)


def crop_of(train: Split) -> Crop:
    """Returns the size of the training images and their mean keypoints, of source 0 if it has labels."""
    first = train.labelled & (train.label_sources == 0)[:, None]
    overall = labelled_mean(train.keypoints, train.labelled, fallback=train.keypoints.mean(axis=0))
    means = labelled_mean(train.keypoints, first, fallback=overall)
    height, width, channels = train.images.shape[1:]
    return Crop(height, width, channels, tuple((float(x), float(y)) for x, y in np.round(means, 3)))


def load_extra(extra: Path, folder: Path, keypoint_set: KeypointSet, train: Split, val: Split) -> list[Split]:
    """Returns all faces of a second data folder.

    Raises:
        InputError: it has other keypoints, images of another size, or people or images of the first one's val or test
            split.
    """
    manifest = load_data_manifest(extra)
    if differs := difference(load_keypoint_set(manifest, extra), keypoint_set):
        raise InputError(f"{extra}: has other keypoints than {folder} ({differs}); prepare one like the other")
    if people := sorted(faces_csv.people(folder, ("val", "test")) & faces_csv.people(extra)):
        raise InputError(
            f"{extra}: has faces of {len(people)} people (or photos) in val or test of {folder}, the first is "
            f"{people[0]}; prepare it again with --leave-out {folder}"
        )
    size = train.images.shape[1:]
    held_out = {image.tobytes() for split in (val, load_split(folder, "test")) for image in split.images}
    splits = [split for split in load_splits(extra, keypoint_set).values() if len(split)]
    for split in splits:
        if split.images.shape[1:] != size:
            theirs, ours = ("x".join(map(str, shape)) for shape in (split.images.shape[1:], size))
            raise InputError(f"{extra}: has images of {theirs}, the data folder of {ours}; prepare one like the other")
        overlap = [int(row) for image, row in zip(split.images, split.rows, strict=True) if image.tobytes() in held_out]
        if overlap:
            raise InputError(
                f"{extra}: row {overlap[0]} and {len(overlap) - 1} more are validation or test images; remove them"
            )
    return splits

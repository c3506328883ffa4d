"""Reads and writes the arrays of a data folder."""

import hashlib
from pathlib import Path
from typing import Any, Literal

import numpy as np

from common.stage import FORMAT_VERSION, Stage, read_manifest
from data_prep import image_arrays
from data_prep.faces import SPLITS, Split
from data_prep.readers.untrusted import parsing
from facial_keypoints.array_types import Int64
from facial_keypoints.codec import UNKNOWN_LABEL_SOURCE
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import KeypointSet, from_dict
from facial_keypoints.pretrained import MANIFEST

PREPARE = Stage("prepare", "data_prep.prepare", "INPUT --out DIR")
FIX = f"make the folder again with `{PREPARE.command}`"
ARRAYS: dict[str, tuple[type[np.generic], int]] = {  # dtype and number of axes
    "images": (np.uint8, 4),
    "keypoints": (np.float32, 3),
    "labelled": (np.bool_, 2),
    "rows": (np.int64, 1),
    "groups": (np.int64, 1),
    "label_sources": (np.int64, 1),
}
KEYPOINT_SET = "keypoint_set"  # manifest key of the values of `facial_keypoints.keypoint_set.to_dict`
CROPS, VISIBLE = "crops", "visible"
OPTIONAL: dict[str, tuple[type[np.generic], int]] = {
    CROPS: (np.float64, 3),  # if the faces were cropped from pictures
    VISIBLE: (np.bool_, 2),  # if the labels show which keypoints are occluded
}


def save_split(folder: Path, name: str, split: Split, indexes: Int64 | None = None) -> None:
    """Writes the arrays of a split as `{name}_images.npy`, `{name}_keypoints.npy`, and so on.

    Args:
        folder: the data folder.
        name: of the split.
        split: the faces.
        indexes: int64 (n,), indexes of the faces to write; all if None.
    """
    indexes = np.arange(len(split)) if indexes is None else indexes
    for array_name in (*ARRAYS, *OPTIONAL):
        if (array := getattr(split, array_name)) is None:
            continue
        if array_name == "images":
            image_arrays.save(folder / f"{name}_{array_name}.npy", array, indexes)
        else:
            np.save(folder / f"{name}_{array_name}.npy", array[indexes])


def load_split(folder: Path, name: str, keypoint_set: KeypointSet | None = None) -> Split:
    """Returns one split (train, val or test) of a data folder. Its images are mapped from the file, read-only.

    Args:
        keypoint_set: the required keypoint set; any if None.

    Raises:
        InputError: an array is missing, unreadable, or does not fit the others or the keypoint set.
    """
    arrays = {
        array_name: _load_array(folder / f"{name}_{array_name}.npy", *dtype_and_axes)
        for array_name, dtype_and_axes in ARRAYS.items()
    }
    for array_name, dtype_and_axes in OPTIONAL.items():
        if (path := folder / f"{name}_{array_name}.npy").exists():
            arrays[array_name] = _load_array(path, *dtype_and_axes)
    split = Split(**arrays)
    count = len(split.images)
    if any(len(array) != count for array in arrays.values()) or split.keypoints.shape != (*split.labelled.shape, 2):
        raise InputError(f"{folder}: the {name} arrays differ in length; {FIX}")
    if not np.isfinite(split.keypoints).all():
        raise InputError(f"{folder / f'{name}_keypoints.npy'}: holds values that are not numbers; {FIX}")
    if split.crops is not None and not (split.crops.shape == (count, 2, 3) and np.isfinite(split.crops).all()):
        raise InputError(f"{folder / f'{name}_{CROPS}.npy'}: does not hold (N, 2, 3) numbers; {FIX}")
    if split.visible is not None and (
        split.visible.shape != split.labelled.shape or (split.visible & ~split.labelled).any()
    ):
        raise InputError(f"{folder / f'{name}_{VISIBLE}.npy'}: must be of the labelled keypoints; {FIX}")
    if keypoint_set:
        is_valid_source = (split.label_sources >= UNKNOWN_LABEL_SOURCE) & (
            split.label_sources < len(keypoint_set.label_sources)
        )
        if split.labelled.shape[1] != len(keypoint_set) or not is_valid_source.all():
            raise InputError(f"{folder}: the {name} arrays are not of the keypoint set {keypoint_set.name}; {FIX}")
    return split


def _load_array(path: Path, dtype: type[np.generic], axes: int) -> Any:
    mapped: Literal["r"] | None = "r" if path.stem.endswith("images") else None  # they can be larger than memory
    with parsing(path, "numpy array", FIX):
        array = np.load(path, mapped, allow_pickle=False)
        if array.dtype != dtype or array.ndim != axes:
            raise InputError(
                f"{path}: holds {array.dtype} with {array.ndim} axes, not {dtype.__name__} with {axes}; {FIX}"
            )
        return array


def load_splits(folder: Path, keypoint_set: KeypointSet | None = None) -> dict[str, Split]:
    """Returns all three splits of a data folder, by name; see `load_split`."""
    return {split: load_split(folder, split, keypoint_set) for split in SPLITS}


def load_data_manifest(folder: Path) -> dict[str, Any]:
    """Returns the manifest of a data folder; checks that its files are unaltered and its keypoint set is valid."""
    manifest = read_manifest(folder, PREPARE)
    if manifest.get("format_version", 1) < FORMAT_VERSION or KEYPOINT_SET not in manifest:
        raise InputError(f"{folder}: was written by an earlier version of this project; {FIX}")
    load_keypoint_set(manifest, folder)
    return manifest


def load_keypoint_set(manifest: dict[str, Any], folder: Path) -> KeypointSet:
    """Returns the keypoint set in the manifest of a data folder; raises InputError if its values are inconsistent."""
    return from_dict(manifest[KEYPOINT_SET], str(folder / MANIFEST))


def data_hash(manifest: dict[str, Any]) -> str:
    """Returns one hash of all arrays of a data folder; the time of writing does not matter."""
    lines = [f"{name} {digest}" for name, digest in sorted(manifest["files"].items()) if name.endswith(".npy")]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()

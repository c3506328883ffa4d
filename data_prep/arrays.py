"""Reads and writes the arrays of a data folder."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from common.stage import FORMAT_VERSION, Stage, read_manifest
from data_prep.faces import SPLITS, Split
from data_prep.readers.untrusted import parsing
from facial_keypoints.codec import UNKNOWN_LABEL_SOURCE
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import KEYPOINT_SETS, KeypointSet

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
CROPS, CROPS_KIND = "crops", (np.float64, 3)  # only if the faces were cropped from pictures


def save_split(folder: Path, name: str, split: Split) -> None:
    """Writes the arrays of a split as `{name}_images.npy`, `{name}_keypoints.npy`, and so on."""
    for each in (*ARRAYS, CROPS):
        if (array := getattr(split, each)) is not None:
            np.save(folder / f"{name}_{each}.npy", array)


def load_split(folder: Path, name: str, keypoint_set: KeypointSet | None = None) -> Split:
    """Returns one split (train, val or test) of a data folder.

    Args:
        keypoint_set: the keypoint set that it must have; any if None.

    Raises:
        InputError: an array is missing, unreadable, or does not fit the others or the keypoint set.
    """
    arrays = {each: _load_array(folder / f"{name}_{each}.npy", *kind) for each, kind in ARRAYS.items()}
    if (crops := folder / f"{name}_{CROPS}.npy").exists():
        arrays[CROPS] = _load_array(crops, *CROPS_KIND)
    split = Split(**arrays)
    count = len(split.images)
    if any(len(array) != count for array in arrays.values()) or split.keypoints.shape != (*split.labelled.shape, 2):
        raise InputError(f"{folder}: the {name} arrays differ in length; {FIX}")
    if not np.isfinite(split.keypoints).all():
        raise InputError(f"{folder / f'{name}_keypoints.npy'}: holds values that are not numbers; {FIX}")
    if split.crops is not None and not (split.crops.shape == (count, 2, 3) and np.isfinite(split.crops).all()):
        raise InputError(f"{folder / f'{name}_{CROPS}.npy'}: does not hold (N, 2, 3) numbers; {FIX}")
    if keypoint_set:
        known = (split.label_sources >= UNKNOWN_LABEL_SOURCE) & (split.label_sources < len(keypoint_set.label_sources))
        if split.labelled.shape[1] != len(keypoint_set) or not known.all():
            raise InputError(f"{folder}: the {name} arrays are not of the keypoint set {keypoint_set.name}; {FIX}")
    return split


def _load_array(path: Path, dtype: type[np.generic], axes: int) -> Any:
    with parsing(path, "numpy array", FIX):
        array = np.load(path, allow_pickle=False)
        if array.dtype != dtype or array.ndim != axes:
            raise InputError(
                f"{path}: holds {array.dtype} with {array.ndim} axes, not {dtype.__name__} with {axes}; {FIX}"
            )
        return array


def load_splits(folder: Path, keypoint_set: KeypointSet | None = None) -> dict[str, Split]:
    """Returns all three splits of a data folder, by name; see `load_split`."""
    return {split: load_split(folder, split, keypoint_set) for split in SPLITS}


def load_data_manifest(folder: Path) -> dict[str, Any]:
    """Returns the manifest of a data folder; checks that its files are unaltered and its keypoint set is known."""
    manifest = read_manifest(folder, PREPARE)
    if manifest.get("format_version", 1) < FORMAT_VERSION:
        raise InputError(f"{folder}: was written by an earlier version of this project; {FIX}")
    try:
        load_keypoint_set(manifest)
    except InputError as error:
        raise InputError(f"{folder}: {error}") from None
    return manifest


def load_keypoint_set(manifest: dict[str, Any]) -> KeypointSet:
    """Returns the keypoint set that a data folder's manifest names; raises InputError if it is unknown."""
    name = str(manifest["parameters"].get("keypoint_set"))
    if name not in KEYPOINT_SETS:
        raise InputError(f"has the unknown keypoint set {name!r}; known: {', '.join(KEYPOINT_SETS)}")
    return KEYPOINT_SETS[name]


def data_hash(manifest: dict[str, Any]) -> str:
    """Returns one hash of all arrays of a data folder; it does not depend on when they were written."""
    lines = [f"{name} {digest}" for name, digest in sorted(manifest["files"].items()) if name.endswith(".npy")]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()

"""The data folder on disk: the arrays of each part, and where each face comes from."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from common.stage import FORMAT_VERSION, Stage, read_manifest
from data_prep.faces import SPLITS, Split
from data_prep.readers.untrusted import parsing
from facial_keypoints.codec import UNKNOWN_LABEL_SOURCE
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import KeypointSet, from_dict
from facial_keypoints.pretrained import MANIFEST

PREPARE = Stage("prepare", "data_prep.prepare", "INPUT --out DIR")
MEND = f"make the folder again with `{PREPARE.command}`"
ARRAYS: dict[str, tuple[type[np.generic], int]] = {  # dtype and number of axes
    "images": (np.uint8, 4),
    "keypoints": (np.float32, 3),
    "labelled": (np.bool_, 2),
    "rows": (np.int64, 1),
    "groups": (np.int64, 1),
    "label_sources": (np.int64, 1),
}
KEYPOINT_SET = "keypoint_set"  # in the manifest: the values of `facial_keypoints.keypoint_set.to_dict`
CROPS, CROPS_KIND = "crops", (np.float64, 3)  # only where faces were cut from pictures


def save_split(folder: Path, split: str, part: Split) -> None:
    """Writes `{split}_{images,keypoints,labelled,rows,groups,sources}.npy`, and `_crops` where there are any."""
    for name in (*ARRAYS, CROPS):
        if (array := getattr(part, name)) is not None:
            np.save(folder / f"{split}_{name}.npy", array)


def load_split(folder: Path, split: str, keypoint_set: KeypointSet | None = None) -> Split:
    """Returns one part (train, val or test) of a data folder.

    Args:
        keypoint_set: the mark-up that it must fit.

    Raises:
        InputError: an array is missing, unreadable, or does not fit the others or the mark-up.
    """
    arrays = {name: _load_array(folder / f"{split}_{name}.npy", *kind) for name, kind in ARRAYS.items()}
    if (crops := folder / f"{split}_{CROPS}.npy").exists():
        arrays[CROPS] = _load_array(crops, *CROPS_KIND)
    part = Split(**arrays)
    count = len(part.images)
    if any(len(array) != count for array in arrays.values()) or part.keypoints.shape != (*part.labelled.shape, 2):
        raise InputError(f"{folder}: the {split} arrays differ in length; {MEND}")
    if not np.isfinite(part.keypoints).all():
        raise InputError(f"{folder / f'{split}_keypoints.npy'}: holds values that are no numbers; {MEND}")
    if part.crops is not None and not (part.crops.shape == (count, 2, 3) and np.isfinite(part.crops).all()):
        raise InputError(f"{folder / f'{split}_{CROPS}.npy'}: holds no (N, 2, 3) numbers; {MEND}")
    if keypoint_set:
        known = (part.label_sources >= UNKNOWN_LABEL_SOURCE) & (part.label_sources < len(keypoint_set.label_sources))
        if part.labelled.shape[1] != len(keypoint_set) or not known.all():
            raise InputError(f"{folder}: the {split} arrays are not of the keypoint set {keypoint_set.name}; {MEND}")
    return part


def _load_array(path: Path, dtype: type[np.generic], axes: int) -> Any:
    with parsing(path, "numpy array", MEND):
        array = np.load(path, allow_pickle=False)
        if array.dtype != dtype or array.ndim != axes:
            raise InputError(
                f"{path}: holds {array.dtype} with {array.ndim} axes, not {dtype.__name__} with {axes}; {MEND}"
            )
        return array


def load_splits(folder: Path, keypoint_set: KeypointSet | None = None) -> dict[str, Split]:
    """Returns all three splits of a data folder, by name; see `load_split`."""
    return {split: load_split(folder, split, keypoint_set) for split in SPLITS}


def load_data_manifest(folder: Path) -> dict[str, Any]:
    """Returns the manifest of a data folder whose files are all there and unaltered."""
    manifest = read_manifest(folder, PREPARE)
    if manifest.get("format_version", 1) < FORMAT_VERSION or KEYPOINT_SET not in manifest:
        raise InputError(f"{folder}: was written by an earlier version of this project; {MEND}")
    load_keypoint_set(manifest, folder)
    return manifest


def load_keypoint_set(manifest: dict[str, Any], folder: Path) -> KeypointSet:
    """Returns the keypoint set in the manifest of a data folder; raises InputError if its values contradict."""
    return from_dict(manifest[KEYPOINT_SET], str(folder / MANIFEST))


def data_hash(manifest: dict[str, Any]) -> str:
    """Returns one hash for all arrays of a data folder: what was trained or scored on, whenever it was written."""
    lines = [f"{name} {digest}" for name, digest in sorted(manifest["files"].items()) if name.endswith(".npy")]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()

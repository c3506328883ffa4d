"""Reader of the re-uploaded 15-keypoint set: a folder with face_images.npz and facial_keypoints.csv."""

import zipfile
import zlib
from pathlib import Path

import numpy as np
import pandas as pd

from data_prep.faces import Faces
from data_prep.labels import read_keypoints, read_table
from facial_keypoints.array_types import Int64, UInt8
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15

IMAGES, KEYPOINTS, GROUPS = "face_images.npz", "facial_keypoints.csv", "groups.csv"
KEY = "face_images"


def read(folder: Path) -> Faces:
    """Returns the faces of a folder: `face_images.npz`, `facial_keypoints.csv` and, where there is one, `groups.csv`.

    Raises:
        InputError: a file is missing, damaged, of another shape, or the files differ in length.
    """
    images = _read_images(folder / IMAGES)
    keypoints = read_keypoints(folder / KEYPOINTS, FACE15)
    if len(images) != len(keypoints):
        raise InputError(
            f"{folder}: {IMAGES} holds {len(images)} pictures but {KEYPOINTS} {len(keypoints)} rows; "
            "they must be of one length"
        )
    groups = _read_groups(folder / GROUPS, len(images)) if (folder / GROUPS).exists() else None
    return Faces(images, keypoints, np.arange(len(images)), groups, FACE15)


def _read_images(path: Path) -> UInt8:
    try:
        with np.load(path, allow_pickle=False) as archive:
            if KEY not in archive.files:
                raise InputError(f"{path}: has no array {KEY!r}, only {', '.join(archive.files)}")
            images = archive[KEY]
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder, not a file") from None
    except (ValueError, EOFError, AttributeError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        if "allow_pickle" in str(error):
            raise InputError(
                f"{path}: holds pickled objects, which can run any code; save a plain uint8 array"
            ) from None
        raise InputError(f"{path}: is cut off or no npz file ({error}); fetch it again") from None
    if images.dtype != np.uint8:
        raise InputError(f"{path}: {KEY} is {images.dtype}, expected uint8 (0 black to 255 white)")
    if images.ndim != 3 or images.shape[0] != images.shape[1]:
        raise InputError(f"{path}: {KEY} has shape {images.shape}, expected (96, 96, N): square pictures, faces last")
    return np.ascontiguousarray(np.moveaxis(images, -1, 0))[..., None]


def _read_groups(path: Path, count: int) -> Int64:
    """Returns a number per face, the same for one person; column `person` of the file."""
    table = read_table(path)
    if "person" not in table:
        raise InputError(f"{path}: lacks the column person")
    if len(table) != count:
        raise InputError(f"{path}: has {len(table)} rows for {count} faces; it needs one for each")
    if table["person"].isna().any():
        row = int(np.flatnonzero(table["person"].isna())[0])
        raise InputError(f"{path}: row {row} (line {row + 2}) names no person; give every face one")
    return np.asarray(pd.factorize(table["person"])[0], np.int64)

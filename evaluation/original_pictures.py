"""Test faces in px of the original pictures. N faces, K keypoints."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from data_prep.faces import Origins, Split
from data_prep.readers.pictures import read_picture
from facial_keypoints import geometry
from facial_keypoints.array_types import Float64, Int64, UInt8
from facial_keypoints.codec import Keypoints
from facial_keypoints.errors import InputError


def labels_in_pictures(test: Split, crops: Float64) -> Split:
    """Returns the faces with keypoints in px of the original pictures; the images are still the crops.

    Args:
        crops: float64 (N, 2, 3), picture to crop.
    """
    keypoints = geometry.transform(test.keypoints, geometry.inverse(crops)).astype(np.float32)
    return replace(test, keypoints=keypoints)


def transform_keypoints(keypoints: Keypoints, matrices: Float64) -> Keypoints:
    """Returns keypoints and expected errors after the similarity transforms `matrices`, float64 (N, 2, 3).

    `Split.crops` map original pictures to crops, and their `geometry.inverse` maps back.
    """
    moved = geometry.transform(keypoints.coordinates, matrices).astype(np.float32)
    errors = keypoints.expected_error
    if errors is not None:
        errors = errors * np.sqrt(np.abs(np.linalg.det(matrices[:, :, :2]))).astype(np.float32)[:, None]
    return Keypoints(moved, errors)


def read_originals(test: Split, origins: Origins, faces: Int64, exif: str | None) -> list[UInt8]:
    """Returns the original pictures of some test faces, each uint8 (H, W, 3).

    Args:
        test: the test faces.
        origins: where each face comes from.
        faces: int64 (n,), indexes.
        exif: as the faces were prepared; see `data_prep.readers.pictures.read_picture`.

    Raises:
        InputError: a picture cannot be decoded, or is not at the path of `faces.csv`, relative to the working folder.
    """
    pictures = []
    for face in faces:
        if not origins.files[face]:  # the input contained the image itself
            pictures.append(np.broadcast_to(test.images[face], (*test.images[face].shape[:2], 3)))
            continue
        path = Path(origins.folders[face]) / origins.files[face]
        if not path.is_file():
            raise InputError(f"{path}: no such file, relative to {Path.cwd()}")
        pictures.append(read_picture(path, color=True, exif=exif))
    return pictures

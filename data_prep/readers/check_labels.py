"""Finds labels that must be wrong: placeholders for missing labels, and points far outside the picture.

N faces, K keypoints.
"""

from collections.abc import Callable, Sequence

import numpy as np

from data_prep.readers.bad_faces import BadFaces
from facial_keypoints.array_types import Bool, Float32
from facial_keypoints.errors import InputError

PLACEHOLDERS = (-1, 0)  # many programs write one of them as both coordinates of a missing label
FAR_SHARE = 0.5  # of the longer side of the box of the labels inside the picture; real labels reach 0.13
NEAR_PX = 1.0  # labels this close to the picture are never far outside
EMPTY_CELLS = "empty both cells"


def placeholders(keypoints: Float32) -> Bool:
    """Returns bool (..., K) of keypoints (..., K, 2): both coordinates are one of PLACEHOLDERS."""
    matches = [(keypoints == value).all(axis=-1) for value in PLACEHOLDERS]
    return np.any(matches, axis=0)


def check_placeholders(keypoints: Float32, names: Sequence[str], where: str, fix: str) -> None:
    """Raises InputError if a label is a placeholder for a missing one.

    Args:
        keypoints: float32 (K, 2) as written in the file.
        names: of the K keypoints.
        where: file and row, for the message.
        fix: how this format shows that a keypoint is unlabelled.
    """
    wrong = np.flatnonzero(placeholders(keypoints))
    if len(wrong):
        x, y = keypoints[wrong[0]]
        raise InputError(
            f"{where}: has {x:g}, {y:g} as {names[wrong[0]]}, which often stands for a missing label; {fix} if it "
            "is not labelled"
        )


def far_outside(keypoints: Float32, width: int, height: int) -> Bool:
    """Returns bool (N, K): the label lies outside its picture by more than FAR_SHARE of the size of the face.

    The size is the longer side of the box of the labels inside the picture, 0 if there are none.

    Args:
        keypoints: float32 (N, K, 2) in px, NaN where unlabelled.
        width: of the pictures, px.
        height: of the pictures, px.
    """
    beyond = np.maximum(-0.5 - keypoints, keypoints - (width - 0.5, height - 0.5)).max(axis=-1)  # NaN: unlabelled
    inside = (beyond <= 0)[..., None]
    low, high = np.where(inside, keypoints, np.inf).min(axis=1), np.where(inside, keypoints, -np.inf).max(axis=1)
    size = (high - low).max(axis=-1)  # minus infinity if no label lies inside
    return beyond > np.maximum(FAR_SHARE * size, NEAR_PX)[:, None]


def check_inside(keypoints: Float32, names: Sequence[str], size: tuple[int, int], where: str) -> None:
    """Raises InputError if a label lies far outside its picture; see `far_outside`.

    Args:
        keypoints: float32 (K, 2) in px, NaN where unlabelled.
        names: of the K keypoints.
        size: width and height of the picture in px.
        where: file and row, for the message.
    """
    far = np.flatnonzero(far_outside(keypoints[None], *size)[0])
    if len(far):
        x, y = keypoints[far[0]]
        raise InputError(
            f"{where}: has {names[far[0]]} at {x:g}, {y:g}, which lies outside its picture of {size[0]} x {size[1]} px "
            "by more than half the size of the face; correct it, or skip the face with --skip-bad"
        )


def usable_rows(
    keypoints: Float32, names: Sequence[str], size: tuple[int, int], where: Callable[[int], str], bad: BadFaces
) -> Bool:
    """Returns bool (N,): no label in a row of a table is a placeholder or far outside the picture.

    Args:
        keypoints: float32 (N, K, 2) in px, NaN where unlabelled.
        names: of the K keypoints.
        size: width and height of all pictures in px.
        where: returns file and row of a face, for the message.
        bad: skips the other faces, or raises their error.

    Raises:
        InputError: a face cannot be used and is not skipped.
    """
    is_wrong = (placeholders(keypoints) | far_outside(keypoints, *size)).any(axis=1)
    for row in np.flatnonzero(is_wrong).tolist():
        with bad.left_out():
            check_placeholders(keypoints[row], names, where(row), EMPTY_CELLS)
            check_inside(keypoints[row], names, size, where(row))
    return np.asarray(~is_wrong)

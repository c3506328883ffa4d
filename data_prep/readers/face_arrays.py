"""Builds `Faces` of inputs that hold the images themselves, with defaults for missing facts. N faces."""

import numpy as np

from data_prep.faces import Faces, Origins, Text, labelled_points
from data_prep.grouping import label_sources
from facial_keypoints.array_types import Bool, Float32, Int64, UInt8
from facial_keypoints.keypoint_set import KeypointSet


def faces_of(
    origin: str,
    images: UInt8,
    keypoints: Float32,
    keypoint_set: KeypointSet,
    groups: Text | None = None,
    usable: Bool | None = None,
) -> Faces:
    """Returns the faces of an input; their label sources are inferred from the pattern of labels.

    Args:
        origin: the input as named on the command line.
        images: uint8 (N, H, W, C).
        keypoints: float32 (N, K, 2) in px, NaN where unlabelled.
        keypoint_set: the K keypoints.
        groups: text (N,), the person in each image; None if the input names no people.
        usable: bool (N,), the rows to keep; all if None.
    """
    rows: Int64 = np.arange(len(images)) if usable is None else np.flatnonzero(usable)
    if len(rows) < len(images):
        images, keypoints = images[rows], keypoints[rows]
        groups = None if groups is None else groups[rows]
    empty = np.full(len(rows), "")
    return Faces(
        images=images,
        keypoints=keypoints,
        rows=rows,
        groups=empty if groups is None else groups,
        keypoint_set=keypoint_set,
        label_sources=label_sources(labelled_points(keypoints), keypoint_set),
        origins=Origins(np.full(len(rows), origin), empty),
        official_splits=empty,
        occluded=np.zeros(keypoints.shape[:2], bool),
        unnamed=() if groups is not None else (origin,),
    )

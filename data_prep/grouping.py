"""Finds label sources and identical images, which splitting and scoring depend on."""

import hashlib

import numpy as np

from data_prep.faces import Text
from data_prep.image_arrays import blocks
from facial_keypoints.array_types import Bool, Int64, UInt8
from facial_keypoints.keypoint_set import KeypointSet

SPARSE_SHARE = 0.05  # minimum share of faces with labels for exactly the keypoints of a label source


def label_sources(labelled: Bool, keypoint_set: KeypointSet) -> Int64:
    """Returns the label source of each face, int64 (N,), an index into `keypoint_set.label_sources`.

    A source that labels only some keypoints is present if enough faces have labels for exactly these keypoints. A face
    belongs to it if the face has labels only for these keypoints. If several sources fit, it belongs to the one with
    the fewest keypoints; in case of a tie, to the most common one. All other faces, including those without labels,
    belong to source 0. Other sources that label all keypoints cannot be inferred here; their readers set them.

    Args:
        labelled: bool (N, K).
    """
    label_sources = np.zeros(len(labelled), np.int64)
    candidates = []
    for number, label_source in enumerate(keypoint_set.label_sources):
        if len(label_source.keypoints) == len(keypoint_set):
            continue
        pattern = np.isin(np.arange(len(keypoint_set)), label_source.keypoints)
        exact_count = int((labelled == pattern).all(axis=1).sum())
        if exact_count and exact_count >= SPARSE_SHARE * len(labelled):
            candidates.append((-len(label_source.keypoints), exact_count, number, pattern))
    for _, _, number, pattern in sorted(
        candidates, key=lambda candidate: candidate[:2]
    ):  # later ones overwrite earlier ones
        label_sources[labelled.any(axis=1) & ~(labelled & ~pattern).any(axis=1)] = number
    return label_sources


def duplicate_groups(images: UInt8) -> Int64:
    """Returns, for each image (N, H, W, C), the index of the first identical one, int64 (N,)."""
    first: dict[bytes, int] = {}
    digests = (hashlib.sha256(image.tobytes()).digest() for block in blocks(images) for image in block)
    return np.array([first.setdefault(digest, i) for i, digest in enumerate(digests)], np.int64)


def join_groups(groups: Int64, others: Int64 | Text) -> Int64:
    """Returns the smallest groups, int64 (N,) from 0, that contain the groups of both arguments."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    faces = np.arange(len(groups))
    links = [_first_of_group(groups), _first_of_group(others)]
    graph = coo_array((np.ones(2 * len(faces), bool), (np.tile(faces, 2), np.concatenate(links))), (len(faces),) * 2)
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def _first_of_group(groups: Int64 | Text) -> Int64:
    """Returns for each face the index of the first face of its group."""
    first, inverse = np.unique(groups, return_index=True, return_inverse=True)[1:]
    return first[inverse]

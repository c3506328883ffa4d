"""Facts found in the data that splitting and scoring depend on: label sources, identical images."""

import hashlib

import numpy as np

from data_prep.faces import Text
from facial_keypoints.array_types import Bool, Int64, UInt8
from facial_keypoints.keypoint_set import KeypointSet

SPARSE_SHARE = 0.05  # a source is there where at least this share of the faces shows its keypoints exactly


def label_sources(labelled: Bool, keypoint_set: KeypointSet) -> Int64:
    """Returns the label source of each face, int64 (N,), an index into `keypoint_set.label_sources`.

    A source that labels only some keypoints is there where enough faces are labelled exactly as it does. To it belongs
    every face with labels, all of them on its keypoints. A face that fits several sources belongs to the one of whose
    keypoints it misses fewest, of such to the commonest. All others belong to source 0, also faces without any label:
    nothing is known of them. A further source that labels all keypoints is known by its reader, not found here.

    Args:
        labelled: bool (N, K).
    """
    label_sources = np.zeros(len(labelled), np.int64)
    found = []
    for number, label_source in enumerate(keypoint_set.label_sources):
        if len(label_source.keypoints) == len(keypoint_set):
            continue
        pattern = np.isin(np.arange(len(keypoint_set)), label_source.keypoints)
        exact = int((labelled == pattern).all(axis=1).sum())
        if exact and exact >= SPARSE_SHARE * len(labelled):
            found.append((-len(label_source.keypoints), exact, number, pattern))
    for _, _, number, pattern in sorted(found, key=lambda one: one[:2]):  # whichever comes last wins
        label_sources[labelled.any(axis=1) & ~(labelled & ~pattern).any(axis=1)] = number
    return label_sources


def duplicate_groups(images: UInt8) -> Int64:
    """Returns int64 (N,): the index of the first face whose image is identical, pixel for pixel. (N, H, W, C) in."""
    first: dict[bytes, int] = {}
    digests = (hashlib.sha256(image.tobytes()).digest() for image in images)
    return np.array([first.setdefault(digest, i) for i, digest in enumerate(digests)], np.int64)


def join_groups(groups: Int64, others: Int64 | Text) -> Int64:
    """Returns the finest groups, int64 (N,) from 0, that keep together all that either argument keeps together."""
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

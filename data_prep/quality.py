"""Facts found in the data that splitting and scoring depend on: label sources, identical pictures."""

import hashlib

import numpy as np

from facial_keypoints.array_types import Bool, Int64, UInt8

SPARSE_SHARE = 0.05  # an incomplete pattern of labels at least this common is a source of its own


def label_sources(labelled: Bool) -> Int64:
    """Returns the label source of each face, int64 (N,): 0 marks most keypoints, 1 only a few.

    Source 1 is found from the labels: the most common incomplete pattern of visible keypoints, where it is common
    enough, and every face whose labels lie within that pattern. (N, K) in.
    """
    sources = np.zeros(len(labelled), np.int64)
    incomplete = labelled[~labelled.all(axis=1)]
    if len(incomplete) == 0:
        return sources
    patterns, counts = np.unique(incomplete, axis=0, return_counts=True)
    pattern = patterns[counts.argmax()]
    few = pattern.sum() <= labelled.shape[1] // 2
    if few and counts.max() >= SPARSE_SHARE * len(labelled):
        sources[~(labelled & ~pattern).any(axis=1)] = 1
    return sources


def duplicate_groups(images: UInt8) -> Int64:
    """Returns int64 (N,): the index of the first face whose picture is identical, pixel for pixel. (N, H, W, C) in."""
    first: dict[bytes, int] = {}
    digests = (hashlib.sha256(image.tobytes()).digest() for image in images)
    return np.array([first.setdefault(digest, i) for i, digest in enumerate(digests)], np.int64)


def join_groups(groups: Int64, others: Int64) -> Int64:
    """Returns the finest groups, int64 (N,) from 0, that keep together all that either argument keeps together."""
    joined = np.unique(groups, return_inverse=True)[1]
    others = np.unique(others, return_inverse=True)[1]
    while True:
        before = joined
        joined = _lowest_of_each(_lowest_of_each(joined, others), groups)
        if np.array_equal(joined, before):
            return np.unique(joined, return_inverse=True)[1].astype(np.int64)


def _lowest_of_each(values: Int64, groups: Int64) -> Int64:
    """Returns for each face the lowest value in its group."""
    names, inverse = np.unique(groups, return_inverse=True)
    lowest = np.full(len(names), np.iinfo(np.int64).max)
    np.minimum.at(lowest, inverse, values)
    return lowest[inverse]

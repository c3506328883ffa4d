"""Baselines without a network: mean faces. N faces, K keypoints."""

from collections.abc import Callable

import numpy as np

from data_prep.faces import Split, labelled_mean
from facial_keypoints.array_types import Float32


def mean_face(train: Split, test: Split) -> Float32:
    """Returns the mean of the real training labels for every test face, float32 (N, K, 2) in px.

    A keypoint without real labels gets the mean of its imputed values.
    """
    return _for_each(test, labelled_mean(train.keypoints, train.labelled, fallback=_mean(train.keypoints)))


def mean_face_imputed(train: Split, test: Split) -> Float32:
    """Returns the mean of all training keypoints, with imputed ones, for every test face, float32 (N, K, 2) in px."""
    return _for_each(test, _mean(train.keypoints))


def mean_face_per_source(train: Split, test: Split) -> Float32:
    """Returns for every test face the mean of the real training labels of its label source, float32 (N, K, 2) in px.

    It uses the label source of the test face, which the image does not show. A keypoint that a source never labels gets
    the mean of all sources.
    """
    overall = mean_face(train, test)
    predicted = overall.copy()
    for label_source in np.unique(test.label_sources):
        in_train = train.label_sources == label_source
        in_test = test.label_sources == label_source
        if in_train.any():
            predicted[in_test] = labelled_mean(train.keypoints[in_train], train.labelled[in_train], fallback=overall[0])
    return predicted


BASELINES: dict[str, Callable[[Split, Split], Float32]] = {
    "mean_face": mean_face,
    "mean_face_imputed": mean_face_imputed,
    "mean_face_per_source": mean_face_per_source,
}


def _mean(keypoints: Float32) -> Float32:
    return keypoints.mean(0, dtype=np.float64).astype(np.float32)


def _for_each(test: Split, face: Float32) -> Float32:
    return np.repeat(face[None], len(test), axis=0)

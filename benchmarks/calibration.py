"""Maps another program's points to the keypoints of a label source. N faces, K keypoints, P points."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from data_prep.faces import Split
from facial_keypoints.array_types import Bool, Float32, Float64, Int64
from facial_keypoints.keypoint_set import FACE15, KeypointSet, as_face15

FOLDS = 5
ALPHAS = (0.1, 1.0, 10.0, 100.0, 1e3, 1e4)  # px^2; chosen by cross-validation over groups
MAPPED = (0, 1)  # label sources to which `as_face15` can convert 68 points


@dataclass(frozen=True)
class LinearMap:
    """The difference of a keypoint from its position mapped by hand: `points.ravel() @ weights + offset`.

    Attributes:
        weights: float64 (2P, 2).
        offset: float64 (2,) in px.
        alpha: of the ridge regression, in px^2.
    """

    weights: Float64
    offset: Float64
    alpha: float


Fits = dict[tuple[int, int], LinearMap]  # for each (source, keypoint)


def map_by_hand(points: Float64, sources: Int64, keypoint_set: KeypointSet) -> Float32:
    """Maps 68 points (N, 68, 2) to the keypoints of each face's label source, float32 (N, K, 2) in px.

    For 68 keypoints the points are unchanged. For 15, label source 0 is used if a source is not in `MAPPED`.
    """
    if keypoint_set != FACE15:
        return points.astype(np.float32)
    predicted = np.empty((len(points), len(FACE15), 2), np.float32)
    for source in np.unique(sources).tolist():
        faces = sources == source
        predicted[faces] = as_face15(points[faces], source if source in MAPPED else 0)
    return predicted


def fit(points: Float64, split: Split, hand: Float32) -> Fits:
    """Fits ridge regressions from points (N, P, 2) to the difference of the real labels from `hand` (N, K, 2).

    Keypoints that are labelled on the same faces share one regression and its alpha. A keypoint that a source labels
    in fewer than `FOLDS` groups gets none. Runs on one thread, because the matrices are small and threads would wait
    for each other on a busy machine.
    """
    from sklearn.linear_model import RidgeCV
    from sklearn.model_selection import GroupKFold
    from threadpoolctl import threadpool_limits

    fits = {}
    for source in np.unique(split.label_sources).tolist():
        of_source = split.labelled & (split.label_sources == source)[:, None]
        for faces, keypoints in _labelled_together(of_source):
            if len(np.unique(split.groups[faces])) < FOLDS:
                continue
            x = _flat(points[faces])
            y = _flat((split.keypoints - hand)[faces][:, keypoints].astype(np.float64))
            folds = list(GroupKFold(FOLDS).split(x, groups=split.groups[faces]))
            with threadpool_limits(1):
                regression = RidgeCV(ALPHAS, cv=folds, scoring="neg_mean_squared_error").fit(x, y)
            weights, offsets = regression.coef_.T.reshape(x.shape[1], -1, 2), regression.intercept_.reshape(-1, 2)
            for column, keypoint in enumerate(keypoints.tolist()):
                fits[source, keypoint] = LinearMap(weights[:, column], offsets[column], float(regression.alpha_))
    return fits


def _labelled_together(labelled: Bool) -> list[tuple[Bool, Int64]]:
    """Returns sets of faces, bool (N,), each with the keypoints labelled on exactly these faces, from (N, K)."""
    patterns, which = np.unique(labelled, axis=1, return_inverse=True)
    return [(faces, np.flatnonzero(which.ravel() == number)) for number, faces in enumerate(patterns.T)]


def calibrated(fits: Mapping[tuple[int, int], LinearMap], points: Float64, sources: Int64, hand: Float32) -> Float32:
    """Applies the regressions to points (N, P, 2) and `hand` (N, K, 2); returns float32 (N, K, 2) in px.

    If the face's source has no regression for a keypoint, the first other source's is used; without any, the keypoint
    stays as in `hand`.
    """
    predicted, fitted = hand.copy(), sorted({source for source, _ in fits})
    for source in np.unique(sources).tolist():
        faces = sources == source
        x = _flat(points[faces])
        for keypoint in range(hand.shape[1]):
            maps = [fits[s, keypoint] for s in (source, *fitted) if (s, keypoint) in fits]
            if maps:
                predicted[faces, keypoint] += (x @ maps[0].weights + maps[0].offset).astype(np.float32)
    return predicted


def _flat(points: Float64) -> Float64:
    return points.reshape(len(points), -1)

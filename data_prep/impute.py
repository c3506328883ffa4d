"""Fills the gaps in keypoint labels with values learned from the training faces."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from data_prep.faces import evenly_spread, labelled_points
from facial_keypoints.array_types import Bool, Float32, Float64, Int64
from facial_keypoints.geometry import fit_similarity, transform

Imputer = Callable[[Float64, Bool, Bool], Float64]  # coordinates (N, 2K), training (N,), to_fill (N,) -> (N, 2K)

NEIGHBORS = 10
WORKING_MEMORY_MB = 64  # of scikit-learn; its default is 1,024
FACES_COMPARED = 10_000
RIDGE_PENALTY_PX2 = 0.1  # added to the variances of the labelled coordinates


def impute(method: str, keypoints: Float32, training: Bool, to_fill: Bool | None = None) -> Float32:
    """Returns the keypoints with every gap filled; real labels stay as they are.

    A keypoint that is labelled in no training face is set to the mean of the other keypoints of its face.

    Args:
        method: a name in IMPUTERS.
        keypoints: float32 (N, K, 2) in px, all faces in file order, NaN where unlabelled. At least one keypoint is
            labelled in at least one training face.
        training: bool (N,), the faces to fit the imputer on.
        to_fill: bool (N,), the faces to fill, all if None; the others can keep gaps.
    """
    to_fill = np.ones(len(keypoints), bool) if to_fill is None else to_fill
    has_labels: Bool = np.asarray(labelled_points(keypoints)[training].any(axis=0))
    flat = keypoints[:, has_labels].reshape(len(keypoints), -1).astype(np.float64)
    filled = np.full(keypoints.shape, np.nan)
    filled[:, has_labels] = IMPUTERS[method](flat, training, to_fill).reshape(len(keypoints), -1, 2)
    filled = np.where(np.isnan(keypoints), filled, keypoints)
    middle = filled[:, has_labels].mean(axis=1, keepdims=True)
    return np.where(np.isnan(filled) & ~has_labels[:, None], middle, filled).astype(np.float32)


def _forward_fill(flat: Float64, training: Bool, _: Bool) -> Float64:
    """Fills each gap with the last training label above it, or the first one below if there is none above."""
    is_training_label = ~np.isnan(flat) & training[:, None]
    rows = np.arange(len(flat))[:, None]
    last_rows = np.maximum.accumulate(np.where(is_training_label, rows, -1), axis=0)
    from_rows = np.where(last_rows < 0, is_training_label.argmax(axis=0), last_rows)
    return np.take_along_axis(flat, from_rows, axis=0)


def _with_scikit_learn(name: str) -> Imputer:
    def fill(flat: Float64, training: Bool, to_fill: Bool) -> Float64:
        from sklearn import config_context
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.experimental import enable_iterative_imputer  # noqa: F401  (the switch for IterativeImputer)
        from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
        from sklearn.linear_model import BayesianRidge
        from threadpoolctl import threadpool_limits

        if name == "knn":
            imputer: Any = KNNImputer(n_neighbors=NEIGHBORS)
        elif name == "iterative":
            imputer = IterativeImputer(BayesianRidge(), random_state=0)
        else:
            imputer = SimpleImputer(strategy=name)
        filled = flat.copy()
        with warnings.catch_warnings(), config_context(working_memory=WORKING_MEMORY_MB), threadpool_limits(1):
            # One thread: with matrices this small, threads wait for each other a hundred times as long as they work.
            warnings.simplefilter("ignore", ConvergenceWarning)  # `iterative` is measured with ten rounds
            imputer.fit(flat[training])
            filled[to_fill] = imputer.transform(flat[to_fill])
        return filled

    return fill


def _similarity(flat: Float64, training: Bool, _: Bool) -> Float64:
    """Fits the mean complete training face to the labelled keypoints of each face by a similarity transform.

    With one labelled keypoint, the mean face is only shifted; with none, it is unchanged.
    """
    faces = flat.reshape(len(flat), -1, 2)
    mean = _complete_faces(flat, training).mean(axis=0).reshape(-1, 2)
    onto_faces = fit_similarity(mean, faces, labelled_points(faces))
    return transform(mean, onto_faces).reshape(flat.shape)


def _ridge(flat: Float64, training: Bool, _: Bool) -> Float64:
    """Predicts the gaps of a face from its labelled coordinates, with one ridge regression per pattern of gaps.

    All regressions follow from the mean and covariance of the complete training faces.
    """
    complete = _complete_faces(flat, training)
    mean = complete.mean(axis=0)
    covariance = np.cov(complete, rowvar=False, bias=True)
    filled = np.tile(mean, (len(flat), 1))
    patterns, pattern_of_face = np.unique(np.isnan(flat), axis=0, return_inverse=True)
    for number, gap in enumerate(patterns):
        labelled = ~gap
        if gap.any() and labelled.any():
            rows = pattern_of_face == number
            penalized = covariance[np.ix_(labelled, labelled)] + RIDGE_PENALTY_PX2 * np.eye(labelled.sum())
            weights = np.linalg.solve(penalized, covariance[np.ix_(labelled, gap)])
            filled[np.ix_(rows, gap)] = mean[gap] + (flat[np.ix_(rows, labelled)] - mean[labelled]) @ weights
    return filled


def _complete_faces(flat: Float64, training: Bool) -> Float64:
    """Returns the complete training faces; if there are too few, all of them, with gaps filled with means.

    Complete faces come from one label source, so their mean does not mix two conventions for one keypoint.
    """
    faces = flat[training]
    complete = faces[~np.isnan(faces).any(axis=1)]
    if len(complete) > 2 * flat.shape[1]:
        return complete
    return np.where(np.isnan(faces), np.nanmean(faces, axis=0), faces)


IMPUTERS: dict[str, Imputer] = {
    "ffill": _forward_fill,
    "mean": _with_scikit_learn("mean"),
    "median": _with_scikit_learn("median"),
    "similarity": _similarity,
    "knn": _with_scikit_learn("knn"),
    "iterative": _with_scikit_learn("iterative"),
    "ridge": _ridge,
}
DEFAULT_IMPUTER = "ridge"  # the lowest error on the real label file, see the table in report.md


def hidden_label_errors(keypoints: Float32, label_sources: Int64, training: Bool, held_out: Bool) -> dict[str, float]:
    """Returns the RMSE in px of each method on known labels that were hidden from it.

    In complete held-out faces, hides all keypoints that the most common sparse source does not label, and fills them
    by each method. Empty if there is no sparse source or no complete face. Uses at most FACES_COMPARED training faces
    and as many complete ones, evenly spread.

    Args:
        keypoints: float32 (N, K, 2), NaN where unlabelled.
        label_sources: int64 (N,), the label source of each face.
        training, held_out: bool (N,).
    """
    labelled = labelled_points(keypoints)
    complete = held_out & labelled.all(axis=1) & (label_sources == 0)
    sparse = most_common_sparse_label_source(label_sources)
    if sparse is None or not complete.any():
        return {}
    hidden_keypoints = labelled[label_sources == sparse].mean(axis=0) < 0.5
    if not hidden_keypoints.any():  # that source is not sparse
        return {}
    compared = np.zeros(len(keypoints), bool)
    for group in (training, complete):
        compared[np.flatnonzero(group)[evenly_spread(int(group.sum()), FACES_COMPARED)]] = True
    keypoints, training, complete = keypoints[compared], training[compared], complete[compared]
    with_gaps = keypoints.copy()
    with_gaps[np.ix_(complete, hidden_keypoints)] = np.nan
    truth = keypoints[np.ix_(complete, hidden_keypoints)]
    errors = {
        name: impute(name, with_gaps, training, complete)[np.ix_(complete, hidden_keypoints)] - truth
        for name in IMPUTERS
    }
    return {name: float(np.sqrt(np.mean(error.astype(np.float64) ** 2))) for name, error in errors.items()}


def most_common_sparse_label_source(label_sources: Int64) -> int | None:
    """Returns the label source with the most faces, apart from source 0; None if there is only source 0."""
    others = label_sources[label_sources > 0]
    return int(np.bincount(others).argmax()) if len(others) else None

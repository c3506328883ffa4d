"""What is odd in a set of labelled faces: shapes unlike the others, labels outside the picture, copies that disagree.

Pure functions on arrays; N faces, K keypoints, px.
"""

import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from data_prep.faces import labelled_points
from facial_keypoints.array_types import Bool, Float32, Float64, Int64

ODD = 5.0  # a `shape_outlyingness` above this is worth a look
ALIGN_ROUNDS, FIT_ROUNDS = 3, 3
TYPICAL_SHARE = 0.9  # the odd tenth is left out when the spread of shapes is measured
SMALLEST_VARIANCE_PX2 = 0.25  # half a pixel: a finer deviation is no oddity
POSE_VARIANCE_PX2 = 1e5  # so wide that pose never counts as odd
TINY = 1e-9  # keeps divisions defined


@dataclass(frozen=True)
class LabelNoise:
    """How far the labels of pixel-identical pictures differ.

    Attributes:
        pictures: pictures that occur more than once.
        copies: faces beyond the first of each such picture.
        points: pairs of labels of the same keypoint that could be compared.
        rms_px: root mean square difference of a coordinate; NaN where nothing could be compared.
        median_px: median distance between two labels of a point; NaN likewise.
    """

    pictures: int
    copies: int
    points: int
    rms_px: float
    median_px: float

    @property
    def one_label_px(self) -> float:
        """Standard error of one coordinate of one label: two independent labels differ by √2 times as much."""
        return self.rms_px / 2**0.5


def duplicate_label_noise(keypoints: Float32, groups: Int64, sources: Int64) -> LabelNoise:
    """Compares the labels of every copy with those of the first of its group from the same label source.

    Across sources the labels differ on purpose, not by noise.

    Args:
        keypoints: float32 (N, K, 2), NaN where unlabelled.
        groups: int64 (N,), one number for pixel-identical pictures.
        sources: int64 (N,), the label source of each face.
    """
    first, inverse = np.unique(np.stack([groups, sources]), axis=1, return_index=True, return_inverse=True)[1:]
    original = first[inverse]
    copies = np.flatnonzero(original != np.arange(len(groups)))
    difference = (keypoints[copies] - keypoints[original[copies]]).astype(np.float64)
    difference = difference[~np.isnan(difference).any(axis=-1)]
    sizes = np.unique(groups, return_counts=True)[1]
    nothing = len(difference) == 0
    return LabelNoise(
        pictures=int((sizes > 1).sum()),
        copies=int((sizes - 1).sum()),
        points=len(difference),
        rms_px=float("nan") if nothing else float(np.sqrt(np.mean(difference**2))),
        median_px=float("nan") if nothing else float(np.median(np.hypot(*difference.T))),
    )


def outside_picture(keypoints: Float32, height: int, width: int) -> Bool:
    """Returns bool (N, K): the keypoint is labelled, beyond the outer edge of the outermost pixels."""
    beyond = (keypoints < -0.5) | (keypoints > (width - 0.5, height - 0.5))  # False at NaN
    return np.asarray(beyond.any(axis=-1))


def mean_of_labels(keypoints: Float32) -> Float64:
    """Returns the mean label of each keypoint, float64 (K, 2); NaN where a keypoint is never labelled."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of a keypoint without a label
        return np.asarray(np.nanmean(keypoints.astype(np.float64), axis=0))


def oddness(keypoints: Float32, sources: Int64) -> Float64:
    """Returns `shape_outlyingness` (N,), each face against those of its own label source, int64 (N,)."""
    scores = np.zeros(len(keypoints))
    for source in np.unique(sources):
        scores[sources == source] = shape_outlyingness(keypoints[sources == source])
    return scores


def shape_outlyingness(keypoints: Float32) -> Float64:
    """Returns how odd the shape of each face is, float64 (N,): about 0 for a usual face, above 5 worth a look.

    Each face is laid on the median shape by a similarity; the Mahalanobis distance of what remains, over the labelled
    keypoints only and with centre and spread taken from the usual faces, is brought to a normal deviate (Wilson and
    Hilferty 1931), so that faces with few and with many labels compare. Shift, turn and scale cost nothing, whichever
    keypoints are labelled. Two keypoints or fewer have no shape: 0. Labels all in one place are as odd as can be: inf.

    Args:
        keypoints: float32 (N, K, 2) of one label source, NaN where unlabelled.
    """
    residuals, pose = _residuals(keypoints)
    freedom = (~np.isnan(residuals)).sum(axis=1) - len(pose)
    has_shape = freedom > 0
    scores = np.zeros(len(keypoints))
    if not has_shape.any():
        return scores
    usual = has_shape
    for _ in range(FIT_ROUNDS):
        centre, covariance = _centre_and_covariance(residuals[usual])
        covariance += POSE_VARIANCE_PX2 * pose.T @ pose
        squared = _squared_distance(residuals, centre, covariance)[has_shape]
        spread = 2 / (9 * freedom[has_shape])
        scores[has_shape] = (np.cbrt(squared / freedom[has_shape]) - (1 - spread)) / np.sqrt(spread)
        usual = has_shape & (scores <= np.quantile(scores[has_shape], TYPICAL_SHARE))
    first = np.take_along_axis(keypoints, labelled_points(keypoints).argmax(axis=1)[:, None, None], axis=1)
    collapsed = ~(keypoints != first).any(axis=(1, 2), where=~np.isnan(keypoints))
    scores[has_shape & collapsed] = np.inf
    return scores


def _residuals(keypoints: Float32) -> tuple[Float64, Float64]:
    """Returns where each label lies beside the median shape after the face was laid on it, (N, 2K) with gaps as NaN.

    Beside it the four ways in which pose moves that shape, (4, 2K), each of length 1: x, y, larger, turned.
    """
    faces = keypoints[..., 0].astype(np.float64) + 1j * keypoints[..., 1]
    shape = _median(faces)
    for _ in range(ALIGN_ROUNDS):
        shape = _median(_laid_on(faces, shape))
    centred = shape - shape.mean()
    pose = _flat(np.stack([np.ones_like(shape), 1j * np.ones_like(shape), centred, 1j * centred]))
    lengths = np.linalg.norm(pose, axis=1, keepdims=True)
    return _flat(_laid_on(faces, shape) - shape), pose / np.maximum(lengths, TINY)


def _flat(points: npt.NDArray[np.complex128]) -> Float64:
    """Returns x and y side by side: float64 (N, 2K) of complex (N, K)."""
    return np.stack([points.real, points.imag], axis=-1).reshape(len(points), -1)


def _laid_on(faces: npt.NDArray[np.complex128], shape: npt.NDArray[np.complex128]) -> npt.NDArray[np.complex128]:
    """Returns each face shifted, scaled to the size of `shape` (K,) and turned to fit it best, complex (N, K).

    Not to the size that fits best: that would shrink a face unlike the shape to a point, and hide what is odd.
    """
    labelled = ~np.isnan(faces)
    face, _ = _centred(faces, labelled)
    target, target_centre = _centred(np.broadcast_to(shape, faces.shape), labelled)
    turn = (face.conj() * target).sum(axis=1, keepdims=True)
    turn /= np.maximum(np.abs(turn), TINY)
    size = np.linalg.norm(target, axis=1, keepdims=True) / np.maximum(np.linalg.norm(face, axis=1, keepdims=True), TINY)
    return np.where(labelled, size * turn * face + target_centre, complex(np.nan, np.nan))


def _centred(
    points: npt.NDArray[np.complex128], labelled: Bool
) -> tuple[npt.NDArray[np.complex128], npt.NDArray[np.complex128]]:
    """Returns (N, K) with the centre of the labelled points at 0, gaps as 0, and that centre (N, 1)."""
    known = np.where(labelled, points, 0)
    centre = known.sum(axis=1, keepdims=True) / np.maximum(labelled.sum(axis=1, keepdims=True), 1)
    return np.where(labelled, known - centre, 0), centre


def _median(faces: npt.NDArray[np.complex128]) -> npt.NDArray[np.complex128]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of a keypoint without a label
        return np.nan_to_num(np.nanmedian(faces.real, axis=0) + 1j * np.nanmedian(faces.imag, axis=0))


def _centre_and_covariance(residuals: Float64) -> tuple[Float64, Float64]:
    """Returns mean (D,) and covariance (D, D), each entry from the faces that label both, made safe to invert."""
    known = (~np.isnan(residuals)).astype(np.float64)
    centre = np.nansum(residuals, axis=0) / np.maximum(known.sum(axis=0), 1)
    deviation = np.where(known > 0, residuals - centre, 0)
    covariance = deviation.T @ deviation / np.maximum(known.T @ known, 1)
    variances, axes = np.linalg.eigh(covariance)
    return centre, (axes * np.maximum(variances, SMALLEST_VARIANCE_PX2)) @ axes.T


def _squared_distance(residuals: Float64, centre: Float64, covariance: Float64) -> Float64:
    """Returns the squared Mahalanobis distance (N,) over the known values, one solution per pattern of gaps."""
    squared = np.zeros(len(residuals))
    patterns, which = np.unique(~np.isnan(residuals), axis=0, return_inverse=True)
    for number, known in enumerate(patterns):
        faces = which == number
        deviation = residuals[np.ix_(faces, known)] - centre[known]
        solved = np.linalg.solve(covariance[np.ix_(known, known)], deviation.T)
        squared[faces] = np.einsum("ij,ji->i", deviation, solved)
    return squared

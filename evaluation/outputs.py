"""From what a network gives to keypoints. N faces, K keypoints, M marks (`KeypointSet.marks`).

A network gives either the K keypoints or all M marks, and of each x, y and, where it says how sure it is, sigma in px.
Which of the M marks stand for the K keypoints depends on who labelled the face, which a picture does not say: such a
network is told the label source of each test face.
"""

import numpy as np

from evaluation.predictions import Predictions
from facial_keypoints.array_types import Float32, Int64
from facial_keypoints.keypoint_set import KeypointSet

WITH_SIGMA = 3  # the length of the last axis: x, y, sigma


def fits(shape: tuple[int, ...], keypoint_set: KeypointSet) -> bool:
    """Says whether a network that gives this shape for a face predicts these keypoints or marks."""
    return len(shape) == 2 and shape[0] in (len(keypoint_set), keypoint_set.marks) and shape[1] in (2, WITH_SIGMA)


def to_predictions(output: Float32, sources: Int64, keypoint_set: KeypointSet) -> Predictions:
    """Returns the keypoints that each face's own label source means, with sigma where the network gives it.

    Args:
        output: float32 (N, K or M, 2 or 3).
        sources: int64 (N,), the label source of each face.
    """
    if output.shape[1] == keypoint_set.marks:
        marks = np.array([keypoint_set.marks_of(source) for source in sources.tolist()])
        output = np.take_along_axis(output, marks[..., None], axis=1)
    return Predictions(output[..., :2], output[..., 2] if output.shape[-1] == WITH_SIGMA else None)


def mirrored_back(output: Float32, width: int, keypoint_set: KeypointSet) -> Float32:
    """Returns the output for mirrored pictures of a width in px as it would be for the pictures as they were."""
    back = output[:, keypoint_set.mark_mirror[: output.shape[1]]]
    back[..., 0] = width - 1 - back[..., 0]
    return back

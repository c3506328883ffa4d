"""Mean faces of two labelled training faces and a partly imputed one."""

import numpy as np

from data_prep.faces import Split
from evaluation.baselines import mean_face, mean_face_imputed, mean_face_per_source


def part(keypoints: list[list[float]], labelled: list[list[bool]], sources: list[int]) -> Split:
    """Returns faces whose keypoints have x = y."""
    count = len(keypoints)
    points = np.repeat(np.array(keypoints, np.float32)[..., None], 2, axis=-1)
    rows = np.arange(count)
    return Split(np.zeros((count, 4, 4, 1), np.uint8), points, np.array(labelled), rows, rows, np.array(sources))


TRAIN = part([[10, 20], [30, 40], [50, 90]], [[True, True], [True, True], [True, False]], [0, 0, 1])
TEST = part([[0, 0], [0, 0], [0, 0]], [[True, True]] * 3, [1, 0, 2])


def test_mean_faces_match_hand_calculation() -> None:
    assert mean_face(TRAIN, TEST)[:, :, 0].tolist() == [[30, 30]] * 3
    assert mean_face_imputed(TRAIN, TEST)[:, :, 1].tolist() == [[30, 50]] * 3
    # source 1 never labels the second keypoint; no training face is of source 2
    assert mean_face_per_source(TRAIN, TEST)[:, :, 0].tolist() == [[50, 30], [20, 30], [30, 30]]
    assert mean_face(TRAIN, TEST).dtype == np.float32

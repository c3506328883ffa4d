"""Grids of faces with labels and predictions. N faces, K keypoints."""

from pathlib import Path

import numpy as np

from common.draw import PREDICTION, TRUTH, KeypointLayer, face_grid
from data_prep.faces import Split
from evaluation.metrics import face_errors
from facial_keypoints.array_types import Float32, Int64

GRID_FACES, WORST_FACES, COLUMNS = 32, 24, 8


def worst(predicted: Float32, test: Split) -> Int64:
    """Returns the indexes of the `WORST_FACES` with the largest mean error over real labels, worst first.

    Faces without a real label come last. `predicted`: float32 (N, K, 2) in px.
    """
    errors = np.nan_to_num(face_errors(predicted, test.keypoints, test.labelled), nan=-1)
    return np.argsort(-errors, kind="stable")[:WORST_FACES]


def draw_faces(path: Path, predicted: Float32, test: Split, faces: Int64, title: str) -> None:
    """Writes a PNG of some of the test faces with their real labels, the predictions float32 (N, K, 2) and the errors.

    Args:
        faces: int64 (n,), indexes.
    """
    errors = face_errors(predicted, test.keypoints, test.labelled)[faces]
    layers = [
        KeypointLayer(test.keypoints[faces], TRUTH, "truth (real labels)", shown=test.labelled[faces]),
        KeypointLayer(predicted[faces], PREDICTION, "prediction"),
    ]
    captions = [
        f"row {row}: {error:.1f} px" if np.isfinite(error) else f"row {row}: no label"
        for row, error in zip(test.rows[faces], errors, strict=True)
    ]
    face_grid(path, test.images[faces], layers, min(COLUMNS, len(faces)), captions, title)

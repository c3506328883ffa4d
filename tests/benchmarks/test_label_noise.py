"""Errors of the labels: compared with hand calculations, and a run of the benchmark."""

import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks import label_noise
from common.stage import stage_folder, write_manifest
from data_prep import arrays
from data_prep.arrays import PREPARE
from data_prep.faces import Split
from evaluation.predictions import write_predictions
from facial_keypoints.array_types import Float32
from facial_keypoints.codec import Keypoints
from facial_keypoints.keypoint_set import FACE15, to_dict
from tests.evaluation.conftest import make_split


def test_shared_error_of_two_models_matches_hand_calculation() -> None:
    shared = np.array([1.0, -1, 1, -1])
    first, second = shared + [1, 1, -1, -1], shared + [1, -1, -1, 1]  # uncorrelated with each other and with `shared`
    # The covariance is 4 / (4 - 1) px^2, either variance 8 / (4 - 1).
    assert label_noise.shared_error(first, second) == pytest.approx((np.sqrt(4 / 3), 0.5))
    assert label_noise.shared_error(shared, -shared) == pytest.approx((0, -1))


@pytest.fixture
def parts() -> dict[str, Split]:
    """The first test face (row 24) is the first training face (row 0) again, with labels (3, 4) px away; source 0.

    All test faces have the same shape, so that none is an outlier.
    """
    rng = np.random.default_rng(1)
    train, val, test = make_split(0, 20, rng), make_split(20, 4, rng), make_split(24, 36, rng)
    test.images[0] = train.images[0]
    test.keypoints[:] = train.keypoints[0] + np.array([3, 4], np.float32)
    return {"train": train, "val": val, "test": test}


def save(folder: Path, parts: dict[str, Split]) -> Path:
    with stage_folder(folder, PREPARE) as out:
        for name, part in parts.items():
            arrays.save_split(out, name, part)
        write_manifest(out, PREPARE, {}, {}, {}, time.time(), {"keypoint_set": to_dict(FACE15)})
    return folder


def printed_lines(
    folder: Path, parts: dict[str, Split], errors: dict[str, Float32], capsys: pytest.CaptureFixture[str]
) -> list[str]:
    """Returns the output for two models with these errors (N, 15, 2) in px on the test faces."""
    test = parts["test"]
    for name, error in errors.items():
        (folder / name).mkdir()
        write_predictions(folder / name / "predictions.csv", Keypoints(test.keypoints + error), test.rows, FACE15)
    data = save(folder / "data", parts)
    label_noise.main([*(str(folder / name) for name in errors), "--data", str(data)])
    return capsys.readouterr().out.splitlines()


def test_printed_errors_match_hand_calculation(
    parts: dict[str, Split], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    test = parts["test"]
    shared = np.broadcast_to(np.array([2, -2], np.float32), test.keypoints.shape)
    own = np.where(np.arange(len(test)) % 2, -2, 2)[:, None, None]  # in half of the faces up, also of those labelled
    errors = {
        "one": shared,
        "other": (shared + own).astype(np.float32),
    }  # (4, 0) in half of the faces, (0, -4) in the others
    assert printed_lines(tmp_path, parts, errors, capsys) == [
        # The mean squared difference of two labels is 25 / 2 px^2 per coordinate; each label contributes half of it.
        "pictures that occur twice: one coordinate of one label is off by 2.50 px (15 points)",
        "shared by one and other: 2.00 px, correlation 0.71",  # 2 x 2 of 2 x sqrt(8)
        "one: RMSE 2.000 px, 2.000 px without 0 outliers",
        "other: RMSE 2.828 px, 2.828 px without 0 outliers",
    ]


def test_outliers_are_reported_separately(
    parts: dict[str, Split], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    test = parts["test"]
    test.images[0] = 0
    test.keypoints[0] = 48  # all keypoints at one position
    error = np.zeros_like(test.keypoints)
    error[0] = 10
    lines = printed_lines(tmp_path, parts, {"one": error, "other": error}, capsys)
    assert lines[0] == "pictures that occur twice: none with labels to compare"
    rmse = 10 * np.sqrt(15 / (24 * 15 + 12 * 4))  # of the labelled points, 15 are off
    assert lines[2:] == [f"{name}: RMSE {rmse:.3f} px, 0.000 px without 1 outliers" for name in ("one", "other")]

"""Ensembles: how the mean weighs its models, and the gain and cost that `compare` reports."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from common.stage import read_manifest
from data_prep.arrays import load_split
from evaluation import evaluate
from evaluation.ensembles import mean_keypoints, total_cost
from evaluation.stages import EVALUATE
from facial_keypoints.codec import Keypoints
from facial_keypoints.errors import InputError
from tests.evaluation.conftest import save_model
from tests.evaluation.test_compare import run_compare


def one_keypoint(x: float, y: float, error: float | None = None) -> Keypoints:
    return Keypoints(np.array([[[x, y]]], np.float32), None if error is None else np.array([[error]], np.float32))


def test_mean_is_unweighted_unless_all_models_give_an_expected_error() -> None:
    mean = mean_keypoints([one_keypoint(1, 10), one_keypoint(4, 10, 1), one_keypoint(4, 40, 1)])
    assert mean.coordinates.tolist() == [[[3, 20]]]
    assert mean.expected_error is None


def test_model_with_half_the_expected_error_has_four_times_the_weight() -> None:
    mean = mean_keypoints([one_keypoint(0, 0, 2), one_keypoint(10, 20, 1)])
    np.testing.assert_allclose(mean.coordinates, [[[8, 16]]])
    assert mean.expected_error is not None
    np.testing.assert_allclose(mean.expected_error, [[(2 + 4 * 1) / 5]])


def test_total_cost_is_the_sum_where_all_costs_are_known() -> None:
    costs = [{"parameters": 3, "epochs": 2, "seconds": 1.5, "file_mb": None}] * 2
    assert total_cost(costs) == {"parameters": 6, "epochs": None, "seconds": 3.0, "file_mb": None}


def test_ensemble_is_evaluated_and_compared_with_its_best_model(
    data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One model predicts 12 px too far left, the other 12 px too far right; their mean is the mean face."""
    mean = load_split(data_folder, "train").keypoints.mean(axis=0)
    for name, off_px in (("left", -12), ("right", 12)):
        save_model(tmp_path / name, data_folder, mean + [off_px, 0])
    evaluations, models = tmp_path / "evaluation", [str(tmp_path / "left"), str(tmp_path / "right")]
    for name, given in (("left", models[:1]), ("right", models[1:]), ("both", models)):
        evaluate.main([*given, "--name", name, "--data", str(data_folder), "--out", str(evaluations / name)])
    manifest = read_manifest(evaluations / "both", EVALUATE)
    assert manifest["metrics"]["parameters"] == 2 * 123
    assert set(manifest["inputs"]) == {"data", "model_1", "model_2"}
    rows = pd.read_csv(evaluations / "both" / "predictions.csv").drop(columns="row").to_numpy()
    np.testing.assert_allclose(rows, np.tile(mean.ravel(), (len(rows), 1)), atol=1e-3)

    capsys.readouterr()
    table = run_compare(tmp_path)["mae_px"]["labelled"]
    best = min("left", "right", key=lambda name: table[name])
    gain = table["both"] - table[best]
    assert gain < -1
    printed = capsys.readouterr().out
    assert f"both: MAE {gain:+.3f} px [" in printed
    assert f"] compared to {best}, the best of its 2 models, at 2.0 times the parameters" in printed


def test_model_given_twice_is_rejected(data_folder: Path, tmp_path: Path) -> None:
    mean = load_split(data_folder, "train").keypoints.mean(axis=0)
    save_model(tmp_path / "one", data_folder, mean)
    twice = [str(tmp_path / "one"), str(tmp_path / "one")]
    with pytest.raises(InputError, match=r"one: is the same model as .*one; give each once"):
        evaluate.main([*twice, "--data", str(data_folder), "--out", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()

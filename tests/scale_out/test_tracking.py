"""What `--mlflow` logs, and its error if it cannot."""

import importlib.util
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.stage import read_manifest
from common.tracking import check, flat
from data_prep.arrays import load_split
from evaluation import evaluate
from facial_keypoints.errors import InputError
from models.saved import TRAIN
from scale_out import sweep
from scale_out.trial import Outcome
from tests.conftest import ROOT
from tests.facial_keypoints.test_telemetry import Proxy, environment
from training.train import main

UNREACHABLE = "http://127.0.0.1:9"


def runs(folder: Path) -> list[Any]:
    """Returns the runs in a local folder, the oldest first."""
    mlflow = pytest.importorskip("mlflow")
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    found = mlflow.search_runs(search_all_experiments=True, order_by=["start_time"], output_format="list")
    return list(found)


def files(run: Any) -> set[str]:
    mlflow = pytest.importorskip("mlflow")
    return {entry.path for entry in mlflow.artifacts.list_artifacts(run_id=run.info.run_id)}


@pytest.mark.long
def test_training_and_its_evaluation_are_logged(data_folder: Path, tmp_path: Path) -> None:
    mlflow = pytest.importorskip("mlflow")
    folder, out = tmp_path / "mlruns", tmp_path / "base"
    logged = ["--mlflow", str(folder)]
    main(["base", "--data", str(data_folder), "--out", str(out), "--epochs", "2", *logged])
    evaluate.main([str(out), "--data", str(data_folder), "--out", str(tmp_path / "evaluation"), *logged])
    training, evaluation = runs(folder)

    manifest = read_manifest(out, TRAIN)
    assert training.info.run_name == "base"
    assert (training.info.status, training.data.tags["stage"]) == ("FINISHED", "train")
    assert training.data.params["learning_rate"] == str(manifest["parameters"]["learning_rate"])
    assert training.data.metrics["val_mae_px"] == manifest["metrics"]["val_mae_px"]
    curve = mlflow.MlflowClient().get_metric_history(training.info.run_id, "val_mae")
    assert [point.step for point in curve] == [0, 1, 2]
    assert min(point.value for point in curve[1:]) == pytest.approx(manifest["metrics"]["val_mae_px"], abs=1e-4)
    assert {"history.csv", "loss_curves.png", "summary.txt", "manifest.json"} <= files(training)

    (model,) = mlflow.search_logged_models(experiment_ids=[training.info.experiment_id], output_format="list")
    loaded = mlflow.keras.load_model(model.model_uri)
    images = load_split(data_folder, "test").images
    assert loaded.predict(images, verbose=0).shape == (len(images), 15, 2)
    signature = mlflow.models.get_model_info(model.model_uri).signature
    assert [(spec.type, spec.shape) for spec in signature.inputs] == [(np.dtype("uint8"), (-1, 96, 96, 1))]
    assert [(spec.type, spec.shape) for spec in signature.outputs] == [(np.dtype("float32"), (-1, 15, 2))]

    assert evaluation.data.tags["stage"] == "evaluate"
    assert evaluation.data.metrics["parameters"] == manifest["metrics"]["parameters"]
    assert {"accuracy.csv", "predictions.csv", "grid.png"} <= files(evaluation)


def test_sweep_logs_each_trial_and_its_folder(
    small_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mlflow")

    def run_trial(arguments: Mapping[str, Any], should_continue: Callable[[int, float], bool]) -> Outcome:
        should_continue(1, 4.0)
        return Outcome({"val_mae_px": 3.0, "epochs": 1})

    monkeypatch.setattr("scale_out.trial.run_trial", run_trial)
    folder, out = tmp_path / "mlruns", tmp_path / "sweep"
    sweep.main(["base", "--data", str(small_data), "--out", str(out), "--trials", "2", "--mlflow", str(folder)])
    first, second, whole = runs(folder)
    assert [run.info.run_name for run in (first, second, whole)] == ["sweep trial 0", "sweep trial 1", "sweep"]
    assert first.data.metrics == {"val_mae": 4.0, "val_mae_px": 3.0, "epochs": 1.0}
    assert first.data.params["network"] == "base"
    assert "learning_rate" in second.data.params
    assert "trials.csv" in files(whole)


def test_unreachable_server_is_a_one_line_error_and_nothing_is_written(small_data: Path, tmp_path: Path) -> None:
    pytest.importorskip("mlflow")
    with pytest.raises(InputError, match=f"--mlflow {UNREACHABLE}: cannot be used") as raised:
        main(["base", "--data", str(small_data), "--out", str(tmp_path / "base"), "--mlflow", UNREACHABLE])
    assert "\n" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []


def test_mlflow_contacts_no_host_and_writes_no_file_to_the_home_folder(tmp_path: Path) -> None:
    pytest.importorskip("mlflow")
    proxy = Proxy()
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"), proxy.address)
    code = f"""
from common.tracking import log_run
log_run({str(tmp_path / "mlruns")!r}, "run", {{}}, {{"a": 1}}, {{"b": 2}}, {{}})
import time; time.sleep(12)
"""
    home = tmp_path / "home"
    home.mkdir()
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment(home, **proxies), check=True)
    assert proxy.asked == []
    assert [path for path in home.rglob("*") if path.is_file()] == []
    assert (tmp_path / "mlruns" / "mlflow.db").is_file()


def test_missing_mlflow_is_reported(small_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="MLflow is not installed; install it with `pip install -r requirements-scale"):
        main(["base", "--data", str(small_data), "--out", str(tmp_path / "base"), "--mlflow", str(tmp_path / "runs")])
    assert list(tmp_path.iterdir()) == []


def test_mlflow_is_not_imported_without_the_option() -> None:
    check(None)
    code = "import sys; import training.train, evaluation.evaluate; assert 'mlflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_only_finite_numbers_are_logged_as_metrics() -> None:
    values = {"mae_px": 1.5, "faces": 3, "name": "base", "left_out": [], "nme": {"eyes": 2.0, "bad": float("nan")}}
    assert flat(values) == {"mae_px": 1.5, "faces": 3, "nme.eyes": 2.0}

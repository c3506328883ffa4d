"""Logs finished runs to MLflow, if `--mlflow` is given. MLflow is imported only then."""

import argparse
import contextlib
import csv
import importlib.util
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from common.stage import Stage, read_manifest
from facial_keypoints.errors import InputError, one_line
from facial_keypoints.pretrained import KERAS_FILE
from facial_keypoints.telemetry import switch_off

EXPERIMENT = "facial-keypoints"
HISTORY = "history.csv"
STEP = "epoch"  # its first column
RETRIES = "2"  # of a request to a server; MLflow's default, seven, takes minutes
LONGEST_PARAMETER = 6000  # characters


def add_mlflow_option(group: Any) -> None:
    """Adds `--mlflow` to a parser or a group of its options."""
    group.add_argument(
        "--mlflow",
        metavar="DIR|URI",
        type=checked_uri,
        help="log the finished run to MLflow: a local folder, or the URI of a server or a database",
    )


def checked_uri(text: str) -> str:
    """Returns the argument of `--mlflow`; for `argparse`."""
    if not text:
        raise argparse.ArgumentTypeError("is empty; give a folder or a URI")
    return text


def check(where: str | None) -> None:
    """Raises InputError unless MLflow is installed and can write to `where`; does nothing for None."""
    if where is None:
        return
    if importlib.util.find_spec("mlflow") is None:
        raise InputError("--mlflow: MLflow is not installed; install it with `pip install -r requirements-scale.txt`")
    with _experiment(where, "cannot be used"):
        pass


def log_folder(where: str | None, folder: Path, stage: Stage) -> None:
    """Logs a stage's folder as a run: parameters, metrics, the metrics of each epoch, its files and its network.

    Raises:
        InputError: the run could not be logged; the folder is kept.
    """
    if where is None:
        return
    manifest = read_manifest(folder, stage)
    curves: dict[str, list[tuple[int, float]]] = {}
    if HISTORY in manifest["files"]:
        for row in read_history(folder):
            for name in row.keys() - {STEP}:
                curves.setdefault(name, []).append((int(row[STEP]), row[name]))
    network = folder / KERAS_FILE if KERAS_FILE in manifest["files"] else None
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and path != network]
    tags = {"stage": stage.name, "command": manifest["command"], "git_revision": str(manifest.get("git_revision"))}
    tags |= {f"{name}_hash": value for name, value in manifest["inputs"].items()}
    log_run(where, folder.name, tags, manifest["parameters"], manifest["metrics"], curves, files, network)


def read_history(folder: Path) -> list[dict[str, float]]:
    """Returns the rows of a model folder's `history.csv`, by column; a row has no entry for an empty cell."""
    with (folder / HISTORY).open(encoding="utf-8", newline="") as file:
        return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]


def log_run(
    where: str,
    name: str,
    tags: Mapping[str, str],
    parameters: Mapping[str, Any],
    metrics: Mapping[str, Any],
    curves: Mapping[str, Sequence[tuple[int, float]]],
    files: Sequence[Path] = (),
    network: Path | None = None,
) -> None:
    """Logs one run.

    Args:
        where: a folder, or the URI of a server or a database.
        name: the name of the run.
        tags: texts by name.
        parameters: JSON values by name.
        metrics: JSON values by name; only numbers are logged.
        curves: (step, value) of each metric, by name.
        files: files to copy.
        network: a `.keras` file, which is logged as a model with its signature.

    Raises:
        InputError: the run could not be logged.
    """
    with _experiment(where, f"{name} could not be logged") as experiment:
        import mlflow

        with mlflow.start_run(experiment_id=experiment, run_name=name):
            mlflow.set_tags(dict(tags))
            mlflow.log_params({key: str(value)[:LONGEST_PARAMETER] for key, value in parameters.items()})
            mlflow.log_metrics({key: float(value) for key, value in flat(metrics).items()})
            for key, points in curves.items():
                for step, value in points:
                    mlflow.log_metric(key, value, step=step)
            for file in files:
                mlflow.log_artifact(str(file))
            if network is not None:
                _log_network(network)


def flat(values: Mapping[str, Any], before: str = "") -> dict[str, float]:
    """Returns the finite numbers among JSON values, by name; names of nested values are `outer.inner`."""
    numbers: dict[str, float] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            numbers |= flat(value, f"{before}{name}.")
        elif isinstance(value, int | float) and np.isfinite(value):
            numbers[before + name] = value
    return numbers


def _log_network(path: Path) -> None:
    """Logs a `.keras` file as a model that takes uint8 images."""
    import keras
    import mlflow.keras
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    model = keras.saving.load_model(path, compile=False)
    images, points = ((-1, *shape[1:]) for shape in (model.input_shape, model.output_shape))
    signature = ModelSignature(
        Schema([TensorSpec(np.dtype(np.uint8), images)]), Schema([TensorSpec(np.dtype(np.float32), points)])
    )
    backend = keras.backend.backend()
    requirements = ["keras", {"tensorflow": "tensorflow", "jax": "jax", "torch": "torch"}.get(backend, backend)]
    mlflow.keras.log_model(model, name="model", signature=signature, pip_requirements=requirements)


@contextlib.contextmanager
def _experiment(where: str, problem: str) -> Iterator[str]:
    """Yields the id of the experiment at `where`, which it creates if missing; turns MLflow's errors into one line."""
    switch_off("mlflow")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", RETRIES)
    import mlflow

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.ERROR)
    uri, artifacts = where, None
    try:
        if "://" not in where:
            folder = Path(where).resolve()
            folder.mkdir(parents=True, exist_ok=True)
            uri, artifacts = f"sqlite:///{folder.as_posix()}/mlflow.db", (folder / "artifacts").as_uri()
        mlflow.set_tracking_uri(uri)
        experiment = mlflow.get_experiment_by_name(EXPERIMENT)
        yield experiment.experiment_id if experiment else mlflow.create_experiment(EXPERIMENT, artifacts)
    except (InputError, KeyboardInterrupt):
        raise
    except Exception as error:  # errors of MLflow, databases and networks have no common class
        raise InputError(f"--mlflow {where}: {problem} ({one_line(error)})") from None

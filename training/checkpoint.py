"""Saves the state of an unfinished training run in one file, which is replaced atomically."""

import io
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from common.code import changed_files
from facial_keypoints.array_types import Float32
from facial_keypoints.errors import InputError
from facial_keypoints.folders import atomic_file
from training import distribution

STATE_FILE = "state.npz"


@dataclass
class State:
    """The state of a run, apart from the variables of the model and the optimizer.

    Attributes:
        settings: of the run; a resumed run must have the same ones.
        code: the hash of each project file that it runs; these must be the same too.
        history: the metrics of each epoch; epoch 0, before training, has validation metrics only.
        seconds: training time so far.
        early_stopping: the attributes of Keras' EarlyStopping, by name; empty for runs of `detection.train`.
        best_weights: the best ones so far; also empty for `detection.train`.
    """

    settings: dict[str, Any]
    code: dict[str, str] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0
    early_stopping: dict[str, float] = field(default_factory=dict)
    best_weights: list[Float32] = field(default_factory=list)

    @property
    def epochs(self) -> int:
        """The number of finished epochs."""
        return _last_epoch(self.history)


def save(path: Path, model: keras.Model, state: State) -> None:
    """Saves the state of a run after an epoch; if the process is killed, `path` holds the old or the new state.

    Only process 0 saves it; all processes have the same state.
    """
    if not distribution.is_first():
        return
    arrays: dict[str, Any] = {f"variable_{i}": keras.ops.convert_to_numpy(v) for i, v in enumerate(variables(model))}
    arrays |= {f"best_{i}": weights for i, weights in enumerate(state.best_weights)}
    facts = {name: value for name, value in vars(state).items() if name != "best_weights"}
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as partial, partial.open("wb") as file:
        np.savez(file, facts=np.frombuffer(json.dumps(facts).encode(), np.uint8), **arrays)
        file.flush()
        os.fsync(file.fileno())


def restore(path: Path, model: keras.Model, settings: dict[str, Any], code: dict[str, str]) -> State | None:
    """Returns the state of a run and restores the variables of the compiled model; None if no epoch is finished.

    Every process gets the state that process 0 saved.

    Raises:
        InputError: the file is damaged, or the run was started with other settings or code.
    """
    facts, arrays = _read(path, distribution.readable(path))
    if not facts["history"]:
        return None
    if differs := distribution.differences(facts["settings"], settings):
        raise InputError(f"{path.parent}: was started with {differs}; use the same settings, or --restart")
    if changed := changed_files(facts["code"], code):
        raise InputError(f"{path.parent}: was started before {', '.join(changed)} changed; start over with --restart")
    run_variables, best_variables = variables(model), model.weights if facts["early_stopping"] else []
    try:
        values = [arrays[f"variable_{i}"] for i in range(len(run_variables))]
        best = [arrays[f"best_{i}"] for i in range(len(best_variables))]
    except KeyError:
        raise _damaged(path) from None
    expected = [tuple(v.shape) for v in (*run_variables, *best_variables)]
    if [value.shape for value in (*values, *best)] != expected:  # checked before anything is assigned
        raise _damaged(path)
    for variable, value in zip(run_variables, values, strict=True):
        variable.assign(value)
    return State(settings, code, facts["history"], facts["seconds"], facts["early_stopping"], best)


def epochs_done(path: Path) -> int:
    """Returns the number of finished epochs of a saved run; raises InputError if the file is damaged."""
    return _last_epoch(_read(path, path)[0]["history"])


def _last_epoch(history: list[dict[str, float]]) -> int:
    return int(history[-1]["epoch"]) if history else 0


def _read(path: Path, content: Path | io.BytesIO) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the facts and the arrays in a file; `path` is for messages."""
    try:
        with np.load(content, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        facts = dict(json.loads(arrays.pop("facts").tobytes()))
        dict(facts["settings"]), dict(facts["code"]), dict(facts["early_stopping"]), float(facts["seconds"])
        facts["history"] = [dict(epoch) for epoch in facts["history"]]
        _last_epoch(facts["history"])
    except Exception:  # a damaged zip raises errors of many kinds
        raise _damaged(path) from None
    return facts, arrays


def _damaged(path: Path) -> InputError:
    return InputError(f"{path}: is damaged or altered; start over with --resume --restart")


def variables(model: keras.Model) -> list[Any]:
    """Returns weights, the states of random layers, and the step count and moments of the optimizer."""
    model.optimizer.build(model.trainable_variables)
    seeds = [v for v in model.non_trainable_variables if not any(v is w for w in model.weights)]
    return [*model.weights, *seeds, *model.optimizer.variables]

"""The whole state of an unfinished training run in one file, replaced at once, so that no kill can half-write it."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from facial_keypoints.array_types import Float32
from facial_keypoints.errors import InputError


@dataclass
class State:
    """What a run needs to go on as if it had never stopped, apart from the model's and optimiser's variables.

    Attributes:
        settings: what the run was started with; a resumed run must be started with the same.
        history: a dictionary per finished epoch.
        best_weights: the weights to keep, those of the best epoch so far.
        average: the running mean of the weights, where the recipe wants one; otherwise empty.
        seconds: spent in training so far.
    """

    settings: dict[str, Any]
    history: list[dict[str, float]]
    best_weights: list[Float32]
    average: list[Float32]
    seconds: float


def save(path: Path, model: keras.Model, state: State) -> None:
    """Writes the state of a run after an epoch. Whatever moment it is killed at, `path` is whole: old or new."""
    arrays: dict[str, Any] = {f"variable_{i}": keras.ops.convert_to_numpy(v) for i, v in enumerate(_variables(model))}
    arrays |= {f"best_{i}": weights for i, weights in enumerate(state.best_weights)}
    arrays |= {f"average_{i}": weights for i, weights in enumerate(state.average)}
    facts = {"settings": state.settings, "history": state.history, "seconds": state.seconds}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as file:
            np.savez(file, facts=np.frombuffer(json.dumps(facts).encode(), np.uint8), **arrays)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def restore(path: Path, model: keras.Model, settings: dict[str, Any]) -> State:
    """Returns the state of the run that `path` holds and puts its variables into the compiled model.

    Raises:
        InputError: the run was started with other settings than these.
    """
    with np.load(path) as arrays:
        facts = _facts(arrays)
        was = facts["settings"]
        if different := [name for name in was | settings if was.get(name) != settings.get(name)]:
            differences = ", ".join(f"{name} {was.get(name)}, not {settings.get(name)}" for name in different)
            raise InputError(f"{path.parent}: was started with {differences}; use the same again, or --restart")
        for i, variable in enumerate(_variables(model)):
            variable.assign(arrays[f"variable_{i}"])
        best_weights = [arrays[f"best_{i}"] for i in range(len(model.weights))]
        average = [arrays[f"average_{i}"] for i in range(len(model.weights)) if f"average_{i}" in arrays]
    return State(settings, facts["history"], best_weights, average, facts["seconds"])


def epochs_done(path: Path) -> int:
    """Returns how many epochs the run that `path` holds has finished."""
    with np.load(path) as arrays:
        return len(_facts(arrays)["history"])


def _facts(arrays: Any) -> dict[str, Any]:
    return dict(json.loads(arrays["facts"].tobytes()))


def _variables(model: keras.Model) -> list[Any]:
    """Weights, the state of random layers, and the optimiser's step count and moments."""
    model.optimizer.build(model.trainable_variables)
    seeds = [v for v in model.non_trainable_variables if not any(v is w for w in model.weights)]
    return [*model.weights, *seeds, *model.optimizer.variables]

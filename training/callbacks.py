"""Callbacks for exact validation, early stopping and checkpoints of one `keras.Model.fit`."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from facial_keypoints.array_types import Float32, UInt8
from facial_keypoints.errors import InputError
from training import checkpoint, distribution
from training.losses import masked_mae, masked_value
from training.targets import Targets

METRICS = ("loss", "mae", "val_loss", "val_mae")  # of each epoch, the columns of `history.csv`


def validation(
    predict: Callable[[UInt8 | Float32], Float32], val: Targets, loss: keras.losses.Loss
) -> dict[str, float]:
    """Returns `val_loss` and `val_mae` (px) of a network's predictions over all validation labels.

    Keras' own validation averages over batches, so a label counts more in a batch with fewer labels.
    """
    predicted = predict(val.images)
    with distribution.local():
        functions = {"val_loss": loss, "val_mae": masked_mae()}
        return {name: masked_value(metric, val.points, predicted, val.weights) for name, metric in functions.items()}


class Validation(keras.callbacks.Callback):  # type: ignore[misc]
    """Adds `val_loss` and `val_mae` to the metrics of each epoch; must come before callbacks that use them."""

    def __init__(self, val: Targets, loss: keras.losses.Loss) -> None:
        super().__init__()
        self.val, self.loss = val, loss

    def on_train_begin(self, logs: Any = None) -> None:
        self.predict = distribution.predictor(self.model)

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Raises InputError if a metric is not finite."""
        logs |= validation(self.predict, self.val, self.loss)
        if not np.isfinite(list(logs.values())).all():
            raise InputError(f"training diverged in epoch {epoch + 1}: loss {logs['loss']}; lower --learning-rate")


class EarlyStopping(keras.callbacks.EarlyStopping):  # type: ignore[misc]
    """Keras' early stopping, which resets itself at the start of `fit`; this one restores its state.

    With `keep_last`, each epoch counts as the best so far.
    """

    def __init__(self, state: checkpoint.State, monitor: str, patience: int, keep_last: bool = False) -> None:
        super().__init__(monitor, patience=patience, mode="min", restore_best_weights=True)
        self.state, self.keep_last = state, keep_last

    def on_train_begin(self, logs: Any = None) -> None:
        super().on_train_begin(logs)
        for name, value in self.state.early_stopping.items():
            setattr(self, name, value)
        self.best_weights = self.state.best_weights

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        if self.keep_last:
            self.best = np.inf
        super().on_epoch_end(epoch, logs)
        if self.wait >= self.patience:  # Keras never stops in the first epoch of a `fit`, but a resumed run must
            self.model.stop_training = True
        self.state.early_stopping = {"best": float(self.best), "wait": self.wait, "best_epoch": self.best_epoch}
        self.state.best_weights = self.best_weights


class EpochLine(keras.callbacks.Callback):  # type: ignore[misc]
    """Prints one line after each epoch, for logs, which cannot show a progress bar; `shown` are its metrics."""

    def __init__(self, shown: Sequence[str] = ("loss", "val_loss", "val_mae")) -> None:
        super().__init__()
        self.shown = shown

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.since = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        figures = ", ".join(f"{name} {logs[name]:.4g}" for name in self.shown)
        seconds = time.monotonic() - self.since
        print(f"epoch {epoch + 1}/{self.params['epochs']}: {figures}, {seconds:.1f} s", flush=True)


class Checkpoint(keras.callbacks.Callback):  # type: ignore[misc]
    """Saves the state of the run after each epoch; must come after all callbacks that change it.

    Args:
        state: of the run.
        path: the file.
        metrics: the metrics of an epoch to keep in the history.
    """

    def __init__(self, state: checkpoint.State, path: Path, metrics: Sequence[str] = METRICS) -> None:
        super().__init__()
        self.state, self.path, self.metrics = state, path, metrics

    def on_train_begin(self, logs: Any = None) -> None:
        self.since = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        self.state.history.append({"epoch": epoch + 1, **{name: float(logs[name]) for name in self.metrics}})
        now = time.monotonic()
        self.state.seconds, self.since = self.state.seconds + now - self.since, now
        checkpoint.save(self.path, self.model, self.state)

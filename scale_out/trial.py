"""One training run in its own process, because memory grows if Keras trains many networks in one process."""

import contextlib
import multiprocessing
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from common.stage import read_manifest
from facial_keypoints.errors import InputError
from models.saved import TRAIN
from training.train import train


class Outcome(NamedTuple):
    """How a trial ended.

    Attributes:
        metrics: `metrics` of the model's manifest; empty if the trial was pruned or failed.
        reason: why it failed.
    """

    metrics: dict[str, Any]
    reason: str = ""


class Pruned(Exception):
    """The parent process asked to stop."""


def run_trial(arguments: Mapping[str, Any], should_continue: Callable[[int, float], bool]) -> Outcome:
    """Trains a network in a new process and discards the model.

    Args:
        arguments: those of `training.train.train`, except `out` and `callbacks`.
        should_continue: called after each epoch with its number (from 1) and `val_mae` in px.
    """
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    with tempfile.TemporaryDirectory() as folder:
        process = spawn.Process(target=_train, args=(theirs, dict(arguments), Path(folder) / "model"), daemon=True)
        process.start()
        theirs.close()
        try:
            while not isinstance(message := ours.recv(), Outcome):
                ours.send(should_continue(*message))
        except (EOFError, ConnectionError):
            process.join()
            return Outcome({}, f"its process ended with exit code {process.exitcode}")
        finally:
            process.terminate()  # it has nothing left to do, or Ctrl-C was pressed
            process.join()
    return message


def _train(connection: Connection, arguments: dict[str, Any], out: Path) -> None:
    """Trains; sends (epoch, val_mae) after each epoch and waits for the answer; sends an Outcome at the end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches both processes; the parent ends this one
    from common.backend import start_backend

    start_backend()
    import keras

    def report(epoch: int, logs: dict[str, float]) -> None:
        connection.send((epoch + 1, float(logs["val_mae"])))
        if not connection.recv():
            raise Pruned

    # Hides the line of each epoch: the sweep prints one line per trial.
    try:
        with Path(os.devnull).open("w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):
            train(**arguments, out=out, callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=report)])
        outcome = Outcome(read_manifest(out, TRAIN)["metrics"])
    except Pruned:
        outcome = Outcome({})
    except InputError as error:
        outcome = Outcome({}, str(error))
    except (EOFError, ConnectionError):  # the parent was killed and left its folder
        shutil.rmtree(out.parent, ignore_errors=True)
        return
    connection.send(outcome)

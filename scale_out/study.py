"""The study of a sweep: a file or database in which Optuna keeps the trials of all workers."""

import contextlib
import json
import os
import socket
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from common.stage import locked
from facial_keypoints.errors import InputError, one_line
from scale_out.space import Range, Space

FACTS, HOST, LOCK, REASON, METRICS = "facts", "host", "lock", "reason", "metrics"  # user attributes
STARTUP_TRIALS = 5  # no trial is pruned before this many are complete


def open_study(storage: str, name: str, epochs: int) -> optuna.Study:
    """Returns the study of this name, or a new one if there is none.

    Args:
        storage: the URL of a database, or the path of a journal file, which workers on one file system can share.
        epochs: of a trial; none is pruned in the first third.

    Raises:
        InputError: the database cannot be reached, or the file is not a journal.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        return optuna.create_study(
            storage=_storage(storage),
            study_name=name,
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(STARTUP_TRIALS, n_warmup_steps=epochs // 3 + 1),
        )
    except Exception as error:  # each database has its own errors
        raise InputError(f"--storage {storage}: cannot be used ({one_line(error)}); give a FILE or a URL") from None


def _storage(storage: str) -> Any:
    if "://" in storage:
        return optuna.storages.RDBStorage(storage)
    path = Path(storage)
    path.parent.mkdir(parents=True, exist_ok=True)
    return optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(path)))


def join(study: optuna.Study, facts: Mapping[str, Any], first: Mapping[str, Any] | None, where: str) -> None:
    """Joins a study.

    Args:
        facts: the values that all its trials share, as JSON values by name.
        first: the values of the first trial of a new study; Optuna chooses them if None.
        where: the beginning of the message.

    Raises:
        InputError: the study's trials share other values.
    """
    current = json.loads(json.dumps(facts))
    stored = study.user_attrs.get(FACTS)
    if stored is None:
        study.set_user_attr(FACTS, current)
        if first is not None:
            study.enqueue_trial(dict(first))
    elif different := [name for name in stored | current if stored.get(name) != current.get(name)]:
        name = different[0]
        raise InputError(
            f"{where}: its study has another {name} ({_short(stored.get(name))}, not {_short(current.get(name))}); "
            "give the same as before, or another --out and --storage"
        )


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."


def requeue_dead(study: optuna.Study) -> int:
    """Queues the values of trials whose process on this machine was killed; returns how many."""
    dead = 0
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        if trial.user_attrs.get(HOST) == socket.gethostname():
            with contextlib.suppress(InputError), locked(Path(trial.user_attrs[LOCK])):  # a dead worker's is free
                requeue(study, trial)
                dead += 1
    return dead


def requeue(study: optuna.Study, trial: Trial | FrozenTrial) -> None:
    """Ends a trial that was interrupted, and queues its values to be tried again."""
    study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
    if trial.params:
        study.enqueue_trial(trial.params)


@contextlib.contextmanager
def new_trial(study: optuna.Study, space: Space, seed: int) -> Iterator[tuple[Trial, dict[str, Any]]]:
    """Yields a new trial and its values; the trial is queued again if the block is interrupted."""
    trial = study.ask()
    # Seeded by its number, so that workers of one study draw different values.
    study.sampler = optuna.samplers.TPESampler(seed=seed + trial.number, multivariate=False)
    lock = Path(tempfile.gettempdir()) / f"{study.study_name}-{os.getpid()}-{trial.number}"
    with locked(lock):
        trial.set_user_attr(HOST, socket.gethostname())
        trial.set_user_attr(LOCK, str(lock))
        try:
            yield trial, suggest(trial, space)
        except BaseException:
            requeue(study, trial)
            raise


def suggest(trial: Trial, space: Space) -> dict[str, Any]:
    """Returns a trial's values by name, as training gets them."""
    for name, allowed in space.items():
        if not isinstance(allowed, Range):
            trial.suggest_categorical(name, allowed)
        elif isinstance(allowed.low, int) and isinstance(allowed.high, int):
            trial.suggest_int(name, allowed.low, allowed.high, log=allowed.log)
        else:
            trial.suggest_float(name, allowed.low, allowed.high, log=allowed.log)
    return rounded(trial.params)


def rounded(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a trial's values as training gets them: numbers of three digits, so that they can be typed."""
    return {name: float(f"{value:.3g}") if isinstance(value, float) else value for name, value in values.items()}


def finished(study: optuna.Study) -> list[FrozenTrial]:
    """Returns the trials that are complete, pruned or failed; not those that were interrupted."""
    states = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
    trials = study.get_trials(deepcopy=False, states=states)
    return [trial for trial in trials if trial.state != TrialState.FAIL or REASON in trial.user_attrs]


def count_started(study: optuna.Study) -> int:
    """Returns the number of trials that are finished or running in a worker."""
    return len(finished(study)) + len(study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)))

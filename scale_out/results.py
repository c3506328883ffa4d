"""The results of a sweep: a table of its trials, plots, and the best trial as a command."""

import importlib
import logging
import shlex
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
from optuna.trial import FrozenTrial, TrialState

from common.draw import matplotlib, save
from scale_out.study import METRICS, REASON, finished, rounded
from training.train import option_of

STATES = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}
MIN_COMPLETE = 4  # trials that make importances meaningful
ERROR = "validation MAE, px"


def trials_table(study: optuna.Study) -> pd.DataFrame:
    """Returns `trials.csv`: one row per finished trial, the lowest error first, those that failed last.

    `val_mae_px` is that of the kept epoch; of a pruned trial, that of its last epoch.
    """
    rows = [
        {
            "trial": trial.number,
            "state": STATES[trial.state],
            "val_mae_px": trial.value,
            "epochs": trial.user_attrs.get(METRICS, {}).get("epochs", trial.last_step),
            "seconds": round(trial.duration.total_seconds(), 1) if trial.duration else None,
            **rounded(trial.params),
            "reason": trial.user_attrs.get(REASON, ""),
        }
        for trial in finished(study)
    ]
    table = pd.DataFrame(rows)
    order = {state: rank for rank, state in enumerate(STATES.values())}
    return table.sort_values(["state", "val_mae_px"], key=lambda c: c.map(order) if c.name == "state" else c)


def best_trial(study: optuna.Study) -> FrozenTrial | None:
    """Returns the complete trial with the lowest validation error; None if none is complete."""
    complete = [trial for trial in finished(study) if trial.state == TrialState.COMPLETE]
    return min(complete, key=lambda trial: float(trial.value or 0)) if complete else None


def best_command(words: Sequence[str], values: Mapping[str, Any]) -> str:
    """Returns the command that trains with a trial's values.

    Args:
        words: the network and the options that all trials share.
        values: of the trial, by name.
    """
    options = []
    for name, value in rounded(values).items():
        if isinstance(value, bool):
            options.append(option_of(name) if value else option_of(f"no-{name}"))
        else:
            options += [option_of(name), str(value)]
    return shlex.join(["python", "-m", "training.train", *words, *options])


def draw(study: optuna.Study, folder: Path) -> list[str]:
    """Writes the plots of a study that has a complete trial, and returns the names of those that need more trials."""
    matplotlib.use("Agg")
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # it names each font that is not installed
    plots = optuna.visualization.matplotlib
    plots_of_trials = {"history.png": plots.plot_optimization_history, "curves.png": plots.plot_intermediate_values}
    complete = {float(trial.value or 0) for trial in finished(study) if trial.state == TrialState.COMPLETE}
    of_parameters = {"importance.png": plots.plot_param_importances, "parameters.png": plots.plot_slice}
    left_out = [] if len(complete) >= MIN_COMPLETE else list(of_parameters)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        for name, make in {**plots_of_trials, **({} if left_out else of_parameters)}.items():
            axes = make(study) if name == "curves.png" else make(study, target_name=ERROR)
            panel = axes if hasattr(axes, "figure") else axes.flat[0]
            if name == "curves.png":
                panel.set(xlabel="epoch", ylabel=ERROR, title="Validation of each trial")
                if legend := panel.get_legend():
                    legend.remove()  # it has a line for each trial
            panel.figure.set_layout_engine("constrained")
            save(panel.figure, folder / name)
            importlib.import_module("matplotlib.pyplot").close("all")  # Optuna draws with pyplot
    return left_out

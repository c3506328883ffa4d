"""Searches for a network's best recipe with Optuna, by the error on the validation faces.

python -m scale_out.sweep base --out artifacts/sweep_base --trials 40 --minutes 180 --epochs 10
"""

import argparse
import importlib.util
import shlex
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common import tracking
from common.options import add_data_option, positive
from common.stage import Stage, check_out, stage_code, stage_folder, write_manifest
from data_prep.arrays import data_hash, load_data_manifest
from facial_keypoints.errors import InputError, counted, run
from models.networks import network_file, network_name
from models.saved import TRAIN
from scale_out.space import Range, Space, check_space, default_space, read_space
from training import train
from training.recipes import Recipe, resolve

if TYPE_CHECKING:
    import optuna

SWEEP = Stage("sweep", "scale_out.sweep", "NETWORK --out DIR")
FAILURES_IN_A_ROW = 3  # end a sweep
WAIT_S = 60  # for another worker that writes the folder


def main(arguments: Sequence[str] | None = None) -> None:
    options, rest = parser().parse_known_args(arguments)
    started = time.time()
    if importlib.util.find_spec("optuna") is None:
        raise InputError("Optuna is not installed; install it with `pip install -r requirements-scale.txt`")
    tracking.check(options.mlflow)
    words = [options.network, "--data", str(options.data), *rest]
    shared, given = train.parse(words)
    check_shared(shared)
    recipe = resolve(network_name(options.network), shared.recipe, given)
    space = read_space(options.space) if options.space else default_space(recipe, given)
    check_space(space, options.network, shared.recipe, given, str(options.space or "--space"))
    check_out(options.out, SWEEP, [options.data, *([options.space] if options.space else [])])
    data = load_data_manifest(options.data)

    from scale_out import study as studies

    storage = options.storage or f"{options.out}.journal"
    study = studies.open_study(storage, options.out.name, recipe.epochs)
    facts = {
        "network": options.network,
        "data": data_hash(data),
        "options": shlex.join(rest),
        "space": {name: vars(values) if isinstance(values, Range) else values for name, values in space.items()},
        "code": stage_code(TRAIN, [network_file(options.network)]),
    }
    studies.join(study, facts, recipe_values(recipe, space), str(options.out))
    if dead := studies.requeue_dead(study):
        print(f"trials to run again, because they were interrupted: {dead}")
    arguments_of_all = {
        "network": options.network,
        "data": options.data,
        "extra_data": shared.extra_data,
        "recipe": shared.recipe,
        "seed": shared.seed,
        "cache_frozen": shared.cache_frozen,
        **given,
    }
    until = options.minutes and started + 60 * options.minutes
    try:
        search(study, space, arguments_of_all, options.trials, until, options.mlflow)
    finally:
        if studies.finished(study):
            write(study, options, words, facts, started)


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="python -m scale_out.sweep",
        description="Searches for a network's best recipe with Optuna, by the error on the validation faces.",
        epilog="The other options of training.train apply to every trial. "
        "Example: python -m scale_out.sweep base --out artifacts/sweep --minutes 180 --epochs 10",
        allow_abbrev=False,
    )
    p.add_argument("network", metavar="NETWORK", help="as in training.train")
    add_data_option(p)
    p.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write; the study has its name")
    p.add_argument(
        "--trials",
        type=positive(int),
        default=40,
        metavar="N",
        help="number of trials, of all workers together (default: %(default)s)",
    )
    p.add_argument("--minutes", type=positive(float), metavar="X", help="begin no further trial after this time")
    p.add_argument(
        "--space",
        type=Path,
        metavar="FILE.toml",
        help="options to search and their values (default: those of a recipe)",
    )
    p.add_argument(
        "--storage",
        metavar="FILE|URL",
        help="journal file or database of the study, which workers share (default: DIR.journal)",
    )
    tracking.add_mlflow_option(p)
    return p


def check_shared(shared: argparse.Namespace) -> None:
    """Raises InputError for options of `training.train` that trials cannot share."""
    for name in ("tensorboard", "seeds", "resume", "restart", "coordinator"):
        if getattr(shared, name):
            hint = " (the same command continues a sweep)" if name == "resume" else ""
            raise InputError(f"--{name}: is not an option of a sweep{hint}; leave it out")


def recipe_values(recipe: Recipe, space: Space) -> dict[str, Any] | None:
    """Returns the recipe's own values, which the first trial tries; None if one is not in the space."""
    values = {name: getattr(recipe, name, None) for name in space}
    return values if all(value in space[name] for name, value in values.items()) else None


def search(
    study: "optuna.Study",
    space: Space,
    arguments: Mapping[str, Any],
    trials: int,
    until: float | None = None,
    mlflow: str | None = None,
) -> None:
    """Runs trials until the study has this many, or until a time; see `scale_out.trial.run_trial`.

    Raises:
        InputError: three trials in a row failed.
    """
    from scale_out import study as studies

    failures = 0
    while studies.count_started(study) < trials and (until is None or time.time() < until):
        with studies.new_trial(study, space, arguments["seed"]) as (trial, values):
            reason = run_one(study, trial, {**arguments, **values}, mlflow)
        failures = failures + 1 if reason else 0
        if failures == FAILURES_IN_A_ROW:
            raise InputError(f"the last {failures} trials failed: {reason}")


def run_one(study: "optuna.Study", trial: "optuna.Trial", arguments: Mapping[str, Any], mlflow: str | None) -> str:
    """Runs a trial, tells the study how it ended, prints a line, and returns why it failed ("" if it did not)."""
    from optuna.trial import TrialState

    from scale_out.results import best_trial
    from scale_out.study import METRICS, REASON, rounded
    from scale_out.trial import run_trial

    curve: list[tuple[int, float]] = []

    def should_continue(epoch: int, val_mae: float) -> bool:
        curve.append((epoch, val_mae))
        trial.report(round(val_mae, 4), epoch)
        return not trial.should_prune()

    metrics, reason = run_trial(arguments, should_continue)
    if metrics:
        trial.set_user_attr(METRICS, metrics)
        study.tell(trial, metrics["val_mae_px"])
        outcome = f"validation MAE {metrics['val_mae_px']:.3f} px"
    elif reason:
        trial.set_user_attr(REASON, reason)
        study.tell(trial, state=TrialState.FAIL)
        outcome = f"failed: {reason}"
    else:
        study.tell(trial, state=TrialState.PRUNED)
        outcome = "pruned"
    values = ", ".join(f"{name} {value}" for name, value in rounded(trial.params).items())
    if mlflow:
        tags = {"stage": "trial", "study": study.study_name, "ended": outcome}
        name = f"{study.study_name} trial {trial.number}"
        tracking.log_run(mlflow, name, tags, arguments, metrics, {"val_mae": curve})
    best = best_trial(study)
    print(f"trial {trial.number}: {outcome} ({values})" + (f"; best: trial {best.number}" if best else ""), flush=True)
    return reason


def write(
    study: "optuna.Study", options: argparse.Namespace, words: Sequence[str], facts: Mapping[str, Any], started: float
) -> None:
    """Writes the folder of a sweep from all trials of its study so far, and prints the best one's command."""
    from scale_out import results

    table, best = results.trials_table(study), results.best_trial(study)
    metrics: dict[str, Any] = {"trials": len(table), **table["state"].value_counts().to_dict()}
    text = "no trial is complete"
    with stage_folder(options.out, SWEEP, [options.data], wait_s=WAIT_S) as folder:
        table.to_csv(folder / "trials.csv", index=False)
        if best is not None:
            metrics |= {"best_trial": best.number, "best_val_mae_px": best.value}
            command = results.best_command(words, best.params)
            (folder / "best.txt").write_text(command + "\n", encoding="utf-8")
            text = f"best: trial {best.number}, validation MAE {best.value:.3f} px\n{command}"
            if left_out := results.draw(study, folder):
                text += f"\nnot drawn until {results.MIN_COMPLETE} trials are complete: {', '.join(left_out)}"
        write_manifest(folder, SWEEP, facts, {"data": facts["data"]}, metrics, started)
    print(f"{text}\n{options.out}: {counted(len(table), 'trial')} in trials.csv")
    tracking.log_folder(options.mlflow, options.out, SWEEP)


if __name__ == "__main__":
    run(main)

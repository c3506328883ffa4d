"""Sweeps: which trials they run, how they continue, and what they reject. A formula replaces most trainings."""

import importlib.util
import math
import shlex
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from common.stage import locked, read_manifest
from facial_keypoints.errors import InputError
from scale_out.sweep import SWEEP, main
from scale_out.trial import Outcome
from tests.training.conftest import write_data
from training.recipes import resolve

Trial = Callable[[Mapping[str, Any], Callable[[int, float], bool]], Outcome]
SPACE = """
learning_rate = {low = 1e-4, high = 1e-2, log = true}
loss = ["mse", "mae"]
"""
BEST_RATE = 1e-3


def formula(arguments: Mapping[str, Any], should_continue: Callable[[int, float], bool]) -> Outcome:
    """A trial whose error is lowest, 1 px, at BEST_RATE with the loss `mae`, and falls with each epoch."""
    error = 1 + abs(math.log10(arguments["learning_rate"] / BEST_RATE)) + (arguments["loss"] != "mae")
    for epoch in range(1, arguments["epochs"] + 1):
        if not should_continue(epoch, error * (1 + 0.5**epoch)):
            return Outcome({})
    return Outcome({"val_mae_px": error, "epochs": arguments["epochs"]})


def fake_trials(monkeypatch: pytest.MonkeyPatch, trial: Trial = formula) -> list[dict[str, Any]]:
    """Replaces training by a formula; returns a list to which each trial adds its arguments."""
    seen: list[dict[str, Any]] = []

    def run_trial(arguments: Mapping[str, Any], should_continue: Callable[[int, float], bool]) -> Outcome:
        seen.append(dict(arguments))
        return trial(arguments, should_continue)

    monkeypatch.setattr("scale_out.trial.run_trial", run_trial)
    return seen


@pytest.fixture
def command(small_data: Path, tmp_path: Path) -> list[str]:
    (tmp_path / "space.toml").write_text(SPACE, encoding="utf-8")
    space, out = str(tmp_path / "space.toml"), str(tmp_path / "sweep")
    return ["base", "--data", str(small_data), "--out", out, "--space", space, "--epochs", "3"]


def test_sweep_finds_the_best_values_and_can_be_continued(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("optuna")
    seen, out = fake_trials(monkeypatch), tmp_path / "sweep"
    main([*command, "--trials", "3"])
    own = resolve("base")
    assert (seen[0]["learning_rate"], seen[0]["loss"]) == (own.learning_rate, own.loss)
    assert all(trial["epochs"] == 3 and trial["network"] == "base" and trial["seed"] == 0 for trial in seen)
    assert "not drawn until 4 trials are complete: importance.png" in capsys.readouterr().out

    main([*command, "--trials", "3"])
    assert len(seen) == 3
    main([*command, "--trials", "25"])
    assert len(seen) == 25
    assert len({(trial["learning_rate"], trial["loss"]) for trial in seen}) > 20

    table = pd.read_csv(out / "trials.csv")
    assert sorted(table["trial"]) == list(range(25))
    best = table.iloc[0]
    assert (best["state"], best["loss"]) == ("complete", "mae")
    assert best["val_mae_px"] == table["val_mae_px"].min()
    assert 0.5 * BEST_RATE < best["learning_rate"] < 2 * BEST_RATE
    words = shlex.split((out / "best.txt").read_text(encoding="utf-8"))
    assert words[:4] == ["python", "-m", "training.train", "base"]
    at = seen[best["trial"]]
    for option, value in (("learning-rate", at["learning_rate"]), ("loss", "mae"), ("epochs", 3)):
        assert words[words.index(f"--{option}") + 1] == str(value)
    manifest = read_manifest(out, SWEEP)
    assert manifest["metrics"]["trials"] == 25
    assert manifest["metrics"]["best_trial"] == best["trial"]
    plots = {"importance.png", "parameters.png", "history.png", "curves.png"}
    assert set(manifest["files"]) == {"trials.csv", "best.txt", *plots}


def test_options_that_are_not_searched_are_passed_to_every_trial(
    command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("optuna")
    seen = fake_trials(monkeypatch)
    main([*command, "--trials", "2", "--seed", "4", "--cache-frozen"])
    assert [(trial["seed"], trial["cache_frozen"]) for trial in seen] == 2 * [(4, True)]


def test_trials_worse_than_the_others_are_pruned(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("optuna")

    def worse_each_trial(arguments: Mapping[str, Any], should_continue: Callable[[int, float], bool]) -> Outcome:
        error = float(len(seen))
        alive = all(should_continue(epoch, error) for epoch in (1, 2, 3))
        return Outcome({"val_mae_px": error, "epochs": 3} if alive else {})

    seen = fake_trials(monkeypatch, worse_each_trial)
    main([*command, "--trials", "8"])
    table = pd.read_csv(tmp_path / "sweep" / "trials.csv").set_index("trial")
    assert table["state"].tolist() == 5 * ["complete"] + 3 * ["pruned"]
    assert table["epochs"].tolist() == 5 * [3] + 3 * [2]  # nothing is pruned in the first third of the epochs


def test_interrupted_trial_is_run_again(command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("optuna")

    def interrupted(arguments: Mapping[str, Any], should_continue: Callable[[int, float], bool]) -> Outcome:
        if len(seen) == 3:
            raise KeyboardInterrupt
        return formula(arguments, should_continue)

    seen = fake_trials(monkeypatch, interrupted)
    with pytest.raises(KeyboardInterrupt):
        main([*command, "--trials", "4"])
    assert len(pd.read_csv(tmp_path / "sweep" / "trials.csv")) == 2
    main([*command, "--trials", "4"])
    assert len(pd.read_csv(tmp_path / "sweep" / "trials.csv")) == 4
    assert seen[3] == seen[2]
    assert len(seen) == 5


def test_trial_of_a_killed_worker_is_repeated_but_not_that_of_a_running_one(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("optuna")
    from scale_out import study as studies

    seen = fake_trials(monkeypatch)
    main([*command, "--trials", "1"])
    study = studies.open_study(str(tmp_path / "sweep.journal"), "sweep", 3)
    left = {}
    for name in ("killed", "alive"):
        trial = study.ask()
        left[name] = trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True)
        trial.suggest_categorical("loss", ("mse", "mae"))
        trial.set_user_attr(studies.HOST, socket.gethostname())
        trial.set_user_attr(studies.LOCK, str(tmp_path / name))
    with locked(tmp_path / "alive"):
        main([*command, "--trials", "3"])
    assert [trial["learning_rate"] for trial in seen[1:]] == [float(f"{left['killed']:.3g}")]


def test_three_failed_trials_in_a_row_end_the_sweep(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("optuna")
    fails = {2, 3, 5, 6, 7}

    def failing(arguments: Mapping[str, Any], should_continue: Callable[[int, float], bool]) -> Outcome:
        return Outcome({}, "training diverged") if len(seen) in fails else formula(arguments, should_continue)

    seen = fake_trials(monkeypatch, failing)
    with pytest.raises(InputError, match="the last 3 trials failed: training diverged"):
        main([*command, "--trials", "10"])
    assert len(seen) == 7
    table = pd.read_csv(tmp_path / "sweep" / "trials.csv")
    assert table["state"].tolist() == 2 * ["complete"] + 5 * ["failed"]
    assert set(table["reason"].dropna()) == {"training diverged"}
    assert "trial 1: failed: training diverged (learning_rate " in capsys.readouterr().out


def test_no_trial_starts_after_the_time_limit(command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("optuna")
    seen = fake_trials(monkeypatch)
    main([*command, "--minutes", "1e-9"])
    assert seen == []


def test_study_with_other_network_options_or_data_is_rejected(
    command: list[str], small_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("optuna")
    fake_trials(monkeypatch)
    main([*command, "--trials", "1"])
    with pytest.raises(InputError, match=r"sweep: its study has another network \(base, not v1\)"):
        main(["v1", *command[1:]])
    with pytest.raises(InputError, match=r"its study has another options \(--epochs 3, not --epochs 4\)"):
        main([*command[:-1], "4"])
    from data_prep import arrays

    parts = arrays.load_splits(small_data)
    parts["train"] = parts["train"].only(parts["train"].rows != parts["train"].rows[0])
    other = write_data(tmp_path / "other", parts)
    with pytest.raises(InputError, match="its study has another data"):
        main([*command[:2], str(other), *command[3:]])
    with pytest.raises(InputError, match=r"other: was written by .*; choose another --out"):
        main([*command[:4], str(other), *command[5:]])


def test_unusable_storage_is_rejected(command: list[str]) -> None:
    pytest.importorskip("optuna")
    with pytest.raises(InputError, match=r"--storage sqlite:////no/such/folder/x\.db: cannot be used"):
        main([*command, "--storage", "sqlite:////no/such/folder/x.db"])
    with pytest.raises(InputError, match=r"--storage .*space\.toml: cannot be used"):
        main([*command, "--storage", command[command.index("--space") + 1]])


@pytest.mark.parametrize("option", ["--resume", "--restart", "--tensorboard", "--seeds", "--coordinator"])
def test_options_that_trials_cannot_share_are_rejected(
    option: str, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: "installed")
    value = {"--tensorboard": ["logs"], "--seeds": ["3"], "--coordinator": ["auto"]}.get(option, [])
    with pytest.raises(InputError, match=f"{option}: is not an option of a sweep"):
        main([*command, option, *value])


def test_missing_optuna_is_reported(command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="Optuna is not installed; install it with `pip install -r requirements-scale"):
        main(command)


@pytest.mark.long
def test_best_command_of_a_sweep_of_real_trainings_reproduces_its_result(
    command: list[str], tmp_path: Path, run_stage: Callable[..., Any]
) -> None:
    pytest.importorskip("optuna")
    done = run_stage("scale_out.sweep", *command[:-1], "1", "--trials", "2", "--batch-size", "16")
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(tmp_path / "sweep" / "trials.csv")
    assert table["state"].tolist() == 2 * ["complete"]
    words = shlex.split((tmp_path / "sweep" / "best.txt").read_text(encoding="utf-8"))
    again = run_stage(*words[2:], "--out", tmp_path / "best")
    assert again.returncode == 0, again.stderr
    assert f"validation MAE {table['val_mae_px'][0]:.3f} px" in again.stdout

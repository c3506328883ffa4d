"""A trial in a separate process: what it reports, and how it ends."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from common.stage import read_manifest
from models.saved import TRAIN
from scale_out.trial import run_trial
from training.train import train


def base(data: Path, **values: Any) -> dict[str, Any]:
    return {"network": "base", "data": data, "seed": 3, "batch_size": 16, **values}


@pytest.mark.long
def test_trial_trains_as_the_command_does_and_can_be_pruned(small_data: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, float]] = []
    outcome = run_trial(base(small_data, epochs=2), lambda *report: not seen.append(report))  # type: ignore[func-returns-value]
    out = train(**base(small_data, epochs=2), out=tmp_path / "model")
    assert outcome.metrics["val_mae_px"] == read_manifest(out, TRAIN)["metrics"]["val_mae_px"]
    assert [epoch for epoch, _ in seen] == [1, 2]
    assert outcome.metrics["val_mae_px"] == pytest.approx(seen[outcome.metrics["best_epoch"] - 1][1], abs=1e-4)

    assert run_trial(base(small_data, epochs=2), lambda epoch, mae: False) == ({}, "")


@pytest.mark.long
def test_invalid_trial_returns_the_reason(small_data: Path) -> None:
    outcome = run_trial(base(small_data, loss="laplace"), lambda epoch, mae: True)
    assert outcome == ({}, "--loss laplace: base does not predict an expected error; use --loss mse or another")


@pytest.mark.long
def test_killed_trial_returns_the_exit_code(small_data: Path) -> None:
    def kill_the_child(epoch: int, mae: float) -> bool:
        import multiprocessing

        (child,) = multiprocessing.active_children()
        os.kill(child.pid or 0, signal.SIGKILL)
        return True

    outcome = run_trial(base(small_data, epochs=2), kill_the_child)
    assert outcome == ({}, "its process ended with exit code -9")

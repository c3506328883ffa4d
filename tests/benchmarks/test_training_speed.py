"""The benchmark of training speed: its printed table, and a missing data folder."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from benchmarks.training_speed import PLAIN, WAYS, table
from facial_keypoints.errors import EXIT_BAD_INPUT


def test_missing_data_folder_is_a_one_line_error(
    tmp_path: Path, run_stage: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    done = run_stage("benchmarks.training_speed", "--data", tmp_path / "none")
    assert done.returncode == EXIT_BAD_INPUT
    assert "none: no such folder; make it with `python -m data_prep.prepare" in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_speed_ratios_are_medians_of_ratios_within_a_turn() -> None:
    def runs(first: float, second: float, third: float) -> list[dict[str, float]]:
        return [{"faces_per_second": speed, "peak_mb": 1000.0, "growth": 1.01} for speed in (first, second, third)]

    results = {way: runs(100, 200, 300) for way in WAYS}
    results["v2, strong augmentation"] = runs(90, 160, 60)  # 0.9, 0.8 and 0.2 of the speed without
    lines = table(results).splitlines()
    assert lines[1].split() == [*PLAIN.split(), "200", "1.00", "1000", "1.00", "1.010"]
    assert lines[6].split()[-5:] == ["90", "0.80", "1000", "1.00", "1.010"]
    assert lines[-3] == "base, light augmentation: 1.00 of the speed without augmentation (intended: at least 0.95)"
    assert lines[-2] == "v2, strong augmentation: 0.80 of the speed without augmentation (intended: at least 0.85)"

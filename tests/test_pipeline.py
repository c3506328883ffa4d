"""The pipeline: every stage in order, none run twice without a reason."""

from pathlib import Path

import pandas as pd
import pytest

import pipeline
from pipeline import reason_to_run, stages
from training.recipes import NETWORKS


def todo(out: Path, *arguments: str) -> list[pipeline.Stage]:
    return stages(pipeline.parser().parse_args(["--out", str(out), "--count", "60", "--epochs", "1", *arguments]))


def test_all_stages_run_once_and_again_only_for_a_reason(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "artifacts"
    command = ["--out", str(out), "--count", "60", "--epochs", "1", "--models", "base"]
    assert [reason_to_run(stage) for stage in todo(out)] == [
        *["nothing there yet"] * (1 + 2 * len(NETWORKS)),
        "it takes a moment and shows the table",
    ]
    (out / "models" / "base.unfinished").mkdir(parents=True)  # left by a run killed before its first epoch
    pipeline.main(command)
    printed = capfd.readouterr()
    assert printed.err == ""
    assert printed.out.count("nothing there yet") == 2
    assert printed.out.count("an earlier run was broken off") == 1
    assert [reason_to_run(stage) for stage in todo(out, "--models", "base")][:3] == [None] * 3
    table = pd.read_csv(out / "comparison" / "comparison.csv")
    assert {"base", "mean_face", "mean_face_imputed"} <= set(table["name"])

    pipeline.main(command)
    again = capfd.readouterr().out
    assert again.count("up to date") == 3
    assert "mean_face" in again

    reasons = [reason_to_run(stage) for stage in todo(out, "--models", "base", "--recipe", "documented")]
    assert [reason is None for reason in reasons] == [True, False, True, False]
    assert str(reasons[1]).startswith("it was made by another command")

    (out / "evaluation" / "base" / "accuracy.csv").write_text("altered")
    reasons = [reason_to_run(stage) for stage in todo(out, "--models", "base")]
    assert "accuracy.csv: is cut off or altered" in str(reasons[2])


def test_a_recipe_trains_the_networks_it_is_for(tmp_path: Path) -> None:
    def trained(*arguments: str) -> list[str]:
        return [stage.out.name for stage in todo(tmp_path, *arguments) if stage.name == "train"]

    assert trained() == list(NETWORKS)
    assert trained("--recipe", "documented") == ["base", "v1"]
    assert trained("--recipe", "v2") == ["v2"]


def test_a_stage_that_fails_ends_the_pipeline_with_its_code(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as stopped:
        pipeline.main([str(tmp_path / "nowhere"), "--out", str(tmp_path / "artifacts")])
    assert stopped.value.code == 2
    assert not (tmp_path / "artifacts" / "models").exists()


def test_quick_is_a_small_run_of_the_synthetic_faces_and_short_on_any_others(tmp_path: Path) -> None:
    quick = stages(pipeline.parser().parse_args(["--quick"]))
    assert f"--count {pipeline.QUICK_FACES}" in quick[0].text
    assert f"--epochs {pipeline.QUICK_EPOCHS}" in quick[1].text
    own = stages(pipeline.parser().parse_args([str(tmp_path), "--quick"]))
    assert "--count" not in own[0].text

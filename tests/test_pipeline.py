"""The pipeline runs all stages in order, and runs one again only for a reason that it prints."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import common.code
import pipeline
from common.backend import backend_name
from common.code import code_hash
from models.saved import TRAIN
from pipeline import NETWORKS, reason_to_run, steps
from training.recipes import RECIPES


def planned_steps(out: Path, *arguments: str) -> list[pipeline.Step]:
    return steps(pipeline.parser().parse_args(["--out", str(out), "--count", "60", "--epochs", "1", *arguments]))


def reasons(out: Path, *arguments: str) -> list[str | None]:
    return [reason_to_run(step) for step in planned_steps(out, "--networks", "base", *arguments)][:3]


def test_exif_and_skip_bad_are_passed_to_prepare(tmp_path: Path) -> None:
    command = planned_steps(tmp_path, "five", "--exif", "apply", "--skip-bad")[0].command
    assert command[-3:] == ["--skip-bad", "--exif", "apply"]


def test_each_seed_is_trained_and_evaluated_separately(tmp_path: Path) -> None:
    done = [step.command for step in planned_steps(tmp_path, "--networks", "base", "v1", "--seeds", "2", "--seed", "5")]
    trained = [command for command in done if command[0] == "training.train"]
    names = ["base_seed5", "base_seed6", "v1_seed5", "v1_seed6"]
    assert [(command[1], Path(command[5]).name, command[-1]) for command in trained] == [
        (name.split("_")[0], name, name[-1]) for name in names
    ]
    evaluated = [command for command in done if command[0] == "evaluation.evaluate"]
    assert [Path(command[1]).name for command in evaluated] == [Path(command[5]).name for command in evaluated] == names


def test_models_without_an_onnx_file_are_exported_last(tmp_path: Path) -> None:
    done = planned_steps(tmp_path, "--networks", "base", "v2", "--export")
    assert [step.command for step in done[-2:]] == [
        ["training.export", str(tmp_path / "models" / name)] for name in ("base", "v2")
    ]
    assert [step.command[0] for step in planned_steps(tmp_path)].count("training.export") == 0
    model = tmp_path / "models" / "v2"
    assert reason_to_run(done[-1]) == "nothing there yet"
    model.mkdir(parents=True)
    assert reason_to_run(done[-1]) == "no model.onnx yet"
    (model / "model.onnx").touch()
    assert reason_to_run(done[-1]) is None


@pytest.mark.long
def test_stages_run_again_only_if_something_they_depend_on_changed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "artifacts"
    command = ["--out", str(out), "--count", "60", "--epochs", "1", "--networks", "base"]
    assert [reason_to_run(step) for step in planned_steps(out)] == [
        *["nothing there yet"] * (1 + 2 * len(NETWORKS)),
        "it is quick and prints the table",
    ]
    (out / "models" / "base.unfinished").mkdir(parents=True)  # left by a run killed before its first epoch
    pipeline.main(command)
    printed = capfd.readouterr()
    assert printed.err == ""
    assert printed.out.count("nothing there yet") == 2
    assert printed.out.count("an earlier run was interrupted") == 1
    table = pd.read_csv(out / "comparison" / "comparison.csv")
    assert {"base", "mean_face", "mean_face_imputed"} <= set(table["name"])

    assert reasons(out) == [None] * 3
    pipeline.main(command)
    again = capfd.readouterr().out
    assert again.count("up to date") == 3
    assert "mean_face" in again

    # Options that resume or restart a training run do not make it another command.
    manifest = out / "models" / "base" / "manifest.json"
    text = manifest.read_text(encoding="utf-8")
    for flags in ("--restart", "--resume", "--resume --restart"):
        manifest.write_text(text.replace(" --resume --restart", f" {flags}"), encoding="utf-8")
        assert reasons(out) == [None] * 3
    manifest.write_text(text, encoding="utf-8")

    # Exactly the stages that depend on a change run again, and the reason names the change.
    assert str(reasons(out, "--recipe", "published")[1]).startswith("it was made by another command")
    with monkeypatch.context() as changed:
        changed.setitem(RECIPES, "default", replace(RECIPES["default"], learning_rate=0.5))
        assert reasons(out) == [None, "its settings have changed: learning_rate was 0.0008, is 0.5", None]
    with monkeypatch.context() as changed:
        backend = backend_name()
        changed.setenv("KERAS_BACKEND", "another")
        assert reasons(out) == [None, f"its settings have changed: backend was {backend}, is another", None]
    with monkeypatch.context() as changed:
        changed.setitem(RECIPES, "v2", replace(RECIPES["v2"], learning_rate=0.5))
        assert reasons(out) == [None] * 3
    for file, rerun in {
        "models/base.py": [None, "code has changed: models/base.py", None],
        "models/v1.py": [None, None, None],
        "training/recipes.py": [None, "code has changed: training/recipes.py", None],
        "evaluation/metrics.py": [None, None, "code has changed: evaluation/metrics.py"],
        "data_prep/report/write.py": ["code has changed: data_prep/report/write.py", None, None],
    }.items():
        with monkeypatch.context() as changed:
            changed.setattr(common.code, "code_hash", lambda p, w, f=file: "new" if p.match(f) else code_hash(p, w))
            assert reasons(out) == rerun

    (out / "evaluation" / "base" / "accuracy.csv").write_text("altered", encoding="utf-8")
    assert "accuracy.csv: is damaged or altered" in str(reasons(out)[2])


def test_recipe_selects_the_networks_to_train(tmp_path: Path) -> None:
    def trained(*arguments: str) -> list[str]:
        return [step.out.name for step in planned_steps(tmp_path, *arguments) if step.stage == TRAIN]

    assert trained() == list(NETWORKS)
    assert trained("--recipe", "published") == ["base", "v1"]
    assert trained("--recipe", "v2") == ["v2"]
    assert trained("--recipe", "cnn5") == ["cnn5"]


def test_size_crop_and_skip_bad_are_passed_to_prepare(tmp_path: Path) -> None:
    prepare = planned_steps(tmp_path, "--skip-bad", "--size", "96", "--crop", "whole")[0]
    assert prepare.text.endswith("--size 96 --crop whole --count 60 --skip-bad")


def test_user_network_gets_its_own_training_step(tmp_path: Path) -> None:
    own = tmp_path / "own.py"
    own.write_text("def build(input_shape, keypoints): ...", encoding="utf-8")
    train = next(step for step in planned_steps(tmp_path, "--networks", str(own)) if step.stage == TRAIN)
    assert train.out == tmp_path / "models" / "own"
    assert train.code == (own,)
    assert str(own) in train.text


def test_failed_stage_ends_the_pipeline_with_its_exit_code(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as stopped:
        pipeline.main([str(tmp_path / "nowhere"), "--out", str(tmp_path / "artifacts")])
    assert stopped.value.code == 2
    assert not (tmp_path / "artifacts" / "models").exists()


def test_quick_limits_the_face_count_of_synthetic_input_only(tmp_path: Path) -> None:
    quick = steps(pipeline.parser().parse_args(["--quick"]))
    assert f"--count {pipeline.QUICK_FACES}" in quick[0].text
    assert f"--epochs {pipeline.QUICK_EPOCHS}" in quick[1].text
    own = steps(pipeline.parser().parse_args([str(tmp_path), "--quick"]))
    assert "--count" not in own[0].text

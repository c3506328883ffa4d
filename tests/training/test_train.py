"""The training stage, run as users run it: its output folder, seeds, killed and resumed runs, bad input."""

import csv
import dataclasses
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from common.stage import read_manifest
from data_prep import arrays, prepare
from data_prep.faces import Split
from facial_keypoints.codec import decode, output_points
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15, FACE68
from models.saved import TRAIN, load_model, predict
from tests.conftest import ROOT
from tests.training.conftest import write_data
from training import core
from training.inputs import load_data
from training.recipes import resolve
from training.train import main, train

QUICK = ["--epochs", "3", "--learning-rate", "1e-3", "--batch-size", "16"]
NARROW = ["--width", "0.34"]  # a v2 with a tenth of the parameters

# Each program kills itself, as `kill -9` would, at a moment that is hard to hit from outside.
KILLED_IN_THE_MIDDLE_OF_A_SAVE = """
import numpy as np
whole, calls = np.savez, []
def half(file, **arrays):
    calls.append(1)
    if len(calls) == 3:
        file.write(b"half a file")
        file.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    whole(file, **arrays)
np.savez = half
"""
KILLED_IN_THE_MIDDLE_OF_AN_EPOCH = """
from training.batches import Batches
whole = Batches.__getitem__
def deadly(self, number):
    epoch, step = divmod(number, self.steps)
    if self.first_epoch + epoch == 2 and step == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(self, number)
Batches.__getitem__ = deadly
"""
KILLED_IN_THE_FIRST_EPOCH = KILLED_IN_THE_MIDDLE_OF_AN_EPOCH.replace("== 2 and", "== 0 and")
KILLED_WHILE_THE_MODEL_IS_WRITTEN = """
import training.core
training.core.loss_curves = lambda *arguments: os.kill(os.getpid(), signal.SIGKILL)
"""
PROGRAM = """
import os, signal, sys
from common.backend import start_backend
start_backend()
{preparation}
from training.recipes import resolve
from training.train import main
main(sys.argv[1:])
"""


def train_process(arguments: list[str], preparation: str = "") -> int:
    command = [sys.executable, "-c", PROGRAM.format(preparation=preparation), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode


def weights(folder: Path) -> list[Any]:
    return list(keras.saving.load_model(folder / "model.keras", compile=False).get_weights())


def same(a: Path, b: Path) -> bool:
    """Returns whether the weights are equal bit for bit, and all figures of all epochs as well."""
    equal = all(np.array_equal(x, y) for x, y in zip(weights(a), weights(b), strict=True))
    return equal and (a / "history.csv").read_bytes() == (b / "history.csv").read_bytes()


@pytest.mark.long
def test_run_killed_three_times_and_resumed_gives_the_uninterrupted_result(small_data: Path, tmp_path: Path) -> None:
    uninterrupted, killed = tmp_path / "uninterrupted", tmp_path / "killed"
    common = ["base", "--data", str(small_data), *QUICK, "--seed", "5"]
    main([*common, "--out", str(uninterrupted)])

    interrupted = [*common, "--out", str(killed)]
    assert train_process(interrupted, KILLED_IN_THE_MIDDLE_OF_A_SAVE) == -9
    assert not killed.exists()
    assert train_process([*interrupted, "--resume"], KILLED_IN_THE_MIDDLE_OF_AN_EPOCH) == -9
    assert train_process([*interrupted, "--resume"], KILLED_WHILE_THE_MODEL_IS_WRITTEN) == -9
    assert not killed.exists()
    main([*interrupted, "--resume"])
    assert same(uninterrupted, killed)
    metrics = [read_manifest(folder, TRAIN)["metrics"] for folder in (uninterrupted, killed)]
    assert metrics[0]["best_epoch"] == metrics[1]["best_epoch"]
    assert {p.name for p in tmp_path.iterdir() if not p.name.startswith(".")} == {"uninterrupted", "killed"}


@pytest.mark.any_backend
def test_run_writes_model_history_curves_summary_and_manifest(
    small_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "v1"
    main(["v1", "--data", str(small_data), "--out", str(out), *QUICK])
    assert sorted(p.name for p in out.iterdir()) == [
        "history.csv",
        "loss_curves.png",
        "manifest.json",
        "model.keras",
        "summary.txt",
    ]
    manifest = read_manifest(out, TRAIN)
    assert manifest["inputs"] == {"data": arrays.data_hash(arrays.load_data_manifest(small_data))}
    assert manifest["metrics"]["epochs"] == 3
    assert manifest["parameters"]["learning_rate"] == 1e-3
    with (out / "history.csv").open(encoding="utf-8") as file:
        history = list(csv.DictReader(file))
    assert list(history[0]) == ["epoch", "loss", "mae", "val_loss", "val_mae"]
    assert [row["epoch"] for row in history] == ["0", "1", "2", "3"]
    assert float(history[3]["mae"]) < float(history[1]["mae"])
    printed = capsys.readouterr().out
    assert f"v1: {manifest['metrics']['parameters']:,} parameters, 64 faces" in printed
    assert "\nval has 8 faces in 1 group: too few to find the best epoch reliably\n" in printed
    lines = re.findall(r"^epoch (\d)/3: loss \S+, val_loss (\S+), val_mae (\S+), \d+\.\d s$", printed, re.MULTILINE)
    figures = [(row["epoch"], f"{float(row['val_loss']):.4g}", f"{float(row['val_mae']):.4g}") for row in history]
    assert lines == figures[1:]  # one line per epoch, because the output is not a terminal
    assert "epoch 0/3: val_loss {1}, val_mae {2} (before training)\n".format(*figures[0]) in printed
    assert (history[0]["loss"], history[0]["mae"]) == ("", "")

    model = keras.saving.load_model(out / "model.keras", compile=False)
    val = arrays.load_split(small_data, "val")
    predicted = model.predict(val.images, verbose=0)
    measured = np.abs(predicted - val.keypoints)[val.labelled].mean()
    assert measured == pytest.approx(manifest["metrics"]["val_mae_px"], abs=1e-3)


@pytest.mark.long
def test_seeds_gives_the_same_models_as_separate_runs(
    small_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ["base", "--data", str(small_data), *QUICK]
    main([*run, "--out", str(tmp_path / "alone"), "--seed", "6"])
    several = [*run, "--out", str(tmp_path / "base"), "--seed", "5", "--seeds", "2"]
    kill_second_seed = KILLED_WHILE_THE_MODEL_IS_WRITTEN.replace(
        "lambda *arguments:", "lambda path, *_: 'seed6' in str(path) and"
    )
    assert train_process(several, kill_second_seed) == -9
    assert {p.name for p in tmp_path.iterdir() if p.name.startswith("base")} == {"base_seed5", "base_seed6.unfinished"}
    capsys.readouterr()
    main([*several, "--resume"])
    assert "base_seed5: is finished" in capsys.readouterr().out
    assert same(tmp_path / "base_seed6", tmp_path / "alone")
    assert not same(tmp_path / "base_seed5", tmp_path / "alone")


def test_result_depends_on_the_seed_and_on_initial_weights(small_data: Path, tmp_path: Path) -> None:
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        main(["base", "--data", str(small_data), "--out", str(tmp_path / name), *QUICK, "--seed", seed])
    assert same(tmp_path / "a", tmp_path / "b")
    assert not same(tmp_path / "a", tmp_path / "c")

    # Training starts from the initial weights: a tiny learning rate leaves them practically unchanged.
    start = ["--initial-weights", str(tmp_path / "a" / "model.keras"), "--learning-rate", "1e-12", "--epochs", "1"]
    main(["base", "--data", str(small_data), "--out", str(tmp_path / "d"), *start])
    assert all(
        np.allclose(x, y, atol=1e-6) for x, y in zip(weights(tmp_path / "a"), weights(tmp_path / "d"), strict=True)
    )
    (tmp_path / "damaged.keras").write_bytes(b"PK and no more")
    damaged = ["--initial-weights", str(tmp_path / "damaged.keras")]
    with pytest.raises(InputError, match=r"damaged\.keras: cannot be loaded"):
        main(["base", "--data", str(small_data), "--out", str(tmp_path / "e"), *damaged])
    with pytest.raises(InputError, match=r"a: holds .*a.model\.keras and would be replaced"):
        main(["base", "--data", str(small_data), "--out", str(tmp_path / "a"), *start])


def spoil(capsys: pytest.CaptureFixture[str], data: Path, good: Path, spoiled: Path, *options: str) -> str:
    """Trains a network, then two epochs more with a far too high learning rate; returns the output of these."""
    main(["base", "--data", str(data), "--out", str(good), *QUICK])
    rate = ["--learning-rate", "0.5", "--epochs", "2", "--schedule", "constant"]
    capsys.readouterr()
    main(["base", "--data", str(data), "--out", str(spoiled), "--initial-weights", str(good), *rate, *options])
    return capsys.readouterr().out


@pytest.mark.any_backend
def test_fine_tuning_keeps_the_initial_weights_if_no_epoch_is_better(
    small_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A far too high learning rate spoils a trained network; its initial weights are kept."""
    good, tuned = tmp_path / "good", tmp_path / "tuned"
    printed = spoil(capsys, small_data, good, tuned, "--batch-size", "16")
    assert "2 epochs in" in printed
    assert "; no epoch was better than the start, which is kept: validation MAE" in printed
    before, after = (read_manifest(folder, TRAIN)["metrics"] for folder in (good, tuned))
    assert (after["best_epoch"], after["epochs"]) == (0, 2)
    assert after["val_mae_px"] == before["val_mae_px"]
    assert all(np.array_equal(x, y) for x, y in zip(weights(good), weights(tuned), strict=True))


def test_keep_last_keeps_the_last_epoch(small_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The second epoch with a far too high learning rate is worse than the start, and early stopping does not apply."""
    last = tmp_path / "last"
    printed = spoil(capsys, small_data, tmp_path / "good", last, "--keep", "last", "--patience", "1")
    assert "; the last is kept: validation MAE" in printed
    metrics = read_manifest(last, TRAIN)["metrics"]
    assert (metrics["best_epoch"], metrics["epochs"]) == (2, 2)
    history = list(csv.DictReader((last / "history.csv").open(encoding="utf-8")))
    assert metrics["val_mae_px"] == pytest.approx(float(history[2]["val_mae"]), abs=1e-4)
    assert metrics["val_mae_px"] > float(history[0]["val_mae"])
    val = arrays.load_split(small_data, "val", FACE15)
    found = decode(predict(load_model(last), val.images, FACE15), val.label_sources, output_points(FACE15)).coordinates
    assert np.abs(found - val.keypoints)[val.labelled].mean() == pytest.approx(metrics["val_mae_px"], rel=1e-5)


def test_early_stopping_counts_the_initial_weights_as_an_epoch(small_data: Path, tmp_path: Path) -> None:
    """No epoch is better than the trained network, so training stops after one, even if it is killed and resumed."""
    good = tmp_path / "good"
    main(["base", "--data", str(small_data), "--out", str(good), *QUICK])
    spoil = ["base", "--data", str(small_data), "--initial-weights", str(good), "--learning-rate", "0.5",
             "--batch-size", "16", "--epochs", "4", "--patience", "1"]  # fmt: skip
    main([*spoil, "--out", str(tmp_path / "uninterrupted")])
    assert train_process([*spoil, "--out", str(tmp_path / "killed")], KILLED_WHILE_THE_MODEL_IS_WRITTEN) == -9
    main([*spoil, "--out", str(tmp_path / "killed"), "--resume"])
    assert same(tmp_path / "uninterrupted", tmp_path / "killed")
    assert read_manifest(tmp_path / "killed", TRAIN)["metrics"]["epochs"] == 1


def test_run_killed_in_its_first_epoch_starts_over_with_or_without_resume(
    small_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It starts over with --resume, and also without it and with other settings."""
    run = ["base", "--data", str(small_data), *QUICK, "--seed", "5"]
    main([*run, "--out", str(tmp_path / "uninterrupted")])
    for name, flags, settings in (("a", ["--resume"], []), ("b", [], ["--epochs", "1"])):
        assert train_process([*run, "--out", str(tmp_path / name)], KILLED_IN_THE_FIRST_EPOCH) == -9
        assert (tmp_path / f"{name}.unfinished").is_dir()
        capsys.readouterr()
        main([*run, "--out", str(tmp_path / name), *flags, *settings])
        assert ("starting over: no epoch was finished\n" in capsys.readouterr().out) == bool(flags)
    assert same(tmp_path / "uninterrupted", tmp_path / "a")
    assert read_manifest(tmp_path / "b", TRAIN)["metrics"]["epochs"] == 1


def test_resume_needs_an_unfinished_run_with_the_same_settings(small_data: Path, tmp_path: Path) -> None:
    out = ["--data", str(small_data), "--out", str(tmp_path / "base")]
    with pytest.raises(InputError, match="no unfinished run"):
        main(["base", *out, "--resume"])
    assert train_process(["base", *out, *QUICK], KILLED_IN_THE_MIDDLE_OF_AN_EPOCH) == -9
    with pytest.raises(InputError, match=r"holds an unfinished run of 2 epochs"):
        main(["base", *out, *QUICK])
    with pytest.raises(InputError, match=r"was started with epochs 3, not 1"):
        main(["base", *out, *QUICK, "--epochs", "1", "--resume"])
    main(["base", *out, *QUICK, "--epochs", "1", "--resume", "--restart"])
    assert read_manifest(tmp_path / "base", TRAIN)["metrics"]["epochs"] == 1


@pytest.mark.any_backend
def test_diverging_run_is_reported_and_leaves_no_files(small_data: Path, tmp_path: Path) -> None:
    run = ["base", "--data", str(small_data), "--out", str(tmp_path / "base"), *QUICK, "--epochs", "1"]
    with pytest.raises(InputError, match=r"diverged in epoch 1.*lower --learning-rate"):
        main([*run, "--learning-rate", "1e20"])
    assert list(tmp_path.iterdir()) == []
    main(run)


def test_network_that_predicts_nan_before_training_is_rejected(small_data: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.py"
    own.write_text(OWN.replace("Dense(2 * keypoints)", "Dense(2 * keypoints, bias_initializer=NAN)")
                   + "\nNAN = keras.initializers.Constant(float('nan'))\n", encoding="utf-8")  # fmt: skip
    with pytest.raises(InputError, match="own: predicts values that are not finite before training"):
        main([str(own), "--data", str(small_data), "--out", str(tmp_path / "out"), *QUICK])
    assert list(tmp_path.iterdir()) == [own]


def test_out_must_not_replace_an_input_or_the_output_of_another_stage(small_data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="and would be replaced"):
        main(["base", "--data", str(small_data), "--out", str(small_data)])
    other = tmp_path / "data"
    shutil.copytree(small_data, other)
    with pytest.raises(InputError, match=r"was written by `python"):
        main(["base", "--data", str(small_data), "--out", str(other)])


def test_bad_data_folders_are_rejected(small_data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder; make it with"):
        main(["base", "--data", str(tmp_path / "none"), "--out", str(tmp_path / "out")])
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in small_data.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    (copy / "val_keypoints.npy").rename(copy / "moved.npy")
    with pytest.raises(InputError, match=r"val_keypoints\.npy: is missing"):
        main(["base", "--data", str(copy), "--out", str(tmp_path / "out")])
    (copy / "moved.npy").rename(copy / "val_keypoints.npy")
    manifest = json.loads((small_data / "manifest.json").read_text(encoding="utf-8"))
    manifest["keypoint_set"]["mirror"] = [["ears", "nose_tip"]]
    (copy / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(InputError, match=r"manifest\.json: mirror has 'ears'"):
        main(["base", "--data", str(copy), "--out", str(tmp_path / "out")])
    assert not list(tmp_path.glob("*out*"))


def test_model_file_contains_no_optimizer_state(small_data: Path, tmp_path: Path) -> None:
    main(["base", "--data", str(small_data), "--out", str(tmp_path / "base"), *QUICK, "--epochs", "1"])
    weights_bytes = 4 * read_manifest(tmp_path / "base", TRAIN)["metrics"]["parameters"]
    with zipfile.ZipFile(tmp_path / "base" / "model.keras") as archive:
        assert sum(entry.file_size for entry in archive.infolist()) < 1.2 * weights_bytes


@pytest.fixture(scope="module")
def v2_command(data_48: Path, extra_48: Path) -> list[str]:
    """The arguments that train a small v2 on two data folders, without `--out`."""
    return ["v2", "--data", str(data_48), "--extra-data", str(extra_48), *QUICK, *NARROW, "--seed", "5"]


@pytest.fixture(scope="module")
def v2_folder(v2_command: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model folder that this command writes."""
    out = tmp_path_factory.mktemp("models") / "v2"
    main([*v2_command, "--out", str(out)])
    return out


@pytest.mark.long
def test_v2_killed_and_resumed_gives_the_uninterrupted_result(
    v2_command: list[str], v2_folder: Path, tmp_path: Path
) -> None:
    interrupted = [*v2_command, "--out", str(tmp_path / "v2")]
    assert train_process(interrupted, KILLED_IN_THE_MIDDLE_OF_AN_EPOCH) == -9
    assert not (tmp_path / "v2").exists()
    main([*interrupted, "--resume"])
    assert same(v2_folder, tmp_path / "v2")
    calibrated = [
        keras.saving.load_model(folder / "model.keras", compile=False).get_layer("log_expected_error").get_config()
        for folder in (v2_folder, tmp_path / "v2")
    ]
    assert calibrated[0] == calibrated[1]


@pytest.mark.long
def test_early_stopping_keeps_its_count_when_a_run_is_resumed(small_data: Path, tmp_path: Path) -> None:
    """The learning rate is far too high: no later epoch is as good as the best one, and three of them end training."""
    run = ["base", "--data", str(small_data), "--epochs", "20", "--patience", "3", "--seed", "1"]
    run += ["--batch-size", "16", "--schedule", "constant", "--learning-rate", "0.05", "--loss", "mae"]
    uninterrupted, killed = tmp_path / "uninterrupted", tmp_path / "killed"
    main([*run, "--out", str(uninterrupted)])
    metrics = read_manifest(uninterrupted, TRAIN)["metrics"]
    assert metrics["epochs"] == metrics["best_epoch"] + 3 < 20
    assert train_process([*run, "--out", str(killed)], KILLED_IN_THE_MIDDLE_OF_AN_EPOCH) == -9
    assert train_process([*run, "--out", str(killed), "--resume"], KILLED_WHILE_THE_MODEL_IS_WRITTEN) == -9
    main([*run, "--out", str(killed), "--resume"])  # training is finished, only the files are missing
    assert same(uninterrupted, killed)


OWN = """
import keras

def build(input_shape, keypoints, filters: int = 4, dense: bool = True):
    images = keras.Input(input_shape)
    x = keras.layers.Rescaling(1 / 255)(images)
    x = keras.layers.Conv2D(filters, 5, strides=4, activation="relu")(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Dropout(0.2)(keras.layers.Flatten()(x))
    x = keras.layers.Dense(2 * keypoints)(x)
    return keras.Model(images, keras.layers.Reshape((keypoints, 2))(x))
"""


@pytest.mark.long
@pytest.mark.any_backend
def test_custom_network_file_trains_and_resumes(small_data: Path, tmp_path: Path) -> None:
    own, out, killed = tmp_path / "own.py", tmp_path / "models" / "own", tmp_path / "models" / "killed"
    own.write_text(OWN, encoding="utf-8")
    run = [str(own), "--data", str(small_data), *QUICK, "--filters", "6", "--no-dense"]
    main([*run, "--out", str(out)])
    manifest = read_manifest(out, TRAIN)
    assert manifest["parameters"]["options"] == {"filters": 6, "dense": False}
    assert str(own) in manifest["code"]
    assert manifest["model"]["keypoint_set"]["name"] == "face15"
    assert manifest["model"]["expected_error"] is False
    assert manifest["model"]["output_points"] == {"complete": list(range(15))}
    assert manifest["model"]["crop"]["height_px"] == 32
    assert keras.saving.load_model(out / "model.keras", compile=False).layers[2].filters == 6
    assert (
        train_process([*run, "--out", str(killed)], KILLED_IN_THE_MIDDLE_OF_AN_EPOCH) == -9
    )  # batch statistics and random states matter too
    main([*run, "--out", str(killed), "--resume"])
    assert same(out, killed)


def test_resume_is_rejected_if_the_code_changed(small_data: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.py"
    own.write_text(OWN, encoding="utf-8")
    run = [str(own), "--data", str(small_data), *QUICK, "--out", str(tmp_path / "out")]
    assert train_process(run, KILLED_IN_THE_MIDDLE_OF_AN_EPOCH) == -9
    own.write_text(OWN.replace("Dropout(0.2)", "Dropout(0.3)"), encoding="utf-8")
    with pytest.raises(InputError, match=r"was started before .*own\.py changed; start over with --restart"):
        main([*run, "--resume"])


def test_build_argument_with_the_name_of_a_common_option_keeps_its_default(small_data: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.py"
    own.write_text(OWN.replace("filters: int = 4", "filters: int = 4, weight_decay: float = 0.5"), encoding="utf-8")
    main([str(own), "--data", str(small_data), *QUICK, "--epochs", "1", "--out", str(tmp_path / "out")])
    assert read_manifest(tmp_path / "out", TRAIN)["parameters"]["options"] == {}


def test_options_that_the_network_does_not_have_are_rejected(
    small_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["base", "--width", "0.5", "--data", str(small_data)])
    assert stopped.value.code == 2
    assert "--width" in capsys.readouterr().err


def test_help_shows_the_options_of_the_network(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    assert "--width" not in capsys.readouterr().out
    with pytest.raises(SystemExit, match="0"):
        main(["v2", "--help"])
    assert "--width WIDTH" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "recipe", "epochs"),
    [([], "default", 40), (["v2"], "v2", 80), (["base", "--recipe", "published"], "published", 200)],
)
def test_help_shows_the_values_of_the_recipe(
    arguments: list[str], recipe: str, epochs: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([*arguments, "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert f"the network's own, here {recipe}" in shown
    assert f"maximum number of epochs (default: {epochs})" in shown


@pytest.mark.any_backend
def test_train_function_gives_the_same_model_as_the_command(small_data: Path, tmp_path: Path) -> None:
    """Recipe values and options of the network are keyword arguments with the defaults of the flags."""
    by_python = train("base", data=str(small_data), out=str(tmp_path / "python"), epochs=1, seed=5)
    main(["base", "--data", str(small_data), "--out", str(tmp_path / "command"), "--epochs", "1", "--seed", "5"])
    assert same(by_python, tmp_path / "command")
    own = tmp_path / "own.py"
    own.write_text(OWN, encoding="utf-8")
    main([str(own), "--data", str(small_data), "--out", str(tmp_path / "file"), "--epochs", "1", "--filters", "6"])
    function: dict[str, Any] = {}
    exec(OWN, function)  # as a cell of a notebook does
    by_function = train(function["build"], small_data, tmp_path / "function", epochs=1, filters=6)
    assert same(by_function, tmp_path / "file")
    assert read_manifest(by_function, TRAIN)["parameters"]["options"] == {"filters": 6}


def test_invalid_values_are_rejected_before_data_is_read(tmp_path: Path) -> None:
    values: list[tuple[dict[str, Any], str]] = [
        ({"epochs": 0}, "--epochs 0: give a positive number$"),
        ({"weight_decay": -1.0}, "--weight-decay -1.0: give a positive number or 0"),
        ({"loss": "l0"}, "--loss l0: no such choice"),
        ({"recipe": "fast"}, "--recipe fast: no such recipe; give one of default, published, v2"),
    ]
    for value, message in values:
        with pytest.raises(InputError, match=message):
            train("base", tmp_path / "none", tmp_path / "out", **value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.any_backend
def test_callbacks_get_every_hook_with_validation_metrics(small_data: Path, tmp_path: Path) -> None:
    hooks: list[str] = []

    class Watch(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_begin(self, logs: Any = None) -> None:
            hooks.append("begin")

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            hooks.append("batch")

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            hooks.append(f"epoch {epoch}: {', '.join(sorted(logs))}")

        def on_train_end(self, logs: Any = None) -> None:
            hooks.append("end")

    out = train("base", data=small_data, out=tmp_path / "base", epochs=2, batch_size=32, callbacks=[Watch()])
    seen = "loss, mae, val_loss, val_mae"
    assert hooks == ["begin", "batch", "batch", f"epoch 0: {seen}", "batch", "batch", f"epoch 1: {seen}", "end"]
    assert out == tmp_path / "base"
    assert read_manifest(out, TRAIN)["parameters"]["recipe"] == "default"


@pytest.mark.any_backend
def test_mixed_precision_is_used_in_training_only(small_data: Path, tmp_path: Path) -> None:
    """The network in training has it; the saved model and the caller's layers do not."""
    trained: list[str] = []

    class Watch(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_begin(self, logs: Any = None) -> None:
            trained.append(self.model.get_layer("dense").dtype_policy.name)

    def fails(input_shape: tuple[int, int, int], keypoints: int) -> keras.Model:
        raise ValueError(keras.config.dtype_policy().name)

    recipe = resolve("base", None, {"epochs": 1, "precision": "mixed_bfloat16"})
    config = core.TrainingConfig("base", recipe, small_data)
    kept = core.train(config, tmp_path / "base", callbacks=[Watch()])
    assert trained == ["mixed_bfloat16"]
    assert kept.get_layer("dense").dtype_policy.name == "float32"
    assert keras.config.dtype_policy().name == "float32"
    with pytest.raises(InputError, match="mixed_bfloat16"):
        core.train(core.TrainingConfig(fails, recipe, small_data), tmp_path / "none")
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.any_backend
def test_v2_saves_the_validated_weights_with_a_calibrated_expected_error(
    data_48: Path, extra_48: Path, v2_folder: Path
) -> None:
    model = keras.saving.load_model(v2_folder / "model.keras", compile=False)
    val = load_data(data_48, extra_48, "by_source").val
    predicted = model.predict(val.images, verbose=0)
    assert predicted.shape == (8, 17, 3)
    counts = val.weights > 0
    error = np.abs(predicted[..., :2] - val.points).mean(axis=-1)[counts]
    manifest = read_manifest(v2_folder, TRAIN)
    assert error.mean() == pytest.approx(manifest["metrics"]["val_mae_px"], abs=1e-3)
    assert (error / predicted[counts, 2]).mean() == pytest.approx(1, abs=1e-3)
    assert manifest["parameters"]["recipe"] == "v2"
    hashes = {
        name: arrays.data_hash(arrays.load_data_manifest(f))
        for name, f in (("data", data_48), ("extra_data", extra_48))
    }
    assert manifest["inputs"] == hashes


def test_extra_data_adds_training_faces_and_no_validation_faces(data_48: Path, extra_48: Path) -> None:
    alone, both = (load_data(data_48, more, "by_source") for more in (None, extra_48))
    assert (len(alone.train.images), len(both.train.images)) == (64, 84)
    assert np.array_equal(both.train.images[:64], alone.train.images)
    assert np.array_equal(both.train.images[64:], arrays.load_split(extra_48, "test").images)
    assert np.array_equal(both.val.images, alone.val.images)


def test_an_image_in_both_folders_is_used_once(data_48: Path, extra_48: Path, tmp_path: Path) -> None:
    train_part = arrays.load_split(data_48, "train")
    again = write_data(tmp_path / "again", {**arrays.load_splits(extra_48), "train": train_part})
    assert len(load_data(data_48, again, "by_source").train.images) == 84


def test_extra_data_with_validation_or_test_images_is_rejected(
    data_48: Path, extra_48: Path, small_data: Path, tmp_path: Path
) -> None:
    others = arrays.load_splits(extra_48)
    for split in ("val", "test"):
        part = arrays.load_split(data_48, split)
        leaky = write_data(tmp_path / split, {**others, "train": part})
        message = rf"row {part.rows[0]} and 7 more are validation or test images"
        with pytest.raises(InputError, match=message) as error:
            main(["v2", "--data", str(data_48), "--extra-data", str(leaky), "--out", str(tmp_path / "out")])
        assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="has images of 48x48x1, the data folder of 32x32x1"):
        main(["base", "--data", str(small_data), "--extra-data", str(extra_48), "--out", str(tmp_path / "out")])
    assert not list(tmp_path.glob("*out*"))


def test_extra_data_with_people_of_validation_or_test_is_rejected(tmp_path: Path) -> None:
    """Not even in other images: the same seed draws the same people for another count."""
    data, extra = tmp_path / "data", tmp_path / "extra"
    prepare.main(["synthetic", "--count", "60", "--out", str(data)])
    more = ["synthetic", "--count", "80", "--split", "all-test", "--out", str(extra)]
    prepare.main(more)
    with pytest.raises(InputError, match=r"people \(or photos\) in val or test of .* is drawn:0:\d+; .* --leave-out"):
        load_data(data, extra, "masked")
    prepare.main([*more, "--leave-out", str(data)])
    assert len(load_data(data, extra, "masked").train.images) > len(load_data(data, None, "masked").train.images)


def test_resume_without_the_extra_data_is_rejected(data_48: Path, extra_48: Path, tmp_path: Path) -> None:
    run = ["v2", *NARROW, "--batch-size", "16", "--epochs", "3", "--data", str(data_48), "--out", str(tmp_path / "v2")]
    assert train_process([*run, "--extra-data", str(extra_48)], KILLED_IN_THE_MIDDLE_OF_AN_EPOCH) == -9
    with pytest.raises(InputError, match=r"was started with .*extra_data \w+, not None"):
        main([*run, "--resume"])


def test_label_sources_have_own_output_points_only_if_all_of_them_have_labels(
    data_48: Path, extra_48: Path, tmp_path: Path
) -> None:
    parts = arrays.load_splits(data_48)
    one = {
        split: dataclasses.replace(part, label_sources=np.zeros_like(part.label_sources))
        for split, part in parts.items()
    }
    alone = load_data(write_data(tmp_path / "one", one), None, "by_source")
    assert alone.label_sources == (0,)
    assert alone.train.points.shape[1] == 15

    both = load_data(tmp_path / "one", extra_48, "by_source")
    assert both.label_sources == (0, 1)
    assert both.train.points.shape[1] == both.val.points.shape[1] == 17
    second = arrays.load_split(extra_48, "test").label_sources == 1
    assert np.array_equal(both.train.weights[64:, 15] > 0, second)


def test_faces_of_one_label_source_have_no_further_output_points(tmp_path: Path) -> None:
    """All their labels are of output points of their own; without other faces these are simply the 68 keypoints."""
    n = np.arange(12)
    keypoints = np.random.default_rng(0).uniform(0, 31, (12, 68, 2)).astype(np.float32)
    frames = Split(np.zeros((12, 32, 32, 1), np.uint8), keypoints, np.ones((12, 68), bool), n, n, np.ones_like(n))
    parts = {split: frames.only(frames.rows % 3 == k) for k, split in enumerate(("train", "val", "test"))}
    data = load_data(write_data(tmp_path / "frames", parts, FACE68), None, "by_source")
    assert data.label_sources == (0,)
    assert data.train.weights.all()
    assert data.train.points.shape[1] == 68


def test_keypoint_without_a_training_label_is_rejected(data_48: Path, tmp_path: Path) -> None:
    parts = arrays.load_splits(data_48)
    labelled = parts["train"].labelled.copy()
    labelled[:, FACE15.index("left_eye_outer_corner")] = False
    unlabelled = write_data(
        tmp_path / "unlabelled", {**parts, "train": dataclasses.replace(parts["train"], labelled=labelled)}
    )
    with pytest.raises(InputError, match="no training face has a label of"):
        main(["v2", "--data", str(unlabelled), "--out", str(tmp_path / "out")])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["base", "--loss", "laplace"], "--loss laplace: base does not predict an expected error"),
        (["v2", "--recipe", "default"], "--loss mae: ignores the expected error of v2"),
        (["v2", "--flip-epochs-fraction", "2"], "--flip-epochs-fraction 2.0: give a fraction from 0 to 1"),
        (
            ["v2", "--schedule", "constant", "--warmup-epochs", "1"],
            "--warmup-epochs: a constant learning rate has no warmup",
        ),
        (["nothing"], "nothing: no such network; give one of base, .*v2"),
    ],
)
def test_options_that_contradict_each_other_are_rejected(
    arguments: list[str], message: str, data_48: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message) as error:
        main([*arguments, "--data", str(data_48), "--out", str(tmp_path / "out")])
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_images_too_small_for_the_network_are_rejected(small_data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="it takes sides from 48 to 256 px"):
        main(["v2", "--data", str(small_data), "--out", str(tmp_path / "out")])


def test_damaged_state_is_rejected_and_restart_discards_it(small_data: Path, tmp_path: Path) -> None:
    out = ["--data", str(small_data), "--out", str(tmp_path / "base")]
    assert train_process(["base", *out, *QUICK], KILLED_IN_THE_MIDDLE_OF_AN_EPOCH) == -9
    state = tmp_path / "base.unfinished" / "state.npz"
    state.write_bytes(state.read_bytes()[:5000])
    with pytest.raises(InputError, match=r"state\.npz: is damaged or altered; start over with --resume --restart"):
        main(["base", *out, *QUICK, "--resume"])
    main(["base", *out, *QUICK, "--epochs", "1", "--resume", "--restart"])


@pytest.mark.any_backend
def test_tensorboard_writes_logs_or_reports_that_tensorflow_is_missing(small_data: Path, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    arguments = ["base", "--data", str(small_data), "--out", str(tmp_path / "out"), *QUICK, "--tensorboard", str(logs)]
    if importlib.util.find_spec("tensorflow") is None:
        with pytest.raises(InputError, match="--tensorboard: Keras needs TensorFlow"):
            main(arguments)
    else:
        main(arguments)
        assert any(logs.rglob("events.*"))

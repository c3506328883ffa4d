"""The training stage, run as a user runs it: the folder it leaves, seeds, kills and resumes, bad input."""

import csv
import dataclasses
import json
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
from data_prep import arrays
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15
from tests.conftest import ROOT
from tests.training.conftest import write_data
from training.inputs import load_data
from training.train import build, main, parser

QUICK = ["--epochs", "3", "--learning-rate", "1e-3", "--batch-size", "16"]
NARROW = ["--width", "0.34"]  # a v2 of a tenth of its parameters

# Each program really kills itself, as `kill -9` would, at a moment that is hard to hit from outside.
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
    if self.epoch == 2 and number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(self, number)
Batches.__getitem__ = deadly
"""
KILLED_WHILE_THE_MODEL_IS_WRITTEN = """
import training.train
training.train.draw = lambda model, path: os.kill(os.getpid(), signal.SIGKILL)
"""
PROGRAM = """
import os, signal, sys
{preparation}
from training.train import main
main(sys.argv[1:])
"""


def train(arguments: list[str], preparation: str = "") -> int:
    command = [sys.executable, "-c", PROGRAM.format(preparation=preparation), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode


def weights(folder: Path) -> list[Any]:
    return list(keras.saving.load_model(folder / "model.keras", compile=False).get_weights())


def same(a: Path, b: Path) -> bool:
    """The weights bit for bit, and every figure of every epoch."""
    equal = all(np.array_equal(x, y) for x, y in zip(weights(a), weights(b), strict=True))
    return equal and (a / "history.csv").read_bytes() == (b / "history.csv").read_bytes()


def test_a_run_killed_three_times_ends_where_the_unbroken_run_ends(small_data: Path, tmp_path: Path) -> None:
    unbroken, killed = tmp_path / "unbroken", tmp_path / "killed"
    common = ["base", "--data", str(small_data), *QUICK, "--seed", "5"]
    assert train([*common, "--out", str(unbroken)]) == 0

    broken = [*common, "--out", str(killed)]
    assert train(broken, KILLED_IN_THE_MIDDLE_OF_A_SAVE) == -9
    assert not killed.exists()
    assert train([*broken, "--resume"], KILLED_IN_THE_MIDDLE_OF_AN_EPOCH) == -9
    assert train([*broken, "--resume"], KILLED_WHILE_THE_MODEL_IS_WRITTEN) == -9
    assert not killed.exists()
    assert train([*broken, "--resume"]) == 0
    assert same(unbroken, killed)
    figures = [read_manifest(folder, "train")["figures"] for folder in (unbroken, killed)]
    assert figures[0]["best_epoch"] == figures[1]["best_epoch"]
    assert {p.name for p in tmp_path.iterdir() if not p.name.startswith(".")} == {"unbroken", "killed"}


def test_the_folder_a_run_leaves(small_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, logs = tmp_path / "v1", tmp_path / "logs"
    main(["v1", "--data", str(small_data), "--out", str(out), *QUICK, "--tensorboard", str(logs)])
    assert sorted(p.name for p in out.iterdir()) == [
        "history.csv",
        "loss_curves.png",
        "manifest.json",
        "model.keras",
        "network.png",
        "summary.txt",
    ]
    manifest = read_manifest(out, "train")
    assert manifest["inputs"] == {"data": arrays.data_hash(arrays.load_data_manifest(small_data))}
    assert manifest["figures"]["epochs"] == 3
    assert manifest["parameters"]["learning_rate"] == 1e-3
    with (out / "history.csv").open() as file:
        history = list(csv.DictReader(file))
    assert list(history[0]) == ["epoch", "loss", "mae", "val_loss", "val_mae"]
    assert float(history[2]["mae"]) < float(history[0]["mae"])
    assert any(logs.rglob("events.*"))
    assert f"v1: {manifest['figures']['parameters']:,} parameters, 64 faces" in capsys.readouterr().out

    model = keras.saving.load_model(out / "model.keras", compile=False)
    val = arrays.load_part(small_data, "val")
    predicted = model.predict(val.images, verbose=0)
    measured = np.abs(predicted - val.keypoints)[val.labelled].mean()
    assert measured == pytest.approx(manifest["figures"]["val_mae_px"], abs=1e-3)


def test_a_seed_gives_one_result_and_another_seed_another(small_data: Path, tmp_path: Path) -> None:
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        main(["base", "--data", str(small_data), "--out", str(tmp_path / name), *QUICK, "--seed", seed])
    assert same(tmp_path / "a", tmp_path / "b")
    assert not same(tmp_path / "a", tmp_path / "c")

    # Initial weights are where training starts: a step too small to matter leaves them where they are.
    start = ["--initial-weights", str(tmp_path / "a" / "model.keras"), "--learning-rate", "1e-12", "--epochs", "1"]
    main(["base", "--data", str(small_data), "--out", str(tmp_path / "d"), *start])
    assert all(
        np.allclose(x, y, atol=1e-6) for x, y in zip(weights(tmp_path / "a"), weights(tmp_path / "d"), strict=True)
    )
    with pytest.raises(InputError, match="holds no weights that fit v1"):
        main(["v1", "--data", str(small_data), "--out", str(tmp_path / "e"), *start])


def test_resuming_needs_an_unfinished_run_with_the_same_settings(small_data: Path, tmp_path: Path) -> None:
    out = ["--data", str(small_data), "--out", str(tmp_path / "base")]
    with pytest.raises(InputError, match="no unfinished run"):
        main(["base", *out, "--resume"])
    assert train(["base", *out, *QUICK], KILLED_IN_THE_MIDDLE_OF_AN_EPOCH) == -9
    with pytest.raises(InputError, match=r"holds an unfinished run of 2 epochs"):
        main(["base", *out, *QUICK])
    with pytest.raises(InputError, match=r"was started with epochs 3, not 1"):
        main(["base", *out, *QUICK, "--epochs", "1", "--resume"])
    main(["base", *out, *QUICK, "--epochs", "1", "--resume", "--restart"])
    assert read_manifest(tmp_path / "base", "train")["figures"]["epochs"] == 1


def test_a_run_that_diverges_says_so(small_data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"diverged in epoch 1.*lower --learning-rate"):
        main(["base", "--data", str(small_data), "--out", str(tmp_path / "base"), *QUICK, "--learning-rate", "1e20"])


def test_a_stage_never_deletes_what_it_reads_or_what_another_wrote(small_data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="which is read, and would be replaced"):
        main(["base", "--data", str(small_data), "--out", str(small_data)])
    other = tmp_path / "data"
    shutil.copytree(small_data, other)
    with pytest.raises(InputError, match=r"was written by `python -m data_prep\.prepare"):
        main(["base", "--data", str(small_data), "--out", str(other)])


def test_bad_data_folders_are_told_in_one_line(small_data: Path, tmp_path: Path) -> None:
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
    manifest = json.loads((small_data / "manifest.json").read_text())
    manifest["parameters"]["keypoint_set"] = "ears"
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="ears"):
        main(["base", "--data", str(copy), "--out", str(tmp_path / "out")])
    assert not list(tmp_path.glob("*out*"))


def test_a_model_file_holds_no_optimiser(small_data: Path, tmp_path: Path) -> None:
    main(["base", "--data", str(small_data), "--out", str(tmp_path / "base"), *QUICK, "--epochs", "1"])
    weights_bytes = 4 * read_manifest(tmp_path / "base", "train")["figures"]["parameters"]
    with zipfile.ZipFile(tmp_path / "base" / "model.keras") as archive:
        assert sum(entry.file_size for entry in archive.infolist()) < 1.2 * weights_bytes


@pytest.fixture(scope="module")
def v2_command(data_48: Path, more_48: Path) -> list[str]:
    """How a small v2 is trained on two data folders, all but `--out`."""
    return ["v2", "--data", str(data_48), "--more", str(more_48), *QUICK, *NARROW, "--seed", "5"]


@pytest.fixture(scope="module")
def v2_folder(v2_command: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model folder that this command leaves."""
    out = tmp_path_factory.mktemp("models") / "v2"
    main([*v2_command, "--out", str(out)])
    return out


def test_the_running_mean_of_the_weights_survives_a_kill(
    v2_command: list[str], v2_folder: Path, tmp_path: Path
) -> None:
    broken = [*v2_command, "--out", str(tmp_path / "v2")]
    assert train(broken, KILLED_IN_THE_MIDDLE_OF_AN_EPOCH) == -9
    assert not (tmp_path / "v2").exists()
    with np.load(tmp_path / "v2.unfinished" / "state.npz") as state:
        mean, latest = state["average_0"], state["variable_0"]
    assert not np.array_equal(mean, latest)
    main([*broken, "--resume"])
    assert same(v2_folder, tmp_path / "v2")
    sigmas = [
        keras.saving.load_model(folder / "model.keras", compile=False).get_layer("log_sigma").get_config()
        for folder in (v2_folder, tmp_path / "v2")
    ]
    assert sigmas[0] == sigmas[1]


def test_v2_keeps_what_was_validated_with_a_sigma_that_fits_its_validation_errors(
    data_48: Path, more_48: Path, v2_folder: Path
) -> None:
    model = keras.saving.load_model(v2_folder / "model.keras", compile=False)
    val = load_data(data_48, more_48, "marks").val
    predicted = model.predict(val.images, verbose=0)
    assert predicted.shape == (8, 17, 3)
    counts = val.weights > 0
    error = np.abs(predicted[..., :2] - val.points).mean(axis=-1)[counts]
    manifest = read_manifest(v2_folder, "train")
    assert error.mean() == pytest.approx(manifest["figures"]["val_mae_px"], abs=1e-3)
    assert (error / predicted[counts, 2]).mean() == pytest.approx(1, abs=1e-3)
    assert manifest["parameters"]["recipe"] == "v2"
    hashes = {
        name: arrays.data_hash(arrays.load_data_manifest(f)) for name, f in (("data", data_48), ("more", more_48))
    }
    assert manifest["inputs"] == hashes


def test_the_faces_of_a_second_folder_train_and_none_of_them_validates(data_48: Path, more_48: Path) -> None:
    alone, both = (load_data(data_48, more, "marks") for more in (None, more_48))
    assert (len(alone.train.images), len(both.train.images)) == (64, 84)
    assert np.array_equal(both.train.images[:64], alone.train.images)
    assert np.array_equal(both.train.images[64:], arrays.load_part(more_48, "test").images)
    assert np.array_equal(both.val.images, alone.val.images)


def test_a_picture_of_both_folders_trains_once(data_48: Path, more_48: Path, tmp_path: Path) -> None:
    train_part = arrays.load_part(data_48, "train")
    again = write_data(tmp_path / "again", {**arrays.load_parts(more_48), "train": train_part})
    assert len(load_data(data_48, again, "marks").train.images) == 84


def test_held_out_pictures_may_not_come_back_by_the_second_folder(
    data_48: Path, more_48: Path, small_data: Path, tmp_path: Path
) -> None:
    others = arrays.load_parts(more_48)
    for split in ("val", "test"):
        part = arrays.load_part(data_48, split)
        leaky = write_data(tmp_path / split, {**others, "train": part})
        message = rf"row {part.rows[0]} and 7 more are validation or test pictures"
        with pytest.raises(InputError, match=message) as error:
            main(["v2", "--data", str(data_48), "--more", str(leaky), "--out", str(tmp_path / "out")])
        assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="has pictures of 48x48x1, the data folder of 32x32x1"):
        main(["base", "--data", str(small_data), "--more", str(more_48), "--out", str(tmp_path / "out")])
    assert not list(tmp_path.glob("*out*"))


def test_faces_cut_for_another_split_are_refused(data_48: Path, more_48: Path, tmp_path: Path) -> None:
    """Their people were kept apart from the validation and test faces of that split, not of this one."""
    shutil.copytree(more_48, tmp_path / "more")
    for like, fits in ((arrays.data_hash(arrays.load_data_manifest(data_48)), True), ("another", False)):
        manifest = json.loads((more_48 / "manifest.json").read_text())
        manifest["inputs"]["like"] = like
        (tmp_path / "more" / "manifest.json").write_text(json.dumps(manifest))
        if fits:
            load_data(data_48, tmp_path / "more", "marks")
        else:
            with pytest.raises(InputError, match="cut for another split"):
                load_data(data_48, tmp_path / "more", "marks")


def test_a_run_begun_with_more_faces_does_not_go_on_without_them(data_48: Path, more_48: Path, tmp_path: Path) -> None:
    run = ["v2", *NARROW, "--batch-size", "16", "--epochs", "3", "--data", str(data_48), "--out", str(tmp_path / "v2")]
    assert train([*run, "--more", str(more_48)], KILLED_IN_THE_MIDDLE_OF_AN_EPOCH) == -9
    with pytest.raises(InputError, match=r"was started with .*more \w+, not None"):
        main([*run, "--resume"])


def test_where_one_source_marked_all_faces_v2_learns_its_marks_alone(
    data_48: Path, more_48: Path, tmp_path: Path
) -> None:
    parts = arrays.load_parts(data_48)
    one = {split: dataclasses.replace(part, sources=np.zeros_like(part.sources)) for split, part in parts.items()}
    folder = write_data(tmp_path / "one", one)
    alone = load_data(folder, None, "marks")
    assert (alone.labels, alone.mirror) == ("masked", FACE15.mirror)
    assert build(parser().parse_args(["v2", *NARROW]), alone, None).output_shape == (None, 15, 3)

    # A second folder with both sources must not teach the nose as what lies between their two noses.
    both = load_data(folder, more_48, "marks")
    assert (both.labels, both.mirror) == ("marks", FACE15.mark_mirror)
    assert both.train.points.shape[1] == both.val.points.shape[1] == 17
    second = arrays.load_part(more_48, "test").sources == 1
    assert np.array_equal(both.train.weights[64:, 15] > 0, second)


def test_a_keypoint_without_a_training_label_is_told(data_48: Path, tmp_path: Path) -> None:
    parts = arrays.load_parts(data_48)
    labelled = parts["train"].labelled.copy()
    labelled[:, FACE15.index("left_eye_outer_corner")] = False
    blind = write_data(tmp_path / "blind", {**parts, "train": dataclasses.replace(parts["train"], labelled=labelled)})
    with pytest.raises(InputError, match="no training face has a label of"):
        main(["v2", "--data", str(blind), "--out", str(tmp_path / "out")])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["base", "--width", "0.5"], "--width: base has no such choice"),
        (["v1", "--head", "dense"], "--head: v1 has no such choice"),
        (["base", "--loss", "laplace"], "--loss laplace needs a network that predicts sigma"),
        (["v2", "--recipe", "default"], "--loss mse leaves the sigma of v2 untaught"),
        (["v2", "--unmirrored", "2"], "--unmirrored: a share is at most 1"),
        (["v2", "--average", "1.5"], "--average: the decay must be under 1"),
        (
            ["v2", "--schedule", "constant", "--warmup-epochs", "1"],
            "--warmup-epochs: a constant learning rate has none",
        ),
    ],
)
def test_choices_that_do_not_fit_the_network_are_told(
    arguments: list[str], message: str, data_48: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message) as error:
        main([*arguments, "--data", str(data_48), "--out", str(tmp_path / "out")])
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_pictures_too_small_for_a_network_are_told(small_data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"v2 cannot take pictures of 32 x 32 px \(it takes sides from 48 to 256 px\)"):
        main(["v2", "--data", str(small_data), "--out", str(tmp_path / "out")])

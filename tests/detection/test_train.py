"""A small training run of the face finder: its folder, resuming, ONNX files and bad input."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import pytest

from common.stage import read_manifest
from detection import export as exporting
from detection import mine
from detection import train as training
from detection.scenes import Scene
from detection.train import METRICS, TRAIN_FINDER, Recipe, main, train
from facial_keypoints import FaceFinder
from facial_keypoints.array_types import Float32
from facial_keypoints.errors import InputError
from facial_keypoints.pretrained import shipped
from tests.detection.scenes import write_scenes
from tests.facial_keypoints.drawn import drawn_faces

TINY = Recipe(epochs=2, pictures=4, val_pictures=4, batch_size=2, side_px=64)
tensorflow_only = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="Keras writes these files through TensorFlow only"
)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scenes(tmp_path_factory.mktemp("data") / "scenes")


@pytest.fixture(scope="module")
def trained(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("models") / "finder"
    train([str(scenes)], out, TINY)
    return out


def test_model_folder_holds_manifest_and_history(trained: Path, scenes: Path) -> None:
    manifest = read_manifest(trained, TRAIN_FINDER)
    assert set(manifest["files"]) == {"model.keras", "summary.txt", "history.csv"}
    assert manifest["parameters"]["epochs"] == 2
    assert list(manifest["inputs"]) == [str(scenes)]
    assert manifest["metrics"]["epochs"] == 2
    with (trained / "history.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert all(float(row[name]) > 0 for row in rows for name in METRICS)


@pytest.mark.long
def test_resumed_run_gives_the_same_weights(
    trained: Path, scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from training.callbacks import Checkpoint

    whole = Checkpoint.on_epoch_end

    def killed(self: Checkpoint, epoch: int, logs: dict[str, float]) -> None:
        whole(self, epoch, logs)
        raise KeyboardInterrupt

    out = tmp_path / "finder"
    monkeypatch.setattr(Checkpoint, "on_epoch_end", killed)
    with pytest.raises(KeyboardInterrupt):
        train([str(scenes)], out, TINY)
    monkeypatch.undo()
    with pytest.raises(InputError, match="holds an unfinished run of 1 epoch"):
        train([str(scenes)], out, TINY)
    resumed = train([str(scenes)], out, TINY, resume=True)
    expected = keras.saving.load_model(trained / "model.keras", compile=False)
    for one, other in zip(resumed.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epochs": 0}, "--epochs 0: give a value above 0"),
        ({"batch_size": -1}, "--batch-size -1: give a value above 0"),
        ({"side_px": 100}, "--side-px 100: give a multiple of 32"),
        ({"learning_rate": 1e9, "epochs": 3, "pictures": 8}, "diverged in epoch"),
    ],
)
def test_bad_recipe_is_refused_and_writes_nothing(
    scenes: Path, tmp_path: Path, values: dict[str, float], message: str
) -> None:
    recipe = Recipe(**{**vars(TINY), **values})
    with pytest.raises(InputError, match=message):
        train([str(scenes)], tmp_path / "out", recipe)
    assert not (tmp_path / "out").exists()


def test_command_line_trains_and_prints_the_validation_loss(
    scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers = ["--epochs", "1", "--pictures", "2", "--val-pictures", "2", "--batch-size", "2", "--side-px", "64"]
    main([str(scenes), "--out", str(tmp_path / "out"), *numbers])
    assert "validation loss" in capsys.readouterr().out


def assert_grids_of_keras(folder: Path) -> None:
    """Asserts that the ONNX files of a folder output the grids of its Keras file, whose values vary by 0.05 or more."""
    from training.int8 import onnx_outputs

    gray = cv2.cvtColor(drawn_faces(1, 1).picture, cv2.COLOR_RGB2GRAY)
    pictures = cv2.resize(gray, (160, 96))[None, ..., None].astype(np.float32)
    expected = keras.saving.load_model(folder / "model.keras", compile=False)(pictures, training=False)
    for name, tolerance in (("model.onnx", 1e-5), ("model_int8.onnx", 0.01)):
        for grid, of_keras in zip(onnx_outputs(folder / name, pictures), expected, strict=True):
            np.testing.assert_allclose(grid, of_keras, rtol=0, atol=tolerance)


@tensorflow_only
def test_export_writes_onnx_files_that_the_detector_runs(trained: Path, scenes: Path, tmp_path: Path) -> None:
    folder = tmp_path / "finder"
    shutil.copytree(trained, folder)
    lines = exporting.export(folder, str(scenes))
    assert [line.partition(":")[0] for line in lines] == [str(folder / f"model{end}.onnx") for end in ("", "_int8")]
    files = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["files"]
    assert {"model.keras", "model.onnx", "model_int8.onnx"} <= set(files)
    import onnx  # not in the environment of JAX

    constants = onnx.load(folder / "model.onnx").graph.initializer
    scaling = [constant.dims for constant in constants if "scaled_pictures" in constant.name]
    assert scaling == [[1, 1, 1, 1]] * 2  # plain numbers take half of the network's time in onnxruntime
    assert_grids_of_keras(folder)
    picture = drawn_faces(1, 1).picture
    for int8 in (False, True):
        boxes = FaceFinder(folder, int8=int8)(picture)
        assert boxes.xywh.shape == (len(boxes.scores), 4)
    (folder / "model.onnx").write_bytes(b"damaged")
    with pytest.raises(InputError, match="is cut off or altered"):
        FaceFinder(folder)


@tensorflow_only
def test_onnx_file_that_differs_from_keras_is_refused(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from training import int8

    folder = tmp_path / "finder"
    shutil.copytree(trained, folder)
    before = sorted(path.name for path in folder.iterdir())
    network = keras.saving.load_model(trained / "model.keras", compile=False)

    def shifted(_: Path, pictures: Float32) -> list[Float32]:
        first, *others = (np.asarray(grid) for grid in network(pictures, training=False))
        return [first + 0.02, *others]

    monkeypatch.setattr(keras.Model, "export", lambda *arguments, **named: None)
    monkeypatch.setattr(int8, "onnx_outputs", shifted)
    with pytest.raises(InputError, match=r"model\.onnx: differs from model\.keras by 0\.02 cells; nothing is written"):
        exporting.export(folder)
    assert sorted(path.name for path in folder.iterdir()) == before


@tensorflow_only
def test_training_can_start_from_and_mine_with_an_earlier_model(
    trained: Path, scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The earlier model has learned hardly anything, so with a very low score it finds false faces in any picture."""
    first = tmp_path / "first"
    shutil.copytree(trained, first)
    exporting.export(first)
    recipe = Recipe(**{**vars(TINY), "epochs": 1, "learning_rate": 1e-9})
    fit, used = training.fit, []

    def recording(model: keras.Model, scenes: list[Scene], *arguments: Any) -> None:
        used.extend(scenes)
        fit(model, scenes, *arguments)

    monkeypatch.setattr(mine, "MIN_SCORE", 1e-3)
    monkeypatch.setattr(training, "fit", recording)
    second = train([str(scenes)], tmp_path / "second", recipe, initial_weights=first, mine=first)
    expected = keras.saving.load_model(trained / "model.keras", compile=False)
    for one, other in zip(second.trainable_variables, expected.trainable_variables, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    assert [len(scene.hard) > 0 for scene in used] == [len(scene.points) == 0 for scene in used]
    (noise,) = (scene for scene in used if len(scene.hard))
    assert noise.file.name == "noise.png"


@tensorflow_only
def test_folder_without_a_face_finder_is_refused(trained: Path, scenes: Path, tmp_path: Path) -> None:
    folders = {
        tmp_path / "missing": "missing: no such folder",
        scenes: r"scenes: has no valid manifest\.json",
        shipped()["v2"]: "v2: was written by .*; make it with `python -m detection.train",
    }
    for folder, message in folders.items():
        for mined, weights in ((folder, None), (None, folder)):
            with pytest.raises(InputError, match=message):
                train([str(scenes)], tmp_path / "out", TINY, mine=mined, initial_weights=weights)
    with pytest.raises(InputError, match=r"model\.onnx: no such file; write it with `python -m detection\.export"):
        train([str(scenes)], tmp_path / "out", TINY, mine=trained)
    assert list(tmp_path.iterdir()) == []


@tensorflow_only
def test_export_of_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such folder"):
        exporting.export(tmp_path / "missing")

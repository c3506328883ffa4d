"""`model.onnx` is the same network as `model.keras`, says what it predicts, and the folder stays whole."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from common.stage import read_manifest
from facial_keypoints.errors import InputError
from facial_keypoints.spec import METADATA_KEY, from_json
from models.saved import load_model
from tests.models.folders import write_model_folder
from training import export

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="Keras writes ONNX files through TensorFlow alone"
)

OWN = """import keras

def build(input_shape, keypoints):
    images = keras.Input(input_shape, dtype="uint8")
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(images))
    x = keras.layers.Dense(2 * keypoints)(x)
    return keras.Model(images, keras.layers.Reshape((keypoints, 2))(x))
"""


def session_of(path: Path) -> Any:
    import onnxruntime

    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("network", ["base", "v2", "own"])
def test_the_onnx_file_gives_what_keras_gives_for_any_number_of_images(
    network: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own, folder = tmp_path / "own.py", tmp_path / "model"
    own.write_text(OWN)
    shape = (50, 70, 1) if network == "v2" else (48, 48, 3)  # v2 pads the first
    model = write_model_folder(folder, str(own) if network == "own" else network, sources=(0, 1), shape=shape)
    export.main([str(folder)])
    assert "model.onnx" in capsys.readouterr().out

    session = session_of(folder / "model.onnx")
    taken, given = session.get_inputs(), session.get_outputs()
    assert [(i.type, i.shape[1:]) for i in taken] == [("tensor(float)", list(shape))]
    assert [o.shape[1:] for o in given] == [list(model.output_shape[1:])]
    for count in (1, 5):
        images = np.random.default_rng(count).integers(0, 256, (count, *shape)).astype(np.uint8)
        (by_onnx,) = session.run(None, {taken[0].name: images.astype(np.float32)})
        np.testing.assert_allclose(by_onnx, model.predict(images, verbose=0), atol=0.01)


def test_the_onnx_file_says_what_the_network_predicts_as_the_manifest_does(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    write_model_folder(folder, sources=(0, 1))
    before = read_manifest(folder, "train")
    difference_px = export.export(folder)
    manifest = read_manifest(folder, "train")  # checks every file against its hash
    assert manifest["files"].keys() - before["files"].keys() == {"model.onnx"}
    assert manifest["metrics"]["onnx_difference_px"] == difference_px
    assert {key: manifest[key] for key in before if key not in ("files", "metrics")} == {
        key: before[key] for key in before if key not in ("files", "metrics")
    }
    metadata = session_of(folder / "model.onnx").get_modelmeta().custom_metadata_map
    assert json.loads(metadata[METADATA_KEY]) == manifest["model"]
    assert from_json(json.loads(metadata[METADATA_KEY]), "") == load_model(folder).spec


def test_a_network_that_would_predict_something_else_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "model"
    write_model_folder(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    run_onnx = export.run_onnx
    monkeypatch.setattr(export, "run_onnx", lambda path, images: run_onnx(path, images) + 0.02)
    with pytest.raises(InputError, match=r"model\.onnx: differs from model\.keras by 0\.02\d* px; nothing is written"):
        export.export(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_only_a_whole_model_folder_is_exported(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder; make it with"):
        export.main([str(tmp_path / "none")])
    write_model_folder(tmp_path / "model")
    bare = (tmp_path / "model" / "model.keras").rename(tmp_path / "bare.keras")
    with pytest.raises(InputError, match=r"bare\.keras: does not say what the network predicts; give a folder"):
        export.main([str(bare)])
    with pytest.raises(InputError, match=r"model\.keras: is missing"):
        export.main([str(tmp_path / "model")])

"""Each exported format predicts as `model.keras` does, and a failed export leaves the folder unchanged."""

import json
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from common.stage import read_manifest
from data_prep import prepare
from data_prep.synthetic import dataset
from facial_keypoints import Predictor
from facial_keypoints.errors import InputError
from facial_keypoints.spec import METADATA_KEY, from_json
from models import v2
from models.saved import TRAIN, load_model
from tests.conftest import ROOT
from tests.models.folders import write_model_folder
from training import export

V2 = ROOT / "artifacts" / "pretrained" / "v2"
tensorflow_only = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="Keras writes these files through TensorFlow alone"
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


@tensorflow_only
@pytest.mark.parametrize("network", ["base", "v2", "own"])
def test_onnx_file_predicts_as_keras_for_any_number_of_images(
    network: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own, folder = tmp_path / "own.py", tmp_path / "model"
    own.write_text(OWN, encoding="utf-8")
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
        np.testing.assert_allclose(by_onnx, model.predict(images, verbose=0), atol=1e-3)


@tensorflow_only
def test_products_per_output_point_are_replaced_without_changing_predictions() -> None:
    """In v2, only the layer that maps features to offsets and errors is such a product."""
    model = v2.build((48, 48, 1), keypoints=3)
    maps = model.get_layer("offsets_and_log_error")
    maps.set_weights([np.random.default_rng(0).normal(size=weight.shape) for weight in maps.get_weights()])
    exported = export.without_small_products(model)
    names = {layer.name for layer in exported.layers}
    assert {layer.name for layer in model.layers} - names == {maps.name}
    images = np.random.default_rng(1).integers(0, 256, (4, 48, 48, 1)).astype(np.uint8)
    np.testing.assert_allclose(exported.predict(images, verbose=0), model.predict(images, verbose=0), rtol=1e-4)


@tensorflow_only
def test_replaced_products_may_have_an_activation_and_no_bias() -> None:
    inputs = keras.Input((3, 4))
    maps = keras.layers.EinsumDense("nmf,mfd->nmd", (3, 2), activation="relu", bias_axes=None)
    model = keras.Model(inputs, maps(inputs))
    values = np.random.default_rng(0).normal(size=(5, 3, 4)).astype(np.float32)
    expected = model.predict(values, verbose=0)
    assert (expected == 0).any()
    np.testing.assert_allclose(export.without_small_products(model).predict(values, verbose=0), expected, atol=1e-6)


@tensorflow_only
def test_onnx_metadata_holds_the_model_description_of_the_manifest(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    write_model_folder(folder, sources=(0, 1))
    before = read_manifest(folder, TRAIN)
    export.export(folder)
    manifest = read_manifest(folder, TRAIN)  # checks every file against its hash
    assert manifest["files"].keys() - before["files"].keys() == {"model.onnx"}
    assert 0 <= manifest["metrics"]["onnx_difference_px"] < export.LARGEST_DIFFERENCE_PX
    assert {key: manifest[key] for key in before if key not in ("files", "metrics")} == {
        key: before[key] for key in before if key not in ("files", "metrics")
    }
    metadata = session_of(folder / "model.onnx").get_modelmeta().custom_metadata_map
    assert json.loads(metadata[METADATA_KEY]) == manifest["model"]
    assert from_json(json.loads(metadata[METADATA_KEY]), "") == load_model(folder).spec


@tensorflow_only
def test_onnx_file_with_other_predictions_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "model"
    write_model_folder(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    from training import int8  # needs onnx, which is not installed with other backends

    run_onnx = int8.run_onnx
    monkeypatch.setattr(int8, "run_onnx", lambda path, images: run_onnx(path, images) + 0.02)
    with pytest.raises(InputError, match=r"model\.onnx: differs from model\.keras by 0\.02\d* px; nothing is written"):
        export.export(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@tensorflow_only
def test_incomplete_model_folder_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder; make it with"):
        export.main([str(tmp_path / "none")])
    write_model_folder(tmp_path / "model")
    bare = (tmp_path / "model" / "model.keras").rename(tmp_path / "bare.keras")
    with pytest.raises(InputError, match=r"bare\.keras: does not say what the network predicts; give a folder"):
        export.main([str(bare)])
    with pytest.raises(InputError, match=r"model\.keras: is missing"):
        export.main([str(tmp_path / "model")])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn faces, 96 x 96 px."""
    folder = tmp_path_factory.mktemp("data") / "data"
    prepare.main(["synthetic", "--count", "60", "--out", str(folder)])
    return folder


@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated")
@tensorflow_only
def test_all_formats_predict_as_keras(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import tensorflow as tf

    folder = tmp_path / "v2"
    shutil.copytree(V2, folder)
    (folder / "model_int8.onnx").unlink()
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    del manifest["files"]["model_int8.onnx"]
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    export.main([str(folder), "--int8", str(data), "--litert", "--savedmodel"])
    lines = capsys.readouterr().out.splitlines()
    names = ["model.tflite", "saved_model", "model_int8.onnx"]
    assert [Path(line.partition(":")[0]).name for line in lines] == names
    assert (folder / "model.onnx").read_bytes() == (V2 / "model.onnx").read_bytes()  # it existed before

    model = load_model(folder).model  # checks every file against its hash
    call = tf.lite.Interpreter(str(folder / "model.tflite")).get_signature_runner()
    served = tf.saved_model.load(str(folder / "saved_model"))
    session = session_of(folder / "model_int8.onnx")
    (taken,) = session.get_inputs()
    assert (taken.type, taken.shape[1:]) == ("tensor(float)", [96, 96, 1])
    for count in (1, 5):
        pictures = np.load(data / "test_images.npy")[:count]
        expected, floats = model.predict(pictures, verbose=0), pictures.astype(np.float32)
        np.testing.assert_allclose(call(images=floats)["output_0"], expected, atol=1e-3)
        np.testing.assert_allclose(served.serve(floats), expected, atol=1e-3)
        by_int8 = session.run(None, {taken.name: floats})[0]
        assert by_int8.shape == expected.shape
        assert 0 < np.abs(by_int8 - expected).mean() < 0.15

    metrics = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["metrics"]
    assert metrics["int8"]["calibration_faces"] == len(np.load(data / "train_images.npy"))
    assert abs(metrics["int8"]["val_mae_loss_px"]) < export.LARGEST_INT8_LOSS_PX


def test_shipped_int8_file_is_small_and_predicts_as_the_float_file() -> None:
    pytest.importorskip("onnxruntime")
    assert (V2 / "model_int8.onnx").stat().st_size < 1.2e6
    images = dataset.read(64, seed=3).images
    exact, fast = Predictor("v2"), Predictor("v2", int8=True)
    assert (exact.spec, fast.path) == (fast.spec, V2 / "model_int8.onnx")
    expected, predicted = exact.predict_crops(images), fast.predict_crops(images)
    assert expected.expected_error is not None
    assert predicted.expected_error is not None
    assert np.abs(predicted.coordinates - expected.coordinates).mean() < 0.1
    assert np.abs(predicted.expected_error / expected.expected_error - 1).mean() < 0.05


def test_missing_int8_file_error_says_how_to_write_it(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    with pytest.raises(
        InputError, match=r"model_int8\.onnx: no such file; write it with .*training\.export .*--int8 DATA"
    ):
        Predictor(tmp_path / "model", int8=True)
    with pytest.raises(InputError, match=r"model\.onnx: is a file; int8 chooses one of a model folder"):
        Predictor(V2 / "model.onnx", int8=True)


@tensorflow_only
def test_export_of_a_network_with_huge_predictions_suggests_longer_training(tmp_path: Path) -> None:
    """The bias of its last layer is 2e6, times the side of the image."""
    folder = tmp_path / "model"
    model = write_model_folder(folder)
    spec = load_model(folder).spec
    assert spec is not None
    last = next(layer for layer in reversed(model.layers) if isinstance(layer, keras.layers.Dense))
    last.set_weights([last.get_weights()[0], np.full_like(last.get_weights()[1], 2e6)])
    with pytest.raises(InputError, match=r"model\.keras: predicts .* px for images of noise.* train it longer"):
        export.difference_px(model, spec, tmp_path / "model.onnx", "ONNX", export.write_onnx)


@tensorflow_only
def test_failed_int8_export_leaves_the_folder_unchanged(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, own = tmp_path / "model", tmp_path / "own.py"

    def message(faces: Path) -> str:
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
        with pytest.raises(InputError) as error:
            export.export(folder, faces)
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
        return str(error.value)

    write_model_folder(folder, shape=(48, 48, 1))
    assert "has face15 in 96 x 96 px, the network is for face15 in 48 x 48 px; give the data" in message(data)
    assert "no such folder; make it with" in message(tmp_path / "none")
    own.write_text(OWN, encoding="utf-8")
    write_model_folder(folder, str(own), shape=(96, 96, 1))
    assert "model.onnx: has 0 convolutions, and the first and the last stay float" in message(data)
    shutil.rmtree(folder)
    shutil.copytree(V2, folder)
    monkeypatch.setattr(export, "LARGEST_INT8_LOSS_PX", -1.0)
    assert "px of MAE on the validation faces; nothing is written" in message(data)


@pytest.mark.any_backend
@pytest.mark.skipif(keras.backend.backend() == "tensorflow", reason="TensorFlow writes them")
def test_unsupported_backend_is_a_one_line_error(tmp_path: Path) -> None:
    write_model_folder(tmp_path / "model")
    with pytest.raises(InputError, match=r"^KERAS_BACKEND=\w+: cannot write ONNX, LiteRT and SavedModel files"):
        export.export(tmp_path / "model", litert=True, savedmodel=True)

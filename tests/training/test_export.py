"""`model.onnx` is the same network as `model.keras`, and the folder stays whole."""

import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

from common.stage import read_manifest
from facial_keypoints.errors import InputError
from training import export
from training.train import main as train


def test_the_onnx_file_gives_what_keras_gives_for_any_number_of_pictures(
    data_48: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "v2"
    train(["v2", "--width", "0.5", "--epochs", "2", "--data", str(data_48), "--out", str(folder)])
    export.main([str(folder)])
    assert "model.onnx" in capsys.readouterr().out
    assert {"model.keras", "model.onnx"} <= set(read_manifest(folder, "train")["files"])

    model = keras.saving.load_model(folder / "model.keras", compile=False)
    for count in (1, 5):
        pictures = np.random.default_rng(count).integers(0, 256, (count, 48, 48, 1)).astype(np.uint8)
        by_onnx = export.run_onnx(folder / "model.onnx", pictures.astype(np.float32))
        np.testing.assert_allclose(by_onnx, model.predict(pictures, verbose=0), atol=0.01)

    with zipfile.ZipFile(folder / "model.keras") as archive:  # Keras itself stores without deflating
        assert all(entry.compress_type == zipfile.ZIP_DEFLATED for entry in archive.infolist())


def test_only_a_whole_model_folder_is_exported(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder; make it with"):
        export.main([str(tmp_path / "none")])

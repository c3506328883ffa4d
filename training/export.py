"""Adds `model.onnx` to a model folder: the same network for runtimes that know nothing of Keras.

python -m training.export artifacts/models/v2
"""

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from common.backend import start_backend
from common.hashes import file_hash
from common.quiet import native_stderr_silenced
from common.stage import locked
from facial_keypoints.array_types import Float32
from facial_keypoints.errors import InputError, one_line, run
from facial_keypoints.folders import atomic_folder
from facial_keypoints.pretrained import MANIFEST, ONNX_FILE
from facial_keypoints.spec import METADATA_KEY, ModelSpec, to_json
from models.saved import KERAS_FILE, load_model

if TYPE_CHECKING:
    import keras

CHECKED_IMAGES = 16
LARGEST_DIFFERENCE_PX = 0.01


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training.export", description="Adds model.onnx to a model folder.")
    parser.add_argument("model", type=Path, metavar="MODEL_DIR", help="a folder that training wrote")
    options = parser.parse_args(arguments)
    start_backend()
    difference_px = export(options.model)
    path: Path = options.model / ONNX_FILE
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB, within {difference_px:.0e} px of {KERAS_FILE}")


def export(folder: Path) -> float:
    """Adds `model.onnx` to a model folder; returns by how many px it differs from the network at most.

    Raises:
        InputError: no whole model folder, another backend than TensorFlow, or the network cannot be written as ONNX.
    """
    import keras

    if (backend := keras.backend.backend()) != "tensorflow":
        raise InputError(f"KERAS_BACKEND={backend}: cannot write ONNX files; leave it out here")
    folder = folder.resolve()  # the folder itself is replaced, and not a link to it
    with locked(folder):
        loaded = load_model(folder)
        if loaded.spec is None or loaded.manifest is None:
            raise InputError(f"{folder}: does not say what the network predicts; give a folder that training wrote")
        manifest = loaded.manifest
        with atomic_folder(folder) as new:
            shutil.copytree(folder, new, dirs_exist_ok=True)
            difference_px = write_onnx(loaded.model, loaded.spec, new / ONNX_FILE)
            manifest["files"][ONNX_FILE] = file_hash(new / ONNX_FILE)
            manifest["metrics"]["onnx_difference_px"] = difference_px
            (new / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
    return difference_px


def write_onnx(model: "keras.Model", spec: ModelSpec, path: Path) -> float:
    """Writes a network as an ONNX file; returns by how many px the two differ at most.

    The file has one input, images float32 (N, H, W, C) with values 0..255 and N open, and one output, float32 (N, M, 2)
    or (N, M, 3). Its metadata hold the spec as JSON.

    Raises:
        InputError: the converter fails, or they differ by more than `LARGEST_DIFFERENCE_PX` on images of noise.
    """
    import keras
    import onnx

    images = np.random.default_rng(0).integers(0, 256, (CHECKED_IMAGES, *spec.crop.shape)).astype(np.float32)
    wanted = model.predict(images.astype(np.uint8), verbose=0)
    signature = [keras.InputSpec(shape=(None, *spec.crop.shape), dtype="float32", name="images")]
    try:
        with native_stderr_silenced():  # the converter's libraries warn about each other
            model.export(path, format="onnx", verbose=False, input_signature=signature)
        file = onnx.load(path)
        onnx.helper.set_model_props(file, {METADATA_KEY: json.dumps(to_json(spec))})
        onnx.save(file, path)
        given = np.concatenate([run_onnx(path, images[:1]), run_onnx(path, images[1:])])  # N is open
    except Exception as error:  # the converter and the runtime have no errors of their own
        raise InputError(
            f"{path.name}: this network cannot be written as ONNX ({one_line(error)}); nothing is written"
        ) from None
    difference_px = float(np.abs(given - wanted).max())
    if not difference_px < LARGEST_DIFFERENCE_PX:
        raise InputError(f"{path.name}: differs from {KERAS_FILE} by {difference_px:.3g} px; nothing is written")
    return difference_px


def run_onnx(path: Path, images: Float32) -> Float32:
    """Returns the first output of an ONNX file for images float32 (N, H, W, C)."""
    import onnxruntime

    session: Any = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {session.get_inputs()[0].name: images})[0], np.float32)


if __name__ == "__main__":
    run(main)

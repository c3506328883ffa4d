"""Adds `model.onnx` to a model folder: the same network for runtimes that know nothing of Keras.

python -m training.export artifacts/models/v2
"""

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import models  # noqa: F401  isort: skip  (before keras: it silences the backend's start-up notes)
import keras
import numpy as np
import onnxruntime

from common.array_types import Float32
from common.quiet import native_stderr_silenced
from common.stage import MANIFEST, InputError, file_hash, locked, read_manifest, run, swapped

KERAS_FILE, ONNX_FILE = "model.keras", "model.onnx"
CHECKED_PICTURES = 16
LARGEST_DIFFERENCE_PX = 0.01


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training.export", description="Adds model.onnx to a model folder.")
    parser.add_argument("model", type=Path, metavar="MODEL_DIR", help="a folder that training wrote")
    folder: Path = parser.parse_args(arguments).model.resolve()
    if keras.backend.backend() != "tensorflow":
        raise InputError(f"KERAS_BACKEND={keras.backend.backend()}: cannot write ONNX files; leave it out here")
    with locked(folder):
        manifest = read_manifest(folder, "train")
        with swapped(folder) as new:
            shutil.copytree(folder, new, dirs_exist_ok=True)
            difference_px = write_onnx(keras.saving.load_model(new / KERAS_FILE, compile=False), new / ONNX_FILE)
            manifest["files"][ONNX_FILE] = file_hash(new / ONNX_FILE)
            manifest["figures"]["onnx_difference_px"] = difference_px
            (new / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
    megabytes = (folder / ONNX_FILE).stat().st_size / 1e6
    print(f"{folder / ONNX_FILE}: {megabytes:.1f} MB, within {difference_px:.0e} px of {KERAS_FILE}")


def write_onnx(model: keras.Model, path: Path) -> float:
    """Writes a network as an ONNX file that takes float32 pictures 0..255; returns how far the two differ at most, px.

    Raises:
        InputError: by more than `LARGEST_DIFFERENCE_PX` on pictures of noise.
    """
    pictures = np.random.default_rng(0).integers(0, 256, (CHECKED_PICTURES, *model.input_shape[1:]))
    wanted = model.predict(pictures.astype(np.uint8), verbose=0)
    with native_stderr_silenced():
        model.export(path, format="onnx", verbose=False)
    difference = float(np.abs(run_onnx(path, pictures.astype(np.float32)) - wanted).max())
    if not difference < LARGEST_DIFFERENCE_PX:
        raise InputError(f"{path.name}: differs from {KERAS_FILE} by {difference:.3g} px; nothing is written")
    return difference


def run_onnx(path: Path, pictures: Float32) -> Float32:
    """Returns what an ONNX file of one input and one output gives for pictures float32 (N, H, W, C)."""
    session: Any = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {session.get_inputs()[0].name: pictures})[0], np.float32)


if __name__ == "__main__":
    run(main)

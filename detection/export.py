"""Adds ONNX files to the model folder of a face finder.

python -m detection.export artifacts/models/face-finder
python -m detection.export artifacts/models/face-finder --int8 photos
"""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from common.backend import start_backend
from common.hashes import file_hash, path_hash
from common.options import stage_parser
from common.process import native_stderr_silenced
from common.stage import locked, read_manifest
from detection.scenes import read_inputs
from detection.train import TRAIN_FINDER, inference_model, load_finder
from facial_keypoints.array_types import Float32, UInt8
from facial_keypoints.errors import InputError, one_line, run
from facial_keypoints.folders import atomic_folder
from facial_keypoints.pretrained import INT8_FILE, KERAS_FILE, MANIFEST, ONNX_FILE

if TYPE_CHECKING:
    import keras

CHECKED_SIZES_PX = (96, 128), (320, 256)  # height and width
LARGEST_DIFFERENCE = 0.01  # of an output, in cells
CALIBRATION_PICTURES = 64
CALIBRATION_SIDE_PX = 256


def main(arguments: Sequence[str] | None = None) -> None:
    parser = stage_parser(
        "detection.export",
        f"Adds {ONNX_FILE} to the model folder of a face finder, and {INT8_FILE} with --int8.",
        "artifacts/models/face-finder --int8 scenes",
    )
    parser.add_argument("model", type=Path, metavar="MODEL_DIR", help="folder that detection.train wrote")
    parser.add_argument(
        "--int8", metavar="INPUT", help=f"add {INT8_FILE}, with 8-bit integers, calibrated on these pictures"
    )
    options = parser.parse_args(arguments)
    start_backend()
    for line in export(options.model, options.int8):
        print(line)


def export(folder: Path, int8: str | None = None) -> list[str]:
    """Adds the ONNX files to a model folder and returns a line for each.

    Args:
        folder: a folder that `detection.train` wrote.
        int8: an INPUT of `detection.train`, for calibration; None: do not write `model_int8.onnx`.

    Raises:
        InputError: the folder or the pictures are not valid, the backend is not TensorFlow, or the network cannot be
            written.
    """
    import keras

    if (backend := keras.backend.backend()) != "tensorflow":
        raise InputError(f"KERAS_BACKEND={backend}: cannot write ONNX files; unset it here")
    folder = folder.resolve()  # replaces the folder, not a link to it
    with locked(folder):
        manifest = read_manifest(folder, TRAIN_FINDER)
        model = inference_model(load_finder(folder))  # built by this version, whichever version trained it
        with atomic_folder(folder) as new:
            shutil.copytree(folder, new, dirs_exist_ok=True)
            metrics = manifest["metrics"]
            metrics["onnx_difference_cells"] = write_onnx(model, new / ONNX_FILE)
            lines = [(ONNX_FILE, f"within {metrics['onnx_difference_cells']:.0e} cells of {KERAS_FILE}")]
            if int8:
                metrics["int8"] = write_int8(new / ONNX_FILE, int8, new / INT8_FILE)
                lines.append((INT8_FILE, "mean difference {mean_difference_cells:.3f} cells".format(**metrics["int8"])))
            manifest["files"] |= {name: file_hash(new / name) for name, _ in lines}
            (new / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return [f"{folder / name}: {(folder / name).stat().st_size / 1e6:.2f} MB, {text}" for name, text in lines]


def write_onnx(model: "keras.Model", path: Path) -> float:
    """Writes a network as an ONNX file and returns the largest difference between the outputs of both, in cells.

    The file has one input, pictures float32 (N, H, W, 1) with values 0..255, and three outputs, see `network.build`.

    Raises:
        InputError: the converter fails, or an output differs by more than `LARGEST_DIFFERENCE`.
    """
    import keras

    from training.int8 import onnx_outputs

    rng, largest = np.random.default_rng(0), 0.0
    signature = [keras.InputSpec(shape=(None, None, None, 1), dtype="float32", name="pictures")]
    try:
        with native_stderr_silenced():  # the converter's libraries print warnings
            model.export(path, format="onnx", verbose=False, input_signature=signature)
            for height, width in CHECKED_SIZES_PX:
                pictures = rng.integers(0, 256, (2, height, width, 1)).astype(np.float32)
                expected = [np.asarray(grid) for grid in model(pictures, training=False)]
                largest = max(largest, difference(onnx_outputs(path, pictures), expected))
    except Exception as error:  # converters and runtimes raise errors of many kinds
        raise InputError(
            f"{path.name}: this network cannot be written as ONNX ({one_line(error)}); nothing is written"
        ) from None
    if not largest < LARGEST_DIFFERENCE:
        raise InputError(f"{path.name}: differs from {KERAS_FILE} by {largest:.3g} cells; nothing is written")
    return largest


def difference(grids: Sequence[Float32], expected: Sequence[Float32]) -> float:
    """Returns the largest difference between the grids of two networks."""
    return max(float(np.abs(one - other).max()) for one, other in zip(grids, expected, strict=True))


def write_int8(onnx_file: Path, pictures: str, path: Path) -> dict[str, Any]:
    """Writes an ONNX file with 8-bit integers (`training.int8`); returns its entries for the manifest.

    Raises:
        InputError: the pictures cannot be read, or the file cannot be written.
    """
    from training.int8 import onnx_outputs, quantize

    images = calibration_pictures(pictures)
    try:
        with native_stderr_silenced():
            quantize(onnx_file, images, path)
            before, after = (onnx_outputs(file, images[:8].astype(np.float32)) for file in (onnx_file, path))
    except InputError:
        raise
    except Exception as error:  # the error classes of onnxruntime have no common base
        raise InputError(
            f"{path.name}: this network cannot be quantized ({one_line(error)}); nothing is written"
        ) from None
    changes = [np.abs(one - other)[..., 1:].mean() for one, other in zip(before, after, strict=True)]
    return {
        "data": path_hash(Path(pictures)),
        "calibration_pictures": len(images),
        "mean_difference_cells": float(np.mean(changes)),
    }


def calibration_pictures(name: str) -> UInt8:
    """Returns pictures composed of an INPUT, uint8 (n, S, S, 1)."""
    from detection.batches import composed_pictures
    from detection.mosaic import shares_of

    scenes = read_inputs([name], "train")
    pictures, _ = composed_pictures(scenes, shares_of(scenes), range(CALIBRATION_PICTURES), CALIBRATION_SIDE_PX, seed=1)
    return pictures


if __name__ == "__main__":
    run(main)

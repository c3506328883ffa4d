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
import onnx
import onnxruntime
from onnx.numpy_helper import from_array, to_array

from common.quiet import native_stderr_silenced
from common.stage import MANIFEST, file_hash, locked, read_manifest
from facial_keypoints.array_types import Float32
from facial_keypoints.errors import InputError, run
from facial_keypoints.folders import atomic_folder

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
        with atomic_folder(folder) as new:
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
    graph = onnx.load(path)
    fold_scaling(graph)
    onnx.save(graph, path)
    difference = float(np.abs(run_onnx(path, pictures.astype(np.float32)) - wanted).max())
    if not difference < LARGEST_DIFFERENCE_PX:
        raise InputError(f"{path.name}: differs from {KERAS_FILE} by {difference:.3g} px; nothing is written")
    return difference


def fold_scaling(model: onnx.ModelProto) -> None:
    """Makes scaling x * s + o of the pictures part of the first convolution, where they begin with that.

    Runtimes take as long for the two passes over the pixels as for three convolutions. A convolution that pads is
    given pictures with an edge of the grey level that the scaling takes to 0.
    """
    nodes, arrays = model.graph.node, {array.name: array for array in model.graph.initializer}
    if [node.op_type for node in nodes[:2]] != ["Mul", "Add"] or nodes[3].op_type != "Conv":
        return
    scale_node, offset_node, layout, convolution = nodes[:4]
    scale, offset = (to_array(arrays[node.input[1]]) for node in (scale_node, offset_node))
    weights_name, bias_name = convolution.input[1:]
    weights, bias = to_array(arrays[weights_name]), to_array(arrays[bias_name])
    arrays[weights_name].CopyFrom(from_array(weights * scale, weights_name))
    arrays[bias_name].CopyFrom(from_array(bias + offset * weights.sum(axis=(1, 2, 3)), bias_name))
    layout.input[0] = scale_node.input[0]
    for node in (scale_node, offset_node):
        model.graph.initializer.remove(arrays[node.input[1]])
        nodes.remove(node)
    for pads in (attribute for attribute in convolution.attribute if attribute.name == "pads"):
        top, left, bottom, right = pads.ints
        pads.ints[:] = [0, 0, 0, 0]
        edges = np.array([0, 0, top, left, 0, 0, bottom, right], np.int64)
        grey = np.asarray(-offset / scale, np.float32)
        model.graph.initializer.extend([from_array(edges, "edges"), from_array(grey, "grey")])
        convolution.input[0] = "with_edges"
        nodes.insert(1, onnx.helper.make_node("Pad", [layout.output[0], "edges", "grey"], ["with_edges"]))
    onnx.checker.check_model(model)


def run_onnx(path: Path, pictures: Float32) -> Float32:
    """Returns what an ONNX file of one input and one output gives for pictures float32 (N, H, W, C)."""
    session: Any = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {session.get_inputs()[0].name: pictures})[0], np.float32)


if __name__ == "__main__":
    run(main)

"""Quantizes an ONNX file to 8-bit integers: smaller and faster, with little loss of accuracy.

Static quantization by `onnxruntime.quantization` (Jacob et al. 2018, arXiv 1712.05877). N faces, M landmarks.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from data_prep.faces import evenly_spread
from facial_keypoints.array_types import Float32, UInt8
from facial_keypoints.errors import InputError
from facial_keypoints.runtime import onnxruntime, session

CALIBRATION_FACES = 128  # on v2, 32 and 512 give the same error to 0.002 px
BATCH = 16


class Calibration:
    """Batches of faces for onnxruntime (a `CalibrationDataReader`)."""

    def __init__(self, input_name: str, images: UInt8) -> None:
        self.batches: Iterator[dict[str, Float32]] = (
            {input_name: images[start : start + BATCH].astype(np.float32)} for start in range(0, len(images), BATCH)
        )

    def get_next(self) -> dict[str, Float32] | None:
        return next(self.batches, None)


def quantize(path: Path, images: UInt8, out: Path) -> None:
    """Writes an ONNX file with 8-bit integers and the same input, output and metadata.

    The first convolution and the last one of each output stay in float, and what lies before and behind them too:
    pixels and coordinates need more than 256 steps, and a convolution of one or three channels is faster so. Weights
    are scaled for each channel of their own and have 7 bits, because products of 8 bits overflow on processors without
    VNNI.

    Args:
        path: the float file, of one input.
        images: uint8 (N, H, W, C), training faces; `CALIBRATION_FACES` of them, spread over all, say in which range
            each layer's values lie.
        out: the file to write.

    Raises:
        InputError: the network has no convolution between its first and its last.
    """
    onnxruntime()  # switches its telemetry off before the next import
    from onnxruntime.quantization import QuantType, quantize_static  # imported here because it changes sys.path
    from onnxruntime.quantization.shape_inference import quant_pre_process

    images = images[evenly_spread(len(images), CALIBRATION_FACES)]
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(path, prepared, skip_symbolic_shape=True)  # shapes are known; it needs a further package
        graph = onnx.load(prepared).graph
        convolutions = [index for index, node in enumerate(graph.node) if node.op_type == "Conv"]
        if len(convolutions) < 3:
            raise InputError(
                f"{path.name}: has {len(convolutions)} convolutions, and the first and the last stay float"
            )
        first, *_, last = convolutions
        ends = [graph.node[index] for index in convolutions if not feeds_another(graph, index)]
        quantize_static(
            prepared,
            out,
            Calibration(graph.input[0].name, images),
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=[node.name for node in (*graph.node[: first + 1], *ends, *graph.node[last:])],
        )
    written = onnx.load(out)
    onnx.helper.set_model_props(written, {entry.key: entry.value for entry in onnx.load(path).metadata_props})
    onnx.save(written, out)


def feeds_another(graph: Any, index: int) -> bool:
    """Returns whether the values of a convolution reach another one; the nodes of a graph are in order."""
    reached = set(graph.node[index].output)
    for node in graph.node[index + 1 :]:
        if reached.intersection(node.input):
            if node.op_type == "Conv":
                return True
            reached.update(node.output)
    return False


def onnx_outputs(path: Path, pictures: Float32) -> list[Float32]:
    """Returns all outputs of an ONNX file for a batch of pictures."""
    session: Any = onnxruntime().InferenceSession(path, providers=["CPUExecutionProvider"])
    return [np.asarray(output, np.float32) for output in session.run(None, {session.get_inputs()[0].name: pictures})]


def run_onnx(path: Path, images: UInt8) -> Float32:
    """Returns the first output of an ONNX file for images uint8 (N, H, W, C), float32 (N, M, 2 or 3)."""
    loaded = session(path.read_bytes())
    name = loaded.get_inputs()[0].name
    batches = [images[start : start + BATCH].astype(np.float32) for start in range(0, len(images), BATCH)]
    return np.concatenate([np.asarray(loaded.run(None, {name: batch})[0], np.float32) for batch in batches])

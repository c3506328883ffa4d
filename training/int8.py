"""Quantizes an ONNX file to 8-bit integers: smaller and faster, with little loss of accuracy.

Static quantization by `onnxruntime.quantization` (Jacob et al. 2018, arXiv 1712.05877). N faces, M output points.
"""

import math
import tempfile
from collections import Counter
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

    The first convolution, the last one of each output, and all nodes before and after them stay in float: pixels and
    coordinates need more than 256 steps, and a convolution of one or three channels is faster in float. A last
    convolution whose values reach a softmax has 8 bits. Weights are scaled separately for each channel and have 7 bits,
    because products of 8 bits overflow on processors without VNNI.

    Args:
        path: the float file, of one input.
        images: uint8 (N, H, W, C), training faces; `CALIBRATION_FACES` of them, evenly spread, show the range of
            each layer's values.
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
        quant_pre_process(path, prepared, skip_symbolic_shape=True)  # shapes are known, and it needs another package
        model = onnx.load(prepared)
        graph = model.graph
        merge_pools_into_convolutions(graph)
        onnx.save(model, prepared)
        convolutions = [index for index, node in enumerate(graph.node) if node.op_type == "Conv"]
        if len(convolutions) < 3:
            raise InputError(
                f"{path.name}: has {len(convolutions)} convolutions, and the first and the last stay float"
            )
        first, *_, last = convolutions
        ends = [graph.node[index] for index in convolutions if not feeds(graph, index, ("Conv", "Softmax"))]
        quantize_static(
            prepared,
            out,
            Calibration(graph.input[0].name, images),
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=[node.name for node in (*graph.node[: first + 1], *ends, *graph.node[last + 1 :])],
        )
    written = onnx.load(out)
    onnx.helper.set_model_props(written, {entry.key: entry.value for entry in onnx.load(path).metadata_props})
    onnx.save(written, out)


def merge_pools_into_convolutions(graph: Any) -> None:
    """Merges each average pool of k x k px with the 1 x 1 convolution after it into one of k x k px with a stride of k.

    The values stay the same. An average of 8-bit integers takes longer than the additional products.
    """
    uses = Counter([name for node in graph.node for name in node.input] + [output.name for output in graph.output])
    weights = {weight.name: onnx.numpy_helper.to_array(weight) for weight in graph.initializer}
    pools = {node.output[0]: node for node in graph.node if node.op_type == "AveragePool"}
    for index, node in enumerate(list(graph.node)):
        pool = pools.get(node.input[0]) if node.op_type == "Conv" else None
        if pool is None or uses[pool.output[0]] > 1 or node.input[1] not in weights:
            continue
        pool_options, options, weight = attributes(pool), attributes(node), weights[node.input[1]]
        size = pool_options["kernel_shape"]
        pointwise = weight.shape[2:] == (1, 1) and options.get("strides", [1, 1]) == [1, 1]
        if not pointwise or pool_options.get("strides") != size or any(map(pads_or_skips, (pool_options, options))):
            continue
        name = f"{node.input[1]}, {pool.output[0]}"
        larger = np.tile(weight / math.prod(size), (1, 1, *size))
        graph.initializer.append(onnx.numpy_helper.from_array(larger, name))
        merged = onnx.helper.make_node(
            "Conv",
            [pool.input[0], name, *node.input[2:]],
            node.output,
            node.name,
            **(options | {"kernel_shape": size, "strides": size}),
        )
        graph.node[index].CopyFrom(merged)
    used = {name for node in graph.node for name in node.input} | {output.name for output in graph.output}
    for pool in pools.values():
        if pool.output[0] not in used:
            graph.node.remove(pool)


def pads_or_skips(options: dict[str, Any]) -> bool:
    """Returns whether a pool or a convolution pads the image or skips pixels."""
    padded = any(options.get("pads", [])) or options.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID")
    return padded or bool(options.get("ceil_mode")) or any(step > 1 for step in options.get("dilations", []))


def attributes(node: Any) -> dict[str, Any]:
    """Returns the attributes of a node by name."""
    return {entry.name: onnx.helper.get_attribute_value(entry) for entry in node.attribute}


def feeds(graph: Any, index: int, operators: tuple[str, ...]) -> bool:
    """Returns whether the values of a node reach one of the operators; a graph's nodes are in order of computation."""
    reached = set(graph.node[index].output)
    for node in graph.node[index + 1 :]:
        if reached.intersection(node.input):
            if node.op_type in operators:
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

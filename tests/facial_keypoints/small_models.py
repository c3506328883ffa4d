"""Small ONNX networks with a known output."""

import json
from pathlib import Path

import numpy as np
import onnx

from facial_keypoints.keypoint_set import FACE15
from facial_keypoints.spec import METADATA_KEY, Crop, ModelSpec, to_json


def means_of_channels(path: Path, channels: int, spec: ModelSpec | None, given: int = 15, at: float = 0) -> Path:
    """Writes a network for 4 x 5 px whose output point m is (at + m, at + m), plus the mean of the last channel."""
    helper, numbers = onnx.helper, onnx.numpy_helper
    places = np.repeat(np.arange(given, dtype=np.float32)[None, :, None] + np.float32(at), 2, axis=2)
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("Gather", ["mean", "last"], ["value"], axis=1),
        helper.make_node("Reshape", ["value", "column"], ["added"]),
        helper.make_node("Add", ["added", "places"], ["out"]),
    ]
    constants = {"last": np.array([channels - 1]), "column": np.array([-1, 1, 1]), "places": places}
    graph = helper.make_graph(
        nodes,
        "means",
        [helper.make_tensor_value_info("images", onnx.TensorProto.FLOAT, ["n", 4, 5, channels])],
        [helper.make_tensor_value_info("out", onnx.TensorProto.FLOAT, ["n", given, 2])],
        [numbers.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    if spec:
        helper.set_model_props(model, {METADATA_KEY: json.dumps(to_json(spec))})
    onnx.save(model, path)
    return path


def spec_of(channels: int) -> ModelSpec:
    return ModelSpec(FACE15, (0,), False, Crop(4, 5, channels, ((1.0, 2.0),) * 15))

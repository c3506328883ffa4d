"""Quantization keeps the output of a network and chooses which of its parts have 8 bits."""

from typing import Any

import numpy as np
import pytest

from facial_keypoints.array_types import Float32
from facial_keypoints.runtime import onnxruntime
from tests.conftest import ROOT

onnx = pytest.importorskip("onnx", reason="not installed beside JAX")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402 - where onnx is installed

from training.int8 import feeds, merge_pools_into_convolutions  # noqa: E402

WEIGHTS = np.random.default_rng(0).normal(size=(5, 3, 1, 1)).astype(np.float32)
NO_OPTIONS: dict[str, Any] = {}
BIAS = np.arange(5, dtype=np.float32)
IMAGES = np.random.default_rng(1).normal(size=(2, 3, 8, 8)).astype(np.float32)


def pool_and_convolution(
    strides: int = 2, *, pool_is_output: bool = False, pool: dict[str, Any] = NO_OPTIONS, **convolution: Any
) -> Any:
    """Returns average pooling over 2 x 2 px and a 1 x 1 convolution of it, with further attributes of both."""
    outputs = ["y", *(["pooled"] if pool_is_output else [])]
    graph = helper.make_graph(
        [
            helper.make_node("AveragePool", ["x"], ["pooled"], kernel_shape=[2, 2], strides=[strides] * 2, **pool),
            helper.make_node("Conv", ["pooled", "w", "b"], ["y"], kernel_shape=[1, 1], **convolution),
        ],
        "pool and convolution",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 3, 8, 8])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(WEIGHTS, "w"), numpy_helper.from_array(BIAS, "b")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def output(model: Any) -> Float32:
    session = onnxruntime().InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["y"], {"x": IMAGES})[0])


def test_average_pooling_and_convolution_merge_into_one_equal_convolution() -> None:
    model = pool_and_convolution()
    averages = IMAGES.reshape(2, 3, 4, 2, 4, 2).mean(axis=(3, 5))
    expected = np.einsum("fc,nchw->nfhw", WEIGHTS[..., 0, 0], averages) + BIAS[:, None, None]
    np.testing.assert_allclose(output(model), expected, atol=1e-5)
    merge_pools_into_convolutions(model.graph)
    assert [node.op_type for node in model.graph.node] == ["Conv"]
    np.testing.assert_allclose(output(model), expected, atol=1e-5)


@pytest.mark.parametrize(
    "model",
    [
        pool_and_convolution(strides=1),
        pool_and_convolution(pool_is_output=True),
        pool_and_convolution(pool={"ceil_mode": 1}),
        pool_and_convolution(pool={"auto_pad": "SAME_UPPER"}),
        pool_and_convolution(pool={"pads": [0, 0, 1, 1]}),
        pool_and_convolution(pads=[0, 0, 1, 1]),
        pool_and_convolution(dilations=[2, 2]),
    ],
)
def test_other_average_poolings_are_unchanged(model: Any) -> None:
    before = model.SerializeToString()
    merge_pools_into_convolutions(model.graph)
    assert model.SerializeToString() == before


def test_node_feeds_the_nodes_that_its_output_reaches() -> None:
    names = [("Conv", "a", "b"), ("Relu", "b", "c"), ("Softmax", "c", "d"), ("Conv", "a", "e"), ("Relu", "e", "f")]
    graph = helper.make_graph([helper.make_node(op, [i], [o]) for op, i, o in names], "two branches", [], [])
    assert feeds(graph, 0, ("Softmax",))
    assert not feeds(graph, 0, ("Conv",))  # the second one reads the input
    assert not feeds(graph, 3, ("Conv", "Softmax"))


def test_all_convolutions_but_the_first_have_8_bits_in_the_shipped_file() -> None:
    """In the file, the weights of a layer of 8 bits pass through a node that converts them to floats."""
    graph = onnx.load(ROOT / "artifacts" / "pretrained" / "v2" / "model_int8.onnx").graph
    restored = {node.output[0] for node in graph.node if node.op_type == "DequantizeLinear"}
    first, *others = [node for node in graph.node if node.op_type == "Conv"]
    assert first.input[1] not in restored
    assert all(node.input[1] in restored for node in others)
    assert any("attention_logits" in node.input[1] for node in others)

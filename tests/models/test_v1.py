"""`v1`: the squeeze-and-excitation residual."""

import keras
import numpy as np
import pytest

from models.v1 import squeeze_and_excite


@pytest.mark.any_backend
def test_squeeze_and_excite_adds_the_gated_maps_to_the_maps() -> None:
    """x + x * gate, calculated from the layer's own weights."""
    maps = keras.Input((5, 4, 16))
    model = keras.Model(maps, squeeze_and_excite(maps, "block"))
    x = np.random.default_rng(1).normal(size=(2, 5, 4, 16)).astype(np.float32)
    reduce, gate = model.get_layer("block_reduce"), model.get_layer("block_gate")
    w1, b1, w2, b2 = (keras.ops.convert_to_numpy(v) for v in [*reduce.weights, *gate.weights])
    assert w1.shape == (16, 2)
    squeezed = np.maximum(x.mean(axis=(1, 2)) @ w1 + b1, 0)
    gates = 1 / (1 + np.exp(-(squeezed @ w2 + b2)))
    expected = x + x * gates[:, None, None, :]
    assert np.allclose(keras.ops.convert_to_numpy(model(x)), expected, atol=1e-5)

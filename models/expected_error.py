"""Layers that predict the expected error, and their calibration with measured errors.

The expected error is the expected absolute error of x and of y, in px. Networks predict its logarithm, so that it is
positive.
"""

from typing import Any

import keras

LOG_EXPECTED_ERROR = "log_expected_error"  # the layer that calibration changes
FIRST_LOG_ERROR = 1.0  # an untrained network expects errors of e px
SMALLEST_ERROR_PX = 1e-6  # a user's network can predict 0, which has no logarithm


def with_expected_error(points: keras.KerasTensor, values: keras.KerasTensor) -> keras.KerasTensor:
    """Returns (N, M, 3): points (N, M, 2) in px, and their expected errors in px from any values (N, M, 1)."""
    log_error = keras.layers.Rescaling(1.0, FIRST_LOG_ERROR, dtype="float32", name=LOG_EXPECTED_ERROR)(values)
    return _joined(points, log_error)


def calibrated(model: keras.Model, a: float, b: float) -> keras.Model:
    """Returns the network with exp(a + b log(e)) instead of its expected error e.

    A network that uses `with_expected_error` is changed in place; other networks get additional layers, which can be
    calibrated again.

    Args:
        model: its output is (N, M, 3).
    """
    if (before := calibration_of(model)) is not None:
        return with_calibration(model, a + b * before[0], b * before[1])
    output = model.outputs[0]
    log_error = keras.ops.log(keras.ops.maximum(output[..., 2:], SMALLEST_ERROR_PX))
    log_error = keras.layers.Rescaling(b, a, dtype="float32", name=LOG_EXPECTED_ERROR)(log_error)
    return keras.Model(model.inputs, _joined(output[..., :2], log_error), name=model.name)


def calibration_of(model: keras.Model) -> tuple[float, float] | None:
    """Returns the offset and scale of the logarithm of the expected error; None if the network has no layer for it."""
    layer = _log_layer(model)
    return None if layer is None else (layer.offset, layer.scale)


def with_calibration(model: keras.Model, offset: float, scale: float) -> keras.Model:
    """Returns the network with this offset and scale; see `calibration_of`."""
    layer = _log_layer(model)
    if layer is None:
        return calibrated(model, offset, scale)
    layer.offset, layer.scale = offset, scale
    model.predict_function = None  # compiled with the old values
    return model


def _log_layer(model: keras.Model) -> Any:
    return next((layer for layer in model.layers if layer.name == LOG_EXPECTED_ERROR), None)


def _joined(points: keras.KerasTensor, log_error: keras.KerasTensor) -> keras.KerasTensor:
    error = keras.layers.Activation("exponential", dtype="float32", name="expected_error_px")(log_error)
    return keras.layers.Concatenate(dtype="float32", name="landmarks_px")([points, error])

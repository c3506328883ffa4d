"""Calibrates the expected error of a network on faces that it was not trained on."""

import keras
import numpy as np
from scipy.optimize import minimize

from facial_keypoints.array_types import Float32, Float64
from models.expected_error import SMALLEST_ERROR_PX, calibrated
from models.saved import PREDICTION_BATCH
from training.targets import Targets


def calibrate_on(model: keras.Model, val: Targets) -> keras.Model:
    """Returns the network with the expected error that fits these faces best."""
    predicted = model.predict(val.images, batch_size=PREDICTION_BATCH, verbose=0)
    error = np.abs(predicted[..., :2] - val.points).mean(axis=-1)
    labelled = val.weights > 0
    return calibrated(model, *calibration(predicted[labelled, 2], error[labelled]))


def calibration(expected: Float32, error: Float32) -> tuple[float, float]:
    """Returns (a, b) of the calibrated error exp(a + b log(expected)), by maximum likelihood of Laplace errors.

    Args:
        expected: float32 (N,), predicted, in px.
        error: float32 (N,), the absolute errors, in px.
    """
    log = np.log(np.maximum(expected.astype(np.float64), SMALLEST_ERROR_PX))
    error = error.astype(np.float64)
    largest = max(float(error.max()), np.finfo(np.float64).tiny)

    def loss(parameters: Float64) -> tuple[float, Float64]:
        """The mean of log s + error / s, which is convex in (a, b), and its gradient."""
        ratio = error / largest * np.exp(-parameters[0] - parameters[1] * log)
        value = parameters[0] + parameters[1] * log + ratio
        return float(value.mean()), np.array([(1 - ratio).mean(), (log * (1 - ratio)).mean()])

    start = np.array([np.log(max(float(error.mean() / largest), 1e-12)), 0.0])
    a, b = minimize(loss, start, jac=True, method="BFGS", options={"gtol": 1e-10}).x
    return float(a + np.log(largest)), float(b)

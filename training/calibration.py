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
    counts = val.weights > 0
    return calibrated(model, *calibration(predicted[counts, 2], error[counts]))


def calibration(expected: Float32, error: Float32) -> tuple[float, float]:
    """Returns (a, b) of the calibrated error exp(a + b log(expected)), of maximum likelihood under Laplace.

    Args:
        expected: float32 (N,), predicted, in px.
        error: float32 (N,), the absolute errors made, in px.
    """
    log = np.log(np.maximum(expected.astype(np.float64), SMALLEST_ERROR_PX))
    error = error.astype(np.float64)
    largest = max(float(error.max()), np.finfo(np.float64).tiny)

    def loss(chosen: Float64) -> tuple[float, Float64]:
        """The mean of log s + error / s, which is convex in (a, b), and its gradient."""
        ratio = error / largest * np.exp(-chosen[0] - chosen[1] * log)
        value = chosen[0] + chosen[1] * log + ratio
        return float(value.mean()), np.array([(1 - ratio).mean(), (log * (1 - ratio)).mean()])

    start = np.array([np.log(max(float(error.mean() / largest), 1e-12)), 0.0])
    a, b = minimize(loss, start, jac=True, method="BFGS", options={"gtol": 1e-10}).x
    return float(a + np.log(largest)), float(b)

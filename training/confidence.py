"""Makes a network's sigma mean what it says: the expected absolute error in px, on faces it was not trained on."""

import keras
import numpy as np

from facial_keypoints.array_types import Float32, Float64
from training.targets import Targets

STEPS = 50
BATCH = 64


def predicts_sigma(model: keras.Model) -> bool:
    """Says whether a network gives (N, M, 3), sigma beside x and y."""
    return bool(model.output_shape[-1] == 3)


def calibrate_on(model: keras.Model, val: Targets) -> None:
    """Has the network's sigma be the error to expect, as it is on these faces."""
    predicted = model.predict(val.images, batch_size=BATCH, verbose=0)
    error = np.abs(predicted[..., :2] - val.points).mean(axis=-1)
    counts = val.weights > 0
    calibrate(model, *calibration(predicted[counts, 2], error[counts]))


def calibration(sigma: Float32, error: Float32) -> tuple[float, float]:
    """Returns (a, b) so that exp(a + b log(sigma)) is the expected error: the two numbers likeliest under Laplace.

    Args:
        sigma: float32 (N,), predicted, in px.
        error: float32 (N,), the absolute errors made, in px.
    """
    inputs = np.stack([np.ones(len(sigma)), np.log(sigma)], axis=1).astype(np.float64)
    chosen: Float64 = np.array([0.0, 1.0])
    # Newton's method on the sum of log s + error / s, which is convex in (a, b); no step changes an s more than e-fold
    for _ in range(STEPS):
        ratio = error * np.exp(-inputs @ chosen)
        slope = inputs.T @ (1 - ratio)
        curvature = (inputs * ratio[:, None]).T @ inputs
        step = np.linalg.lstsq(curvature, slope, rcond=None)[0]
        chosen = chosen - step / max(1.0, np.abs(inputs @ step).max())
    return float(chosen[0]), float(chosen[1])


def calibrate(model: keras.Model, a: float, b: float) -> None:
    """Has the network predict exp(a + b log(sigma)) in place of sigma, from the layer `log_sigma` on."""
    layer = model.get_layer("log_sigma")
    layer.scale, layer.offset = b * layer.scale, b * layer.offset + a
    model.predict_function = None  # was compiled with the old numbers

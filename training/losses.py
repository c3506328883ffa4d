"""Loss and metric that ignore unlabelled keypoints, on any Keras backend."""

from typing import Any

import keras

LOSSES = {
    "mse": keras.losses.MeanSquaredError,
    "mae": keras.losses.MeanAbsoluteError,
    "huber": keras.losses.Huber,
}


def masked_loss(name: str) -> keras.losses.Loss:
    """Returns a loss of (N, K, 2) coordinates in px: its mean over the keypoints whose sample weight is not 0.

    Called with sample weights (N, K), 1 where a keypoint counts and 0 where not, it divides by their sum, so that a
    batch with few labels weighs each of them like a batch with many. Without weights it is the plain mean. The
    true coordinates must be finite everywhere: imputed values serve where there is no label.
    """
    return LOSSES[name](reduction="mean_with_sample_weight", name=name)


def masked_mae() -> keras.metrics.Metric:
    """Returns the mean absolute error in px over the coordinates of the keypoints whose sample weight is not 0."""
    return keras.metrics.MeanAbsoluteError(name="mae")


def masked_value(function: Any, truth: Any, predicted: Any, weights: Any) -> float:
    """Returns a loss or metric over all faces at once, exact where a mean of batch means would not be."""
    if isinstance(function, keras.metrics.Metric):
        function.reset_state()
    return float(keras.ops.convert_to_numpy(function(truth, predicted, sample_weight=weights)))

"""Loss and metric that ignore unlabelled keypoints, on any Keras backend."""

from typing import Any

import keras
import numpy as np

WING_WIDTH_PX, WING_EPSILON_PX = 10.0, 2.0


class Laplace(keras.losses.Loss):  # type: ignore[misc]
    """The negative log-likelihood of Laplace-distributed errors with the predicted scale, without log 2.

    True points are (N, M, 2) in px, predicted ones (N, M, 3): x, y and the scale s, which is the expected absolute
    error. The loss of a point is log(s) + |error| / s, the mean over x and y.
    """

    def call(self, y_true: Any, y_pred: Any) -> Any:
        error = keras.ops.mean(keras.ops.abs(y_pred[..., :2] - y_true), axis=-1)
        scale = keras.ops.maximum(y_pred[..., 2], keras.config.epsilon())
        return keras.ops.log(scale) + error / scale


class Wing(keras.losses.Loss):  # type: ignore[misc]
    """The Wing loss (Feng et al. 2018, CVPR), mean over x and y: logarithmic for small errors, linear for large ones.

    An error e below w costs w log(1 + e / epsilon), a larger one e minus a constant that makes both equal at w. The
    paper's w = 10 and epsilon = 2 are px of its 256-px faces; here they are px of the network's own images.
    """

    def call(self, y_true: Any, y_pred: Any) -> Any:
        error = keras.ops.abs(y_pred - keras.ops.cast(y_true, y_pred.dtype))
        curved = WING_WIDTH_PX * keras.ops.log1p(error / WING_EPSILON_PX)
        straight = error - WING_WIDTH_PX + WING_WIDTH_PX * np.log1p(WING_WIDTH_PX / WING_EPSILON_PX)
        return keras.ops.mean(keras.ops.where(error < WING_WIDTH_PX, curved, straight), axis=-1)


class CoordinateMAE(keras.metrics.MeanAbsoluteError):  # type: ignore[misc]
    """The mean absolute error in px of x and y; further outputs are ignored."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        return super().update_state(y_true, y_pred[..., :2], sample_weight)


LOSSES = {
    "mse": keras.losses.MeanSquaredError,
    "mae": keras.losses.MeanAbsoluteError,
    "huber": keras.losses.Huber,
    "wing": Wing,
    "laplace": Laplace,
}


def masked_loss(name: str) -> keras.losses.Loss:
    """Returns a loss of (N, K, 2) coordinates in px: its mean over the keypoints whose sample weight is not 0.

    `laplace` takes predictions (N, K, 3), with the expected error.

    Called with sample weights (N, K), 1 where a keypoint counts and 0 elsewhere, it divides by their sum, so that the
    loss of a batch does not depend on how many labels it has. Without weights it is the plain mean. The true
    coordinates must be finite everywhere, even without a label.
    """
    return LOSSES[name](reduction="mean_with_sample_weight", name=name)


def masked_mae() -> keras.metrics.Metric:
    """Returns the mean absolute error in px over the coordinates of the keypoints whose sample weight is not 0."""
    return CoordinateMAE(name="mae")


def masked_value(function: Any, truth: Any, predicted: Any, weights: Any) -> float:
    """Returns a loss or metric over all faces, where a mean over batches would not be exact."""
    if isinstance(function, keras.metrics.Metric):
        function.reset_state()
    return float(keras.ops.convert_to_numpy(function(truth, predicted, sample_weight=weights)))

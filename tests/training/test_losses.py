"""The masked loss and metric: what does not count changes nothing, and every label weighs the same."""

import keras
import numpy as np
import pytest

from training.losses import masked_loss, masked_mae, masked_value

TRUTH = np.array([[[10, 10], [20, 20]], [[30, 30], [40, 40]]], np.float32)
PREDICTED = np.array([[[13, 10], [20, 24]], [[30, 31], [90, 90]]], np.float32)
WEIGHTS = np.array([[1, 1], [1, 0]], np.float32)  # the last keypoint is unlabelled


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mse", (9 + 0 + 0 + 16 + 0 + 1) / 6),
        ("mae", (3 + 0 + 0 + 4 + 0 + 1) / 6),
        ("huber", (2.5 + 0 + 0 + 3.5 + 0 + 0.5) / 6),
    ],
)
def test_losses_by_hand(name: str, expected: float) -> None:
    assert masked_value(masked_loss(name), TRUTH, PREDICTED, WEIGHTS) == pytest.approx(expected)


def test_the_metric_by_hand() -> None:
    assert masked_value(masked_mae(), TRUTH, PREDICTED, WEIGHTS) == pytest.approx(8 / 6)
    assert masked_value(masked_mae(), TRUTH, PREDICTED, np.ones_like(WEIGHTS)) == pytest.approx(108 / 8)


@pytest.mark.parametrize("name", ["mse", "mae", "huber"])
def test_what_does_not_count_has_no_gradient(name: str) -> None:
    """Training on faces whose masked labels are nonsense gives the weights of training on the true ones."""
    weights_after = []
    for nonsense in (0, 1e4):
        keras.utils.set_random_seed(0)
        pictures = keras.Input((6,))
        model = keras.Model(pictures, keras.layers.Reshape((2, 2))(keras.layers.Dense(4)(pictures)))
        model.compile(keras.optimizers.Adam(0.1), loss=masked_loss(name), weighted_metrics=[masked_mae()])
        truth = TRUTH.copy()
        truth[1, 1] += nonsense
        model.fit(np.ones((2, 6), np.float32), truth, sample_weight=WEIGHTS, epochs=3, verbose=0)
        weights_after.append(model.get_weights())
    assert all(np.array_equal(a, b) for a, b in zip(*weights_after, strict=True))

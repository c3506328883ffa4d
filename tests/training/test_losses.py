"""The masked losses and metric: masked labels have no effect, and all other labels have the same weight."""

import keras
import numpy as np
import pytest

from facial_keypoints.array_types import Float32
from training.losses import masked_loss, masked_mae, masked_value

pytestmark = pytest.mark.any_backend
TRUTH = np.array([[[10, 10], [20, 20]], [[30, 30], [40, 40]]], np.float32)
PREDICTED = np.array([[[13, 10], [20, 24]], [[30, 31], [90, 90]]], np.float32)
SCALE = np.array([[1, 2], [np.e, 100]], np.float32)  # px
WITH_SCALE = np.concatenate([PREDICTED, SCALE[..., None]], axis=-1)
WEIGHTS = np.array([[1, 1], [1, 0]], np.float32)  # the last keypoint is unlabelled


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mse", (9 + 0 + 0 + 16 + 0 + 1) / 6),
        ("mae", (3 + 0 + 0 + 4 + 0 + 1) / 6),
        ("huber", (2.5 + 0 + 0 + 3.5 + 0 + 0.5) / 6),
        ("wing", 10 * (np.log(1 + 3 / 2) + np.log(1 + 4 / 2) + np.log(1 + 1 / 2)) / 6),
    ],
)
def test_losses_match_hand_calculation(name: str, expected: float) -> None:
    assert masked_value(masked_loss(name), TRUTH, PREDICTED, WEIGHTS) == pytest.approx(expected)


def test_wing_loss_is_linear_from_10_px() -> None:
    """At 10 px the loss is 10 log 6; from there it grows by 1 per px."""

    def wing(error: float) -> float:
        truth = np.full((1, 1, 2), 50, np.float32)
        return masked_value(masked_loss("wing"), truth, truth - np.float32(error), np.ones((1, 1), np.float32))

    assert wing(10 - 1e-4) == pytest.approx(10 * np.log(6), abs=1e-3)
    assert wing(10) == pytest.approx(10 * np.log(6), abs=1e-4)
    assert wing(17) == pytest.approx(10 * np.log(6) + 7, abs=1e-4)


def test_metric_matches_hand_calculation() -> None:
    assert masked_value(masked_mae(), TRUTH, PREDICTED, WEIGHTS) == pytest.approx(8 / 6)
    assert masked_value(masked_mae(), TRUTH, PREDICTED, np.ones_like(WEIGHTS)) == pytest.approx(108 / 8)


def test_laplace_loss_matches_hand_calculation() -> None:
    """log(s) + |error| / s with the mean errors 3/2, 4/2 and 1/2 px of the three labelled points."""
    expected = ((0 + 1.5 / 1) + (np.log(2) + 2 / 2) + (1 + 0.5 / np.e)) / 3
    assert masked_value(masked_loss("laplace"), TRUTH, WITH_SCALE, WEIGHTS) == pytest.approx(expected)


def test_laplace_loss_is_lowest_if_the_scale_is_the_mean_absolute_error() -> None:
    errors = np.array([0.5, 1.0, 4.5])  # 2 px on average
    truth = np.zeros((3, 1, 2), np.float32)

    def loss(scale: float) -> float:
        predicted = np.stack([errors, errors, np.full(3, scale)], axis=-1)[:, None].astype(np.float32)
        return masked_value(masked_loss("laplace"), truth, predicted, np.ones((3, 1), np.float32))

    assert loss(2.0) < min(loss(1.9), loss(2.1))


def test_metric_ignores_the_expected_error() -> None:
    assert masked_value(masked_mae(), TRUTH, WITH_SCALE, WEIGHTS) == masked_value(
        masked_mae(), TRUTH, PREDICTED, WEIGHTS
    )


@pytest.mark.parametrize("name", ["mse", "mae", "huber", "wing", "laplace"])
def test_masked_labels_have_no_gradient(name: str) -> None:
    """Training with wrong values for the masked labels gives the same weights as training with the true ones."""
    weights_after: list[list[Float32]] = []
    for offset in (0, 1e4):
        keras.utils.set_random_seed(0)
        pictures, numbers = keras.Input((6,)), 3 if name == "laplace" else 2
        outputs = keras.layers.Dense(2 * numbers, bias_initializer="ones")(pictures)
        model = keras.Model(pictures, keras.layers.Reshape((2, numbers))(outputs))
        model.compile(keras.optimizers.Adam(0.1), loss=masked_loss(name), weighted_metrics=[masked_mae()])
        truth = TRUTH.copy()
        truth[1, 1] += offset
        model.fit(np.ones((2, 6), np.float32), truth, sample_weight=WEIGHTS, epochs=3, verbose=0)
        weights_after.append(model.get_weights())
    assert all(np.isfinite(a).all() and np.array_equal(a, b) for a, b in zip(*weights_after, strict=True))

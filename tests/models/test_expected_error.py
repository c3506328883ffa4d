"""The expected error of a network, the project's or a user's, can be calibrated after training."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from facial_keypoints.array_types import Float32
from models.expected_error import calibrated, calibration_of, with_calibration, with_expected_error

pytestmark = pytest.mark.any_backend
Network = Callable[[], keras.Model]

POINTS_AND_CONFIDENCE = np.array([[[10, 20, 0], [30, 40, 1.5], [5, 6, -2]]], np.float32)


def project_network() -> keras.Model:
    inputs, numbers = weighted_numbers()
    return keras.Model(inputs, with_expected_error(numbers[..., :2], numbers[..., 2:]))


def user_network() -> keras.Model:
    """Returns a network that uses no code of the project: x, y and the softplus of the third number."""
    inputs, numbers = weighted_numbers()
    error = keras.layers.Activation("softplus")(numbers[..., 2:])
    return keras.Model(inputs, keras.layers.Concatenate()([numbers[..., :2], error]))


def weighted_numbers() -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Returns an input, and the output of a dense layer that first leaves it unchanged."""
    inputs = keras.Input((3, 3))
    return inputs, keras.layers.Dense(3, kernel_initializer="identity")(inputs)


def predict(model: keras.Model) -> Float32:
    return np.asarray(model.predict(POINTS_AND_CONFIDENCE, verbose=0))


def test_expected_error_is_positive_and_e_px_at_confidence_0() -> None:
    predicted = predict(project_network())
    np.testing.assert_array_equal(predicted[..., :2], POINTS_AND_CONFIDENCE[..., :2])
    assert np.allclose(predicted[0, :, 2], [np.e, np.exp(2.5), np.exp(-1)])


@pytest.mark.parametrize("network", [project_network, user_network])
@pytest.mark.parametrize(("a", "b"), [(0.5, 0.8), (-2, 3)])
def test_calibrated_error_is_exp_of_a_plus_b_times_log_of_the_error(network: Network, a: float, b: float) -> None:
    model = network()
    before = predict(model)
    after = predict(calibrated(model, a, b))
    np.testing.assert_array_equal(after[..., :2], before[..., :2])
    assert np.allclose(after[..., 2], np.exp(a + b * np.log(before[..., 2])), rtol=1e-4)


@pytest.mark.parametrize("network", [project_network, user_network])
def test_network_can_be_recalibrated_and_saved_without_extra_weights(network: Network, tmp_path: Path) -> None:
    model = network()
    error, weights = predict(model)[..., 2], model.get_weights()
    model = calibrated(calibrated(model, 1, 2), -1, 0.8)
    assert np.allclose(predict(model)[..., 2], recalibrated(error), rtol=1e-4)
    for weight, before in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(weight, before)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_array_equal(predict(again), predict(model))


@pytest.mark.parametrize("network", [project_network, user_network])
def test_calibrated_network_given_other_weights_keeps_its_calibration(network: Network) -> None:
    new, model = network(), network()
    other = [np.float32(0.5) * weight + np.float32(0.25) for weight in new.get_weights()]
    new.set_weights(other)
    before = predict(model)
    model = calibrated(calibrated(model, 1, 2), -1, 0.8)
    model.set_weights(other)
    after, expected = predict(model), predict(new)
    assert np.abs(expected - before).max() > 1
    np.testing.assert_array_equal(after[..., :2], expected[..., :2])
    assert np.allclose(after[..., 2], recalibrated(expected[..., 2]), rtol=1e-4)


def recalibrated(error: Float32) -> Float32:
    """Returns exp(a + b log(error)) with (a, b) of (1, 2), and then with (-1, 0.8)."""
    return np.exp(-1 + 0.8 * (1 + 2 * np.log(error)))


@pytest.mark.parametrize("network", [project_network, user_network])
def test_calibration_of_one_network_can_be_applied_to_another(network: Network) -> None:
    """It replaces any calibration that the other network had."""
    finished = calibrated(network(), 0.5, 0.8)
    found = calibration_of(finished)
    assert found is not None
    for new in (network(), calibrated(network(), -2, 3)):
        np.testing.assert_allclose(predict(with_calibration(new, *found)), predict(finished), rtol=1e-6)

"""Calibration finds how predicted and true scales of error hang together, and changes sigma by that alone."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import v2
from training.confidence import calibrate, calibration


def test_a_known_relation_of_scale_and_sigma_is_recovered() -> None:
    """Errors are drawn from Laplace distributions whose scales are exp(0.3) * sigma ** 0.8."""
    rng = np.random.default_rng(0)
    sigma = np.exp(rng.uniform(-1, 2, 40_000))
    error = np.abs(rng.laplace(scale=np.exp(0.3) * sigma**0.8))
    found = calibration(sigma.astype(np.float32), error.astype(np.float32))
    assert found == pytest.approx((0.3, 0.8), abs=0.02)


@given(log_factor=st.floats(-9, 9), exponent=st.floats(0.3, 2))
def test_sigma_may_be_far_from_the_errors(log_factor: float, exponent: float) -> None:
    """Where every error is factor * sigma ** exponent, nothing else is likelier than these two numbers."""
    sigma = np.exp(np.linspace(-1, 2, 50))
    found = calibration(sigma.astype(np.float32), (np.exp(log_factor) * sigma**exponent).astype(np.float32))
    assert found == pytest.approx((log_factor, exponent), abs=1e-4)


def test_calibrated_errors_are_on_average_what_sigma_says() -> None:
    rng = np.random.default_rng(1)
    sigma, error = rng.uniform(0.5, 3, 500), rng.exponential(4, 500)  # sigma knows nothing here
    a, b = calibration(sigma.astype(np.float32), error.astype(np.float32))
    assert (error / np.exp(a + b * np.log(sigma))).mean() == pytest.approx(1, abs=1e-5)


def test_calibrating_twice_changes_sigma_as_it_says_and_no_place() -> None:
    keras.utils.set_random_seed(0)
    model = v2.build((48, 48, 1), 3, width=0.34)
    pictures = np.random.default_rng(0).integers(0, 256, (4, 48, 48, 1), np.uint8)
    before = model.predict(pictures, verbose=0)
    expected = before[..., 2]
    for a, b in ((0.3, 0.8), (-0.2, 1.5)):
        calibrate(model, a, b)
        expected = np.exp(a + b * np.log(expected))
        after = model.predict(pictures, verbose=0)
        np.testing.assert_allclose(after[..., 2], expected, rtol=1e-5)
        np.testing.assert_array_equal(after[..., :2], before[..., :2])

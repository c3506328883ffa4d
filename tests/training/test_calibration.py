"""Calibration finds the relation between expected and measured errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.calibration import calibration


def test_calibration_recovers_a_known_relation() -> None:
    """Errors are drawn from Laplace distributions whose scales are exp(0.3) * expected ** 0.8."""
    rng = np.random.default_rng(0)
    expected = np.exp(rng.uniform(-1, 2, 40_000))
    error = np.abs(rng.laplace(scale=np.exp(0.3) * expected**0.8))
    found = calibration(expected.astype(np.float32), error.astype(np.float32))
    assert found == pytest.approx((0.3, 0.8), abs=0.02)


@given(log_factor=st.floats(-9, 9), exponent=st.floats(0.3, 2))
def test_calibration_recovers_an_exact_relation_over_a_wide_range(log_factor: float, exponent: float) -> None:
    """If every error is factor * expected ** exponent, these two numbers have the highest likelihood."""
    expected = np.exp(np.linspace(-1, 2, 50))
    found = calibration(expected.astype(np.float32), (np.exp(log_factor) * expected**exponent).astype(np.float32))
    assert found == pytest.approx((log_factor, exponent), abs=1e-4)


def test_calibrated_expected_errors_fit_the_errors_on_average() -> None:
    rng = np.random.default_rng(1)
    expected, error = rng.uniform(0.5, 3, 500), rng.exponential(4, 500)  # unrelated to each other
    a, b = calibration(expected.astype(np.float32), error.astype(np.float32))
    assert (error / np.exp(a + b * np.log(expected))).mean() == pytest.approx(1, abs=1e-5)

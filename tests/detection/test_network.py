"""The architecture: three output grids, few parameters, and few faces found before training."""

import keras
import numpy as np
import pytest

from detection.network import FACE_PRIOR, build, with_one_output
from facial_keypoints.array_types import UInt8
from facial_keypoints.detectors.finder import OUTPUTS

pytestmark = pytest.mark.any_backend


SIZES = [(32, 32), (64, 96), (160, 64)]  # height and width in px


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return build()


def pictures(height: int, width: int) -> UInt8:
    return np.random.default_rng(0).integers(0, 256, (2, height, width, 1)).astype(np.uint8)


def test_network_has_few_parameters(model: keras.Model) -> None:
    assert 100_000 < model.count_params() < 200_000


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_untrained_network_outputs_three_grids_with_rare_faces(model: keras.Model, height: int, width: int) -> None:
    grids = [np.asarray(grid) for grid in model(pictures(height, width))]
    assert [grid.shape for grid in grids] == [(2, height // s, width // s, OUTPUTS) for s in (8, 16, 32)]
    assert all(np.abs(1 / (1 + np.exp(-grid[..., 0])) - FACE_PRIOR).max() < 0.1 for grid in grids)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_single_output_concatenates_the_three_grids(model: keras.Model, height: int, width: int) -> None:
    given = pictures(height, width)
    grids = [np.asarray(grid).reshape(2, -1, OUTPUTS) for grid in model(given)]
    found = np.asarray(with_one_output(model)(given))
    np.testing.assert_allclose(found, np.concatenate(grids, axis=1), atol=1e-6)

"""The architecture: three output grids, few parameters, and few faces found before training."""

import numpy as np
import pytest

from detection.network import FACE_PRIOR, build, with_one_output
from facial_keypoints.detectors.finder import OUTPUTS

pytestmark = pytest.mark.any_backend


def test_untrained_network_outputs_three_grids_with_rare_faces() -> None:
    model = build()
    assert 100_000 < model.count_params() < 200_000
    grids = [np.asarray(grid) for grid in model(np.zeros((2, 64, 96, 1), np.uint8))]
    assert [grid.shape for grid in grids] == [(2, 8, 12, OUTPUTS), (2, 4, 6, OUTPUTS), (2, 2, 3, OUTPUTS)]
    assert all(np.abs(1 / (1 + np.exp(-grid[..., 0])) - FACE_PRIOR).max() < 0.1 for grid in grids)


def test_single_output_concatenates_the_three_grids() -> None:
    model = build()
    pictures = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 1)).astype(np.uint8)
    grids = [np.asarray(grid).reshape(1, -1, OUTPUTS) for grid in model(pictures)]
    np.testing.assert_allclose(np.asarray(with_one_output(model)(pictures)), np.concatenate(grids, axis=1), atol=1e-6)

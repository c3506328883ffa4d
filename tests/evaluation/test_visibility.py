"""Separate errors for visible and for occluded keypoints."""

from dataclasses import replace

import numpy as np
import pytest

from data_prep.faces import Split
from evaluation.bootstrap import resampling_weights
from evaluation.report import visibility_summary
from evaluation.tables import accuracy_table
from facial_keypoints.array_types import Float32
from facial_keypoints.keypoint_set import FACE15

MOUTH = [11, 12, 13]


def faces() -> tuple[Split, Float32]:
    """Returns two faces with eyes 30 px apart: the occluded mouth is predicted 6 px too far right, the rest 3 px."""
    keypoints = np.random.default_rng(0).uniform(20, 70, (2, 15, 2)).astype(np.float32)
    keypoints[:, 0], keypoints[:, 1] = (65, 35), (35, 35)
    labelled = np.ones((2, 15), bool)
    labelled[0, 14] = False
    visible = labelled.copy()
    visible[:, MOUTH] = False
    n = np.arange(2)
    predicted = keypoints.copy()
    predicted[..., 0] += 3
    predicted[:, MOUTH, 0] += 3
    return Split(np.zeros((2, 96, 96, 1), np.uint8), keypoints, labelled, n, n, 0 * n, visible=visible), predicted


def test_visible_and_occluded_keypoints_have_separate_rows() -> None:
    test, predicted = faces()
    table = accuracy_table(predicted, test, FACE15, resampling_weights(test.groups)).set_index("labels")
    assert table.index.tolist() == ["labelled", "all", "visible", "occluded"]
    assert table["coordinates"].tolist() == [2 * 29, 2 * 30, 2 * 23, 2 * 6]
    assert table.loc["visible", "mae_px"] == 1.5
    assert table.loc["occluded", "mae_px"] == 3.0
    assert table.loc["visible", "nme_pct"] == pytest.approx(10.0)
    assert table.loc["occluded", "nme_pct"] == pytest.approx(20.0)  # although no eye is occluded


def test_summary_has_one_line_for_visible_and_one_for_occluded_keypoints() -> None:
    test, predicted = faces()
    table = accuracy_table(predicted, test, FACE15, resampling_weights(test.groups))
    assert visibility_summary(table) == (
        "\n  visible keypoints (46 coordinates): NME 10.00 %"  # two faces give no interval
        "\n  occluded keypoints (12 coordinates): NME 20.00 %"
    )
    assert visibility_summary(table[:2]) == ""


def test_visibility_rows_are_absent_unless_both_kinds_occur() -> None:
    test, predicted = faces()
    for visible in (None, test.labelled, np.zeros_like(test.labelled)):
        some = replace(test, visible=visible)
        table = accuracy_table(predicted, some, FACE15, resampling_weights(some.groups))
        assert table["labels"].tolist() == ["labelled", "all"]

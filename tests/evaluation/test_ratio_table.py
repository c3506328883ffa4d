"""Errors of a model on two keypoints as ratios to those of the base, compared with hand calculations."""

import numpy as np
import pytest

from data_prep.faces import Split
from evaluation.comparison import Entry
from evaluation.inputs import EvaluationData
from evaluation.ratio_table import COLUMNS, ratio_table
from facial_keypoints.array_types import Float32
from facial_keypoints.keypoint_set import KeypointSet, LabelSource, Normalizer

EYES = Normalizer("eyes", (0,), (1,))
PAIR = KeypointSet("pair", ("left", "right"), (1, 0), (EYES,), (), (), (LabelSource("only", (0, 1)),))


def data() -> EvaluationData:
    """Returns 12 faces of 12 groups, both keypoints at (0, 0); the second is labelled in every other pair of faces."""
    rows = np.arange(12)
    labelled = np.array(3 * [[True, True], [True, True], [True, False], [True, False]])
    images, keypoints = np.zeros((12, 4, 4, 1), np.uint8), np.zeros((12, 2, 2), np.float32)
    part = Split(images, keypoints, labelled, rows, rows, np.zeros_like(rows))
    return EvaluationData(part, part, PAIR, "hash")


def entry(name: str, left: Float32, right: tuple[float, float], baseline: bool = False) -> Entry:
    """Returns an entry with these positions of the left keypoint in four faces, three times, and of the right one."""
    predicted = np.stack([np.tile(left, (3, 1)), np.full((12, 2), right)], axis=1).astype(np.float32)
    return Entry(name, predicted, {}, baseline)


def test_ratios_match_hand_calculation() -> None:
    left = np.array([[1, 1], [2, 2], [6, -6], [0, 8]], np.float32)
    base = entry("base", left, (0, 4))
    # half the error on the left; on the right the same sum but other squares
    half = entry("half", left / np.float32(2), (2, 2))
    table = ratio_table([base, half, entry("mean_face", left, (0, 0), baseline=True)], data(), "base")
    assert table.columns.tolist() == list(COLUMNS)
    assert table["name"].tolist() == ["half"] * 3
    assert table["keypoint"].tolist() == ["left", "right", "all"]
    assert table["points"].tolist() == [12, 6, 18]
    # keypoint `all`, over four of the twelve faces: sums of |error| are 26 and 8 in the base, 13 and 8 in half;
    # sums of squares are 146 and 32, 36.5 and 16
    assert table["mae_ratio"].tolist() == pytest.approx([0.5, 1.0, 21 / 34], abs=1e-4)
    assert table["rmse_ratio"].tolist() == pytest.approx([0.5, np.sqrt(0.5), np.sqrt(52.5 / 178)], abs=1e-4)
    # errors that are halved in every face have the ratio 0.5 in every resample, however much the faces differ
    assert table.loc[0, ["mae_ratio_low", "mae_ratio_high", "rmse_ratio_low"]].tolist() == [0.5, 0.5, 0.5]
    assert 0.5 <= table["mae_ratio_low"][2] < 21 / 34 < table["mae_ratio_high"][2] < 1


def test_ratios_to_a_perfect_or_missing_reference_are_left_out() -> None:
    zero = np.zeros((4, 2), np.float32)
    perfect, other = entry("perfect", zero, (0, 0)), entry("other", zero, (0, 4))
    assert ratio_table([perfect, other], data(), "perfect")["mae_ratio"].isna().all()
    assert len(ratio_table([perfect, other], data(), "absent")) == 0

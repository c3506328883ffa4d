"""Metrics compared with hand calculations, and properties that hold for any prediction."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_prep.faces import Split
from evaluation.bootstrap import resampling_weights
from evaluation.metrics import (
    KEYPOINT_METRICS,
    METRICS,
    NME_METRICS,
    face_nme,
    face_sums,
    keypoint_sums,
    mae_rmse,
    nme_sums,
    point_nme_sums,
    ratios,
    spans,
)
from evaluation.tables import nme_table
from facial_keypoints.array_types import Bool, Float32
from facial_keypoints.keypoint_set import BOX_DIAGONAL, Normalizer, from_names

PAIR = Normalizer("eyes", (0,), (1,))


def metrics(predicted: Float32, true: Float32, scored: Bool) -> dict[str, float]:
    return dict(zip(METRICS, ratios(face_sums(predicted, true, scored, PAIR).sum(0), METRICS), strict=True))


def example() -> tuple[Float32, Float32, Bool]:
    """Two faces of three points with eyes 50 px apart; errors (3, 4), (0, 0), (5, 12) and (0, 1), (0, 0), unscored."""
    true = np.array([[[70, 40], [20, 40], [45, 70]]] * 2, np.float32)
    error = np.array([[[3, 4], [0, 0], [5, -12]], [[0, 1], [0, 0], [90, 90]]], np.float32)
    scored = np.array([[True, True, True], [True, True, False]])
    return true + error, true, scored


def test_metrics_match_hand_calculation() -> None:
    # coordinates: 3 4 0 0 5 12 0 1 0 0; points: 5 0 13 1 0; faces: 18/3 / 50 = 12 %, 0.5 / 50 = 1 %
    expected = {
        "mae_px": 2.5,
        "rmse_px": np.sqrt((9 + 16 + 25 + 144 + 1) / 10),
        "within_5px_pct": 80.0,  # 5 is not under 5
        "within_10px_pct": 90.0,
        "within_15px_pct": 100.0,
        "points_within_5px_pct": 60.0,
        "points_within_10px_pct": 80.0,
        "points_within_15px_pct": 100.0,
        "nme_pct": 6.5,
        "auc": (0 + 7 / 8) / 2,
        "failure_rate_pct": 50.0,
        "pck_at_0.05_pct": 60.0,  # 0, 1 and 0 px of 50
        "pck_at_0.1_pct": 60.0,  # 5 is not under 5
    }
    assert metrics(*example()) == pytest.approx(expected)
    assert mae_rmse(*example()) == pytest.approx((expected["mae_px"], expected["rmse_px"]))


def test_face_without_both_eye_labels_has_no_nme_but_other_metrics() -> None:
    predicted, true, scored = example()
    scored[0, 0] = False
    assert np.isnan(face_nme(predicted, true, scored, PAIR)).tolist() == [True, False]
    values = metrics(predicted, true, scored)
    assert values["nme_pct"] == pytest.approx(1.0)
    assert values["mae_px"] == pytest.approx((5 + 12 + 1) / 8)


def test_keypoint_metrics_match_hand_calculation() -> None:
    predicted, true, scored = example()
    values = ratios(keypoint_sums(predicted, true, scored).sum(0), KEYPOINT_METRICS)
    first, last = (dict(zip(KEYPOINT_METRICS, values[k], strict=True)) for k in (0, 2))
    assert (first["mae_px"], first["rmse_px"]) == pytest.approx((2.0, np.sqrt(26 / 4)))
    assert (first["point_error_px"], first["bias_x_px"], first["bias_y_px"]) == pytest.approx((3.0, 1.5, 2.5))
    assert first["points_within_5px_pct"] == 50.0
    assert (last["point_error_px"], last["bias_y_px"]) == pytest.approx((13.0, -12.0))  # of one face only


def test_auc_and_failure_rate_at_both_limits_match_hand_calculation() -> None:
    true = np.array([[[100, 0], [0, 0], [50, 50]]] * 4, np.float32)
    predicted, scored = true.copy(), np.ones((4, 3), bool)
    predicted[:, 2, 0] += (6, 27, 0, 120)  # NME 2, 9 and 40 %
    scored[2, 0] = False  # the third face has none
    sums = nme_sums(predicted, true, scored, PAIR).sum(0)
    values = dict(zip(NME_METRICS, ratios(sums, NME_METRICS), strict=True))
    assert values == pytest.approx(
        {
            "nme_pct": 17.0,
            "auc_at_8": 0.75 / 3,
            "failure_rate_at_8_pct": 200 / 3,
            "auc_at_10": (0.8 + 0.1) / 3,
            "failure_rate_at_10_pct": 100 / 3,
            "pck_at_0.05_pct": 600 / 9,
            "pck_at_0.1_pct": 700 / 9,
        }
    )


def test_keypoint_nme_leaves_out_faces_without_a_normalizer() -> None:
    predicted, true, scored = example()
    of_points = ratios(point_nme_sums(predicted, true, scored, spans(true, scored, PAIR)).sum(0), ("nme_pct",))
    assert of_points[:, 0] == pytest.approx([(5 + 1) / 2 / 50 * 100, 0, 26])
    scored[0, 1] = False
    of_points = ratios(point_nme_sums(predicted, true, scored, spans(true, scored, PAIR)).sum(0), ("nme_pct",))
    assert of_points[:, 0] == pytest.approx([2, 0, np.nan], nan_ok=True)


def test_normalizer_may_be_the_distance_between_means_of_keypoints() -> None:
    predicted, true, scored = example()
    both = Normalizer("means", (0, 1), (2,))  # (45, 40) to (45, 70)
    assert face_nme(predicted, true, scored, both)[0] == pytest.approx(100 * 6 / 30)


def test_box_diagonal_is_computed_from_the_scored_keypoints() -> None:
    _, true, scored = example()
    assert spans(true, scored, BOX_DIAGONAL) == pytest.approx([np.hypot(50, 30), 50])
    scored[1] = False
    assert spans(true, scored, BOX_DIAGONAL) == pytest.approx([np.hypot(50, 30), np.nan], nan_ok=True)
    scored[0] = [True, False, False]  # a box of no size
    assert np.isnan(spans(true, scored, BOX_DIAGONAL)).all()


@pytest.mark.parametrize("normalizer", [PAIR, BOX_DIAGONAL], ids=["pair", "box"])
def test_faces_with_a_normalizer_of_zero_are_left_out_and_counted(normalizer: Normalizer) -> None:
    predicted, true, scored = example()
    true[1] = true[1, 0]  # all at one point
    n = np.arange(2)
    test = Split(np.zeros((2, 8, 8, 1), np.uint8), true, scored, n, n, np.zeros_like(n))
    keypoint_set = replace(from_names("own", ["a", "b", "c"], ""), normalizers=(normalizer,))
    table = nme_table(predicted, test, keypoint_set, resampling_weights(n)).set_index("labels")
    assert table.loc["labelled", ["faces", "faces_left_out"]].tolist() == [1, 1]
    length = 50 if normalizer is PAIR else np.hypot(50, 30)
    assert table.loc["labelled", "nme_pct"] == pytest.approx(100 * 6 / length, abs=1e-4)


def test_metrics_without_scored_points_are_nan() -> None:
    predicted, true, scored = example()
    assert all(np.isnan(value) for value in metrics(predicted, true, np.zeros_like(scored)).values())


@given(shift=st.floats(0, 40, width=16), seed=st.integers(0, 9))
def test_shift_by_d_gives_mae_and_rmse_of_d(shift: float, seed: int) -> None:
    true = np.random.default_rng(seed).integers(0, 96, (5, 4, 2)).astype(np.float32)
    values = metrics(true + np.float32(shift), true, np.ones((5, 4), bool))
    assert (values["mae_px"], values["rmse_px"]) == pytest.approx((shift, shift), abs=1e-5)
    assert values["within_10px_pct"] == (100.0 if shift < 10 else 0.0)


@given(seed=st.integers(0, 99))
def test_shares_grow_with_the_threshold_and_row_order_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    true = rng.uniform(0, 96, (12, 4, 2)).astype(np.float32)
    predicted = true + rng.normal(0, 8, true.shape).astype(np.float32)
    scored = rng.random((12, 4)) < 0.7
    values = metrics(predicted, true, scored)
    for kind in ("", "points_"):
        shares = [values[f"{kind}within_{t}px_pct"] for t in (5, 10, 15)]
        assert shares == sorted(shares)
    assert values["points_within_5px_pct"] <= values["within_5px_pct"] + 1e-9
    assert values["mae_px"] <= values["rmse_px"]
    order = rng.permutation(12)
    assert metrics(predicted[order], true[order], scored[order]) == pytest.approx(values, nan_ok=True)

"""Missing labels are imputed from training labels only, and real labels never change."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.faces import labelled_points
from data_prep.grouping import label_sources
from data_prep.impute import DEFAULT_IMPUTER, IMPUTERS, hidden_label_errors, impute
from data_prep.readers.labels import read_keypoints
from data_prep.split import split
from facial_keypoints.array_types import Float32

GAP = np.nan


def random_faces(seed: int, count: int = 60, keypoints: int = 5) -> Float32:
    """Returns faces of one shape, shifted and slightly deformed; every other face lacks all keypoints but three."""
    rng = np.random.default_rng(seed)
    shape = rng.uniform(20, 76, (keypoints, 2))
    faces = shape + rng.normal(0, 5, (count, 1, 2)) + rng.normal(0, 0.5, (count, keypoints, 2))
    faces[1::2, 3:] = GAP
    return faces.astype(np.float32)


def test_forward_fill_matches_hand_calculation() -> None:
    column = np.array([GAP, 1, GAP, 2, GAP, GAP], np.float32)
    keypoints = np.stack([column, column * 10], -1)[:, None, :]
    training = np.array([True, True, True, False, True, True])
    filled = impute("ffill", keypoints, training)
    # Row 3 is held out: it keeps its own label, which fills no other row. Row 0 takes the first label below it.
    assert filled[:, 0, 0].tolist() == [1, 1, 1, 2, 1, 1]
    assert filled[:, 0, 1].tolist() == [10, 10, 10, 20, 10, 10]


def test_mean_and_median_match_hand_calculation() -> None:
    keypoints = np.array([1, 2, 6, GAP], np.float32)[:, None, None] * np.ones((1, 2, 2), np.float32)
    training = np.ones(4, bool)
    assert np.allclose(impute("mean", keypoints, training)[3], 3)
    assert np.allclose(impute("median", keypoints, training)[3], 2)


def test_similarity_recovers_a_transformed_mean_face_exactly() -> None:
    shape = np.array([[30, 40], [66, 38], [48, 60], [47, 80]], np.float64)
    angle, scale = 0.3, 1.2
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = shape @ turn.T + (3, -5)
    gappy = moved.copy()
    gappy[2:] = GAP
    keypoints = np.stack([*[shape] * 30, gappy]).astype(np.float32)
    training = np.arange(31) < 30
    assert np.allclose(impute("similarity", keypoints, training)[-1], moved, atol=1e-4)


def test_similarity_with_one_label_or_none_uses_the_mean_face() -> None:
    shape = np.array([[30, 40], [66, 38]], np.float32)
    one, none = shape + 7, shape.copy()
    one[1], none[:] = GAP, GAP
    keypoints = np.stack([shape, one, none])
    filled = impute("similarity", keypoints, np.array([True, False, False]))
    assert np.allclose(filled[1], shape + 7)
    assert np.allclose(filled[2], shape)


@pytest.mark.parametrize("method", IMPUTERS)
@settings(max_examples=20)
@given(seed=st.integers(0, 1000))
def test_every_imputer_fills_all_gaps_and_keeps_all_labels(method: str, seed: int) -> None:
    keypoints = random_faces(seed, count=16)
    filled = impute(method, keypoints, np.arange(16) < 12)
    assert np.isfinite(filled).all()
    known = ~np.isnan(keypoints)
    assert np.array_equal(filled[known], keypoints[known])


@pytest.mark.parametrize("method", IMPUTERS)
def test_held_out_faces_do_not_affect_other_faces(method: str) -> None:
    keypoints = random_faces(1)
    training = np.arange(60) < 50
    other = keypoints.copy()
    other[50:58] += 30
    assert np.array_equal(impute(method, keypoints, training)[:50], impute(method, other, training)[:50])
    assert np.array_equal(impute(method, keypoints, training)[58:], impute(method, other, training)[58:])


def test_similarity_and_ridge_beat_the_mean_on_hidden_labels() -> None:
    keypoints = random_faces(3, count=200)
    sources = (np.arange(200) % 2).astype(np.int64)
    errors = hidden_label_errors(keypoints, sources, np.arange(200) < 150, np.arange(200) >= 150)
    assert set(errors) == set(IMPUTERS)
    assert errors["similarity"] < 1.5 < errors["mean"]
    assert errors["ridge"] < errors["similarity"] + 0.1


def test_never_labelled_keypoint_is_put_at_the_mean_of_its_face() -> None:
    keypoints = np.full((4, 3, 2), GAP, np.float32)
    keypoints[:, 0], keypoints[:, 1] = (10, 20), (30, 60)
    keypoints[1, :2] += 5
    keypoints[2, 2] = (1, 2)  # a label in a face that is not for training
    keypoints[3, 1] = GAP
    for method in IMPUTERS:
        filled = impute(method, keypoints, np.array([True, True, False, False]))
        assert filled[:3, 2].tolist() == [[20, 40], [25, 45], [1, 2]], method
        np.testing.assert_allclose(filled[3, 2], filled[3, :2].mean(axis=0), rtol=1e-6)
        np.testing.assert_array_equal(filled[:3, :2], keypoints[:3, :2])


def test_labels_are_hidden_as_in_the_most_common_sparse_source() -> None:
    """The faces differ only by a shift, so the one visible keypoint determines the others exactly."""
    keypoints = random_faces(0, count=40, keypoints=4)
    keypoints[:] = keypoints[0] + np.random.default_rng(0).normal(0, 9, (40, 1, 2))
    keypoints[20:30, 1:], keypoints[30:35, :3] = GAP, GAP
    sources = np.repeat([0, 2, 1, 0], [20, 10, 5, 5])
    errors = hidden_label_errors(keypoints, sources, np.arange(40) < 35, np.arange(40) >= 35)
    assert errors["similarity"] < 1e-4
    assert errors["mean"] > 5
    assert hidden_label_errors(keypoints, np.zeros(40, np.int64), np.arange(40) < 35, np.arange(40) >= 35) == {}


def test_default_imputer_is_the_best_on_the_real_label_file(real_data: Path) -> None:
    keypoints, keypoint_set, *_ = read_keypoints(real_data / "kaggle15_labels" / "facial_keypoints.csv")
    parts = split("random", np.arange(len(keypoints)), seed=0)
    training, held_out = np.zeros((2, len(keypoints)), bool)
    training[parts["train"]], held_out[parts["val"]] = True, True
    sources = label_sources(labelled_points(keypoints), keypoint_set)
    errors = hidden_label_errors(keypoints, sources, training, held_out)
    assert min(errors, key=lambda name: errors[name]) == DEFAULT_IMPUTER
    assert errors["ffill"] > 2 * errors[DEFAULT_IMPUTER]

"""Similarity fits and crops: fits recover the transform of points, and crops agree with `transform`."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facial_keypoints.geometry import about_middle, chained, crop, fit_similarity, inverse, transform

seeds = st.integers(0, 2**32 - 1)


def similarity(scale: float, turn: float, shift: tuple[float, float]) -> np.ndarray:
    """Returns a matrix (2, 3) that turns counter-clockwise (x right, y up) by `turn` radians."""
    cos, sin = scale * np.cos(turn), scale * np.sin(turn)
    return np.array([[cos, -sin, shift[0]], [sin, cos, shift[1]]])


similarities = st.builds(
    similarity,
    st.floats(0.05, 20),
    st.floats(-np.pi, np.pi),
    st.tuples(st.floats(-500, 500), st.floats(-500, 500)),
)


def test_about_middle_matches_hand_calculation() -> None:
    """The middle of a crop of 101 px is at 50; a turn by 90 degrees moves the point 10 px right of it below it."""
    np.testing.assert_allclose(about_middle(101, right_px=10.1, down_px=-10.1) @ (50, 50, 1), (60.1, 39.9))
    np.testing.assert_allclose(about_middle(101, turn_degrees=90, scale=2) @ (60, 50, 1), (50, 70))


@given(similarities, similarities)
def test_chained_applies_transforms_in_order(first: np.ndarray, second: np.ndarray) -> None:
    points = np.array([[3.0, 4.0], [-20.0, 7.0]])
    one_by_one = transform(transform(points, first), second)
    np.testing.assert_allclose(transform(points, chained(first, second)), one_by_one, atol=1e-6)
    np.testing.assert_allclose(chained(first, np.stack([second, second]))[1], chained(first, second))


@given(similarities, seeds)
def test_fit_recovers_the_similarity_and_ignores_masked_points(matrix: np.ndarray, seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, 96, (1, 7, 2))
    moved = transform(points, matrix)
    mask = np.array([[True, True, False, True, False, True, True]])
    points[0, 2], moved[0, 4] = np.nan, np.nan  # masked points may be anything
    np.testing.assert_allclose(fit_similarity(points, moved, mask)[0], matrix, rtol=1e-6, atol=1e-6)


@given(similarities, seeds)
def test_inverse_undoes_transform(matrix: np.ndarray, seed: int) -> None:
    points = np.random.default_rng(seed).uniform(0, 96, (2, 5, 2))
    np.testing.assert_allclose(transform(transform(points, matrix), inverse(matrix)), points, atol=1e-6)
    several = np.stack([matrix, similarity(1, 0, (3, 4))])
    np.testing.assert_allclose(transform(transform(points, several), inverse(several)), points, atol=1e-6)


@given(seeds)
def test_no_nearby_similarity_has_a_smaller_error_than_the_fit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    before, after = rng.uniform(0, 96, (2, 6, 2))
    best = fit_similarity(before, after)

    def error(matrix: np.ndarray) -> float:
        return float(((transform(before[None], matrix) - after) ** 2).sum())

    nearby = similarity(1 + rng.normal(0, 1e-2), rng.normal(0, 1e-2), (rng.normal(), rng.normal()))
    linear = nearby[:, :2] @ best[0, :, :2]
    assert error(best) <= error(np.concatenate([linear, best[0, :, 2:] + nearby[:, 2:]], axis=1)[None]) + 1e-9


def test_fit_and_transform_match_hand_calculation() -> None:
    # A quarter turn, twice the size, and 10 to the right: (x, y) -> (10 - 2 y, 2 x).
    matrix = fit_similarity([[0, 0], [1, 0]], [[10, 0], [10, 2]])
    np.testing.assert_allclose(matrix, [[[0, -2, 10], [2, 0, 0]]], atol=1e-12)
    np.testing.assert_allclose(transform([[[3, 4]]], matrix), [[[2, 6]]])
    assert np.isnan(transform([[[np.nan, 4]]], matrix)).all()


@pytest.mark.parametrize(
    ("before", "after", "mask", "matrix"),
    [
        ([[1, 2], [9, 9]], [[4, 6], [0, 0]], [True, False], [[1, 0, 3], [0, 1, 4]]),  # one point: a translation
        ([[5, 5], [5, 5]], [[1, 2], [3, 4]], [True, True], [[1, 0, -3], [0, 1, -2]]),  # coinciding points: to the mean
        ([[1, 2], [9, 9]], [[4, 6], [0, 0]], [False, False], [[1, 0, 0], [0, 1, 0]]),  # no point: the identity
    ],
)
def test_fit_of_too_few_or_coinciding_points_does_not_turn_or_scale(
    before: npt.ArrayLike, after: npt.ArrayLike, mask: list[bool], matrix: npt.ArrayLike
) -> None:
    np.testing.assert_allclose(fit_similarity(before, after, np.array([mask]))[0], np.array(matrix), atol=1e-12)


def test_each_face_is_fitted_separately() -> None:
    before = np.array([[[0, 0], [1, 0]], [[0, 0], [1, 0]]])
    after = before + np.array([[[5, 0]], [[0, 7]]])
    np.testing.assert_allclose(fit_similarity(before, after)[:, :, 2], [[5, 0], [0, 7]], atol=1e-12)
    one_for_all = fit_similarity(before[0], after)  # one source face for several targets
    np.testing.assert_allclose(one_for_all[:, :, 2], [[5, 0], [0, 7]], atol=1e-12)


@pytest.mark.parametrize("scale", [0.1, 0.37, 0.8, 1.0, 1.6, 4.0])
@pytest.mark.parametrize("turn", [0.0, 0.5, -2.0])
@pytest.mark.parametrize("shape", [(), (1,), (3,)])
def test_crop_moves_a_dot_to_its_transformed_position(scale: float, turn: float, shape: tuple[int, ...]) -> None:
    y, x = np.mgrid[:300, :400]
    position = np.array([231.0, 140.0])
    width = 3 / min(scale, 1)  # the same width in the crop at every scale
    blob = 255 * np.exp(-((x - position[0]) ** 2 + (y - position[1]) ** 2) / (2 * width**2))
    picture = np.broadcast_to(np.rint(blob).astype(np.uint8).reshape(300, 400, *(1 for _ in shape)), (300, 400, *shape))
    target = np.array([41.3, 52.6])
    matrix = similarity(scale, turn, (0, 0))
    matrix[:, 2] = target - matrix[:, :2] @ position
    cropped = crop(np.ascontiguousarray(picture), matrix, 96, 80)
    assert cropped.shape == (96, 80, *shape)
    gray = cropped.reshape(96, 80, -1)[..., 0].astype(float)
    rows, columns = np.mgrid[:96, :80]
    weights = np.where(np.hypot(columns - target[0], rows - target[1]) < 20, gray, 0)
    center = np.array([(weights * columns).sum(), (weights * rows).sum()]) / weights.sum()
    np.testing.assert_allclose(center, target, atol=0.1)


def test_crop_outside_the_picture_repeats_the_edge() -> None:
    picture = np.full((10, 10), 77, np.uint8)
    assert (crop(picture, np.array([[1.0, 0, 30], [0, 1, 30]]), 50, 50) == 77).all()


def test_fine_stripes_become_gray_when_shrunk() -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (200, 100))
    shrunk = crop(stripes, similarity(0.1, 0, (0, 0)), 20, 20)
    assert (np.abs(shrunk[2:-2, 2:-2].astype(int) - 127) <= 2).all()

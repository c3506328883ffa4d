"""Unusual face shapes and labels outside the image: known answers on small sets."""

import numpy as np

from data_prep.outliers import outlyingness, outside_image, shape_outlyingness
from facial_keypoints.array_types import Float32

SHAPE = np.array([[30, 36], [66, 36], [22, 26], [74, 26], [48, 58], [34, 76], [62, 76], [48, 84]], float)


def posed_faces(count: int, noise_px: float = 1.0) -> Float32:
    """Noisy copies of one shape, shifted, turned up to 30 degrees and scaled."""
    rng = np.random.default_rng(0)
    turn = rng.uniform(0.7, 1.3, (count, 1)) * np.exp(1j * rng.uniform(-0.5, 0.5, (count, 1)))
    shape = SHAPE @ (1, 1j) - (48 + 56j)
    noise = rng.normal(0, noise_px, (count, len(SHAPE), 2)) @ (1, 1j)
    faces = turn * (shape + noise) + 48 + 56j + rng.uniform(-9, 9, (count, 1))
    return np.stack([faces.real, faces.imag], -1).astype(np.float32)


def test_unusual_shape_has_the_highest_score_with_and_without_gaps() -> None:
    faces = posed_faces(400)
    faces[7, 4] += 12
    gaps = np.random.default_rng(1).random(faces.shape[:2]) < 0.3
    gaps[7, 4] = False
    for keypoints in (faces, np.where(gaps[..., None], np.nan, faces)):
        scores = shape_outlyingness(keypoints.astype(np.float32))
        assert scores.argmax() == 7
        assert scores[7] > 5
        assert np.abs(np.median(scores)) < 0.5


def test_pose_does_not_affect_the_score() -> None:
    faces = posed_faces(200)
    faces[3] = (faces[3] - 48) @ np.array([[0, 2.5], [-2.5, 0]]) + 500  # a quarter turn, large and far away
    assert shape_outlyingness(faces)[3] < 3


def test_collapsed_face_has_the_highest_score_and_two_keypoints_zero() -> None:
    faces = posed_faces(200)
    faces[3] = 50
    faces[4, 2:] = np.nan
    faces[5] = np.nan
    scores = shape_outlyingness(faces)
    assert scores.argmax() == 3
    assert scores[4] == scores[5] == 0


def test_random_labels_have_the_highest_scores() -> None:
    faces = posed_faces(200)
    faces[3] = np.random.default_rng(2).uniform(0, 96, faces[3].shape)
    faces[8] = faces[3] / 10
    scores = shape_outlyingness(faces)
    assert set(scores.argsort()[-2:]) == {3, 8}
    assert scores[[3, 8]].min() > 20


def test_each_label_source_is_compared_with_itself() -> None:
    faces = posed_faces(300)
    sources = np.repeat([0, 1], 150)
    faces[sources == 1, 4] += (0, 9)  # labelled elsewhere, in all faces of the source
    assert outlyingness(faces, sources).max() < 5


def test_faces_without_labels_have_score_zero() -> None:
    assert not shape_outlyingness(np.full((3, 5, 2), np.nan, np.float32)).any()


def test_outside_image_is_measured_from_the_pixel_edges() -> None:
    points = np.array([[[-0.5, 0], [-0.6, 0], [9.5, 4.5], [9.6, 0], [0, 4.6], [np.nan, np.nan]]], np.float32)
    assert outside_image(points, height_px=5, width_px=10).tolist() == [[False, True, False, True, True, False]]

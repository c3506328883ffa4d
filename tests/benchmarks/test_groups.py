"""Scenes composed of photos, and the counts of found and false faces in them."""

import numpy as np
import pytest

from benchmarks.groups import HEIGHT_PX, WIDTH_PX, Scene, compose_scenes, eye_distances, measure, shrink_to
from facial_keypoints.array_types import Float64
from facial_keypoints.face import Face
from facial_keypoints.keypoint_set import FACE15
from tests.facial_keypoints.drawn import drawn_faces


def photo(width: int, height: int, level: int = 200) -> Scene:
    """Returns a photo with one face whose eyes are 40 px apart; all keypoints have different positions."""
    labelled = np.column_stack([np.linspace(10, 80, 15), np.linspace(20, 90, 15)])[None]
    labelled[0, :2] = (70, 30), (30, 30)
    return Scene(np.full((height, width, 3), level, np.uint8), labelled, labelled.mean(axis=1))


def face_at(points: Float64) -> Face:
    return Face((*points.mean(axis=0) - 50, 100.0, 100.0), points.astype(np.float32), None, np.eye(2, 3), FACE15)


def test_photos_are_shrunk_to_an_eye_distance_and_never_enlarged() -> None:
    drawn = drawn_faces(1, 1)
    small = shrink_to(Scene(drawn.picture, drawn.keypoints.astype(np.float64), np.zeros((0, 2))), 20)
    assert small is not None
    assert eye_distances(small.labelled) == pytest.approx(20, abs=0.2)
    assert small.picture.shape[0] < drawn.picture.shape[0]
    assert shrink_to(photo(100, 100), 41) is None


def test_photos_fill_rows_and_then_scenes() -> None:
    first, second = compose_scenes([photo(800, 500, 1), photo(700, 300, 2), photo(900, 700, 3), photo(800, 501, 4)])
    assert first.picture.shape == (HEIGHT_PX, WIDTH_PX, 3)
    corners = [(0, 0), (800, 0), (0, 500)]
    assert [int(first.picture[y, x, 0]) for x, y in corners] == [1, 2, 3]
    moved = first.labelled - photo(9, 9).labelled
    np.testing.assert_allclose(moved[:, 0], corners)
    np.testing.assert_allclose(first.detected, first.labelled.mean(axis=1))
    assert len(second.labelled) == 1
    assert second.picture[0, 0, 0] == 4


def test_found_missed_and_false_faces_are_distinguished() -> None:
    one = photo(1600, 600)
    (scene,) = compose_scenes([one, one])
    off = scene.labelled[0].copy()
    off[FACE15.index("mouth_left_corner"), 0] += 4  # a tenth of the eyes' distance, at one of four keypoints
    far = scene.labelled[0] + (900, 100)
    errors, false = measure(scene, [face_at(far), face_at(off)])
    assert errors == pytest.approx([2.5])
    assert false == 1
    assert measure(scene._replace(detected=far.mean(axis=0)[None]), [face_at(far)]) == ([], 0)
    assert measure(scene, []) == ([], 0)

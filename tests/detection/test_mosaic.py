"""Composed training pictures: points move with the pixels, and faces are sure only if they are visible."""

from dataclasses import replace

import numpy as np
import pytest

from detection.mosaic import SMALLEST_EYES_PX, compose, degrade, place_in_tile, shares_of, visible_share
from facial_keypoints.boxes import USUAL_EYES
from facial_keypoints.detectors.five_points import fitted_boxes
from tests.detection.scenes import mean_face, square_scene


@pytest.mark.parametrize("seed", range(12))
def test_points_move_with_the_pixels(seed: int) -> None:
    scene = square_scene(np.concatenate([mean_face(60, 70, 60), mean_face(140, 120, 60)]))
    tile = place_in_tile(scene, 150, 170, np.random.default_rng(seed))
    assert tile.picture.shape == (150, 170)
    inside = [point for point in tile.points.reshape(-1, 2).round().astype(int) if (point > 1).all()]
    for x, y in inside:
        if x < 168 and y < 148:
            assert tile.picture[y - 1 : y + 2, x - 1 : x + 2].max() > 150


def test_half_of_the_tiles_are_mirrored_with_left_and_right_points_swapped() -> None:
    """The right eye of the scene is brighter than its left eye, so the pixels show which tiles are mirrored."""
    scene = square_scene(mean_face(100, 100, 60))
    x, y = scene.points[0, 1].round().astype(int)
    scene.picture[y - 2 : y + 3, x - 2 : x + 3] = 140
    mirrored = []
    for seed in range(40):
        tile = place_in_tile(scene, 200, 200, np.random.default_rng(seed))
        for points in tile.points:
            across = points[1] - points[0]
            assert across[0] > 0
            assert np.cross(np.append(across, 0), np.append(points[2] - points[0], 0))[2] > 0
            eyes = points[:2].round().astype(int)
            if ((eyes >= 0) & (eyes < 200)).all():
                right, left = tile.picture[eyes[:, 1], eyes[:, 0]].tolist()
                assert max(right, left) > 200 > min(right, left)
                mirrored.append(left > right)
    assert len(mirrored) > 20
    assert 0.25 < np.mean(mirrored) < 0.75


def test_visible_share_of_boxes_matches_hand_calculation() -> None:
    middle = np.array([[50.0, 50.0], [0.0, 50.0], [0.0, 0.0], [200.0, 50.0]])
    np.testing.assert_allclose(visible_share(middle, np.full(4, 20.0), 100, 100), [1, 0.5, 0.25, 0])


def test_cropped_and_tiny_faces_are_unsure() -> None:
    scene = square_scene(mean_face(100, 100, 60))
    seen = {True: 0, False: 0}
    for seed in range(60):
        tile = place_in_tile(scene, 120, 120, np.random.default_rng(seed))
        middle, side, _ = fitted_boxes(tile.points)
        for sure, share in zip(tile.sure, visible_share(middle, 0.6 * side, 120, 120), strict=True):
            assert sure == (share >= 0.7)
            seen[bool(sure)] += 1
    assert seen[True]
    assert seen[False]
    tiny = square_scene(mean_face(100, 100, 0.5 * SMALLEST_EYES_PX / USUAL_EYES.apart))
    assert not place_in_tile(tiny, 100, 100, np.random.default_rng(1)).sure.any()


def test_a_composed_picture_depends_only_on_its_seed() -> None:
    scenes = [square_scene(mean_face(100, 90, 80)), square_scene(np.zeros((0, 5, 2)))]
    shares = shares_of(scenes)
    assert shares.sum() == pytest.approx(1)
    one, same, other = (compose(scenes, shares, 96, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one.picture.shape == (96, 96)
    np.testing.assert_array_equal(one.picture, same.picture)
    np.testing.assert_array_equal(one.points, same.points)
    assert not np.array_equal(one.picture, other.picture)


def test_tiles_without_faces_favor_mined_false_faces() -> None:
    plain = square_scene(np.zeros((0, 5, 2)))
    plain.picture[58:63, 38:43] = 255
    hard = replace(plain, hard=np.array([[40.0, 60.0]]))
    assert shares_of([plain, hard]).tolist() == pytest.approx([1 / 3, 2 / 3])
    shown = [
        sum(place_in_tile(scene, 60, 60, np.random.default_rng(seed)).picture.max() > 150 for seed in range(60))
        for scene in (plain, hard)
    ]
    assert shown[1] > shown[0] + 20


def test_degrading_returns_a_changed_copy_of_the_same_shape() -> None:
    scenes = [square_scene(mean_face(100, 90, 80))]
    composed = compose(scenes, shares_of(scenes), 96, np.random.default_rng(0))
    before = composed.picture.copy()
    changed = 0
    for seed in range(40):
        picture = degrade(composed, np.random.default_rng(seed))
        assert picture.dtype == np.uint8
        assert picture.shape == before.shape
        changed += not np.array_equal(picture, before)
    assert changed > 20
    np.testing.assert_array_equal(composed.picture, before)

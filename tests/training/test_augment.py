"""Augmentation moves keypoints with their pixels and swaps left and right when it mirrors."""

from dataclasses import replace

import numpy as np
import pytest

from facial_keypoints.array_types import Float32, Float64, UInt8
from facial_keypoints.geometry import fit_similarity
from facial_keypoints.keypoint_set import FACE15
from training.augment import LEVELS, Strength, augment, random_crop

SIZE = 96
STRONG = LEVELS["strong"] or Strength()


def faces_with_a_bright_dot(count: int, rng: np.random.Generator) -> tuple[UInt8, Float32]:
    """Returns dark images with a soft dot of 200 gray levels at the nose tip (10), which is its own mirror image."""
    centers = rng.uniform(35, 60, (count, 2))
    y, x = np.mgrid[:SIZE, :SIZE]
    squared = (x - centers[:, 0, None, None]) ** 2 + (y - centers[:, 1, None, None]) ** 2
    images = (200 * np.exp(-squared / 8)).astype(np.uint8)[..., None]
    keypoints = np.repeat(centers[:, None], len(FACE15), axis=1).astype(np.float32)
    return images, keypoints


def centroids(images: UInt8) -> Float64:
    """Returns (N, 2): the centroid of the pixels above the mean of darkest and brightest value in each image."""
    light = images[..., 0].astype(np.float64)
    halfway = (light.max(axis=(1, 2), keepdims=True) + light.min(axis=(1, 2), keepdims=True)) / 2
    light = np.maximum(light - halfway, 0)
    y, x = np.mgrid[:SIZE, :SIZE]
    total = light.sum(axis=(1, 2))
    centers = np.stack([(light * x).sum(axis=(1, 2)), (light * y).sum(axis=(1, 2))], -1)
    return np.asarray(centers / total[:, None])


@pytest.mark.parametrize("level", ["none", "mirror", "light", "strong", "wide", "elastic", "perspective"])
def test_keypoints_move_with_their_pixels(level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LEVELS, "perspective", Strength(perspective=0.3))
    monkeypatch.setitem(LEVELS, "mirror", Strength())
    for name in ("strong", "wide", "elastic"):
        monkeypatch.setitem(LEVELS, name, replace(LEVELS[name] or Strength(), erase=0, noise=0))  # would hide the dot
    rng = np.random.default_rng(0)
    images, keypoints = faces_with_a_bright_dot(40, rng)
    labelled = np.ones(keypoints.shape[:2], bool)
    moved_images, moved, _ = augment(images, keypoints, labelled, FACE15.mirror, level, rng)
    assert moved_images.dtype == np.uint8
    assert moved_images.shape == images.shape
    assert np.abs(centroids(moved_images) - moved[:, 10]).max() < 0.25


def test_mirroring_swaps_left_and_right_keypoints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LEVELS, "mirror", Strength())
    rng = np.random.default_rng(0)
    keypoints = rng.uniform(10, 80, (64, 15, 2)).astype(np.float32)
    labelled = rng.random((64, 15)) < 0.5
    images = rng.integers(0, 256, (64, SIZE, SIZE, 1), np.uint8)
    flipped_images, flipped, flipped_labels = augment(images, keypoints, labelled, FACE15.mirror, "mirror", rng)
    mirrored = (flipped_images == images[:, :, ::-1]).all(axis=(1, 2, 3))
    assert 16 < mirrored.sum() < 48  # about half
    left, right = FACE15.index("left_eye_center"), FACE15.index("right_eye_center")
    assert np.allclose(flipped[mirrored, left, 0], SIZE - 1 - keypoints[mirrored, right, 0], atol=1e-4)
    assert np.allclose(flipped[mirrored, left, 1], keypoints[mirrored, right, 1], atol=1e-4)
    assert np.array_equal(flipped_labels[mirrored, left], labelled[mirrored, right])
    assert np.array_equal(flipped_images[~mirrored], images[~mirrored])
    assert np.allclose(flipped[~mirrored], keypoints[~mirrored], atol=1e-4)


def test_mirroring_can_be_switched_off_without_other_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LEVELS, "mirror", Strength())
    images, keypoints = faces_with_a_bright_dot(40, np.random.default_rng(0))
    labelled = np.ones(keypoints.shape[:2], bool)
    unmirrored, points, _ = augment(images, keypoints, labelled, None, "mirror", np.random.default_rng(1))
    assert np.array_equal(unmirrored, images)
    assert np.allclose(points, keypoints, atol=1e-4)
    either, _, _ = augment(images, keypoints, labelled, FACE15.mirror, "light", np.random.default_rng(2))
    never, _, _ = augment(images, keypoints, labelled, None, "light", np.random.default_rng(2))
    same = (either == never).all(axis=(1, 2, 3))
    assert 10 < same.sum() < 30  # those that were not mirrored


def test_mirror_permutation_is_its_own_inverse_and_keeps_the_middle_keypoints() -> None:
    mirror = np.array(FACE15.mirror)
    assert np.array_equal(mirror[mirror], np.arange(15))
    alone = [name for k, name in enumerate(FACE15.names) if mirror[k] == k]
    assert alone == ["nose_tip", "mouth_center_top_lip", "mouth_center_bottom_lip"]


def test_keypoints_moved_out_of_the_image_are_no_longer_labelled() -> None:
    rng = np.random.default_rng(1)
    keypoints = np.full((50, 15, 2), 2.0, np.float32)  # in the corner
    images = np.zeros((50, SIZE, SIZE, 1), np.uint8)
    labelled = np.ones((50, 15), bool)
    _, moved, still = augment(images, keypoints, labelled, FACE15.mirror, "light", rng)
    outside = ((moved < -0.5) | (moved > SIZE - 0.5)).any(axis=-1)
    assert 0 < outside.sum() < outside.size
    assert np.array_equal(still, ~outside)


def test_strong_keeps_labels_up_to_15_percent_outside_the_image() -> None:
    rng = np.random.default_rng(1)
    keypoints = np.full((200, 15, 2), 2.0, np.float32)  # in the corner
    images = np.zeros((200, SIZE, SIZE, 1), np.uint8)
    _, moved, still = augment(images, keypoints, np.ones((200, 15), bool), FACE15.mirror, "strong", rng)
    beyond = np.maximum(-0.5 - moved, moved - (SIZE - 0.5)).max(axis=-1)  # px from the nearest edge
    limit = 0.15 * SIZE
    assert min((beyond < 0).sum(), ((beyond > 0) & (beyond < limit)).sum(), (beyond > limit).sum()) > 0
    assert np.array_equal(still, beyond < limit)


def test_wide_rotates_up_to_48_degrees_and_scales_by_up_to_a_quarter() -> None:
    """Half of the faces get at most a quarter of the rotation; perspective and elastic changes widen the limits."""
    rng = np.random.default_rng(2)
    keypoints = rng.uniform(30, 66, (400, 15, 2)).astype(np.float32)
    images = np.zeros((400, SIZE, SIZE, 1), np.uint8)
    _, moved, _ = augment(images, keypoints, np.ones((400, 15), bool), None, "wide", rng)
    linear = fit_similarity(keypoints, moved)[:, :, 0]
    turns = np.degrees(np.arctan2(linear[:, 1], linear[:, 0]))
    scales = np.hypot(*linear.T)
    assert 42 < turns.max() < 54
    assert -54 < turns.min() < -42
    assert 0.4 < np.mean(np.abs(turns) < 12) < 0.6
    assert (0.65 < scales.min() < 0.80, 1.20 < scales.max() < 1.40) == (True, True)


def test_erased_rectangles_keep_the_labels_below_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the images get one rectangle of uniform gray with sides of up to 0.4 of the image side."""
    monkeypatch.setitem(LEVELS, "covered", Strength(erase=0.4))
    images = np.full((200, SIZE, SIZE, 1), 77, np.uint8)
    keypoints = np.full((200, 15, 2), (SIZE - 1) / 2, np.float32)
    rng = np.random.default_rng(2)
    covered, moved, still = augment(images, keypoints, np.ones((200, 15), bool), FACE15.mirror, "covered", rng)
    assert still.all()
    np.testing.assert_allclose(moved, keypoints, atol=1e-4)
    changed = covered[..., 0] != 77
    assert changed[:, SIZE // 2, SIZE // 2].any()
    hit = changed.any(axis=(1, 2))
    assert 60 < hit.sum() < 140
    for picture, where in zip(covered[hit], changed[hit], strict=True):
        rows, columns = np.flatnonzero(where.any(axis=1)), np.flatnonzero(where.any(axis=0))
        assert max(len(rows), len(columns)) <= 0.4 * SIZE
        assert where.sum() == len(rows) * len(columns)  # a full rectangle
        assert len(np.unique(picture)) == 2


def test_gray_image_with_three_channels_stays_gray() -> None:
    rng = np.random.default_rng(3)
    images = np.repeat(rng.integers(0, 256, (20, 40, 56, 1), np.uint8), 3, axis=-1)
    keypoints = np.full((20, 15, 2), 20, np.float32)
    changed, _, _ = augment(images, keypoints, np.ones((20, 15), bool), FACE15.mirror, "strong", rng)
    assert changed.shape == images.shape
    assert not np.array_equal(changed, images)
    assert np.array_equal(changed[..., 0], changed[..., 1])
    assert np.array_equal(changed[..., 0], changed[..., 2])


def test_random_crop_replaces_the_middle_and_moves_the_keypoints() -> None:
    """A square of 4 px has 4 x 2 positions in 7 x 5 px; the middle one starts at row 0 and column 1."""
    picture = np.arange(7 * 5, dtype=np.uint8).reshape(1, 5, 7, 1)
    images, keypoints = np.repeat(picture, 300, axis=0), np.full((300, 2, 2), [[3, 2], [6, 4]], np.float32)
    moved, points = random_crop(images, keypoints, 4, np.random.default_rng(0))
    crops_per_face = set()
    for image, ((x, y), beyond) in zip(moved[..., 0], points, strict=True):
        left, top = 3 - x + 1, 2 - y  # where the middle was
        np.testing.assert_array_equal(
            image[0:4, 1:5], picture[0, int(top) : int(top) + 4, int(left) : int(left) + 4, 0]
        )
        np.testing.assert_array_equal(beyond, [x + 3, y + 2])
        crops_per_face.add((int(top), int(left)))
    assert crops_per_face == {(top, left) for top in range(2) for left in range(4)}


def test_images_no_larger_than_the_random_crop_are_unchanged() -> None:
    images, keypoints = faces_with_a_bright_dot(3, np.random.default_rng(0))
    moved, points = random_crop(images, keypoints, 224, np.random.default_rng(0))
    np.testing.assert_array_equal(moved, images)
    np.testing.assert_array_equal(points, keypoints)


@pytest.mark.parametrize("level", ["light", "strong"])
def test_same_seed_gives_the_same_augmentation(level: str) -> None:
    images, keypoints = faces_with_a_bright_dot(5, np.random.default_rng(0))
    labelled = np.ones((5, 15), bool)
    a, b, c = (
        augment(images, keypoints, labelled, FACE15.mirror, level, np.random.default_rng(seed)) for seed in (3, 3, 4)
    )
    for first, again in zip(a, b, strict=True):
        np.testing.assert_array_equal(np.asarray(first), np.asarray(again))
    assert not np.array_equal(a[0], c[0])

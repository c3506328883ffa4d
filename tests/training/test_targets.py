"""Training targets: which labels count, for which output point, and how labels of the same image are merged."""

import numpy as np
import pytest

from data_prep.faces import Split
from facial_keypoints.array_types import Float32
from facial_keypoints.codec import output_points
from facial_keypoints.keypoint_set import FACE15, FACE68
from training.targets import Targets, merged, targets

EYE, NOSE = FACE15.index("left_eye_center"), FACE15.index("nose_tip")
BASE_OF_NOSE, INNER_LIP = 15, 16  # the output points of source 1 follow the 15 keypoints


@pytest.fixture
def part() -> Split:
    """One face of each source, with keypoint k of face i at (10 i + k, k); one eye and the nose are labelled."""
    k = np.arange(15, dtype=np.float32)
    keypoints = np.stack([np.stack([10 * i + k, k], axis=-1) for i in (0, 1)])
    labelled = np.zeros((2, 15), bool)
    labelled[:, [EYE, NOSE]] = True
    number = np.arange(2)
    images = np.full((2, 8, 8, 1), 7, np.uint8) * number.astype(np.uint8)[:, None, None, None]
    return Split(images, keypoints, labelled, number, number, label_sources=number)


def test_nose_of_source_1_has_its_own_output_point(part: Split) -> None:
    made = targets(part, "by_source", output_points(FACE15, (0, 1)), FACE15)
    assert made.points.shape == (2, 17, 2)
    assert [np.flatnonzero(weights).tolist() for weights in made.weights] == [[EYE, NOSE], [EYE, BASE_OF_NOSE]]
    assert made.points[0, NOSE].tolist() == [10, 10]
    assert made.points[1, BASE_OF_NOSE].tolist() == [20, 10]
    assert made.points[1, EYE].tolist() == [10, 0]
    assert np.isfinite(made.points).all()


def test_imputed_labels_count_only_if_requested(part: Split) -> None:
    places = output_points(FACE15)
    assert np.array_equal(targets(part, "masked", places, FACE15).weights, part.labelled)
    imputed = targets(part, "imputed", places, FACE15)
    assert imputed.weights.all()
    assert np.array_equal(imputed.points, part.keypoints)


@pytest.mark.parametrize(("labels", "may_flip"), [("by_source", [True, False]), ("masked", [True, True])])
def test_one_sided_labels_are_not_mirrored_if_sources_are_separate(labels: str, may_flip: list[bool]) -> None:
    """Source 1 of the 68 points (frames) labels too far right; mirrored, its labels would lie too far left."""
    frames = np.arange(2)
    images, keypoints = np.zeros((2, 8, 8, 1), np.uint8), np.zeros((2, 68, 2), np.float32)
    part = Split(images, keypoints, np.ones((2, 68), bool), frames, frames, label_sources=frames)
    assert targets(part, labels, output_points(FACE68, (0, 1)), FACE68).may_flip.tolist() == may_flip


def one_face(gray: int, **positions: tuple[float, float]) -> Targets:
    """Returns a uniformly gray image with labels of the output points a (0), b (1) and c (2)."""
    points, weights = np.full((1, 3, 2), 999, np.float32), np.zeros((1, 3), np.float32)
    for name, position in positions.items():
        points[0, ord(name) - ord("a")], weights[0, ord(name) - ord("a")] = position, 1
    return Targets(np.full((1, 4, 4, 1), gray, np.uint8), points, weights, np.ones(1, bool), np.array([gray]))


def test_an_image_that_occurs_twice_is_merged_with_the_labels_of_both() -> None:
    """Output point a has two labels, (1, 2) and (3, 6), so it lies at (2, 4); b has a label of one image, c of none."""
    made = merged([one_face(5, a=(1, 2)), one_face(9, c=(7, 7)), one_face(5, a=(3, 6), b=(8, 9))])
    assert made.images[:, 0, 0, 0].tolist() == [5, 9]
    assert made.weights.tolist() == [[1, 1, 0], [0, 0, 1]]
    assert made.points[0, :2].tolist() == [[2, 4], [8, 9]]
    assert made.points[1, 2].tolist() == [7, 7]
    assert np.isfinite(made.points).all()


def test_merging_different_images_changes_no_label() -> None:
    rng = np.random.default_rng(0)
    points: Float32 = rng.uniform(0, 90, (20, 3, 2)).astype(np.float32)
    weights = (rng.random((20, 3)) < 0.5).astype(np.float32)
    images = rng.integers(0, 256, (20, 4, 4, 1), np.uint8)
    may_flip = np.arange(20) % 2 == 0
    groups = np.arange(20) // 2
    parts = [
        Targets(images[at], points[at], weights[at], may_flip[at], groups[at]) for at in (slice(12), slice(12, 20))
    ]
    made = merged(parts)
    assert np.array_equal(made.images, images)
    assert np.array_equal(made.weights, weights)
    assert np.array_equal(made.may_flip, may_flip)
    assert np.array_equal(made.groups, groups)
    assert np.array_equal(made.points[weights > 0], points[weights > 0])


def test_images_of_one_data_folder_are_copied_only_if_one_occurs_twice() -> None:
    """They are memory-mapped from a file that may be larger than memory."""
    one = one_face(5, a=(1, 2))
    assert merged([one]).images is one.images
    twice = one._replace(**{name: np.repeat(getattr(one, name), 2, axis=0) for name in one._fields})
    assert len(merged([twice]).images) == 1

"""The drawn faces: the same for a seed, labelled where they are drawn, with the gaps of the published set."""

import cv2
import numpy as np
import pytest

from data_prep.faces import Faces, labelled_points
from data_prep.synthetic import camera, dataset, features, head
from data_prep.synthetic.person import a_moment, a_person
from facial_keypoints.array_types import Float32
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15

SPARSE = FACE15.label_sources[1]
COUNT = 300
FIRST = round(COUNT * 2284 / 7049)  # rows of the source that labels nearly all keypoints


@pytest.fixture(scope="module")
def faces() -> Faces:
    return dataset.read(COUNT, seed=7)


def test_arrays_have_the_documented_shapes_and_dtypes(faces: Faces) -> None:
    assert faces.images.shape == (COUNT, 96, 96, 1)
    assert faces.images.dtype == np.uint8
    assert faces.keypoints.shape == (COUNT, 15, 2)
    assert faces.keypoints.dtype == np.float32
    np.testing.assert_array_equal(faces.rows, np.arange(COUNT))
    assert faces.images.std(axis=(1, 2, 3)).min() > 5, "a picture is nearly blank"


def test_a_seed_gives_the_same_faces_with_any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    once = dataset.read(12, seed=1)
    monkeypatch.setattr(dataset, "THREADS", 5)
    again, other = dataset.read(12, seed=1), dataset.read(12, seed=2)
    np.testing.assert_array_equal(once.images, again.images)
    np.testing.assert_array_equal(once.keypoints, again.keypoints)
    assert (once.images != other.images).mean() > 0.5


def test_label_sources_label_the_keypoints_of_the_published_ones(faces: Faces) -> None:
    seen = labelled_points(faces.keypoints)
    four = np.isin(np.arange(15), SPARSE.keypoints)
    assert seen[:FIRST].mean() > 0.97
    assert (seen[:FIRST].sum(1) == 15).mean() > 0.8
    assert not seen[FIRST:, ~four].any()
    assert seen[FIRST:, four].mean() > 0.97


def test_full_size_set_has_the_gaps_of_the_published_set() -> None:
    middle = np.full((7049, 17, 2), 48, np.float32)  # no label near the rim, so the drawn gaps alone are counted
    visible = labelled_points(dataset.labels(middle, 2284, np.random.default_rng(0))).sum(1)
    found = dict(zip(*(values.tolist() for values in np.unique(visible, return_counts=True)), strict=True))
    assert found == {3: 10, 4: 4755, 5: 2, 8: 2, 9: 5, 10: 3, 11: 8, 12: 9, 13: 28, 14: 87, 15: 2140}


def test_mean_labels_of_both_sources_match_the_published_set(faces: Faces) -> None:
    first = dict(zip(FACE15.names, np.nanmean(faces.keypoints[:FIRST], 0), strict=True))
    second = np.nanmean(faces.keypoints[FIRST:, list(SPARSE.keypoints)], 0)
    np.testing.assert_allclose(
        first["left_eye_center"], (66.1, 36.9), atol=2
    )  # the person's left: right in the picture
    np.testing.assert_allclose(first["right_eye_center"], (29.7, 37.1), atol=2)
    np.testing.assert_allclose(first["mouth_center_top_lip"], (48, 72.9), atol=2.5)
    np.testing.assert_allclose((first["nose_tip"][1], second[2, 1]), (57.4, 65.3), atol=2.5)
    np.testing.assert_allclose((first["mouth_center_bottom_lip"][1], second[3, 1]), (82.4, 77.3), atol=2.5)


def test_duplicates_are_one_picture_with_two_labels(faces: Faces) -> None:
    pictures, place, times = np.unique(faces.images.reshape(COUNT, -1), axis=0, return_inverse=True, return_counts=True)
    assert COUNT - len(pictures) == 3  # 60 in 7,049
    for picture in np.flatnonzero(times == 2):
        a, b = np.flatnonzero(place.ravel() == picture)
        gap = np.linalg.norm(faces.keypoints[a] - faces.keypoints[b], axis=-1)
        assert 0.05 < np.nanmean(gap) < 2
        assert faces.groups[a] == faces.groups[b]


def test_label_noise_has_the_documented_size() -> None:
    labels = dataset.labels(np.full((4000, 17, 2), 48, np.float32), 4000, np.random.default_rng(0))
    assert np.nanstd(labels) == pytest.approx(dataset.LABEL_NOISE_PX, rel=0.02)


def test_people_have_several_pictures_and_a_constant_appearance(faces: Faces) -> None:
    people, pictures = np.unique(faces.groups, return_counts=True)
    assert set(people) == {f"drawn:7:{number}" for number in range(len(people))}
    assert 4 < pictures.mean() < 6.5
    one, again, other = (a_person(np.random.default_rng([7, 1, person])) for person in (3, 3, 4))
    assert one == again != other


def test_keypoints_lie_where_the_pixels_show_them() -> None:
    gaps = []
    for number in range(40):
        person = a_person(np.random.default_rng(number))
        moment = a_moment(np.random.default_rng(number), person)
        solid = head.solid(person, moment)
        view = camera.view_of(person, moment, solid)
        painted_at = features.output_points(person, moment)  # mm
        at = view.project(head.surface(solid, painted_at))  # px
        inside = ((at > 0) & (at < 95)).all(-1)
        seen = cv2.remap(camera.intersect(solid, view, rounds=4)[0], at[:, None], None, cv2.INTER_LINEAR)
        gaps.append((np.linalg.norm(seen[:, 0, :2] - painted_at, axis=-1) * moment.px_per_mm)[inside])
    gap = np.concatenate(gaps)  # px
    assert np.median(gap) < 0.03
    assert np.quantile(gap, 0.97) < 0.2, "more than the few that the nose or the far edge of the face hides"


def patches(faces: Faces, name: str, reach: int) -> Float32:
    """Returns float32 (M, 2 * reach + 1, 2 * reach + 1): crops whose middle is the exact position of a keypoint."""
    at = faces.keypoints[:, FACE15.index(name)]
    rows = np.flatnonzero(np.isfinite(at).all(-1))
    size = (2 * reach + 1, 2 * reach + 1)
    crops = [cv2.getRectSubPix(faces.images[r, ..., 0], size, tuple(map(float, at[r]))) for r in rows]
    return np.array(crops, np.float32)


@pytest.mark.parametrize("name", ["left_eye_center", "right_eye_center"])
def test_eye_centers_lie_on_the_dark_part_of_the_eye(faces: Faces, name: str) -> None:
    mean = cv2.GaussianBlur(patches(faces, name, reach=6).mean(0), (0, 0), 1)
    y, x = np.unravel_index(mean.argmin(), mean.shape)
    assert np.hypot(x - 6, y - 6) <= 1.5
    assert mean.min() < 0.85 * mean[[0, -1]].mean()


def test_mouth_corners_lie_at_the_ends_of_the_dark_mouth_line(faces: Faces) -> None:
    for name, inward in (("mouth_left_corner", -1), ("mouth_right_corner", 1)):
        profile = patches(faces, name, reach=6).mean(0)[4:9].min(0)[::inward]  # from the cheek into the mouth
        steepest = np.diff(profile).argmin() - 5.5
        assert abs(steepest) <= 2


@pytest.mark.parametrize("count", [1, 2, 7])
def test_small_counts_are_drawn(count: int) -> None:
    assert len(dataset.read(count)) == count


def test_count_below_one_is_refused() -> None:
    with pytest.raises(InputError, match="--count 0"):
        dataset.read(0)

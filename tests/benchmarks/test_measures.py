"""The benchmark of the measures: hand calculations, and the accuracy of the shipped networks on some faces."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import mean_face
from benchmarks import measures as benchmark
from facial_keypoints.errors import InputError
from facial_keypoints.head_pose import MEAN_FACE, rotations
from facial_keypoints.keypoint_set import FACE15
from facial_keypoints.pictures import write_picture
from facial_keypoints.predictor import Predictor


def test_right_signs_are_counted_on_the_more_turned_half_only() -> None:
    truth = np.array([[1.0], [-2.0], [10.0], [-20.0]])
    pose = np.array([[-1.0], [2.0], [3.0], [5.0]])  # the signs of both small angles and of the largest one are wrong
    assert benchmark.right_signs(pose, truth) == pytest.approx([0.5])


def test_area_under_curve_matches_hand_calculation() -> None:
    closed = np.array([True, True, False, False])
    assert benchmark.area_under_curve(np.array([1.0, 2.0, 3.0, 4.0]), closed) == 1
    assert benchmark.area_under_curve(np.array([1.0, 4.0, 3.0, 4.0]), closed) == pytest.approx((1 + 1 + 0 + 0.5) / 4)


def test_roll_follows_the_rotation_of_the_picture() -> None:
    errors = benchmark.roll_errors(Predictor("v2", threads=1), benchmark.draw_people(8, seed=5))
    assert np.median(errors) < 1


def test_v2_estimates_head_pose() -> None:
    predictor, faces = Predictor("v2", threads=1), benchmark.draw_people(40, seed=5)
    points = benchmark.predict(predictor, [face.picture for face in faces])
    pose, truth = benchmark.measured_poses(benchmark.measure(points, FACE15)), benchmark.true_poses(faces)
    assert (np.median(np.abs(pose - truth), axis=0) < (6, 6, 1)).all()
    assert (benchmark.right_signs(pose, truth)[:2] > 0.9).all()


def test_v2_68_distinguishes_closed_and_open_eyes() -> None:
    faces = [face for face in benchmark.draw_people(120, seed=5) if face.visible]
    closed = [face for face in faces if face.moment.lids == 0]
    some = [*closed, *[face for face in faces if face.moment.lids > 0.7][:20]]
    assert len(closed) > 5
    predictor = Predictor("v2-68", threads=1)
    found = benchmark.measure(
        benchmark.predict(predictor, [face.picture for face in some]), predictor.spec.keypoint_set
    )
    open_eyes = np.array([one.left_eye_openness for one in found], np.float64)
    assert benchmark.area_under_curve(open_eyes, np.arange(len(some)) < len(closed)) > 0.9


def test_mean_face_is_recovered_from_its_projections() -> None:
    rng = np.random.default_rng(0)
    shape = np.array([MEAN_FACE[name] for name in FACE15.names])
    poses = rng.normal(0, (20, 8, 6), (300, 3))
    poses[:, 1] -= np.median(poses[:, 1])
    seen = (shape @ rotations(poses).swapaxes(1, 2))[..., :2] * rng.uniform(1, 3, (300, 1, 1)) + rng.normal(0, 0.5, 2)
    found = mean_face.mean_face(seen)
    np.testing.assert_allclose([found[name] for name in FACE15.names], shape, atol=1.5)


def test_mean_face_needs_68_keypoints(tmp_path: Path) -> None:
    (tmp_path / "a.pts").write_text("{\n1 2\n3 4\n}\n", encoding="utf-8")
    write_picture(tmp_path / "a.png", np.zeros((9, 9, 3), np.uint8))
    with pytest.raises(InputError, match=r"has the keypoint set .*, expected face68"):
        mean_face.main([str(tmp_path)])


def test_count_of_zero_faces_is_rejected() -> None:
    with pytest.raises(InputError, match="--count 0: must be 1"):
        benchmark.main(["--count", "0"])

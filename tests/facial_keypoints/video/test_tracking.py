"""Faces followed from frame to frame: drawn faces that move, hide, leave and return."""

import itertools
import json
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facial_keypoints.array_types import UInt8
from facial_keypoints.boxes import Boxes, given_boxes
from facial_keypoints.detectors.haar import Haar
from facial_keypoints.keypoint_set import FACE15, FACE68
from facial_keypoints.measures import measures
from facial_keypoints.predictor import Predictor
from facial_keypoints.spec import METADATA_KEY, Crop, ModelSpec, to_json
from facial_keypoints.video.clips import read_clip, read_frames
from facial_keypoints.video.tracking import (
    DETECT_EVERY,
    FORGET_AFTER,
    OVERLAP,
    Box,
    TrackedFace,
    Tracker,
    overlap,
    pair,
)
from tests.conftest import ROOT
from tests.facial_keypoints.video.scenes import FACE_PX, scene

FPS = 30.0


class Counted:
    """OpenCV's cascade, and how often it was asked."""

    def __init__(self) -> None:
        self.calls = 0
        self._haar = Haar()

    def __call__(self, picture: UInt8) -> Boxes:
        self.calls += 1
        return self._haar(picture)


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor(threads=1)


@pytest.fixture
def detector() -> Counted:
    return Counted()


def follow(tracker: Tracker, frames: Sequence[UInt8], first: int = 0) -> list[list[TrackedFace]]:
    return [tracker.update(frame, number / FPS) for number, frame in enumerate(frames, first)]


def numbers(faces: list[list[TrackedFace]]) -> list[list[int]]:
    return [[face.number for face in seen] for seen in faces]


def test_faces_are_followed_with_their_numbers_and_detected_now_and_then(
    predictor: Predictor, detector: Counted
) -> None:
    count = DETECT_EVERY + 5
    frames = [scene((0, 10 + 2 * t, 10), (2, 210 - t, 40)) for t in range(count)]
    faces = follow(Tracker(predictor, detector, smooth=False), frames)
    assert numbers(faces) == [[0, 1]] * count
    assert detector.calls == 2
    by_x = sorted(faces[0], key=lambda face: face.box[0])
    starts = {face.number: face.keypoints for face in by_x}
    steps = {by_x[0].number: 2, by_x[1].number: -1}
    for t, seen in enumerate(faces):
        for face in seen:
            moved = face.keypoints - starts[face.number]
            assert np.abs(moved - (steps[face.number] * t, 0)).mean() < 1.5
            middle = np.array(face.box[:2]) + np.array(face.box[2:]) / 2
            assert np.abs(middle - face.keypoints.mean(axis=0)).max() < FACE_PX / 4


def test_smoothing_moves_what_is_shown_and_not_what_is_followed(predictor: Predictor, detector: Counted) -> None:
    frames = [scene((0, 10 + 6 * t, 10)) for t in range(12)]
    raw = follow(Tracker(predictor, detector, smooth=False), frames)
    smoothed = follow(Tracker(predictor, detector), frames)
    assert numbers(raw) == numbers(smoothed) == [[0]] * 12
    for (one,), (other,) in zip(raw, smoothed, strict=True):
        assert one.crop == pytest.approx(other.crop)
        assert one.unsmoothed is None
        np.testing.assert_array_equal(other.unsmoothed, one.keypoints)
    late = raw[-1][0].keypoints - smoothed[-1][0].keypoints
    assert 0 < late[:, 0].mean() < 6  # px; less than a frame


def test_openness_is_that_of_the_frame_and_pose_that_of_the_smoothed_keypoints() -> None:
    smoothed = np.random.default_rng(0).normal(100, 30, (68, 2)).astype(np.float32)
    of_frame = smoothed + np.random.default_rng(1).normal(0, 5, (68, 2)).astype(np.float32)
    face = TrackedFace((0, 0, 99, 99), smoothed, None, np.eye(2, 3), FACE68, unsmoothed=of_frame)
    found, at_once = face.measures(), measures(of_frame, FACE68)
    assert found[:3] == measures(smoothed, FACE68)[:3] != at_once[:3]
    assert found[3:6] == at_once[3:6]


def test_a_face_that_leaves_is_not_shown_and_another_later_is_another(predictor: Predictor, detector: Counted) -> None:
    there, gone = scene((0, 60, 20)), scene()
    tracker = Tracker(predictor, detector)
    assert numbers(follow(tracker, [there] * 2)) == [[0]] * 2
    away = FORGET_AFTER + 20
    assert numbers(follow(tracker, [gone] * away, 2)) == [[]] * away
    assert numbers(follow(tracker, [there] * 11, 2 + away))[-1] == [1]


def test_a_face_that_hides_for_a_moment_keeps_its_number(predictor: Predictor, detector: Counted) -> None:
    there, hidden = scene((0, 60, 20), (2, 200, 20)), scene((2, 200, 20))
    tracker = Tracker(predictor, detector)
    begun = numbers(follow(tracker, [there] * 2))
    assert begun == [[0, 1]] * 2
    (left,) = numbers(follow(tracker, [hidden] * 3, 2))[-1]
    assert numbers(follow(tracker, [there], 5)) == [[0, 1]]
    assert left in (0, 1)


def test_a_face_that_is_lost_is_sought_at_once(predictor: Predictor, detector: Counted) -> None:
    tracker = Tracker(predictor, detector)
    follow(tracker, [scene((0, 10, 20))])
    (seen,) = tracker.update(scene((0, 10, 20), (2, 200, 20)), 1)  # which nobody looks for yet
    before = detector.calls
    tracker.update(scene((2, 200, 20)), 2)
    assert detector.calls == before + 1
    assert seen.number == 0


def test_a_cut_ends_all_faces_and_those_of_the_new_scene_are_there_at_once(
    predictor: Predictor, detector: Counted
) -> None:
    tracker = Tracker(predictor, detector)
    follow(tracker, [scene((0, 60, 20))] * 3)
    assert numbers(follow(tracker, [scene((3, 62, 20), ground=20)] * 2, 3)) == [[1], [1]]


def test_two_that_come_to_follow_one_face_are_one(predictor: Predictor) -> None:
    """The second face vanishes behind the first, which comes to stand where it was."""
    tracker = Tracker(predictor, Counted())
    assert numbers(follow(tracker, [scene((0, 0, 20), (2, 120, 20))])) == [[0, 1]]
    path = [scene((2, 120, 20), (0, x, 20)) for x in range(0, 124, 4)]
    after = numbers(follow(tracker, path, 1))
    assert after[0] == [0, 1]
    assert len(after[-1]) == 1


def test_in_the_background_the_detector_keeps_no_frame_waiting(predictor: Predictor) -> None:
    go, haar = threading.Event(), Haar()

    def slow(picture: UInt8) -> Boxes:
        go.wait()
        return haar(picture)

    with ThreadPoolExecutor(1) as pool:
        tracker = Tracker(predictor, slow, smooth=False, background=pool)
        assert numbers(follow(tracker, [scene((0, 60, 20))] * 3)) == [[]] * 3
        go.set()
        pool.submit(int).result()  # the one worker has done what was asked before
        (face,) = tracker.update(scene((0, 64, 20)), 1)  # the face went on meanwhile
    (there,) = Tracker(predictor, haar, smooth=False).update(scene((0, 64, 20)), 0)
    assert np.abs(face.keypoints - there.keypoints).max() < 1.5


def test_cuts_never_make_more_than_one_detection_at_a_time_and_drop_what_is_of_an_earlier_scene(
    predictor: Predictor,
) -> None:
    go, began, calls, haar = threading.Event(), threading.Event(), [], Haar()

    def slow(picture: UInt8) -> Boxes:
        calls.append(picture)
        began.set()
        go.wait()
        return haar(picture)

    def free(pool: ThreadPoolExecutor) -> None:
        pool.submit(int).result()

    old, new = scene((0, 60, 20)), scene(ground=20)
    with ThreadPoolExecutor(1) as pool:
        tracker = Tracker(predictor, slow, smooth=False, background=pool)
        tracker.update(old, 0)
        began.wait()
        follow(tracker, [new, old, new, old, new], 1)  # five cuts while one detection is at work
        assert pool._work_queue.qsize() == 0
        go.set()
        free(pool)
        assert tracker.update(new, 1) == []  # the face of the old scene is nowhere; the new one is searched
        free(pool)
        assert len(calls) == 2
        np.testing.assert_array_equal(calls[1], new)


def test_a_cut_cancels_a_pending_detection(predictor: Predictor) -> None:
    go, calls = threading.Event(), []

    def noted(picture: UInt8) -> Boxes:
        calls.append(picture)
        return Haar()(picture)

    old, new = scene((0, 60, 20)), scene((3, 62, 20), ground=20)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(go.wait)  # another's
        tracker = Tracker(predictor, noted, smooth=False, background=pool)
        follow(tracker, [old, new, old, new])
        go.set()
        pool.submit(int).result()
        assert numbers([tracker.update(new, 1)]) == [[0]]
    (searched,) = calls
    np.testing.assert_array_equal(searched, new)


def network_without_errors(path: Path) -> Path:
    """Writes a network for 20 x 20 px that has keypoint k at (k, k), always, and says no errors."""
    helper, numbers_of = onnx.helper, onnx.numpy_helper
    places = np.repeat(np.arange(15, dtype=np.float32)[None, :, None], 2, axis=2)
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("Reshape", ["mean", "column"], ["value"]),
        helper.make_node("Mul", ["value", "nothing"], ["zero"]),
        helper.make_node("Add", ["zero", "places"], ["out"]),
    ]
    constants = {"column": np.array([-1, 1, 1]), "nothing": np.zeros(1, np.float32), "places": places}
    graph = helper.make_graph(
        nodes,
        "places",
        [helper.make_tensor_value_info("images", onnx.TensorProto.FLOAT, ["n", 20, 20, 1])],
        [helper.make_tensor_value_info("out", onnx.TensorProto.FLOAT, ["n", 15, 2])],
        [numbers_of.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    mean = tuple((float(k), float(k)) for k in range(15))
    spec = ModelSpec(FACE15, (0,), False, Crop(20, 20, 1, mean))
    helper.set_model_props(model, {METADATA_KEY: json.dumps(to_json(spec))})
    onnx.save(model, path)
    return path


def test_without_expected_errors_the_surest_face_is_the_detector_s(tmp_path: Path) -> None:
    predictor = Predictor(network_without_errors(tmp_path / "model.onnx"), threads=1)
    boxes = np.array([[10, 10, 40, 40], [10, 10, 40, 40], [200, 20, 60, 60]], float)
    found = given_boxes(boxes)._replace(scores=np.array([0.1, 9.0, 5.0]))
    faces = predictor.predict(scene(), detector=lambda _: found)
    assert [face.score for face in faces] == [9.0, 5.0]  # of the two that lie on each other the surer one


def test_a_network_without_expected_errors_keeps_what_the_detector_finds_again(tmp_path: Path) -> None:
    predictor = Predictor(network_without_errors(tmp_path / "model.onnx"), threads=1)
    there = [[10, 10, 40, 40], [200, 20, 60, 60]]
    found = iter([there, there[1:]])
    tracker = Tracker(predictor, lambda _: given_boxes(next(found)))
    frames = [scene()] * (DETECT_EVERY + 1)
    seen = numbers(follow(tracker, frames))
    assert seen == [[0, 1]] * DETECT_EVERY + [[1]]


@pytest.mark.parametrize(
    ("box", "other", "share"),
    [
        ((0, 0, 4, 4), (0, 0, 4, 4), 1),
        ((0, 0, 4, 4), (2, 0, 4, 4), 8 / 24),
        ((0, 0, 4, 4), (1, 1, 2, 2), 4 / 16),
        ((0, 0, 4, 4), (4, 0, 4, 4), 0),
        ((0, 0, 4, 4), (9, 9, 4, 4), 0),
    ],
)
def test_overlap(box: Box, other: Box, share: float) -> None:
    assert overlap(box, other) == overlap(other, box) == pytest.approx(share)


def test_pairs_that_overlap_most_come_first() -> None:
    boxes = [(0.0, 0.0, 10.0, 10.0), (3.0, 0.0, 10.0, 10.0)]
    assert pair(boxes, [(4, 0, 10, 10)]) == {1: 0}
    assert pair(boxes, [(4, 0, 10, 10), (1, 0, 10, 10)]) == {0: 1, 1: 0}
    assert pair(boxes, [(50, 0, 10, 10)]) == {}


corners = st.tuples(st.floats(0, 30), st.floats(0, 30), st.floats(5, 30), st.floats(5, 30))


@given(st.lists(corners, max_size=5), st.lists(corners, max_size=5))
def test_each_box_belongs_to_one_at_most_and_none_is_left_that_could_belong(
    boxes: list[Box], others: list[Box]
) -> None:
    pairs = pair(boxes, others)
    assert len(set(pairs.values())) == len(pairs)
    assert all(overlap(boxes[i], others[j]) >= OVERLAP for i, j in pairs.items())
    free = [(i, j) for i in range(len(boxes)) for j in range(len(others)) if i not in pairs and j not in pairs.values()]
    assert all(overlap(boxes[i], others[j]) < OVERLAP for i, j in free)


@pytest.fixture(scope="module")
def stage_clip() -> Path:
    path = ROOT.parent / "shared" / "photos" / "clip.mp4"
    if not path.is_file():
        pytest.skip("the real clip is not here")
    return path


def test_two_people_of_a_real_clip_and_nobody_after_the_cut(predictor: Predictor, stage_clip: Path) -> None:
    """A singer and, small and far, a pianist; from frame 20 on the audience's backs of heads."""
    frames = read_frames(read_clip(stage_clip))
    faces = follow(Tracker(predictor), [frame.picture for frame in itertools.islice(frames, 32)])
    assert numbers(faces) == [[0, 1]] * 20 + [[]] * 12
    widths = [sorted(face.box[2] for face in seen) for seen in faces[:20]]
    assert all(30 < pianist < 45 and 50 < singer < 65 for pianist, singer in widths)

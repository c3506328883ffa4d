"""Faces are tracked from frame to frame: drawn faces that move, hide, leave and return."""

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


class CountingHaar:
    """OpenCV's cascade, which counts its calls."""

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
def detector() -> CountingHaar:
    return CountingHaar()


def follow(tracker: Tracker, frames: Sequence[UInt8], first: int = 0) -> list[list[TrackedFace]]:
    return [tracker.update(frame, number / FPS) for number, frame in enumerate(frames, first)]


def numbers(faces: list[list[TrackedFace]]) -> list[list[int]]:
    return [[face.number for face in seen] for seen in faces]


def test_tracked_faces_keep_their_numbers_with_few_detections(predictor: Predictor, detector: CountingHaar) -> None:
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


def test_smoothing_changes_the_keypoints_and_not_the_tracking(predictor: Predictor, detector: CountingHaar) -> None:
    frames = [scene((0, 10 + 6 * t, 10)) for t in range(12)]
    raw = follow(Tracker(predictor, detector, smooth=False), frames)
    smoothed = follow(Tracker(predictor, detector), frames)
    assert numbers(raw) == numbers(smoothed) == [[0]] * 12
    for (raw_face,), (smoothed_face,) in zip(raw, smoothed, strict=True):
        assert raw_face.crop == pytest.approx(smoothed_face.crop)
        assert raw_face.unsmoothed is None
        np.testing.assert_array_equal(smoothed_face.unsmoothed, raw_face.keypoints)
    lag = raw[-1][0].keypoints - smoothed[-1][0].keypoints
    assert 0 < lag[:, 0].mean() < 6  # px; less than the motion in a frame


def test_openness_uses_unsmoothed_keypoints_and_pose_uses_smoothed_ones() -> None:
    smoothed = np.random.default_rng(0).normal(100, 30, (68, 2)).astype(np.float32)
    of_frame = smoothed + np.random.default_rng(1).normal(0, 5, (68, 2)).astype(np.float32)
    face = TrackedFace((0, 0, 99, 99), smoothed, None, np.eye(2, 3), FACE68, unsmoothed=of_frame)
    face_measures, frame_measures = face.measures(), measures(of_frame, FACE68)
    assert face_measures[:3] == measures(smoothed, FACE68)[:3] != frame_measures[:3]
    assert face_measures[3:6] == frame_measures[3:6]


def test_face_that_leaves_is_dropped_and_a_later_one_gets_a_new_number(
    predictor: Predictor, detector: CountingHaar
) -> None:
    with_face, empty = scene((0, 60, 20)), scene()
    tracker = Tracker(predictor, detector)
    assert numbers(follow(tracker, [with_face] * 2)) == [[0]] * 2
    frames_away = FORGET_AFTER + 20
    assert numbers(follow(tracker, [empty] * frames_away, 2)) == [[]] * frames_away
    assert numbers(follow(tracker, [with_face] * 11, 2 + frames_away))[-1] == [1]


def test_face_that_is_hidden_briefly_keeps_its_number(predictor: Predictor, detector: CountingHaar) -> None:
    both, one = scene((0, 60, 20), (2, 200, 20)), scene((2, 200, 20))
    tracker = Tracker(predictor, detector)
    before = follow(tracker, [both] * 2)[-1]
    left, right = sorted(before, key=lambda face: face.box[0])
    assert {left.number, right.number} == {0, 1}
    (in_view,) = follow(tracker, [one] * 3, 2)[-1]
    assert in_view.number == right.number
    after = follow(tracker, [both], 5)[-1]
    for face in (in_view, *after):
        same = left if face.number == left.number else right
        assert np.abs(face.keypoints - same.keypoints).max() < 3
    assert {face.number for face in after} == {left.number, right.number}


def test_lost_face_triggers_a_detection_at_once(predictor: Predictor, detector: CountingHaar) -> None:
    tracker = Tracker(predictor, detector)
    follow(tracker, [scene((0, 10, 20))])
    (seen,) = tracker.update(scene((0, 10, 20), (2, 200, 20)), 1)  # no detection has found the second face yet
    before = detector.calls
    tracker.update(scene((2, 200, 20)), 2)
    assert detector.calls == before + 1
    assert seen.number == 0


def test_cut_drops_all_faces_and_detects_those_of_the_new_scene(predictor: Predictor, detector: CountingHaar) -> None:
    tracker = Tracker(predictor, detector)
    follow(tracker, [scene((0, 60, 20))] * 3)
    assert numbers(follow(tracker, [scene((3, 62, 20), ground=20)] * 2, 3)) == [[1], [1]]


def test_two_tracks_of_the_same_face_are_merged(predictor: Predictor) -> None:
    """The first face moves in front of the second until it covers it."""
    tracker = Tracker(predictor, CountingHaar())
    assert numbers(follow(tracker, [scene((0, 0, 20), (2, 120, 20))])) == [[0, 1]]
    frames = [scene((2, 120, 20), (0, x, 20)) for x in range(0, 124, 4)]
    later = numbers(follow(tracker, frames, 1))
    assert later[0] == [0, 1]
    assert len(later[-1]) == 1


def test_background_detection_does_not_block_frames(predictor: Predictor) -> None:
    release, haar = threading.Event(), Haar()

    def slow(picture: UInt8) -> Boxes:
        release.wait()
        return haar(picture)

    with ThreadPoolExecutor(1) as pool:
        tracker = Tracker(predictor, slow, smooth=False, background=pool)
        assert numbers(follow(tracker, [scene((0, 60, 20))] * 3)) == [[]] * 3
        release.set()
        pool.submit(int).result()  # the only worker has finished the detection
        (face,) = tracker.update(scene((0, 64, 20)), 1)  # the face has moved meanwhile
    (expected,) = Tracker(predictor, haar, smooth=False).update(scene((0, 64, 20)), 0)
    assert np.abs(face.keypoints - expected.keypoints).max() < 1.5


def test_cuts_run_one_detection_at_a_time_and_drop_outdated_results(predictor: Predictor) -> None:
    release, started, calls, haar = threading.Event(), threading.Event(), [], Haar()

    def slow(picture: UInt8) -> Boxes:
        calls.append(picture)
        started.set()
        release.wait()
        return haar(picture)

    def wait_until_idle(pool: ThreadPoolExecutor) -> None:
        pool.submit(int).result()

    old, new = scene((0, 60, 20)), scene(ground=20)
    with ThreadPoolExecutor(1) as pool:
        tracker = Tracker(predictor, slow, smooth=False, background=pool)
        tracker.update(old, 0)
        started.wait()
        follow(tracker, [new, old, new, old, new], 1)  # five cuts during one detection
        assert pool._work_queue.qsize() == 0
        release.set()
        wait_until_idle(pool)
        assert tracker.update(new, 1) == []  # drops the face of the old scene and searches the new one
        wait_until_idle(pool)
        assert len(calls) == 2
        np.testing.assert_array_equal(calls[1], new)


def test_cut_cancels_a_pending_detection(predictor: Predictor) -> None:
    release, calls = threading.Event(), []

    def recording(picture: UInt8) -> Boxes:
        calls.append(picture)
        return Haar()(picture)

    old, new = scene((0, 60, 20)), scene((3, 62, 20), ground=20)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(release.wait)  # another task
        tracker = Tracker(predictor, recording, smooth=False, background=pool)
        follow(tracker, [old, new, old, new])
        release.set()
        pool.submit(int).result()
        assert numbers([tracker.update(new, 1)]) == [[0]]
    (searched,) = calls
    np.testing.assert_array_equal(searched, new)


def network_without_errors(path: Path) -> Path:
    """Writes a network for 20 x 20 px that always predicts keypoint k at (k, k), without expected errors."""
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


def test_faces_without_expected_errors_are_ranked_by_detector_score(tmp_path: Path) -> None:
    predictor = Predictor(network_without_errors(tmp_path / "model.onnx"), threads=1)
    boxes = np.array([[10, 10, 40, 40], [10, 10, 40, 40], [200, 20, 60, 60]], float)
    found = given_boxes(boxes)._replace(scores=np.array([0.1, 9.0, 5.0]))
    faces = predictor.predict(scene(), detector=lambda _: found)
    assert [face.score for face in faces] == [9.0, 5.0]  # of the two coinciding ones, the one with the higher score


def test_face_without_expected_errors_is_kept_only_if_detected_again(tmp_path: Path) -> None:
    predictor = Predictor(network_without_errors(tmp_path / "model.onnx"), threads=1)
    boxes = [[10, 10, 40, 40], [200, 20, 60, 60]]
    found = iter([boxes, boxes[1:]])
    tracker = Tracker(predictor, lambda _: given_boxes(next(found)))
    frames = [scene()] * (DETECT_EVERY + 1)
    tracked = numbers(follow(tracker, frames))
    assert tracked == [[0, 1]] * DETECT_EVERY + [[1]]


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
def test_overlap_is_intersection_over_union(box: Box, other: Box, share: float) -> None:
    assert overlap(box, other) == overlap(other, box) == pytest.approx(share)


def test_boxes_that_overlap_most_are_paired_first() -> None:
    boxes = [(0.0, 0.0, 10.0, 10.0), (3.0, 0.0, 10.0, 10.0)]
    assert pair(boxes, [(4, 0, 10, 10)]) == {1: 0}
    assert pair(boxes, [(4, 0, 10, 10), (1, 0, 10, 10)]) == {0: 1, 1: 0}
    assert pair(boxes, [(50, 0, 10, 10)]) == {}


corners = st.tuples(st.floats(0, 30), st.floats(0, 30), st.floats(5, 30), st.floats(5, 30))


@given(st.lists(corners, max_size=5), st.lists(corners, max_size=5))
def test_pairing_uses_each_box_once_and_leaves_no_overlapping_pair(boxes: list[Box], others: list[Box]) -> None:
    pairs = pair(boxes, others)
    assert len(set(pairs.values())) == len(pairs)
    assert all(overlap(boxes[i], others[j]) >= OVERLAP for i, j in pairs.items())
    unpaired = [
        (i, j) for i in range(len(boxes)) for j in range(len(others)) if i not in pairs and j not in pairs.values()
    ]
    assert all(overlap(boxes[i], others[j]) < OVERLAP for i, j in unpaired)


@pytest.fixture(scope="module")
def real_clip() -> Path:
    path = ROOT.parent / "shared" / "photos" / "clip.mp4"
    if not path.is_file():
        pytest.skip("the real clip is not here")
    return path


def test_two_people_are_tracked_in_a_real_clip_until_the_cut(predictor: Predictor, real_clip: Path) -> None:
    """A singer and, smaller, a pianist; from frame 20 on, the audience seen from behind."""
    frames = read_frames(read_clip(real_clip))
    faces = follow(Tracker(predictor), [frame.picture for frame in itertools.islice(frames, 32)])
    assert numbers(faces) == [[0, 1]] * 20 + [[]] * 12
    widths = [sorted(face.box[2] for face in seen) for seen in faces[:20]]
    assert all(30 < pianist < 45 and 50 < singer < 65 for pianist, singer in widths)

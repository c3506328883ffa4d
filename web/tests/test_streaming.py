"""The camera: faces keep their numbers from frame to frame, and each visitor has a separate tracker."""

from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facial_keypoints.array_types import UInt8
from facial_keypoints.pictures import read_picture
from web import streaming
from web.streaming import Stream, follow


class ImmediateExecutor(Executor):
    """Runs each function at once, so that tests need not wait."""

    def submit(self, function: Any, /, *arguments: Any, **named: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(function(*arguments, **named))
        return done


@pytest.fixture(autouse=True)
def immediate_background(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "background", ImmediateExecutor)


@pytest.fixture(scope="module")
def group(examples: dict[str, Path]) -> UInt8:
    return read_picture(examples["group"])


def numbers(stream: Stream | None) -> set[int]:
    assert stream is not None
    return {track.number for track in stream.tracker._tracks}


def test_faces_keep_their_numbers_and_frames_are_shrunk(group: UInt8) -> None:
    stream = None
    for shift in range(0, 20, 4):
        shown, stream = follow(np.roll(group, shift, axis=1), stream, "v2")
    assert shown.shape == (436, 640, 3)
    assert numbers(stream) == set(range(6))


def test_next_frame_uses_the_same_stream(group: UInt8) -> None:
    _, first = follow(group, None, "v2")
    assert follow(group, first, "v2", filter="sunglasses")[1] is first


def test_rotating_the_camera_starts_a_new_stream(group: UInt8) -> None:
    _, first = follow(group, None, "v2")
    _, turned = follow(np.rot90(group).copy(), first, "v2")
    assert turned is not first
    assert turned.shape == (640, 436, 3)


def test_waiting_detections_of_an_ended_stream_are_cancelled(group: UInt8, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting: list[Future[Any]] = []

    class Busy(Executor):
        def submit(self, function: Any, /, *arguments: Any, **named: Any) -> Future[Any]:
            waiting.append(Future())
            return waiting[-1]

    monkeypatch.setattr(streaming, "background", Busy)
    _, stream = follow(group, None, "v2")
    _, stream = follow(group, stream, "v2-68")
    stream.end()
    assert [detection.cancelled() for detection in waiting] == [True, True]


def test_visitors_do_not_share_tracked_faces(group: UInt8, examples: dict[str, Path]) -> None:
    _, one = follow(group, None, "v2")
    _, other = follow(read_picture(examples["one"]), None, "v2")
    assert (len(numbers(one)), len(numbers(other))) == (6, 1)


def test_filter_is_drawn_on_camera_frames(group: UInt8) -> None:
    plain, stream = follow(group, None, "v2", keypoints=False)
    filtered, _ = follow(group, stream, "v2", filter="sunglasses", keypoints=False)
    assert 0.02 < (plain != filtered).any(axis=-1).mean() < 0.3

"""Measures of clips, on known motions; and a run of the benchmark on a clip."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import clips
from facial_keypoints.array_types import Float64
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15
from facial_keypoints.video.tracking import TrackedFace
from tests.facial_keypoints.video.scenes import CLIP_FRAMES, write_clip

WIDTH_PX = 50.0


def path_of(x: Float64) -> Float64:
    """Returns the positions of two keypoints that move along x, (T, 2, 2)."""
    return np.stack([np.stack([x, x], axis=1), np.zeros((len(x), 2))], axis=-1)


def record_of(*frames: list[int]) -> clips.Record:
    """Returns a record whose frames have faces with these numbers; their keypoints have the frame's index as x."""
    face = TrackedFace((0, 0, WIDTH_PX, WIDTH_PX), np.zeros((2, 2), np.float32), None, np.eye(2, 3), FACE15)
    faces = [
        [replace(face, number=n, keypoints=np.full((2, 2), t, np.float32)) for n in numbers]
        for t, numbers in enumerate(frames)
    ]
    return clips.Record(faces=faces)


def test_jitter_is_the_second_difference_of_the_positions() -> None:
    t = np.arange(10.0)
    assert clips.jitter_px(path_of(3 * t)) == pytest.approx(0)
    assert clips.jitter_px(path_of(t**2)) == pytest.approx(np.full((8, 2), 2.0))


def test_speed_is_in_face_widths_per_frame() -> None:
    speeds = clips.speeds(path_of(5 * np.arange(40.0)), WIDTH_PX)
    assert len(speeds) == 38
    assert speeds[10:-10] == pytest.approx(0.1)


@pytest.mark.parametrize("lag", [0, 1, 2.5])
def test_lag_is_measured_in_frames(lag: float) -> None:
    t = np.arange(60.0)
    before, after = (path_of(np.interp(times, t, 30 * np.sin(t / 6))) for times in (t, t - lag))
    assert clips.lag_frames([before], [after]) == pytest.approx(lag, abs=0.06)


def test_face_that_reappears_starts_a_new_trajectory() -> None:
    long = clips.SPEED_FRAMES + 1
    record = record_of(*[[0, 1]] * long, [1], *[[0, 1]] * (long + 1), *[[0]] * 3)
    runs = clips.trajectories(record)
    starts_and_lengths = sorted((points[0, 0, 0], len(points)) for points, _ in runs)
    assert starts_and_lengths == [(0, long), (0, 2 * long + 2), (long + 1, long + 4)]
    assert {width for _, width in runs} == {WIDTH_PX}


def test_clip_is_measured_and_its_table_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clips.main([str(write_clip(tmp_path / "walk.mp4"))])
    title, head, every, one, calls, _, raw, smoothed = capsys.readouterr().out.splitlines()
    assert title == f"walk.mp4: 320 x 144 px, {CLIP_FRAMES} frames, 1 faces"
    assert head.split()[5:11] == [*clips.STEPS, "all"]
    values = list(map(float, every.split()[1:]))
    assert values[0] == CLIP_FRAMES
    assert sum(values[1:6]) == pytest.approx(values[6], abs=0.04)
    assert values[7] == pytest.approx(1000 / values[6], rel=0.02, abs=0.6)
    assert one.split()[2:] == every.split()[1:]  # the face is visible in every frame
    assert calls.startswith("detector: 1 calls")
    assert float(raw.split()[2]) < 0.5  # px; the face moves evenly
    assert float(raw.split()[-1]) == 0 < float(smoothed.split()[-1]) < 1


def test_missing_clip_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.mp4: no such file"):
        clips.main([str(tmp_path / "none.mp4")])

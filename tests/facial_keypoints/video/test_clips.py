"""Clips: their frames and times, the clips and tables that `predict` writes, and errors."""

import csv
import logging
import os
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import cv2
import numpy as np
import pytest

from facial_keypoints import __main__ as commands
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15
from facial_keypoints.predictor import Predictor
from facial_keypoints.video import clips
from facial_keypoints.video.tracking import TrackedFace, Tracker
from tests.facial_keypoints.video.scenes import (
    CLIP_FPS,
    CLIP_FRAMES,
    HEIGHT_PX,
    STEP_PX,
    WIDTH_PX,
    moving_face,
    scene,
    write_clip,
)
from tests.facial_keypoints.video.timed_clips import retime_mp4, write_matroska

SIZES = [(120, 160)] * 3 + [(240, 160)] * 3 + [(60, 80)] * 3  # height and width of frames


@pytest.fixture(scope="module")
def clip_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "walk.mp4")


@pytest.fixture(scope="module")
def written(clip_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of `predict` for the clip."""
    out = tmp_path_factory.mktemp("predicted") / "out"
    commands.main(["predict", str(clip_file), "--out", str(out), "--no-smooth"])
    return out


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_read_clip_returns_size_frame_rate_and_length(clip_file: Path) -> None:
    assert clips.read_clip(clip_file) == (clip_file, WIDTH_PX, HEIGHT_PX, CLIP_FPS, CLIP_FRAMES)


def test_frames_are_rgb_and_have_times(tmp_path: Path) -> None:
    red = np.full((HEIGHT_PX, WIDTH_PX, 3), (250, 10, 10), np.uint8)
    path = write_clip(tmp_path / "red.avi", "MJPG", iter([red] * 4))
    frames = list(clips.read_frames(clips.read_clip(path)))
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.04, 0.08, 0.12])
    for frame in frames:
        assert np.abs(frame.picture.astype(int) - red).max() < 12


def test_annotated_clip_keeps_size_and_rate_and_changes_only_the_face(clip_file: Path, written: Path) -> None:
    clip, annotated = (clips.read_clip(path) for path in (clip_file, written / "walk.mp4"))
    assert annotated[1:] == clip[1:]
    x, y, width, height = (float(rows_of(written / "walk.mp4.csv")[-1][f"box_{name}"]) for name in "xywh")
    *_, before = clips.read_frames(clip)
    *_, after = clips.read_frames(annotated)
    changed = np.abs(after.picture.astype(int) - before.picture).max(axis=-1) > 60
    inside = changed[round(y) - 3 : round(y + height) + 4, round(x) - 3 : round(x + width) + 4]
    assert inside.mean() > 0.03
    assert inside.sum() > 0.95 * changed.sum()


def test_table_of_a_clip_has_the_faces_of_each_frame(clip_file: Path, written: Path) -> None:
    rows = rows_of(written / "walk.mp4.csv")
    assert list(rows[0])[:7] == ["frame", "time_s", "face", "box_x", "box_y", "box_w", "box_h"]
    assert list(rows[0])[7:] == FACE15.columns + [f"{name}_expected_error" for name in FACE15.names]
    assert [(row["frame"], row["face"]) for row in rows] == [(str(number), "0") for number in range(CLIP_FRAMES)]
    assert [float(row["time_s"]) for row in rows] == pytest.approx(np.arange(CLIP_FRAMES) / CLIP_FPS)
    (first,) = Predictor(threads=1).predict(next(clips.read_frames(clips.read_clip(clip_file))).picture)
    points = np.array([[float(row[name]) for name in FACE15.columns] for row in rows]).reshape(CLIP_FRAMES, -1, 2)
    assert points[0] == pytest.approx(first.keypoints, abs=0.01)
    assert np.abs(points - points[0] - np.arange(CLIP_FRAMES)[:, None, None] * (STEP_PX, 0)).mean() < 1.5


def test_keypoints_of_a_clip_are_smoothed_by_default(clip_file: Path, written: Path, tmp_path: Path) -> None:
    clips.annotate_clip(clips.read_clip(clip_file), Predictor(threads=1), None, tmp_path)
    smoothed, raw = (rows_of(folder / "walk.mp4.csv") for folder in (tmp_path, written))
    assert smoothed[0] == raw[0]
    assert float(smoothed[-1]["nose_tip_x"]) < float(raw[-1]["nose_tip_x"])  # smoothing lags slightly


def test_track_clip_returns_each_frame_with_its_faces(clip_file: Path) -> None:
    clip, predictor = clips.read_clip(clip_file), Predictor(threads=1)
    pairs = list(clips.track_clip(clip, predictor))
    assert len(pairs) == CLIP_FRAMES
    for frame, faces in pairs:
        assert frame.picture.shape == (HEIGHT_PX, WIDTH_PX, 3)
        assert [type(face) for face in faces] == [TrackedFace]
    alone = Tracker(predictor).update(*pairs[0][0])
    assert pairs[0][1][0].keypoints == pytest.approx(alone[0].keypoints)


def test_annotated_clip_of_another_format_is_an_mp4(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "walk.avi", "MJPG")
    clips.annotate_clip(clips.read_clip(path), Predictor(threads=1), None, tmp_path)
    assert clips.read_clip(tmp_path / "walk.avi.mp4")[1:] == clips.read_clip(path)[1:]
    assert len(rows_of(tmp_path / "walk.avi.csv")) == CLIP_FRAMES


@pytest.mark.parametrize(
    ("fps", "expected"), [(90.123, 90.12), (700.126, 700.1), (29.97, 29.97), (30_000 / 1001, 29.97), (12.5, 12.5)]
)
def test_frame_rate_is_rounded_if_mpeg4_cannot_store_it(
    clip_file: Path, tmp_path: Path, fps: float, expected: float
) -> None:
    clip = clips.read_clip(clip_file)._replace(fps=fps)
    clips.write_clip(tmp_path / "out.mp4", clip, moving_face())
    assert clips.read_clip(tmp_path / "out.mp4").fps == pytest.approx(expected, abs=1e-3)


def test_earlier_result_of_a_clip_is_not_replaced(clip_file: Path, written: Path) -> None:
    before = (written / "walk.mp4").read_bytes()
    with pytest.raises(InputError, match="holds an earlier result"):
        commands.main(["predict", str(clip_file), "--out", str(written)])
    assert (written / "walk.mp4").read_bytes() == before


def missing(path: Path, clip: Path) -> None:
    """Writes no file."""


def text(path: Path, clip: Path) -> None:
    path.write_text("this is no clip", encoding="utf-8")


def empty(path: Path, clip: Path) -> None:
    path.touch()


def truncated(path: Path, clip: Path) -> None:
    """Writes the first half of the clip, which lacks the index at the end of an MP4 file."""
    content = clip.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def no_frames(path: Path, clip: Path) -> None:
    write_clip(path, frames=iter([]))


@pytest.mark.parametrize("damage", [missing, text, empty, truncated, no_frames])
def test_unreadable_clip_is_a_one_line_error_and_nothing_is_written(
    damage: Callable[[Path, Path], None],
    clip_file: Path,
    tmp_path: Path,
    run_stage: Callable[..., CompletedProcess[str]],
) -> None:
    path, out = tmp_path / "bad.mp4", tmp_path / "out"
    damage(path, clip_file)
    done = run_stage("facial_keypoints", "predict", path, "--out", out)
    assert done.returncode == 2
    reason = "no such file" if damage is missing else "cannot be decoded as a clip, or has no frames; save it as MP4"
    assert done.stderr.startswith(f"error: {path}: {reason}")
    assert done.stderr.count("\n") == 1
    assert set(tmp_path.iterdir()) <= {path}


def test_truncated_clip_is_read_to_its_end_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    count = 4 * round(CLIP_FPS)
    path = write_clip(tmp_path / "walk.avi", "MJPG", (scene() for _ in range(count)))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with caplog.at_level(logging.WARNING):
        read = len(list(clips.read_frames(clips.read_clip(path))))
    assert 0 < read < count
    assert caplog.messages == [f"{path}: ends after {read} of {count} frames; it is cut off or damaged"]


@pytest.mark.parametrize("command", [["predict"], ["filter", "--filter", "hat"]], ids=lambda c: c[0])
def test_clip_with_frames_of_different_sizes_is_refused(tmp_path: Path, command: list[str]) -> None:
    """The file is a series of JPEGs, which FFmpeg reads as a clip and scales to the size of the first one."""
    path = tmp_path / "sizes.avi"
    jpegs = [cv2.imencode(".jpg", np.full((*size, 3), 90, np.uint8))[1].tobytes() for size in SIZES]
    path.write_bytes(b"".join(jpegs))
    with pytest.raises(InputError, match=r"sizes\.avi: frame 3 is 160 x 240 px, the first 160 x 120; split the clip"):
        commands.main([*command, str(path), "--out", str(tmp_path / "out")])
    assert list(tmp_path.iterdir()) == [path]


def test_damaged_motion_jpeg_frame_is_not_a_change_of_size(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "walk.avi", "MJPG")
    content = path.read_bytes()
    at = content.index(b"\xff\xd8", len(content) // 2)
    path.write_bytes(content[:at] + bytes(40) + content[at + 40 :])
    assert clips.read_clip(path).width_px == WIDTH_PX


def test_frame_of_another_size_is_refused(clip_file: Path) -> None:
    clip = clips.read_clip(clip_file)._replace(width_px=16)
    with pytest.raises(InputError, match=r"walk\.mp4: frame 0 is 320 x 144 px, the first 16 x 144; split the clip"):
        next(clips.read_frames(clip))


def test_unwritable_and_too_small_clips_are_refused(clip_file: Path, tmp_path: Path) -> None:
    clip = clips.read_clip(clip_file)
    with pytest.raises(InputError, match=r"none/out\.mp4: cannot be written; choose another --out"):
        clips.write_clip(tmp_path / "none" / "out.mp4", clip, moving_face())
    with pytest.raises(InputError, match=r"walk\.mp4: is 1 x 144 px, too small"):
        clips.write_clip(tmp_path / "out.mp4", clip._replace(width_px=1), moving_face())


def test_reading_a_clip_restores_environment_and_log_level(clip_file: Path) -> None:
    before = dict(os.environ), cv2.utils.logging.getLogLevel()
    list(clips.read_frames(clips.read_clip(clip_file)))
    assert (dict(os.environ), cv2.utils.logging.getLogLevel()) == before


GAPS = (1, 2, 5, 1, 1, 4, 0.5, 1, 3, 1, 1, 6)  # of CLIP_FRAMES frames, in frames of the nominal rate


def duration_s(path: Path) -> float:
    clip = clips.read_clip(path)
    return len(list(clips.read_frames(clip))) / clip.fps


def browser_recording(path: Path) -> Path:
    """As browsers record: times in ms and no length; FFmpeg assumes 1000 frames per second."""
    times = np.cumsum((0, *GAPS[:-1])) * 40
    return write_matroska(path.with_suffix(".webm"), list(moving_face()), times.astype(int).tolist())


def recording_with_nominal_rate(path: Path) -> Path:
    times = np.cumsum((0, *GAPS[:-1])) * 40
    frames = list(moving_face())
    return write_matroska(path.with_suffix(".mkv"), frames, times.astype(int).tolist(), nominal_fps=CLIP_FPS)


def recording_with_length(path: Path) -> Path:
    """Its length and nominal rate suggest 1,020 frames; it has 12."""
    times = (np.cumsum((0, *GAPS[:-1])) * 40).astype(int).tolist()
    return write_matroska(path.with_suffix(".webm"), list(moving_face()), times, nominal_fps=1000, duration_ms=1020)


def phone_recording(path: Path) -> Path:
    return retime_mp4(write_clip(path.with_suffix(".mp4")), GAPS)


@pytest.mark.parametrize(
    "record", [browser_recording, recording_with_nominal_rate, recording_with_length, phone_recording]
)
@pytest.mark.parametrize("command", [["predict"], ["filter", "--filter", "hat"]], ids=lambda c: c[0])
def test_clip_of_varying_frame_rate_keeps_its_length_when_written(
    record: Callable[[Path], Path], command: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = record(tmp_path / "rec")
    starts_s = np.cumsum((0, *GAPS[:-1])) / CLIP_FPS
    length_s = starts_s[-1] + 1 / CLIP_FPS
    clip = clips.read_clip(path)
    assert [frame.time_s for frame in clips.read_frames(clip)] == pytest.approx(starts_s, abs=1e-3)
    assert clip.frame_count == CLIP_FRAMES
    caplog.clear()
    commands.main([*command, str(path), "--out", str(tmp_path / "out")])
    assert caplog.messages == [
        f"{path}: its frame rate varies; clips written from it have its mean, {clip.fps:.4g} per second"
    ]
    (written,) = (tmp_path / "out").glob("*.mp4")
    assert duration_s(written) == pytest.approx(length_s, abs=1 / CLIP_FPS)
    assert clips.read_clip(written).frame_count == CLIP_FRAMES


def test_misstated_constant_frame_rate_is_measured_without_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_matroska(
        tmp_path / "a.webm", list(moving_face()), [80 * i for i in range(CLIP_FRAMES)], nominal_fps=50
    )
    assert clips.read_clip(path).fps == pytest.approx(12.5)
    assert caplog.messages == []


@pytest.mark.parametrize("fps", [24, 25, 30_000 / 1001, 30, 60])
def test_constant_frame_rate_is_exact_in_spite_of_rounded_times(tmp_path: Path, fps: float) -> None:
    """Matroska rounds times to milliseconds."""
    times = [round(1000 * i / fps) for i in range(CLIP_FRAMES)]
    path = write_matroska(tmp_path / "a.mkv", list(moving_face()), times, nominal_fps=fps)
    assert clips.read_clip(path).fps == pytest.approx(fps, rel=1e-4)  # nominal rate, stored in nanoseconds


def test_frame_rate_matches_hand_calculation() -> None:
    """First case: frames at 0, 0.1, 0.2 and 0.7 s, the last one shown for a nominal 0.1 s: 4 frames in 0.8 s."""
    assert clips.frame_rate([0.7, 0, 0.2, 0.1], 10) == (5, True, 4)
    assert clips.frame_rate([0, 0.1, 0.2, 0.3], 10) == (10, False, 4)
    assert clips.frame_rate([5, 5.1, 5.2, 5.3], 90_000) == pytest.approx((10, False, 4))  # no rate: from the mean gap
    assert clips.frame_rate([3], 25) == (25, False, 1)
    assert clips.frame_rate([1, 1, 1], 25) == (25, False, 3)


def test_clip_without_times_and_frame_rate_is_refused(clip_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clips, "frame_rate", lambda *_: (0, False, CLIP_FRAMES))
    with pytest.raises(InputError, match=r"walk\.mp4: has no frame rate; save it as MP4"):
        clips.read_clip(clip_file)


def test_non_square_pixels_give_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    times = [40 * i for i in range(CLIP_FRAMES)]
    path = write_matroska(tmp_path / "a.mkv", list(moving_face()), times, nominal_fps=25, shown_width_px=2 * WIDTH_PX)
    assert clips.read_clip(path).width_px == WIDTH_PX
    assert caplog.messages == [f"{path}: its pixels are not square (2:1); those of clips written from it are"]

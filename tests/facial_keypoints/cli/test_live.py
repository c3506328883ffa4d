"""The command `live`, with a clip in place of a camera; no display is needed."""

import sys
from collections.abc import Callable
from subprocess import CompletedProcess

import pytest

from facial_keypoints import __main__ as commands
from facial_keypoints.array_types import UInt8
from facial_keypoints.cli import live
from facial_keypoints.errors import InputError
from facial_keypoints.predictor import Predictor
from facial_keypoints.video.tracking import Tracker
from tests.facial_keypoints.video.scenes import CLIP_FRAMES, HEIGHT_PX, WIDTH_PX, write_clip


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_clip(tmp_path_factory.mktemp("camera") / "clip.mp4"))


def test_missing_camera_is_a_one_line_error(run_stage: Callable[..., CompletedProcess[str]]) -> None:
    done = run_stage("facial_keypoints", "live", "--camera", "97")
    printed = "error: camera 97: cannot be opened; connect it, or choose another with --camera N|URL\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", printed)


@pytest.mark.parametrize("camera", ["4294967296", "9" * 40])
def test_too_large_camera_number_is_refused(camera: str) -> None:
    with pytest.raises(InputError, match=f"camera {camera}: cannot be opened"), live.open_camera(camera):
        pass


@pytest.mark.skipif(sys.platform != "linux", reason="other systems always have a display")
def test_missing_display_is_refused(camera: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(InputError, match="no display: a window cannot be shown here"):
        commands.main(["live", "--camera", camera])


def test_faces_are_shown_until_the_user_stops(camera: str) -> None:
    shown: list[UInt8] = []

    def show(picture: UInt8) -> bool:
        shown.append(picture)
        return len(shown) < 5

    predictor = Predictor(threads=1)
    with live.open_camera(camera) as capture:
        live.show_faces(live.camera_frames(capture, camera), Tracker(predictor), show)
        _, next_frame = capture.read()
    assert len(shown) == 5
    assert next_frame is not None
    for picture in shown:
        assert picture.shape == (HEIGHT_PX, WIDTH_PX, 3)
        assert (abs(picture.astype(int) - (255, 0, 255)).max(axis=-1) < 40).any()  # keypoints are drawn


def test_camera_that_stops_sending_frames_is_an_error(camera: str) -> None:
    with live.open_camera(camera) as capture:
        frames = live.camera_frames(capture, camera)
        times = [next(frames).time_s for _ in range(CLIP_FRAMES)]
        assert times == sorted(set(times))
        with pytest.raises(InputError, match="sends no more frames"):
            next(frames)

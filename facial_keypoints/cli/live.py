"""`facial-keypoints live`: shows the faces that a camera sees and their keypoints in a window."""

import argparse
import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np

from facial_keypoints.array_types import UInt8
from facial_keypoints.cli.options import add_detector_options, add_model_options, detector_of, new_parser
from facial_keypoints.drawing import draw_faces
from facial_keypoints.errors import InputError
from facial_keypoints.predictor import Predictor
from facial_keypoints.video.clips import Frame, quiet
from facial_keypoints.video.tracking import Tracker

WINDOW = "Facial keypoints (q ends)"
END_KEYS = (ord("q"), 27)  # 27: Esc
MAX_DIGITS = 9  # of a camera's number
OPEN_A_WINDOW = "import cv2; cv2.namedWindow('facial-keypoints')"

Show = Callable[[UInt8], bool]


def add_parser(commands: Any) -> None:
    """Adds the command `live`."""
    description = "shows the faces before a camera and their keypoints in a window"
    p = new_parser(commands, "live", description, "live --camera 1 --detector yunet")
    p.add_argument("--camera", default="0", metavar="N|URL", help="a camera's number or address (default: %(default)s)")
    p.add_argument("--no-smooth", action="store_true", help="do not smooth the keypoints")
    add_detector_options(p)
    add_model_options(p, workers=False)
    p.set_defaults(main=main)


def main(options: argparse.Namespace) -> None:
    """Shows the faces that a camera sees until the window is closed, or q or Esc is pressed.

    Raises:
        InputError: there is no such model, detector or camera, or no display.
    """
    predictor = Predictor(options.model, threads=1, views=options.views)  # the detector uses the other cores
    predictor.check_eyes("live needs a model of faces")
    detector = detector_of(options)
    with open_camera(options.camera) as camera, ThreadPoolExecutor(1) as pool:
        check_display()
        cv2.namedWindow(WINDOW, cv2.WINDOW_AUTOSIZE | cv2.WINDOW_GUI_NORMAL)  # without buttons
        tracker = Tracker(predictor, detector, smooth=not options.no_smooth, background=pool)
        show_faces(camera_frames(camera, options.camera), tracker, show_in_window)


def show_faces(frames: Iterator[Frame], tracker: Tracker, show: Show) -> None:
    """Shows the faces of each frame until the frames end or `show` returns False."""
    for frame in frames:
        faces = tracker.update(*frame)
        numbers = [face.number for face in faces]
        if not show(draw_faces(frame.picture, faces, numbers=numbers)):
            return


def show_in_window(picture: UInt8) -> bool:
    """Shows a picture, uint8 (H, W, 3) RGB, in the window; returns False when the user ends it."""
    cv2.imshow(WINDOW, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    ended = cv2.waitKey(1) & 0xFF in END_KEYS
    return not ended and cv2.getWindowProperty(WINDOW, cv2.WND_PROP_VISIBLE) >= 1


@contextlib.contextmanager
def open_camera(camera: str) -> Iterator[cv2.VideoCapture]:
    """Yields a camera by its number or address, and releases it afterwards.

    Raises:
        InputError: there is no such camera, or another program uses it.
    """
    with quiet():
        is_number = camera.isdecimal() and len(camera) <= MAX_DIGITS
        capture = cv2.VideoCapture(int(camera) if is_number else camera)
    try:
        if not capture.isOpened():
            raise InputError(f"camera {camera}: cannot be opened; connect it, or choose another with --camera N|URL")
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # the newest frame, not a buffered one
        yield capture
    finally:
        capture.release()


def camera_frames(capture: cv2.VideoCapture, camera: str) -> Iterator[Frame]:
    """Yields the frames of a camera, each with the time of its arrival.

    Raises:
        InputError: the camera sends no more frames.
    """
    while True:
        read, picture = capture.read()
        if not read:
            raise InputError(f"camera {camera}: sends no more frames; connect it again")
        yield Frame(np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8), time.monotonic())


def check_display() -> None:
    """Raises InputError if no window can be shown.

    Tries it in another process, because without a display the library behind OpenCV's windows ends its process.
    """
    if subprocess.run([sys.executable, "-c", OPEN_A_WINDOW], capture_output=True, check=False).returncode:
        raise InputError(
            "no display: a window cannot be shown here; run this on a desktop, "
            "or record a clip and give it to `facial-keypoints predict`"
        )

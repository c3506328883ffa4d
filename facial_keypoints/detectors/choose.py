"""Chooses the face detector that a user names."""

from pathlib import Path

from facial_keypoints.boxes import Detector
from facial_keypoints.detectors.finder import FaceFinder
from facial_keypoints.detectors.haar import Haar
from facial_keypoints.detectors.turned import Turned
from facial_keypoints.detectors.yunet import YuNet
from facial_keypoints.errors import InputError
from facial_keypoints.pretrained import FINDER

HAAR, HAAR_PROFILE, YUNET = "haar", "haar-profile", "yunet"
NAMES = FINDER, YUNET, HAAR, HAAR_PROFILE
WIDE_STEP_DEGREES, HAAR_STEP_DEGREES = 90, 45  # between turned copies: networks find faces turned by 50, Haar by 20


def chosen_detector(name: str = FINDER, *, any_angle: bool = False, smallest_px: float | None = None) -> Detector:
    """Returns a detector by its name.

    Args:
        name: `haar`: OpenCV's Haar cascade for frontal faces. `haar-profile`: also faces from the side. `yunet`: YuNet,
            whose file is fetched once. A path that ends in `.onnx`: YuNet from this file. `face-finder`: this project's
            own network. A folder: another network of this kind, from this model folder.
        any_angle: whether to search turned copies of the picture, too.
        smallest_px: the distance between the eyes of the smallest faces to be found; for `face-finder` only.

    Raises:
        InputError: the name is unknown, a file is missing, cannot be fetched or is not the expected one, or
            `smallest_px` is not above 0 or given for another detector.
    """
    if smallest_px is not None and not 0 < smallest_px < float("inf"):
        raise InputError(f"--smallest {smallest_px:g}: give a distance between the eyes above 0 px")
    if name == FINDER or (name not in NAMES and Path(name).is_dir()):
        finder = FaceFinder(name, smallest_px=smallest_px)
        return Turned(finder, range(0, 360, WIDE_STEP_DEGREES)) if any_angle else finder
    if smallest_px is not None:
        raise InputError(f"--smallest {smallest_px:g}: is for --detector {FINDER} only; leave it out")
    if name in (HAAR, HAAR_PROFILE):
        detector: Detector = Haar(profile=name == HAAR_PROFILE)
        step = HAAR_STEP_DEGREES
    elif name == YUNET or Path(name).suffix == ".onnx":
        detector, step = YuNet(None if name == YUNET else name), WIDE_STEP_DEGREES
    else:
        options = f"{', '.join(NAMES)}, YuNet's FILE.onnx, or the folder of a face finder"
        raise InputError(f"--detector {name}: no such detector; give {options}")
    return Turned(detector, range(0, 360, step)) if any_angle else detector

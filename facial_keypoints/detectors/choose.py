"""Chooses the face detector that a user names."""

from pathlib import Path

from facial_keypoints.boxes import Detector
from facial_keypoints.detectors.haar import Haar
from facial_keypoints.detectors.turned import Turned
from facial_keypoints.detectors.yunet import YuNet
from facial_keypoints.errors import InputError

NAMES = HAAR, HAAR_PROFILE, YUNET = "haar", "haar-profile", "yunet"
YUNET_STEP_DEGREES, HAAR_STEP_DEGREES = 90, 45  # between turned copies: YuNet finds faces turned by 50, Haar by 20


def chosen_detector(name: str = HAAR, *, any_angle: bool = False) -> Detector | None:
    """Returns a detector by its name; None for the default detector of `Predictor.predict`.

    Args:
        name: `haar`: OpenCV's Haar cascade for frontal faces. `haar-profile`: also faces from the side. `yunet`: YuNet,
            whose file is fetched once. A path that ends in `.onnx`: YuNet from this file.
        any_angle: also searches turned copies of the picture.

    Raises:
        InputError: the name is unknown, or YuNet's file is missing, cannot be fetched or is another one.
    """
    if name == HAAR and not any_angle:
        return None
    if name in (HAAR, HAAR_PROFILE):
        detector: Detector = Haar(profile=name == HAAR_PROFILE)
        step = HAAR_STEP_DEGREES
    elif name == YUNET or Path(name).suffix == ".onnx":
        detector, step = YuNet(None if name == YUNET else name), YUNET_STEP_DEGREES
    else:
        raise InputError(f"--detector {name}: no such detector; give {', '.join(NAMES)}, or YuNet's FILE.onnx")
    return Turned(detector, range(0, 360, step)) if any_angle else detector

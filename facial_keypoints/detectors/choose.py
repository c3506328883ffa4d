"""Which detector searches a picture."""

from pathlib import Path

from facial_keypoints.boxes import Detector
from facial_keypoints.detectors.haar import Haar
from facial_keypoints.detectors.turned import Turned
from facial_keypoints.detectors.yunet import YuNet
from facial_keypoints.errors import InputError

YUNET_STEP_DEGREES, HAAR_STEP_DEGREES = 90, 45  # from copy to copy; YuNet bears a turn of 50, the cascade of 20


def chosen_detector(yunet: Path | None = None, *, profile: bool = False, any_angle: bool = False) -> Detector | None:
    """Returns the detector that is asked for; None: `Predictor.predict`'s own.

    Args:
        yunet: YuNet's file; None: the Haar cascade.
        profile: the cascade also finds faces from the side.
        any_angle: turned copies of a picture are searched, too.

    Raises:
        InputError: YuNet's file is missing, or another one.
    """
    if yunet and profile:
        raise InputError("--profile: is of the Haar cascade, and YuNet finds faces from the side; leave it out")
    if not (yunet or profile or any_angle):
        return None
    detector: Detector = YuNet(yunet) if yunet else Haar(profile=profile)
    step = YUNET_STEP_DEGREES if yunet else HAAR_STEP_DEGREES
    return Turned(detector, range(0, 360, step)) if any_angle else detector

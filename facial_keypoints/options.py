"""Command-line options that several commands share: the model, and how faces are found."""

import argparse
import os
from pathlib import Path

from facial_keypoints.boxes import Detector
from facial_keypoints.detectors.haar import Haar
from facial_keypoints.detectors.turned import Turned
from facial_keypoints.detectors.yunet import YuNet
from facial_keypoints.errors import InputError

YUNET_STEP_DEGREES, HAAR_STEP_DEGREES = 90, 45  # from copy to copy; YuNet bears a turn of 50, the cascade of 20


def add_common_options(parser: argparse.ArgumentParser, takes: str, writes: str) -> None:
    """Adds what all commands have that make a folder of pictures: sources, model, detector, workers."""
    parser.add_argument("paths", nargs="+", type=Path, metavar=takes)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help=writes)
    add_model_option(parser)
    add_detector_options(parser)
    at_once = "pictures at once (default: %(default)s)"
    parser.add_argument("--workers", type=int, default=cores(), metavar="N", help=at_once)


def cores() -> int:
    """Returns how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def add_model_option(parser: argparse.ArgumentParser) -> None:
    """Adds `--model`, for `Predictor(options.model)`."""
    parser.add_argument(
        "--model",
        default="v2",
        metavar="NAME|DIR|FILE",
        help="a shipped model, a model folder or an .onnx file (default: %(default)s)",
    )


def add_detector_options(parser: argparse.ArgumentParser) -> None:
    """Adds what `detector_of` reads."""
    parser.add_argument("--yunet", type=Path, metavar="FILE", help="find faces with YuNet, face_detection_yunet.onnx")
    parser.add_argument("--profile", action="store_true", help="also find faces seen from the side (Haar cascade)")
    parser.add_argument("--any-angle", action="store_true", help="also find faces on their side or upside down")


def detector_of(options: argparse.Namespace) -> Detector | None:
    """Returns the `chosen_detector` of the options."""
    return chosen_detector(options.yunet, profile=options.profile, any_angle=options.any_angle)


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

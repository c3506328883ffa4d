"""Command-line options that several commands share: the model, and how faces are found."""

import argparse
import os
from pathlib import Path

from facial_keypoints.boxes import Detector
from facial_keypoints.detectors.choose import HAAR, NAMES, chosen_detector


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
    """Adds the options that `detector_of` reads."""
    parser.add_argument(
        "--detector",
        default=HAAR,
        metavar=f"{'|'.join(NAMES)}|FILE.onnx",
        help="yunet: 5 to 10 times as fast as haar, finds twice as many small faces, fetches its file (233 kB) once; "
        "FILE.onnx: YuNet from this file; haar-profile: also faces from the side (default: %(default)s)",
    )
    parser.add_argument("--any-angle", action="store_true", help="also find faces on their side or upside down")


def detector_of(options: argparse.Namespace) -> Detector | None:
    """Returns the `chosen_detector` of the options."""
    return chosen_detector(options.detector, any_angle=options.any_angle)

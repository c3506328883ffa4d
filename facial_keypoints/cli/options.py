"""Command-line options that several commands share."""

import argparse
import os
from pathlib import Path
from typing import Any

from facial_keypoints.boxes import Detector
from facial_keypoints.detectors.choose import NAMES, chosen_detector
from facial_keypoints.pretrained import FINDER


def new_parser(commands: Any, name: str, description: str, example: str) -> argparse.ArgumentParser:
    """Adds a command's parser; its help has a one-sentence description and an example."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=description,
        description=f"{description[0].upper()}{description[1:]}.",
        epilog=f"example: facial-keypoints {example}",
    )
    return parser


def add_inputs(parser: argparse.ArgumentParser, inputs: str, out: str) -> argparse._ArgumentGroup:
    """Adds INPUT and `--out`; returns the group of output options.

    Args:
        inputs: the help of INPUT.
        out: the help of `--out`.
    """
    parser.add_argument("inputs", nargs="+", type=Path, metavar="INPUT", help=inputs)
    group = parser.add_argument_group("output")
    group.add_argument("--out", type=Path, required=True, metavar="DIR", help=out)
    return group


def add_detector_options(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Adds the options that `detector_of` reads; returns their group."""
    group = parser.add_argument_group("face detection")
    group.add_argument(
        "--detector",
        default=FINDER,
        metavar=f"{'|'.join(NAMES)}|FILE.onnx|DIR",
        help="face-finder: this project's network; yunet: finds more small and turned faces, downloads 233 kB once; "
        "haar: OpenCV's cascade for frontal faces; haar-profile: also faces from the side; FILE.onnx: YuNet from this "
        "file; DIR: a face finder of your own (default: %(default)s)",
    )
    group.add_argument(
        "--smallest",
        type=float,
        metavar="PX",
        help="with --detector face-finder: find faces whose eyes are at least PX apart; smaller values take longer "
        "(default: 0.6 %% of the picture's longer side, at least 9)",
    )
    group.add_argument("--any-angle", action="store_true", help="also find faces on their side or upside down")
    return group


def add_model_options(parser: argparse.ArgumentParser, *, workers: bool = True) -> None:
    """Adds `--model` and `--views` for `Predictor`, and `--workers`."""
    group = parser.add_argument_group("model")
    group.add_argument(
        "--model",
        default="v2",
        metavar="NAME|DIR|FILE.onnx",
        help="v2: 15 keypoints; v2-68: 68 keypoints; or a model folder or file (default: %(default)s)",
    )
    group.add_argument(
        "--views",
        type=int,
        default=1,
        metavar="N",
        help="average over N views of each face, 1 to 10; 5 lower the error by 2 to 4 %% (default: %(default)s)",
    )
    if workers:
        help_text = "number of pictures to process at once (default: one per core, %(default)s)"
        group.add_argument("--workers", type=int, default=cores(), metavar="N", help=help_text)


def cores() -> int:
    """Returns the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def detector_of(options: argparse.Namespace) -> Detector:
    """Returns the detector that the options name; see `chosen_detector`."""
    return chosen_detector(options.detector, any_angle=options.any_angle, smallest_px=options.smallest)

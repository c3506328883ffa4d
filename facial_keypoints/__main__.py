"""The command `facial-keypoints`, or `python -m facial_keypoints`."""

import argparse
import warnings
from collections.abc import Sequence

from facial_keypoints.cli import align, filter, live, predict
from facial_keypoints.errors import run

COMMANDS = (predict, filter, align, live)  # modules with `add_parser` and `main`


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses the command line and runs the command.

    Raises:
        InputError: bad input.
    """
    parser = argparse.ArgumentParser(
        prog="facial-keypoints",
        description="Finds faces in pictures, clips and cameras and predicts their keypoints.",
        epilog="example: facial-keypoints predict photo.jpg --out out; its options: facial-keypoints predict --help",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_parser(commands)
    options = parser.parse_args(arguments)
    warnings.filterwarnings("ignore", "Image size")  # Pillow warns about large pictures, which this project refuses
    options.main(options)


def console() -> None:
    """Runs the command line and exits with its code."""
    run(main)


if __name__ == "__main__":
    console()

"""The command `facial-keypoints`, or `python -m facial_keypoints`."""

import argparse
import warnings
from collections.abc import Sequence

from facial_keypoints.cli import align, filter, live, predict
from facial_keypoints.errors import run

COMMANDS = (predict, filter, align, live)  # modules with `add_parser` and `main`


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs a command.

    Raises:
        InputError: bad input, one line.
    """
    parser = argparse.ArgumentParser(prog="facial-keypoints", description="Facial keypoints in pictures of faces.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_parser(commands)
    options = parser.parse_args(arguments)
    warnings.filterwarnings("ignore", "Image size")  # Pillow's, of pictures that are refused as too large
    options.main(options)


def console() -> None:
    """Runs the command that the shell was given, and leaves with its exit code."""
    run(main)


if __name__ == "__main__":
    console()

"""The command `facial-keypoints`, or `python -m facial_keypoints`."""

import argparse
from collections.abc import Sequence

from facial_keypoints import live, predict
from facial_keypoints.errors import run

COMMANDS = (predict, live)  # modules with `add_parser` and `main`


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
    options.main(options)


def console() -> None:
    """Runs the command that the shell was given, and leaves with its exit code."""
    run(main)


if __name__ == "__main__":
    console()

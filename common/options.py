"""Command-line parsers, and options that several stages share."""

import argparse
from pathlib import Path
from typing import Any

DEFAULT_DATA = Path("artifacts/data")
LARGEST_SEED = 2**32 - 1


def stage_parser(module: str, doc: str | None, *examples: str) -> argparse.ArgumentParser:
    """Returns the parser of a stage; its help begins with a description and ends with examples.

    Args:
        module: its name, as for `python -m`.
        doc: the docstring of the module; its first line is the description.
        examples: arguments of example commands.
    """
    program = f"python -m {module}"
    parser = argparse.ArgumentParser(prog=program, description=(doc or "").partition("\n")[0])
    if len(examples) == 1:
        parser.epilog = f"example: {program} {examples[0]}"
    elif examples:
        parser.epilog = "examples:" + "".join(f"\n  {program} {arguments}".rstrip() for arguments in examples)
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
    return parser


def add_data_option(group: Any) -> None:
    """Adds `--data` to a parser or a group of its options."""
    group.add_argument(
        "--data", type=Path, default=DEFAULT_DATA, metavar="DIR", help="data folder (default: %(default)s)"
    )


def add_out_option(group: Any, default: Path) -> None:
    """Adds `--out`, the folder to write, to a parser or a group of its options."""
    group.add_argument(
        "--out", type=Path, default=default, metavar="DIR", help="folder to write (default: %(default)s)"
    )


def seed(text: str) -> int:
    """Parses a seed of the command line, for `argparse`."""
    number = int(text)
    if not 0 <= number <= LARGEST_SEED:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and {LARGEST_SEED}")
    return number


def positive(kind: type[int] | type[float]) -> Any:
    """Returns a function that parses a number above 0, for `argparse`."""

    def number(text: str) -> float:
        if not 0 < (value := kind(text)) < float("inf"):
            raise argparse.ArgumentTypeError(f"{text} is not above 0")
        return value

    return number

"""What the commands `filter` and `align` share: a new folder, filled picture by picture."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tqdm import tqdm

from facial_keypoints.errors import InputError
from facial_keypoints.sources import Source


def check_new(out: Path) -> None:
    """Raises InputError where something stands already."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: is there already; choose another --out, or delete it")


def each_picture(pictures: Sequence[Source], work: Callable[[Source], None]) -> int:
    """Does the work on each picture, and returns on how many it failed; each is told on stderr.

    Raises:
        InputError: it failed on all of them.
    """
    failed: list[InputError] = []
    for source in (bar := tqdm(pictures, unit="picture", disable=True if len(pictures) == 1 else None)):
        try:
            work(source)
        except InputError as error:  # one bad picture of many does not stop the others
            failed.append(error)
            if len(pictures) > 1:
                bar.write(f"left out: {error}", file=sys.stderr)
    if failed and len(failed) == len(pictures):
        raise failed[0] if len(failed) == 1 else InputError(f"none of {len(failed)} pictures could be read")
    return len(failed)


def check_all(failed: int, pictures: Sequence[Source], out: Path) -> None:
    """Raises InputError where pictures were left out; all else has been written."""
    if failed:
        raise InputError(f"{out}: lacks {failed} of {len(pictures)} pictures, which could not be read")

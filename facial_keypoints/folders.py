"""Output folders that are written whole or not at all."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

OF_FILE_MANAGERS = (".DS_Store", "Thumbs.db", "desktop.ini")  # they leave them wherever they have looked


@contextlib.contextmanager
def atomic_folder(out: Path) -> Iterator[Path]:
    """Yields a temporary folder beside `out` that takes its place if the block ends well and is deleted if not.

    What `out` held before stands until then; after a kill in between, the next call puts it back. One run at a time
    may write `out`: the temporary folder has a name of its own for each `out`, not for each run.
    """
    out = out.resolve()  # a link stays one; `.` has no name
    new = out.with_name(f".{out.name}.partial")
    put_back(out)
    shutil.rmtree(new, ignore_errors=True)  # left by a kill
    try:
        new.mkdir(parents=True)  # in here: an interrupt just after it must not leave the folder behind
        yield new
        replace_folder(out, new)
    finally:
        put_back(out)
        shutil.rmtree(new, ignore_errors=True)


def replace_folder(out: Path, new: Path) -> None:
    """Moves folder `new` to `out`; what stood there is deleted once it has moved."""
    put_back(out)
    if out.exists():
        out.rename(_old(out))
    new.rename(out)
    put_back(out)


def put_back(out: Path) -> None:
    """Takes back what `out` held where a kill left it missing, and deletes that where it did not."""
    old = _old(out)
    if old.exists() and not out.exists():
        old.rename(out)
    shutil.rmtree(old, ignore_errors=True)


def _old(out: Path) -> Path:
    """Returns where the folder `out` waits while another one takes its place."""
    return out.with_name(f".{out.name}.old")

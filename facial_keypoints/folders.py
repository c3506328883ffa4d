"""Output folders and files that are written whole or not at all, and the files in a folder to ignore."""

import contextlib
import csv
import os
import shutil
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePath

OF_MACOS_ZIP = "__MACOSX"  # the folder of `._` files in a zip from macOS
OF_FILE_MANAGERS = (".DS_Store", "Thumbs.db", "desktop.ini")  # files that file managers create in the folders they show


def is_hidden(below: PurePath) -> bool:
    """Returns whether a path is hidden or was left by a file manager: `.cache/a.png`, `__MACOSX/a.csv`, `Thumbs.db`.

    Args:
        below: the path relative to the folder or zip; the name of the folder itself does not count.
    """
    hidden = any(part.startswith(".") or part == OF_MACOS_ZIP for part in below.parts)
    return hidden or below.name in OF_FILE_MANAGERS


def write_rows(path: Path, rows: Iterable[Sequence[object]]) -> None:
    """Writes a CSV file: UTF-8, commas, a line feed after each row."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yields a temporary file beside `path` that replaces it if the block succeeds, and is deleted if it fails.

    Several processes and threads may write `path` at once.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(out: Path) -> Iterator[Path]:
    """Yields a temporary folder beside `out` that replaces it if the block succeeds, and is deleted if it fails.

    The old content of `out` stays until then; if a kill interrupts the replacement, the next call restores it. Only
    one run at a time may write `out`, since the temporary folder's name depends on `out` alone.
    """
    out = out.resolve()  # keeps a link a link; `.` has no name
    new = out.with_name(f".{out.name}.partial")
    restore_old(out)
    shutil.rmtree(new, ignore_errors=True)  # left by a kill
    try:
        new.mkdir(parents=True)  # inside `try`: an interrupt just after it must delete the folder
        yield new
        replace_folder(out, new)
    finally:
        restore_old(out)
        shutil.rmtree(new, ignore_errors=True)


def replace_folder(out: Path, new: Path) -> None:
    """Moves folder `new` to `out`, then deletes the old content of `out`."""
    restore_old(out)
    if out.exists():
        out.rename(_old_path(out))
    new.rename(out)
    restore_old(out)


def restore_old(out: Path) -> None:
    """Restores the old content of `out` if a kill left `out` missing; otherwise deletes the old content."""
    old = _old_path(out)
    if old.exists() and not out.exists():
        old.rename(out)
    shutil.rmtree(old, ignore_errors=True)


def _old_path(out: Path) -> Path:
    """Returns where the old content of `out` is kept while `out` is replaced."""
    return out.with_name(f".{out.name}.old")

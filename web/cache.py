"""Deletes old files from the folder that holds uploads and results."""

import logging
import threading
import time
from pathlib import Path

SWEEPS = 10  # in the time for which a file is kept


def sweep(folder: Path, keep_s: float, now_s: float | None = None) -> None:
    """Deletes files that are older than `keep_s` in a folder and its subfolders, and empty folders.

    Args:
        now_s: current time in seconds since the epoch; None for that of the clock.
    """
    before_s = (time.time() if now_s is None else now_s) - keep_s
    for path in sorted(folder.rglob("*"), reverse=True):  # the content of a folder before the folder
        try:
            if path.lstat().st_ctime > before_s:  # not st_mtime, which copies keep from the original
                continue
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
            else:
                path.unlink()
        except OSError:  # a folder that is not empty, or a file that is gone
            continue


def sweep_always(folder: Path, keep_s: float, stop: threading.Event) -> None:
    """Sweeps a folder repeatedly until `stop` is set; errors are logged, and the sweep is repeated."""
    while not stop.wait(keep_s / SWEEPS):
        try:
            sweep(folder, keep_s)
        except Exception:  # if the thread ended, uploads would stay forever
            logging.getLogger(__name__).exception("%s: could not be cleaned up", folder)

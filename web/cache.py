"""The one folder that holds what visitors upload and get back; files in it do not grow old."""

import logging
import threading
import time
from pathlib import Path

SWEEPS = 10  # in the time that a file is kept


def sweep(folder: Path, keep_s: float, now_s: float | None = None) -> None:
    """Deletes files that came into a folder more than so many seconds ago, at any depth, and folders left empty.

    Args:
        now_s: seconds since the epoch; None: as the clock says.
    """
    before_s = (time.time() if now_s is None else now_s) - keep_s
    for path in sorted(folder.rglob("*"), reverse=True):  # what is in a folder before the folder
        try:
            if path.lstat().st_ctime > before_s:  # when it came here: copies keep the time at which they were changed
                continue
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
            else:
                path.unlink()
        except OSError:  # a folder that is not empty, or gone already
            continue


def sweep_always(folder: Path, keep_s: float, stop: threading.Event) -> None:
    """Sweeps a folder again and again until it is told to stop; what goes wrong is logged, and tried again."""
    while not stop.wait(keep_s / SWEEPS):
        try:
            sweep(folder, keep_s)
        except Exception:  # a thread that ends would keep uploads for ever
            logging.getLogger(__name__).exception("%s: could not be swept", folder)

"""Changes settings of this process while a block runs: environment variables, stderr, OpenCV's threads."""

import contextlib
import os
import sys
from collections.abc import Iterator

# A notebook passes its backend on to the commands that it starts, and matplotlib cannot be imported if that backend is
# not installed. Figures are written to files, which needs no backend. Keras imports matplotlib too.
MATPLOTLIB_BACKEND = "MPLBACKEND"


@contextlib.contextmanager
def without_variable(name: str) -> Iterator[None]:
    """Removes a variable from the environment while the block runs."""
    value = os.environ.pop(name, None)
    try:
        yield
    finally:
        if value is not None:
            os.environ[name] = value


@contextlib.contextmanager
def native_stderr_silenced() -> Iterator[None]:
    """Discards everything that compiled code writes to file descriptor 2; Python exceptions are raised as usual."""
    sys.stderr.flush()
    saved_stderr = os.dup(2)
    null_device = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null_device, 2)
        yield
    finally:
        os.dup2(saved_stderr, 2)
        os.close(saved_stderr)
        os.close(null_device)


@contextlib.contextmanager
def one_opencv_thread() -> Iterator[None]:
    """Makes OpenCV use one thread; on small images, waiting for other threads costs more than they save."""
    import cv2

    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)

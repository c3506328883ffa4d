"""Environment variables that would change the behavior of a library."""

import contextlib
import os
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

"""Variables of the environment that would change what a library does here."""

import contextlib
import os
from collections.abc import Iterator

# A notebook hands its backend on to the commands that it starts, and matplotlib cannot be imported where that is not
# installed. Figures are written to files, which needs none. Keras imports matplotlib too.
MATPLOTLIB_BACKEND = "MPLBACKEND"


@contextlib.contextmanager
def without_variable(name: str) -> Iterator[None]:
    """Takes a variable out of the environment for as long as the block runs."""
    value = os.environ.pop(name, None)
    try:
        yield
    finally:
        if value is not None:
            os.environ[name] = value

"""Files that people bring: whatever is wrong with their bytes becomes one line."""

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path

from facial_keypoints.errors import InputError


@contextlib.contextmanager
def parsing(path: Path, kind: str, mend: str) -> Iterator[None]:
    """Turns any error of the block, which parses a file, into an InputError that names the file.

    Libraries that parse damaged bytes fail in more ways than they document: numpy with the errors of Python's own
    tokenizer, zipfile with those of a file system.

    Args:
        kind: what the file should be, for the message.
        mend: what to do where it is not.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a damaged header may look like odd Python code, which warns
            yield
    except (InputError, PermissionError):  # these say what is wrong
        raise
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; {mend}") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder, not a file; {mend}") from None
    except Exception as error:
        reason = " ".join(f"{type(error).__name__} {error}".split())
        raise InputError(f"{path}: is cut off, damaged or no {kind} ({reason}); {mend}") from error

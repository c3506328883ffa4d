"""Turns any error of parsing a file into one line."""

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path

from facial_keypoints.errors import InputError, one_line


@contextlib.contextmanager
def parsing(path: Path, kind: str, fix: str) -> Iterator[None]:
    """Turns any error of the block, which parses a file, into an InputError that names the file.

    Libraries that parse damaged bytes raise more errors than they document: numpy raises those of Python's tokenizer,
    zipfile those of a file system.

    Args:
        kind: the expected kind of file, for the message.
        fix: what to do if the file is damaged.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numpy evaluates a damaged header as Python code, which can warn
            yield
    except (InputError, PermissionError):  # their messages are clear
        raise
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; {fix}") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder, not a file; {fix}") from None
    except Exception as error:
        reason = one_line(f"{type(error).__name__} {error}")
        raise InputError(f"{path}: is damaged or not a valid {kind} ({reason}); {fix}") from error

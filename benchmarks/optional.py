"""Loads the optional packages of the compared programs, and files inside them."""

import importlib
import importlib.util
from pathlib import Path
from typing import Any

from facial_keypoints.errors import InputError

INSTALL = "install it with `pip install -r requirements-peers.txt`"


def optional(name: str) -> Any:
    """Returns a module of `requirements-peers.txt`; raises InputError if it is missing."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise InputError(f"the package {name} is missing; {INSTALL}") from None


def package_file(package: str, module: str, file: str) -> Path:
    """Returns a file of a package; raises InputError if the package is missing.

    The package is not imported, because these packages need features that newer setuptools and numpy removed.

    Args:
        package: its name for `pip`.
        module: its name in Python.
        file: path below the module's folder.
    """
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise InputError(f"the package {package} is missing; {INSTALL}")
    return Path(spec.origin).parent / file

"""What peers need beyond the project's own requirements: packages, and files that lie in packages."""

import importlib
import importlib.util
from pathlib import Path
from typing import Any

from facial_keypoints.errors import InputError

INSTALL = "install it with `pip install -r requirements-peers.txt`"


def optional(name: str) -> Any:
    """Returns a module of `requirements-peers.txt`; raises InputError where it is missing."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise InputError(f"the package {name} is missing; {INSTALL}") from None


def package_file(package: str, module: str, file: str) -> Path:
    """Returns a file that a package brings; raises InputError where the package is missing.

    The package is not imported: those whose files are wanted here rely on what newer setuptools and numpy dropped.

    Args:
        package: as `pip` names it.
        module: as Python names it.
        file: its place below the module's folder.
    """
    found = importlib.util.find_spec(module)
    if found is None or found.origin is None:
        raise InputError(f"the package {package} is missing; {INSTALL}")
    return Path(found.origin).parent / file

"""Computes the SHA-256 of files and folders, in hexadecimal."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from facial_keypoints.folders import is_hidden


def file_hash(path: Path) -> str:
    """Returns the hash of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def path_hash(path: Path) -> str:
    """Returns the hash of a file, or of the names and contents of all files in a folder that are not hidden."""
    if path.is_file():
        return file_hash(path)
    visible = (file for file in path.rglob("*") if file.is_file() and not is_hidden(file.relative_to(path)))
    return files_hash(path, visible)


def files_hash(folder: Path, files: Iterable[Path]) -> str:
    """Returns the hash of the names and contents of some files in a folder; their order does not matter."""
    lines = [f"{file.relative_to(folder).as_posix()} {file_hash(file)}" for file in sorted(files)]
    return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()

"""Fetches a detector's file once and keeps it in a cache folder."""

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

from facial_keypoints.errors import InputError, one_line
from facial_keypoints.folders import atomic_file
from facial_keypoints.pictures import notes

FOLDER_VARIABLE = "FACIAL_KEYPOINTS_CACHE"
TIMEOUT_S = 30


class RemoteFile(NamedTuple):
    """A file on the web, and the hash and size that identify it."""

    url: str
    sha256: str
    size_bytes: int


def cached_path(file: RemoteFile) -> Path:
    """Returns the path of a remote file in the cache folder; fetches it if it is missing or damaged.

    Raises:
        InputError: the file cannot be fetched or stored, or is not the expected one.
    """
    path = cache_folder() / file.url.rpartition("/")[2]
    if not (path.is_file() and _matches(file, path.read_bytes())):
        content = _fetch(file, path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_file(path) as partial:
                partial.write_bytes(content)
        except OSError as error:
            fault = f"{path.parent}: cannot be written ({one_line(error)})"
            raise InputError(f"{fault}; set {FOLDER_VARIABLE} to another folder") from None
    return path


def cache_folder() -> Path:
    """Returns `FACIAL_KEYPOINTS_CACHE`, or else `facial-keypoints` in `XDG_CACHE_HOME` or `~/.cache`."""
    if folder := os.environ.get(FOLDER_VARIABLE):
        return Path(folder)
    try:
        parent = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:
        raise InputError(f"this user has no home folder; set {FOLDER_VARIABLE} to a cache folder") from None
    return parent / "facial-keypoints"


def _fetch(file: RemoteFile, path: Path) -> bytes:
    import http.client  # slow imports, which only a fetch needs
    import urllib.request

    notes.warning("fetching %s (%d kB) into %s", file.url, round(file.size_bytes / 1000), path.parent)
    alternative = f"fetch {path.name} yourself and give it with --detector FILE.onnx"
    try:
        with urllib.request.urlopen(file.url, timeout=TIMEOUT_S) as response:
            content = bytes(response.read(file.size_bytes + 1))
    except (OSError, http.client.HTTPException) as error:
        reason = one_line(str(getattr(error, "reason", error)))
        raise InputError(f"{file.url}: cannot be fetched ({reason}); {alternative}") from None
    if not _matches(file, content):
        raise InputError(f"{file.url}: is not the expected file (its SHA-256 differs); {alternative}")
    return content


def _matches(file: RemoteFile, content: bytes) -> bool:
    return len(content) == file.size_bytes and hashlib.sha256(content).hexdigest() == file.sha256

"""Loads the ONNX file of a model folder after checking that it is the exported one."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from facial_keypoints.errors import InputError, one_line
from facial_keypoints.pretrained import INT8_FILE, KERAS_FILE, MANIFEST
from facial_keypoints.runtime import CPU, Provider, session


def export_again(stage: str) -> str:
    """Returns the fix for a damaged file, for messages; `stage`: the module that exports it."""
    return f"export it again with `python -m {stage} MODEL_DIR`"


def read_content(path: Path, stage: str, *, checked: bool) -> tuple[bytes, str]:
    """Returns an ONNX file's bytes and their SHA-256.

    Args:
        path: the file.
        stage: the module that exports it, for messages.
        checked: whether to compare the file with the manifest of its model folder.

    Raises:
        InputError: the file or the manifest is missing, damaged or altered.
    """
    folder = path.parent
    if not path.is_file():
        option = " --int8 DATA" if path.name == INT8_FILE else ""
        raise InputError(f"{path}: no such file; write it with `python -m {stage} {folder}{option}`")
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if checked:
        try:
            files = json.loads((folder / MANIFEST).read_bytes())["files"]
            expected, trained = files[path.name], files.get(KERAS_FILE)
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            raise InputError(f"{folder / MANIFEST}: does not name {path.name}; {export_again(stage)}") from None
        if digest != expected:
            raise InputError(f"{path}: is cut off or altered; {export_again(stage)}")
        network = folder / KERAS_FILE
        if trained and network.is_file() and hashlib.sha256(network.read_bytes()).hexdigest() != trained:
            fault = f"{network}: was altered after {path.name} was exported"
            raise InputError(f"{fault}; restore it, or train the network again and {export_again(stage)}")
    return content, digest


def load_session(
    path: Path, content: bytes, stage: str, threads: int = 0, providers: Sequence[Provider] = (CPU,)
) -> Any:
    """Returns onnxruntime's session for an ONNX file.

    Args:
        path: the file, for messages.
        content: its bytes.
        stage: the module that exports it, for messages.
        threads: the number of threads within an operation; 0: one per core.
        providers: execution providers in order of preference.

    Raises:
        InputError: the file is damaged, or a provider does not start.
    """
    try:
        return session(content, threads, providers)
    except InputError:
        raise
    except Exception as error:
        if any(provider != CPU for provider in providers):
            raise InputError(f"{path}: cannot be loaded with {list(providers)} ({one_line(error)})") from None
        raise InputError(f"{path}: is not a complete ONNX file ({one_line(error)}); {export_again(stage)}") from None

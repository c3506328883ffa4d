"""Locks the output folder of a stage, and writes the manifest that records how the folder was made."""

import contextlib
import hashlib
import importlib.metadata
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import filelock

from common.code import code_hashes
from common.hashes import file_hash
from facial_keypoints.errors import InputError
from facial_keypoints.folders import OF_FILE_MANAGERS, atomic_folder
from facial_keypoints.pretrained import MANIFEST

PACKAGES = (  # their versions can change results
    *("tensorflow", "jax", "keras", "numpy", "scipy", "pandas", "scikit-learn"),
    *("opencv-python", "pillow", "onnx", "onnxruntime"),
)
SUBFOLDERS = ("pictures", "saved_model")  # subfolders that stages write; a manifest lists only files
MANIFEST_ENTRIES: dict[str, tuple[type, Any]] = {  # type and default of each manifest entry; None: required
    "stage": (str, None),
    "command": (str, None),
    "parameters": (dict, None),
    "inputs": (dict, None),
    "metrics": (dict, None),
    "files": (dict, None),
    "code": (dict, {}),  # the shipped model was trained before this entry existed
}
RECORDED_OTHERWISE = {"training/recipes.py": ("RECIPES",)}  # the manifest holds the values of the recipe that was used
FORMAT_VERSION = 2  # of folders and manifests; 1: before `format_version` was written


class Stage(NamedTuple):
    """A stage that writes a folder with a manifest.

    Attributes:
        name: in the manifest.
        module: the module that `python -m` runs.
        arguments: its arguments, as shown in messages.
    """

    name: str
    module: str
    arguments: str

    @property
    def command(self) -> str:
        """The command as a user types it."""
        return f"python -m {self.module} {self.arguments}"


@contextlib.contextmanager
def locked(folder: Path, wait_s: float = 0) -> Iterator[None]:
    """Locks the folder for this process.

    The lock file is in the system's temporary folder; the operating system releases the lock when the process dies.

    Raises:
        InputError: another process still holds the lock after `wait_s` seconds.
    """
    digest = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:16]
    lock = filelock.FileLock(Path(tempfile.gettempdir()) / f"facial-keypoints-{digest}.lock", timeout=wait_s)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise InputError(f"{folder}: another run is writing this folder; wait for it or choose another --out") from None
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def stage_folder(out: Path, stage: Stage, reads: Iterable[Path] = (), wait_s: float = 0) -> Iterator[Path]:
    """Locks `out` and yields a temporary folder, which replaces `out` if the block succeeds; see `atomic_folder`."""
    check_out(out, stage, reads)
    with locked(out, wait_s), atomic_folder(out) as folder:
        yield folder


def check_out(out: Path, stage: Stage, reads: Iterable[Path] = ()) -> None:
    """Raises InputError if writing `out` would delete an input, or a file that this stage did not write.

    Args:
        stage: the stage that writes the folder.
        reads: the files and folders that the stage reads.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file, not a folder; choose another --out")
    for path in reads:
        if path.resolve().is_relative_to(out.resolve()):
            raise InputError(f"{out}: holds the input {path} and would be replaced; choose another --out")
    if out.is_dir() and any(out.iterdir()):
        try:
            manifest = json.loads((out / MANIFEST).read_bytes())
            made_by, command, files = str(manifest["stage"]), str(manifest["command"]), set(manifest["files"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            raise InputError(f"{out}: holds files that no stage wrote; choose an empty or new --out") from None
        if made_by != stage.name:
            raise InputError(f"{out}: was written by `{command}`; choose another --out")
        written = files.union([MANIFEST], SUBFOLDERS, OF_FILE_MANAGERS)
        if others := sorted({path.name for path in out.iterdir()} - written):
            raise InputError(
                f"{out}: holds {others[0]}, which `{stage.command}` did not write and would delete; move it, or choose "
                "another --out"
            )


def write_manifest(
    folder: Path,
    stage: Stage,
    parameters: Mapping[str, Any],
    inputs: Mapping[str, str],
    metrics: Mapping[str, Any],
    started: float,
    extra: Mapping[str, Any] | None = None,
    code: Mapping[str, str] | None = None,
) -> None:
    """Writes `manifest.json`: how this folder was made, from which inputs, and the hash of every file in it.

    Args:
        stage: the stage that writes the folder.
        parameters: of the stage, as JSON values.
        inputs: the hash of each input, by name.
        metrics: results of the stage, as JSON values.
        started: `time.time()` at the start of the stage.
        extra: further entries by name, as JSON values.
        code: the `stage_code` at the start of the stage; the current one if None.
    """
    files = {p.name: file_hash(p) for p in sorted(folder.iterdir()) if p.is_file() and p.name != MANIFEST}
    manifest = {
        "format_version": FORMAT_VERSION,
        "stage": stage.name,
        "command": command_line(),
        "parameters": dict(parameters),
        "inputs": dict(inputs),
        "metrics": dict(metrics),
        **(extra or {}),
        "code": dict(stage_code(stage) if code is None else code),
        "seconds": round(time.time() - started, 1),
        "versions": versions(),
        "git_revision": git_revision(),
        "files": files,
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def stage_code(stage: Stage, also: Iterable[Path] = ()) -> dict[str, str]:
    """Returns the hash of each project file that a stage runs; see `common.code.code_hashes`."""
    return code_hashes(stage.module, also, without=RECORDED_OTHERWISE)


def command_line() -> str:
    """Returns the command that runs this stage, as a user would type it."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    program = ["-m", spec.name] if spec else [sys.argv[0]]
    return shlex.join(["python", *program, *sys.argv[1:]])


def versions() -> dict[str, str]:
    """Returns the versions of Python and of the installed PACKAGES."""
    installed = {"python": sys.version.split()[0]}
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            installed[name] = importlib.metadata.version(name)
    return installed


def git_revision() -> str | None:
    """Returns the commit of this checkout, with `+changes` if files differ from it; None outside a checkout."""
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        here = Path(__file__).parent
        command = ["git", "-C", str(here), "describe", "--always", "--abbrev=40", "--dirty=+changes", "--exclude=*"]
        return subprocess.run(command, capture_output=True, text=True, check=True, encoding="utf-8").stdout.strip()
    return None


def read_manifest(folder: Path, stage: Stage) -> dict[str, Any]:
    """Returns the manifest of a stage's folder, after checking that its files exist and are unaltered.

    Args:
        stage: the stage that wrote the folder.

    Raises:
        InputError: the folder or the manifest is missing or damaged, another stage wrote it, or a file is altered.
    """
    fix = f"make it with `{stage.command}`"
    if not folder.is_dir():
        if folder.with_name(f"{folder.name}.unfinished").is_dir():
            fix = "its training was interrupted; continue it with --resume"
        raise InputError(f"{folder}: no such folder; {fix}")
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError, RecursionError):
        manifest = None
    if not isinstance(manifest, dict) or any(
        not isinstance(manifest.get(name, default), kind) for name, (kind, default) in MANIFEST_ENTRIES.items()
    ):
        raise InputError(f"{folder}: has no valid {MANIFEST}; {fix}")
    if manifest["stage"] != stage.name:
        raise InputError(f"{folder}: was written by `{manifest['command']}`; {fix}")
    if not isinstance(version := manifest.get("format_version", 1), int) or version > FORMAT_VERSION:
        raise InputError(f"{folder}: has format_version {version}, which this version cannot read; update the project")
    present = {path.name for path in folder.iterdir() if path.is_file()}
    for name, expected in manifest["files"].items():
        if name not in present:
            raise InputError(f"{folder / name}: is missing; {fix}")
        if file_hash(folder / name) != expected:
            raise InputError(f"{folder / name}: is damaged or altered; {fix}")
    return manifest


def seconds_text(seconds: float) -> str:
    """Returns a duration as text: `48 s`, `12 min 5 s`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"

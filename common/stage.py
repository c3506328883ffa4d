"""The frame around every stage: bad input as one line, output folders written whole or not at all, manifests."""

import contextlib
import errno
import glob
import hashlib
import importlib.metadata
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import filelock

MANIFEST = "manifest.json"
PARTIAL = ".partial"
PACKAGES = ("tensorflow", "keras", "numpy", "pandas", "scikit-learn", "opencv-python")
EXIT_DONE, EXIT_BAD_INPUT, EXIT_INTERRUPTED = 0, 2, 130


class InputError(Exception):
    """Something the user can mend; its text is one line that names the file, the row and the fix."""


def run(main: Callable[[], None]) -> None:
    """Runs a stage and leaves the process with its exit code: 0 done, 2 bad input (one line on stderr), 130 Ctrl-C."""
    code = EXIT_DONE
    try:
        main()
    except InputError as error:
        code = fail(str(error))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        code = EXIT_INTERRUPTED
    except BrokenPipeError:  # whoever read our output has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        where = error.filename or "the output folder"
        code = fail(f"{where}: {error.strerror}; free some space or choose another --out")
    sys.exit(code)


def fail(message: str) -> int:
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    return EXIT_BAD_INPUT


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the folder for this process.

    The lock lives in the system's temporary folder and is let go by the system when the process dies.

    Raises:
        InputError: another run holds it.
    """
    digest = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
    lock = filelock.FileLock(Path(tempfile.gettempdir()) / f"facial-keypoints-{digest}.lock", timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise InputError(f"{folder}: another run is writing this folder; wait for it or choose another --out") from None
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """Locks `out` and yields a temporary folder that takes its place when the block ends well; see `swapped`."""
    refuse_foreign(out)
    with locked(out), swapped(out) as folder:
        yield folder


@contextlib.contextmanager
def swapped(out: Path) -> Iterator[Path]:
    """Yields a temporary folder beside `out` that takes its place if the block ends well and is deleted if not."""
    out.parent.mkdir(parents=True, exist_ok=True)
    for left_by_a_kill in out.parent.glob(f".{glob.escape(out.name)}.*{PARTIAL}*"):
        shutil.rmtree(left_by_a_kill)
    new = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=PARTIAL, dir=out.parent))
    old = new.with_name(new.name + ".old")
    try:
        new.chmod(0o755)  # mkdtemp makes it private
        yield new
        if out.exists():
            out.rename(old)
        new.rename(out)
    finally:
        shutil.rmtree(new, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def refuse_foreign(out: Path) -> None:
    """Raises InputError where `out` is a file, or a folder with contents that no stage wrote."""
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file, not a folder; choose another --out")
    if out.is_dir() and any(out.iterdir()) and not (out / MANIFEST).is_file():
        raise InputError(f"{out}: holds files that no stage wrote (no {MANIFEST}); choose an empty or new --out")


def file_hash(path: Path) -> str:
    """Returns the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def path_hash(path: Path) -> str:
    """Returns the SHA-256 of a file, or of the names and contents of the files in a folder (not below it)."""
    if path.is_file():
        return file_hash(path)
    lines = [f"{file.name} {file_hash(file)}" for file in sorted(path.iterdir()) if file.is_file()]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def write_manifest(
    folder: Path, parameters: Mapping[str, Any], inputs: Mapping[str, str], figures: Mapping[str, Any], started: float
) -> None:
    """Writes `manifest.json`: what made this folder, from what, and the hash of every file in it.

    Args:
        parameters: the stage's own, JSON values.
        inputs: name of each input -> its hash.
        figures: what the stage measured, JSON values.
        started: `time.time()` at the start of the stage.
    """
    files = {p.name: file_hash(p) for p in sorted(folder.iterdir()) if p.is_file() and p.name != MANIFEST}
    manifest = {
        "command": command_line(),
        "parameters": dict(parameters),
        "inputs": dict(inputs),
        "figures": dict(figures),
        "seconds": round(time.time() - started, 1),
        "versions": {"python": sys.version.split()[0], **{name: package_version(name) for name in PACKAGES}},
        "git_revision": git_revision(),
        "files": files,
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")


def command_line() -> str:
    """Returns the command that runs this stage, as a user would type it."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    program = ["-m", spec.name] if spec else [sys.argv[0]]
    return shlex.join(["python", *program, *sys.argv[1:]])


def package_version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def git_revision() -> str | None:
    """Returns the commit of this checkout, with `+changes` where files differ from it; None outside a checkout."""
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        here = Path(__file__).parent
        ask = ["git", "-C", str(here), "describe", "--always", "--abbrev=40", "--dirty=+changes", "--exclude=*"]
        return subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip()
    return None


def read_manifest(folder: Path, made_by: str) -> dict[str, Any]:
    """Returns the manifest of a stage's folder, after a check that every file it names is there, unaltered.

    Args:
        made_by: the command that makes such a folder, for the message.

    Raises:
        InputError: no such folder, no manifest, or a file is missing or altered.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; make it with `{made_by}`")
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        files = manifest["files"].items()
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        raise InputError(f"{folder}: has no readable {MANIFEST}; make the folder again with `{made_by}`") from None
    for name, expected in files:
        if not (folder / name).is_file():
            raise InputError(f"{folder / name}: is missing; make the folder again with `{made_by}`")
        if file_hash(folder / name) != expected:
            raise InputError(f"{folder / name}: is cut off or altered; make the folder again with `{made_by}`")
    return dict(manifest)


def seconds_text(seconds: float) -> str:
    """Returns a duration as people say it: `48 s`, `12 min 5 s`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"

"""Output folders that are written whole or not at all."""

import contextlib
import glob
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

PARTIAL = ".partial"


@contextlib.contextmanager
def atomic_folder(out: Path) -> Iterator[Path]:
    """Yields a temporary folder beside `out` that takes its place if the block ends well and is deleted if not.

    What `out` held before stands until then; after a kill in between, the next call puts it back.
    """
    out = out.resolve()  # a link stays one; `.` has no name
    out.parent.mkdir(parents=True, exist_ok=True)
    old = out.with_name(f".{out.name}.old")
    put_back(old, out)
    for left_by_a_kill in out.parent.glob(f".{glob.escape(out.name)}.*{PARTIAL}"):
        shutil.rmtree(left_by_a_kill)
    new = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=PARTIAL, dir=out.parent))
    try:
        new.chmod(0o755)  # mkdtemp makes it private
        yield new
        if out.exists():
            out.rename(old)
        new.rename(out)
    finally:
        put_back(old, out)
        shutil.rmtree(new, ignore_errors=True)


def put_back(old: Path, out: Path) -> None:
    """Moves folder `old` to `out` where that is missing, and deletes it where it is not."""
    if old.exists() and not out.exists():
        old.rename(out)
    shutil.rmtree(old, ignore_errors=True)

"""A folder that a command fills picture by picture, so that the same command can resume a killed run."""

import json
import shutil
import sys
from pathlib import Path
from typing import IO, Any

from facial_keypoints.errors import InputError
from facial_keypoints.folders import replace_folder

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

RECORDS = "records.jsonl"


class Unfinished:
    """The folder `.NAME.unfinished` beside a folder `NAME`, which it replaces at the end.

    It holds the finished files and `records.jsonl`: the settings in the first line, then `[key, record]` for each
    finished picture. A line that a kill left incomplete is ignored, and its picture is processed again.

    Attributes:
        folder: where to write files.
        records: the record of each finished key, JSON values.
    """

    folder: Path
    records: dict[str, Any]

    def __init__(self, out: Path, settings: dict[str, Any]) -> None:
        """Resumes the unfinished run of an equal command, or starts a new one.

        Args:
            out: the folder to make.
            settings: JSON values; deletes the files of an unfinished run with other settings.

        Raises:
            InputError: another run is writing this folder.
        """
        self._out = out.resolve()
        self.folder = self._out.with_name(f".{self._out.name}.unfinished")
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / RECORDS
        self._file = path.open("a", encoding="utf-8")
        if not _lock(self._file):
            self._file.close()
            raise InputError(f"{out}: another run is writing this folder; wait for it or choose another --out")
        first, *lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
        if first == json.dumps(settings):
            self.records = dict(record for text in lines if (record := _parse_line(text)) is not None)
            self._file.write("\n")  # ends an incomplete line
        else:
            self.records = {}
            self._delete_files()
            self._file.truncate(0)
            self._write(settings)

    def keep(self, key: str, record: Any) -> None:
        """Records that the files of a key are written; `record`: JSON values."""
        self._write([key, record])
        self.records[key] = record

    def finish(self) -> None:
        """Moves the folder to `out`, in place of an existing folder."""
        self.close()
        (self.folder / RECORDS).unlink()
        replace_folder(self._out, self.folder)

    def discard(self) -> None:
        """Deletes the folder."""
        self.close()
        shutil.rmtree(self.folder)

    def close(self) -> None:
        """Leaves the folder for a later run."""
        self._file.close()

    def _write(self, line: Any) -> None:
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def _delete_files(self) -> None:
        for path in self.folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name != RECORDS:
                path.unlink()


def _parse_line(text: str) -> Any:
    """Returns the value of a line of JSON; None for an empty or incomplete line."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _lock(file: IO[str]) -> bool:
    """Locks a file until it is closed or this process dies; returns False if another process holds the lock."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True

"""A folder that is filled bit by bit, and goes on where a killed run stopped."""

import contextlib
import json
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from facial_keypoints.errors import InputError
from facial_keypoints.folders import replace_folder

RECORDS = "unfinished.sqlite"
PRIMARY_CODE = 0xFF  # of SQLite's error codes; the bits above say more


class Unfinished:
    """The folder `.NAME.unfinished` beside a folder `NAME`, whose place it takes in the end.

    It holds the files that are done, and a record of each. A second run that wants the same folder is refused.

    Attributes:
        folder: where files are to be written.
    """

    folder: Path

    def __init__(self, out: Path, settings: dict[str, Any]) -> None:
        """Goes on with the folder that an equal run left, or begins one.

        Args:
            out: the folder that is made in the end.
            settings: JSON values; what other settings left is deleted.

        Raises:
            InputError: another run is writing this folder, or it cannot be written or is damaged.
        """
        self._given, self._out = out, out.resolve()
        self.folder = self._out.with_name(f".{self._out.name}.unfinished")
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._told():
            self._records = sqlite3.connect(self.folder / RECORDS, timeout=0, isolation_level=None)
        try:
            with self._told():
                self._begin(json.dumps(settings, sort_keys=True))
        except InputError:
            self._records.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leaves the folder to a later run, where it is not finished."""
        self.close()

    def record(self, key: str) -> Any:
        """Returns the record of a key (not ""), JSON values; None where there is none yet."""
        with self._told():
            text = self._value(key)
        return None if text is None else json.loads(text)

    def keep(self, key: str, record: Any) -> None:
        """Keeps a record, JSON values; whatever it speaks of has been written.

        Raises:
            InputError: the disk is full.
        """
        with self._told():
            self._put(key, json.dumps(record))

    def finish(self) -> None:
        """Puts the folder in its place; a folder that is there is replaced."""
        self.close()
        replace_folder(self._out, self.folder)
        for path in self._out.glob(f"{RECORDS}*"):  # and its journal
            path.unlink()

    def discard(self) -> None:
        """Deletes the folder."""
        self.close()
        shutil.rmtree(self.folder)

    def close(self) -> None:
        """Leaves the folder to a later run."""
        self._records.close()

    def _begin(self, settings: str) -> None:
        """Locks the records, and deletes what other settings left."""
        self._records.execute("PRAGMA locking_mode = EXCLUSIVE")  # let go by the system when the process dies
        self._records.execute("PRAGMA synchronous = OFF")  # a kill loses nothing; a power cut may
        self._records.execute("CREATE TABLE IF NOT EXISTS records (key TEXT PRIMARY KEY, value TEXT)")
        self._records.execute("BEGIN IMMEDIATE")
        if self._value("") != settings:
            self._records.execute("DELETE FROM records")
            self._delete_files()
            self._put("", settings)
        self._records.execute("COMMIT")

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Makes one line of what the database says.

        Raises:
            InputError: another run has it, the disk is full, it may not be written, or is damaged.
        """
        try:
            yield
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", 0) & PRIMARY_CODE
            if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                says = f"{self._given}: another run is writing this folder; wait for it or choose another --out"
            elif code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
                says = f"{self.folder}: could not be written whole ({error}); free some space or choose another --out"
            elif code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
                says = f"{self.folder}: cannot be written ({error}); change its permissions or choose another --out"
            else:
                says = f"{self.folder}: is damaged ({error}); delete it and run again"
            raise InputError(says) from None

    def _value(self, key: str) -> str | None:
        found = self._records.execute("SELECT value FROM records WHERE key = ?", (key,)).fetchone()
        return found[0] if found else None

    def _put(self, key: str, text: str) -> None:
        self._records.execute("INSERT OR REPLACE INTO records VALUES (?, ?)", (key, text))

    def _delete_files(self) -> None:
        for path in self.folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif not path.name.startswith(RECORDS):  # nor its journal
                path.unlink()

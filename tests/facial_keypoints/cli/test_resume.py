"""A folder that a killed run left goes on; one of other settings begins anew."""

import subprocess
import sys
from pathlib import Path

import pytest

from facial_keypoints.cli.resume import Unfinished
from facial_keypoints.errors import InputError
from tests.conftest import ROOT

SETTINGS = {"model": "v2"}


def test_records_and_files_outlive_a_run_that_is_killed(tmp_path: Path) -> None:
    code = (
        "import os, pathlib\n"
        "from facial_keypoints.cli.resume import Unfinished\n"
        f"u = Unfinished(pathlib.Path({str(tmp_path / 'out')!r}), {SETTINGS})\n"
        "(u.folder / 'a.txt').write_text('a')\n"
        "u.keep('a', {'faces': [1.25]})\n"
        "os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == -9, done.stderr
    assert not (tmp_path / "out").exists()
    unfinished = Unfinished(tmp_path / "out", SETTINGS)
    assert unfinished.record("a") == {"faces": [1.25]}
    assert unfinished.record("b") is None
    unfinished.finish()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.txt"]


def test_other_settings_begin_anew(tmp_path: Path) -> None:
    first = Unfinished(tmp_path / "out", SETTINGS)
    (first.folder / "deep").mkdir()
    (first.folder / "deep" / "a.txt").touch()
    first.keep("a", 1)
    first.close()
    second = Unfinished(tmp_path / "out", {"model": "v3"})
    assert second.record("a") is None
    assert not (second.folder / "deep").exists()
    second.discard()
    assert list(tmp_path.iterdir()) == []


def test_two_runs_cannot_write_one_folder(tmp_path: Path) -> None:
    first = Unfinished(tmp_path / "out", SETTINGS)
    with pytest.raises(InputError, match=r"out: another run is writing this folder; wait for it or choose another"):
        Unfinished(tmp_path / "out", SETTINGS)
    first.close()
    Unfinished(tmp_path / "out", SETTINGS).close()


def test_a_finished_folder_takes_the_place_of_one_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old.txt").touch()
    unfinished = Unfinished(tmp_path / "out", SETTINGS)
    (unfinished.folder / "new.txt").touch()
    unfinished.finish()
    assert [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*"))] == ["out", "out/new.txt"]


def test_damaged_records_are_one_line(tmp_path: Path) -> None:
    (tmp_path / ".out.unfinished").mkdir()
    (tmp_path / ".out.unfinished" / "unfinished.sqlite").write_bytes(b"no records" * 100)
    with pytest.raises(InputError, match=r"\.out\.unfinished: is damaged .*; delete it and run again"):
        Unfinished(tmp_path / "out", SETTINGS)


def test_a_full_disk_is_told_from_another_run(tmp_path: Path) -> None:
    unfinished = Unfinished(tmp_path / "out", SETTINGS)
    unfinished._records.execute("PRAGMA max_page_count = 3")  # as if no further page found room
    unfinished.keep("a", 1)
    with pytest.raises(InputError, match=r"\.out\.unfinished: could not be written whole .*full.*; free some space"):
        unfinished.keep("b", "x" * 100_000)
    assert unfinished.record("a") == 1
    unfinished.close()


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / ".out.unfinished" / "unfinished.sqlite").mkdir(parents=True)
    with pytest.raises(InputError, match=r"\.out\.unfinished: cannot be written .*; change its permissions"):
        Unfinished(tmp_path / "out", SETTINGS)

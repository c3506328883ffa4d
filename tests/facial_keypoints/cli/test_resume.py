"""A run resumes in the folder that a killed run left; a run with other settings starts anew."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from facial_keypoints.cli.resume import RECORDS, Unfinished
from facial_keypoints.errors import InputError
from tests.conftest import ROOT

SETTINGS = {"model": "v2"}


def test_records_and_files_of_a_killed_run_are_kept(tmp_path: Path) -> None:
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
    assert unfinished.records == {"a": {"faces": [1.25]}}
    unfinished.finish()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.txt"]


def test_run_with_other_settings_starts_anew(tmp_path: Path) -> None:
    first = Unfinished(tmp_path / "out", SETTINGS)
    (first.folder / "deep").mkdir()
    (first.folder / "deep" / "a.txt").touch()
    first.keep("a", 1)
    first.close()
    second = Unfinished(tmp_path / "out", {"model": "v3"})
    assert second.records == {}
    assert not (second.folder / "deep").exists()
    second.discard()
    assert list(tmp_path.iterdir()) == []


def test_two_runs_cannot_write_the_same_folder(tmp_path: Path) -> None:
    first = Unfinished(tmp_path / "out", SETTINGS)
    with pytest.raises(InputError, match=r"out: another run is writing this folder; wait for it or choose another"):
        Unfinished(tmp_path / "out", SETTINGS)
    first.close()
    Unfinished(tmp_path / "out", SETTINGS).close()


def test_finished_folder_replaces_the_previous_one(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old.txt").touch()
    unfinished = Unfinished(tmp_path / "out", SETTINGS)
    (unfinished.folder / "new.txt").touch()
    unfinished.finish()
    assert [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*"))] == ["out", "out/new.txt"]


def test_truncated_last_record_is_ignored(tmp_path: Path) -> None:
    first = Unfinished(tmp_path / "out", SETTINGS)
    first.keep("a", 1)
    first.keep("b", 2)
    first.close()
    path = first.folder / RECORDS
    path.write_bytes(path.read_bytes()[:-4])
    second = Unfinished(tmp_path / "out", SETTINGS)
    assert second.records == {"a": 1}
    second.keep("b", 3)
    second.close()
    with closing(Unfinished(tmp_path / "out", SETTINGS)) as third:
        assert third.records == {"a": 1, "b": 3}


def test_run_with_damaged_records_starts_anew(tmp_path: Path) -> None:
    (tmp_path / ".out.unfinished").mkdir()
    (tmp_path / ".out.unfinished" / RECORDS).write_bytes(b"\xff\x00 no records" * 100)
    with closing(Unfinished(tmp_path / "out", SETTINGS)) as unfinished:
        assert unfinished.records == {}

"""A stage writes its folder whole or not at all, and bad input is one line and exit code 2."""

import errno
import time
from pathlib import Path

import numpy as np
import pytest

from common.stage import (
    MANIFEST,
    check_out,
    locked,
    path_hash,
    read_manifest,
    seconds_text,
    stage_folder,
    write_manifest,
)
from facial_keypoints.errors import InputError, run


def write(folder: Path, text: str) -> None:
    (folder / "result.txt").write_text(text)
    write_manifest(folder, "prepare", {"a": 1}, {"source": "hash"}, {"faces": 2}, time.time())


def test_a_folder_appears_whole_and_replaces_the_one_before(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    for text in ("first", "second"):
        with stage_folder(out, "prepare") as folder:
            write(folder, text)
            assert not out.exists() or (out / "result.txt").read_text() == "first"
        assert (out / "result.txt").read_text() == text
    assert [p.name for p in out.parent.iterdir()] == ["out"]


@pytest.mark.parametrize("error", [InputError("bad"), KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left")])
def test_a_failed_stage_leaves_what_was_there_and_nothing_else(tmp_path: Path, error: BaseException) -> None:
    out = tmp_path / "out"
    with stage_folder(out, "prepare") as folder:
        write(folder, "before")

    def stage() -> None:
        with stage_folder(out, "prepare") as folder:
            write(folder, "half")
            raise error

    with pytest.raises(type(error)):
        stage()
    assert (out / "result.txt").read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_folder_that_no_stage_wrote_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="no stage wrote"), stage_folder(tmp_path / "mine", "prepare"):
        pass
    with pytest.raises(InputError, match="is a file"), stage_folder(tmp_path / "mine" / "thesis.txt", "prepare"):
        pass
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def test_two_runs_cannot_write_one_folder_at_once(tmp_path: Path) -> None:
    with locked(tmp_path / "out"):
        with pytest.raises(InputError, match="another run"), stage_folder(tmp_path / "out", "prepare"):
            pass
        with stage_folder(tmp_path / "other", "prepare") as folder:
            write(folder, "fine")
    with stage_folder(tmp_path / "out", "prepare") as folder:
        write(folder, "free again")


def test_a_manifest_tells_missing_and_altered_files(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with stage_folder(out, "prepare") as folder:
        write(folder, "whole")
    manifest = read_manifest(out, "prepare")
    assert manifest["parameters"] == {"a": 1}
    assert manifest["figures"] == {"faces": 2}
    assert list(manifest["files"]) == ["result.txt"]
    (out / "result.txt").write_text("who")
    with pytest.raises(InputError, match=r"result\.txt: is cut off or altered; .*prepare SOURCE"):
        read_manifest(out, "prepare")
    (out / "result.txt").unlink()
    with pytest.raises(InputError, match=r"result\.txt: is missing"):
        read_manifest(out, "prepare")
    (out / MANIFEST).write_text("{")
    with pytest.raises(InputError, match="no whole"):
        read_manifest(out, "prepare")
    with pytest.raises(InputError, match="no such folder"):
        read_manifest(tmp_path / "none", "prepare")


def test_the_hash_of_a_folder_follows_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    before = path_hash(tmp_path)
    assert path_hash(tmp_path) == before
    (tmp_path / "a").rename(tmp_path / "b")
    assert path_hash(tmp_path) != before


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (None, 0, ""),
        (InputError("faces.csv: row 3\nis bad"), 2, "error: faces.csv: row 3 is bad\n"),
        (
            OSError(errno.ENOSPC, "No space left on device", "out/x.npy"),
            2,
            "error: out/x.npy: could not be written whole (No space left on device)",
        ),
        (PermissionError(errno.EACCES, "Permission denied", "out"), 2, "error: out: Permission denied"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
    ],
)
def test_exit_codes(error: BaseException | None, code: int, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        if error:
            raise error

    with pytest.raises(SystemExit) as stopped:
        run(main)
    assert stopped.value.code == code
    printed = capsys.readouterr().err
    assert printed.startswith(line)
    assert printed.count("\n") == (1 if error else 0)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
def test_a_disk_that_is_really_full(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        with Path("/dev/full").open("wb") as file:
            np.save(file, np.zeros(100_000))

    with pytest.raises(SystemExit) as stopped:
        run(main)
    assert stopped.value.code == 2
    printed = capsys.readouterr().err
    assert "free some space" in printed
    assert printed.count("\n") == 1


def test_what_was_there_comes_back_after_a_kill_between_the_two_renames(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with stage_folder(out, "prepare") as folder:
        write(folder, "before")
    out.rename(tmp_path / ".out.old")
    with pytest.raises(InputError), stage_folder(out, "prepare"):
        raise InputError("bad")
    assert (out / "result.txt").read_text() == "before"


def test_a_stage_replaces_only_its_own_folders_and_never_what_it_reads(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with stage_folder(out, "prepare") as folder:
        write(folder, "data")
    with pytest.raises(InputError, match=r"was written by `python -m data_prep\.prepare"):
        check_out(out, "train")
    with pytest.raises(InputError, match="which is read"):
        check_out(out, "prepare", [out / "source"])
    with pytest.raises(InputError, match=r"was written by .*; make it with `python -m training\.train"):
        read_manifest(out, "train")


def test_durations_read_as_people_say_them() -> None:
    assert [seconds_text(s) for s in (0.4, 59, 60, 3725)] == ["0 s", "59 s", "1 min 0 s", "62 min 5 s"]


def test_what_a_killed_run_left_is_swept_away_by_the_next(tmp_path: Path) -> None:
    left = tmp_path / ".out.x1y2z3.partial"
    left.mkdir()
    (left / "half.npy").write_text("half")
    with stage_folder(tmp_path / "out", "prepare") as folder:
        write(folder, "whole")
    assert [p.name for p in tmp_path.iterdir()] == ["out"]

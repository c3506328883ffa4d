"""A folder is written whole or not at all."""

import errno
from pathlib import Path

import pytest

from facial_keypoints.errors import InputError
from facial_keypoints.folders import atomic_folder


def write(out: Path, text: str) -> None:
    with atomic_folder(out) as folder:
        (folder / "result.txt").write_text(text, encoding="utf-8")


def test_a_folder_appears_whole_and_replaces_the_one_before(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    for text in ("first", "second"):
        with atomic_folder(out) as folder:
            (folder / "result.txt").write_text(text, encoding="utf-8")
            assert not out.exists() or (out / "result.txt").read_text(encoding="utf-8") == "first"
        assert (out / "result.txt").read_text(encoding="utf-8") == text
    assert [p.name for p in out.parent.iterdir()] == ["out"]


@pytest.mark.parametrize("error", [InputError("bad"), KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left")])
def test_a_failure_leaves_what_was_there_and_nothing_else(tmp_path: Path, error: BaseException) -> None:
    out = tmp_path / "out"
    write(out, "before")

    def fail() -> None:
        with atomic_folder(out) as folder:
            (folder / "result.txt").write_text("half", encoding="utf-8")
            raise error

    with pytest.raises(type(error)):
        fail()
    assert (out / "result.txt").read_text(encoding="utf-8") == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_what_was_there_comes_back_after_a_kill_between_the_two_renames(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(out, "before")
    out.rename(tmp_path / ".out.old")
    with pytest.raises(InputError), atomic_folder(out):
        raise InputError("bad")
    assert (out / "result.txt").read_text(encoding="utf-8") == "before"


def test_what_a_kill_left_is_swept_away_by_the_next(tmp_path: Path) -> None:
    left = tmp_path / ".out.partial"
    left.mkdir()
    (left / "half.npy").write_text("half", encoding="utf-8")
    write(tmp_path / "out", "whole")
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_runs_whose_folders_names_begin_alike_leave_each_other_alone(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "v2.1") as longer:
        (longer / "result.txt").write_text("longer", encoding="utf-8")
        write(tmp_path / "v2", "shorter")
    assert (tmp_path / "v2.1" / "result.txt").read_text(encoding="utf-8") == "longer"
    assert (tmp_path / "v2" / "result.txt").read_text(encoding="utf-8") == "shorter"


def test_a_link_stays_one_and_what_it_points_to_is_replaced(tmp_path: Path) -> None:
    write(tmp_path / "real", "before")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write(tmp_path / "link", "after")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "result.txt").read_text(encoding="utf-8") == "after"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link", "real"]


def test_the_folder_where_one_stands_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    write(Path(), "whole")
    assert (tmp_path / "here" / "result.txt").read_text(encoding="utf-8") == "whole"

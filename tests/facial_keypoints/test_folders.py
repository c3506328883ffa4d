"""`atomic_folder` writes a folder whole or not at all."""

import errno
from pathlib import Path

import pytest

from facial_keypoints.errors import InputError
from facial_keypoints.folders import atomic_folder


def write_result(out: Path, text: str) -> None:
    with atomic_folder(out) as folder:
        (folder / "result.txt").write_text(text, encoding="utf-8")


def test_folder_appears_when_complete_and_replaces_the_previous_one(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    for text in ("first", "second"):
        with atomic_folder(out) as folder:
            (folder / "result.txt").write_text(text, encoding="utf-8")
            assert not out.exists() or (out / "result.txt").read_text(encoding="utf-8") == "first"
        assert (out / "result.txt").read_text(encoding="utf-8") == text
    assert [p.name for p in out.parent.iterdir()] == ["out"]


@pytest.mark.parametrize("error", [InputError("bad"), KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left")])
def test_failure_keeps_the_previous_folder_and_leaves_nothing_else(tmp_path: Path, error: BaseException) -> None:
    out = tmp_path / "out"
    write_result(out, "before")

    def fail() -> None:
        with atomic_folder(out) as folder:
            (folder / "result.txt").write_text("half", encoding="utf-8")
            raise error

    with pytest.raises(type(error)):
        fail()
    assert (out / "result.txt").read_text(encoding="utf-8") == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_previous_folder_is_restored_after_a_kill_between_the_renames(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_result(out, "before")
    out.rename(tmp_path / ".out.old")
    with pytest.raises(InputError), atomic_folder(out):
        raise InputError("bad")
    assert (out / "result.txt").read_text(encoding="utf-8") == "before"


def test_partial_folder_of_a_killed_run_is_removed_by_the_next_run(tmp_path: Path) -> None:
    left = tmp_path / ".out.partial"
    left.mkdir()
    (left / "half.npy").write_text("half", encoding="utf-8")
    write_result(tmp_path / "out", "whole")
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_folders_with_a_common_name_prefix_do_not_interfere(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "v2.1") as longer:
        (longer / "result.txt").write_text("longer", encoding="utf-8")
        write_result(tmp_path / "v2", "shorter")
    assert (tmp_path / "v2.1" / "result.txt").read_text(encoding="utf-8") == "longer"
    assert (tmp_path / "v2" / "result.txt").read_text(encoding="utf-8") == "shorter"


def test_writing_to_a_symlink_replaces_its_target_and_keeps_the_link(tmp_path: Path) -> None:
    write_result(tmp_path / "real", "before")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_result(tmp_path / "link", "after")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "result.txt").read_text(encoding="utf-8") == "after"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link", "real"]


def test_current_working_folder_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    write_result(Path(), "whole")
    assert (tmp_path / "here" / "result.txt").read_text(encoding="utf-8") == "whole"

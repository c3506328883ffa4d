"""The folder of uploads: old files are deleted, and nothing else."""

import os
import threading
import time
from pathlib import Path

import pytest

from web import cache
from web.cache import sweep

HOUR_S = 3600


def test_old_files_and_empty_folders_are_deleted(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "face.jpg").write_bytes(b"face")
    (tmp_path / "a" / "other.csv").write_text("face", encoding="utf-8")
    sweep(tmp_path, keep_s=HOUR_S)
    assert (tmp_path / "a" / "b" / "face.jpg").exists()
    sweep(tmp_path, keep_s=HOUR_S, now_s=time.time() + HOUR_S + 1)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == []
    sweep(tmp_path, keep_s=HOUR_S, now_s=time.time() + HOUR_S + 1)  # a folder is as old as its last change
    assert list(tmp_path.iterdir()) == []


def test_recent_upload_with_an_old_modification_time_is_kept(tmp_path: Path) -> None:
    (tmp_path / "face.jpg").write_bytes(b"face")
    os.utime(tmp_path / "face.jpg", (0, 0))
    sweep(tmp_path, keep_s=HOUR_S)
    assert (tmp_path / "face.jpg").exists()


def test_deleting_a_symlink_keeps_its_target(tmp_path: Path) -> None:
    folder, outside = tmp_path / "uploads", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (outside / "face.jpg").write_bytes(b"face")
    (folder / "link").symlink_to(outside)
    sweep(folder, keep_s=HOUR_S, now_s=time.time() + HOUR_S + 1)
    assert list(folder.iterdir()) == []
    assert (outside / "face.jpg").exists()


def test_failing_sweep_is_logged_and_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stop, sweeps = threading.Event(), []

    def failing(folder: Path, keep_s: float) -> None:
        sweeps.append(folder)
        if len(sweeps) == 2:
            stop.set()
        raise RuntimeError("the folder went away")

    monkeypatch.setattr(cache, "sweep", failing)
    cache.sweep_always(tmp_path, 0.001, stop)
    assert sweeps == [tmp_path] * 2
    assert len(caplog.records) == 2
    assert "the folder went away" in caplog.text

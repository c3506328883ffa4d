"""What all stages share: the lock, the manifest, and which folders may be replaced."""

import importlib.metadata
import time
from pathlib import Path

import pytest

from common.hashes import path_hash
from common.stage import (
    check_out,
    locked,
    read_manifest,
    seconds_text,
    stage_folder,
    write_manifest,
)
from data_prep.arrays import PREPARE
from facial_keypoints.errors import InputError
from facial_keypoints.pretrained import MANIFEST
from models.saved import TRAIN


def write(folder: Path, text: str) -> None:
    (folder / "result.txt").write_text(text, encoding="utf-8")
    write_manifest(folder, PREPARE, {"a": 1}, {"source": "hash"}, {"faces": 2}, time.time())


def test_folder_that_no_stage_wrote_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(InputError, match="no stage wrote"), stage_folder(tmp_path / "mine", PREPARE):
        pass
    with pytest.raises(InputError, match="is a file"), stage_folder(tmp_path / "mine" / "thesis.txt", PREPARE):
        pass
    assert (tmp_path / "mine" / "thesis.txt").read_text(encoding="utf-8") == "years of work"


def test_two_runs_cannot_write_the_same_folder_at_once(tmp_path: Path) -> None:
    with locked(tmp_path / "out"):
        with pytest.raises(InputError, match="another run"), stage_folder(tmp_path / "out", PREPARE):
            pass
        with stage_folder(tmp_path / "other", PREPARE) as folder:
            write(folder, "fine")
    with stage_folder(tmp_path / "out", PREPARE) as folder:
        write(folder, "free again")


def test_read_manifest_refuses_missing_and_altered_files(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with stage_folder(out, PREPARE) as folder:
        write(folder, "whole")
    manifest = read_manifest(out, PREPARE)
    assert manifest["parameters"] == {"a": 1}
    assert manifest["metrics"] == {"faces": 2}
    assert list(manifest["files"]) == ["result.txt"]
    assert manifest["versions"]["onnxruntime"] == importlib.metadata.version("onnxruntime")
    assert None not in manifest["versions"].values()  # packages that are not installed are left out
    (out / "result.txt").write_text("who", encoding="utf-8")
    with pytest.raises(InputError, match=r"result\.txt: is damaged or altered; .*prepare INPUT"):
        read_manifest(out, PREPARE)
    (out / "result.txt").unlink()
    with pytest.raises(InputError, match=r"result\.txt: is missing"):
        read_manifest(out, PREPARE)
    (out / MANIFEST).write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="no valid"):
        read_manifest(out, PREPARE)
    with pytest.raises(InputError, match="no such folder"):
        read_manifest(tmp_path / "none", PREPARE)


def test_folder_hash_changes_with_each_name_and_content(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    for name in ("a", "below/c"):
        (tmp_path / name).write_text("1", encoding="utf-8")
    hashes = [path_hash(tmp_path)]
    assert path_hash(tmp_path) == hashes[0]
    (tmp_path / "a").rename(tmp_path / "b")
    hashes.append(path_hash(tmp_path))
    for name in ("b", "below/c"):
        (tmp_path / name).write_text("2", encoding="utf-8")
        hashes.append(path_hash(tmp_path))
    (tmp_path / "below" / "d").touch()
    hashes.append(path_hash(tmp_path))
    assert len(set(hashes)) == 5
    (tmp_path / ".hidden").touch()
    assert path_hash(tmp_path) == hashes[-1]


def test_stage_replaces_only_its_own_folder_and_never_its_input(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with stage_folder(out, PREPARE) as folder:
        write(folder, "data")
    with pytest.raises(InputError, match=r"was written by `python"):
        check_out(out, TRAIN)
    with pytest.raises(InputError, match="holds the input"):
        check_out(out, PREPARE, [out / "source"])
    (out / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match=r"holds notes\.txt, which `python -m data_prep\.prepare .* did not write"):
        check_out(out, PREPARE)
    (out / "notes.txt").rename(out / ".DS_Store")
    check_out(out, PREPARE)
    with pytest.raises(InputError, match=r"was written by .*; make it with `python -m training\.train"):
        read_manifest(out, TRAIN)


def test_durations_are_formatted_in_minutes_and_seconds() -> None:
    assert [seconds_text(s) for s in (0.4, 59, 60, 3725)] == ["0 s", "59 s", "1 min 0 s", "62 min 5 s"]

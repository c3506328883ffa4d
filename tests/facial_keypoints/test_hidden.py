"""Hidden files of a folder or zip are not part of a data set, and hashes ignore them."""

from pathlib import Path, PurePosixPath

import pytest

from common.hashes import path_hash
from facial_keypoints.folders import is_hidden

HIDDEN = ["._a.pts", ".DS_Store", ".git/a.csv", "__MACOSX/._training.csv", "a/__MACOSX/b.csv", "a/Thumbs.db"]


@pytest.mark.parametrize("name", HIDDEN)
def test_system_files_and_dot_files_are_hidden(name: str) -> None:
    assert is_hidden(PurePosixPath(name))


@pytest.mark.parametrize("name", ["a.pts", "a/b.csv", "a._b.csv", "MACOSX/a.csv"])
def test_ordinary_files_are_not_hidden(name: str) -> None:
    assert not is_hidden(PurePosixPath(name))


def test_folder_hash_ignores_hidden_files(tmp_path: Path) -> None:
    folder = tmp_path / ".cache" / "set"  # a hidden parent folder does not hide the files below it
    (folder / "pictures").mkdir(parents=True)
    (folder / "pictures" / "a.png").write_bytes(b"1")
    before = path_hash(folder)
    for name in HIDDEN:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"2")
    assert path_hash(folder) == before
    (folder / "pictures" / "b.png").write_bytes(b"3")
    assert path_hash(folder) != before

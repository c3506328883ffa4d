"""The examples in the docstrings of the public names run and print the documented output."""

import doctest
import shutil
from pathlib import Path

import pytest

import facial_keypoints
from facial_keypoints.detectors import yunet
from tests.conftest import ROOT
from tests.facial_keypoints.drawn import drawn_faces

YUNET_FILE = ROOT.parent / "shared" / "detectors" / "face_detection_yunet.onnx"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder of an example, with a `photo.jpg` of two drawn faces."""
    facial_keypoints.write_picture(tmp_path / "photo.jpg", drawn_faces(1, 2).picture)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["facial_keypoints", *dir(facial_keypoints)])
def test_each_public_name_has_a_passing_example(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "YuNet":
        if not YUNET_FILE.is_file():
            pytest.skip("YuNet's file is not here")
        monkeypatch.setenv("FACIAL_KEYPOINTS_CACHE", str(folder))
        shutil.copy(YUNET_FILE, folder / yunet.FILE.url.rpartition("/")[2])
    public = getattr(facial_keypoints, name, facial_keypoints)
    examples = doctest.DocTestFinder(recurse=name != "facial_keypoints").find(public, name, globs={})
    results = [doctest.DocTestRunner().run(example) for example in examples]
    assert sum(result.attempted for result in results) > 0
    assert sum(result.failed for result in results) == 0

"""The set fetched with kagglehub, which is replaced here: no test uses the network."""

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from data_prep.readers import kaggle
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15


def install(monkeypatch: pytest.MonkeyPatch, download: object) -> None:
    module = ModuleType("kagglehub")
    module.dataset_download = download  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "kagglehub", module)


def test_faces_are_read_from_a_folder_below_the_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "versions" / "1" / "data"
    folder.mkdir(parents=True)
    np.savez(folder / "face_images.npz", face_images=np.arange(8 * 8 * 2, dtype=np.uint8).reshape(8, 8, 2))
    row = ",".join(["1.5"] * len(FACE15.columns))
    (folder / "facial_keypoints.csv").write_text(f"{','.join(FACE15.columns)}\n{row}\n{row}\n", encoding="utf-8")
    downloads = {"nagasai524/facial-keypoint-detection": str(tmp_path / "versions")}
    install(monkeypatch, downloads.__getitem__)
    faces = kaggle.read()
    assert faces.images.shape == (2, 8, 8, 1)
    assert (faces.keypoints == 1.5).all()


def test_error_without_kagglehub_says_how_to_get_the_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kagglehub", None)  # makes its import fail
    with pytest.raises(InputError, match=r"pip install -r requirements-kaggle\.txt, or download https://.* by hand"):
        kaggle.read()


def test_failed_download_is_refused_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(handle: str) -> str:
        raise ConnectionError("no route")

    install(monkeypatch, refuse)
    with pytest.raises(InputError, match=r"could not download it \(ConnectionError: no route\); .* by hand"):
        kaggle.read()


def test_download_without_faces_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, lambda handle: str(tmp_path))
    with pytest.raises(InputError, match=r"has no face_images\.npz"):
        kaggle.read()

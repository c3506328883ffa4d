"""Data folders of very small images, on which networks train within seconds."""

import csv
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from common.stage import stage_folder, write_manifest
from data_prep import arrays, faces_csv, prepare
from data_prep.arrays import PREPARE
from data_prep.faces import Split
from facial_keypoints.keypoint_set import FACE15, KeypointSet, to_dict


@pytest.fixture(scope="session")
def small_data(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The synthetic faces of `data_folder` at a third of their size, 32 px."""
    parts = {split: shrunk(part, 32) for split, part in arrays.load_splits(data_folder).items()}
    return write_data(tmp_path_factory.mktemp("small") / "data", parts)


@pytest.fixture(scope="session")
def data_48(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same faces at half their size, 48 px, the smallest that v2 takes."""
    parts = {split: shrunk(part, 48) for split, part in arrays.load_splits(data_folder).items()}
    return write_data(tmp_path_factory.mktemp("small") / "data", parts)


@pytest.fixture(scope="session")
def extra_48(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty other faces of 48 px, all in test."""
    folder = tmp_path_factory.mktemp("more")
    prepare.main(["synthetic", "--count", "20", "--seed", "1", "--split", "all-test", "--out", str(folder / "large")])
    parts = {split: shrunk(part, 48) for split, part in arrays.load_splits(folder / "large").items()}
    return write_data(folder / "data", parts)


def write_data(out: Path, parts: dict[str, Split], keypoint_set: KeypointSet = FACE15) -> Path:
    """Writes a data folder as the first stage does, and returns it."""
    with stage_folder(out, PREPARE) as folder:
        people = [("split", "person")]
        for split, part in parts.items():
            arrays.save_split(folder, split, part)
            people += [(split, f"{out}:{group}") for group in part.groups]  # no person is in two folders
        with (folder / faces_csv.NAME).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(people)
        write_manifest(folder, PREPARE, {}, {}, {}, time.time(), {"keypoint_set": to_dict(keypoint_set)})
    return out


def shrunk(part: Split, side: int) -> Split:
    ratio = side / part.images.shape[1]
    images = np.empty((len(part), side, side, 1), np.uint8)
    for small, image in zip(images, part.images, strict=True):
        small[..., 0] = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    keypoints = ((part.keypoints + 0.5) * ratio - 0.5).astype(np.float32)
    return Split(images, keypoints, part.labelled, part.rows, part.groups, part.label_sources)

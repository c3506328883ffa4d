"""A small data folder made by hand: 60 faces around one mean shape, every third of them marked by the poorer source."""

import time
from pathlib import Path

import numpy as np
import pytest

from common.stage import stage_folder, write_manifest
from data_prep.arrays import save_part
from data_prep.faces import Part
from facial_keypoints.keypoint_set import FACE15

K = len(FACE15)


def make_part(first_row: int, count: int, rng: np.random.Generator) -> Part:
    shape = np.random.default_rng(0).uniform(25, 70, (K, 2))
    shape[list(FACE15.normaliser)] = (65, 35), (30, 35)
    keypoints = (shape + rng.normal(0, 1, (count, 1, 2)) * 6 + rng.normal(0, 1, (count, K, 2))).astype(np.float32)
    sources = (np.arange(count) % 3 == 2).astype(np.int64)
    labelled = np.ones((count, K), bool)
    labelled[sources == 1, 4:] = False
    rows = np.arange(first_row, first_row + count)
    images = rng.integers(0, 256, (count, 96, 96, 1), dtype=np.uint8)
    return Part(images, keypoints, labelled, rows, rows // 2, sources)


def save_data(folder: Path, seed: int = 1) -> Path:
    rng = np.random.default_rng(seed)
    with stage_folder(folder, "prepare") as out:
        for first_row, count, split in ((0, 20, "train"), (20, 4, "val"), (24, 36, "test")):
            save_part(out, split, make_part(first_row, count, rng))
        write_manifest(out, "prepare", {"keypoint_set": FACE15.name}, {}, {}, time.time())
    return folder


@pytest.fixture
def data_folder(tmp_path: Path) -> Path:
    return save_data(tmp_path / "data")

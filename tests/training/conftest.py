"""A data folder of very small pictures, on which the networks train in moments."""

import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from common.stage import whole_folder, write_manifest
from data_prep import arrays
from data_prep.faces import SPLITS, Part

SIDE = 32  # px


@pytest.fixture(scope="session")
def small_data(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The synthetic faces of `data_folder` at a third of their size."""
    out = tmp_path_factory.mktemp("small") / "data"
    with whole_folder(out, "prepare") as folder:
        for split in SPLITS:
            arrays.save_part(folder, split, shrunk(arrays.load_part(data_folder, split)))
        write_manifest(folder, "prepare", {"keypoint_set": "face15"}, {}, {}, time.time())
    return out


def shrunk(part: Part) -> Part:
    ratio = SIDE / part.images.shape[1]
    images = np.stack([cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for image in part.images])
    keypoints = ((part.keypoints + 0.5) * ratio - 0.5).astype(np.float32)
    return Part(images[..., None].astype(np.uint8), keypoints, part.labelled, part.rows, part.groups, part.sources)

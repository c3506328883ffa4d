"""A data folder on which `base` trains within seconds, and a folder of pictures."""

from pathlib import Path

import numpy as np
import pytest

from data_prep import arrays
from data_prep.synthetic import dataset
from facial_keypoints.pictures import write_picture
from tests.training.conftest import shrunk, write_data


@pytest.fixture(scope="session")
def small_data(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The synthetic faces of `data_folder` at a third of their size, 32 px."""
    parts = {split: shrunk(part, 32) for split, part in arrays.load_splits(data_folder).items()}
    return write_data(tmp_path_factory.mktemp("small") / "data", parts)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 12 drawn faces in pictures of 160 px, one gray picture without a face, and one damaged picture."""
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "a" / "b").mkdir(parents=True)
    for number, image in enumerate(dataset.read(12, seed=0).images):
        below = ("", "a/", "a/b/")[number % 3]
        write_picture(folder / f"{below}{number}.png", np.pad(image, ((32, 32), (32, 32), (0, 0)), mode="edge")[..., 0])
    write_picture(folder / "gray.png", np.full((160, 160, 3), 127, np.uint8))
    (folder / "damaged.jpg").write_bytes(b"no picture")
    return folder

"""A data folder on which `base` trains in moments."""

from pathlib import Path

import pytest

from data_prep import arrays
from tests.training.conftest import shrunk, write_data


@pytest.fixture(scope="session")
def small_data(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The synthetic faces of `data_folder` at a third of their size, 32 px."""
    parts = {split: shrunk(part, 32) for split, part in arrays.load_splits(data_folder).items()}
    return write_data(tmp_path_factory.mktemp("small") / "data", parts)

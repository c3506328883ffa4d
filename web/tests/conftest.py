"""The example pictures of the page, for all its tests."""

from pathlib import Path

import pytest

from web.examples import write_examples


@pytest.fixture(scope="session")
def examples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The example pictures by name."""
    return {path.stem: path for path in write_examples(tmp_path_factory.mktemp("examples"))}

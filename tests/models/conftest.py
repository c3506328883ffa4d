"""What the tests of networks share."""

from pathlib import Path

import pytest

from tests.models.folders import OWN


@pytest.fixture
def own(tmp_path: Path) -> str:
    """A user's file, whose network has a layer that is not of Keras."""
    file = tmp_path / "my_net.py"
    file.write_text(OWN, encoding="utf-8")
    return str(file)

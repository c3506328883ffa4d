"""Fixtures shared by the tests of networks."""

from pathlib import Path

import pytest

from tests.models.folders import USER_NETWORK


@pytest.fixture
def user_file(tmp_path: Path) -> str:
    """A user's file; its network has a custom layer."""
    file = tmp_path / "my_net.py"
    file.write_text(USER_NETWORK, encoding="utf-8")
    return str(file)

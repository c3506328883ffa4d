"""Options that `scale_out.score` rejects before it needs Ray or any other of its packages."""

import importlib.util
import socket
from pathlib import Path

import pytest

from facial_keypoints.errors import InputError
from scale_out import score


def test_missing_ray_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="Ray is not installed; install it with `pip install -r requirements-scale"):
        score.main([str(tmp_path), "--out", str(tmp_path / "out")])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--views", "0", "views: is 0, expected 1 to 10"),
        ("--model", "v3", "v3: no such model"),
        ("--detector", "best", "--detector best: no such detector"),
    ],
)
def test_invalid_options_are_rejected(
    option: str, value: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: "installed")
    with pytest.raises(InputError, match=message):
        score.main([str(tmp_path), "--out", str(tmp_path / "out"), option, value])
    assert list(tmp_path.iterdir()) == []


def test_address_must_be_host_and_port_where_something_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = f"127.0.0.1:{server.getsockname()[1]}"
        score.check_answers(free)
    for address, message in (
        (free, "nothing answers there"),
        ("localhost", "is not HOST:PORT"),
        ("a:b", "is not HOST"),
    ):
        with pytest.raises(InputError, match=f"--address {address}: {message}"):
            score.check_answers(address)

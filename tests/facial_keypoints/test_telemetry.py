"""Dependencies send no telemetry: no id in the home folder and no request to a host, however they are started.

Each process has a home folder of its own and no variable CI, which would silence onnxruntime by itself.
"""

import ast
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from facial_keypoints import errors
from facial_keypoints.telemetry import OFF, switch_off
from tests.conftest import ROOT

PACKAGES = (
    "facial_keypoints",
    "common",
    "data_prep",
    "models",
    "training",
    "evaluation",
    "scale_out",
    "benchmarks",
    "web",
)
RUN_S = 14  # with telemetry on, onnxruntime 1.31 writes its files on import and contacts its host after 10 s
PREDICT = """
import numpy as np
from facial_keypoints import Predictor
Predictor().predict(np.zeros((200, 200, 3), np.uint8))
"""
IMPORT_AFTER_LIBRARY = f"""
from facial_keypoints import Predictor
import onnxruntime
{PREDICT}"""
EXPORT = f"""
import numpy as np
from pathlib import Path
from training.int8 import run_onnx
run_onnx(Path({str(ROOT / "artifacts/pretrained/v2/model.onnx")!r}), np.zeros((1, 96, 96, 1), np.uint8))
"""
BENCHMARK = f"""
from pathlib import Path
from benchmarks.network_speed import load_session
load_session(Path({str(ROOT / "artifacts/pretrained/v2/model.onnx")!r}))
"""


def environment(home: Path, **more: str) -> dict[str, str]:
    """Returns the environment of a user whose home folder, caches and temporary files are in `home`."""
    quiet = {"CI", "XDG_CACHE_HOME", *(name for variables in OFF.values() for name in variables)}
    kept = {name: value for name, value in os.environ.items() if name not in quiet}
    return {**kept, "HOME": str(home), "TMPDIR": str(home), "USERPROFILE": str(home), "LOCALAPPDATA": str(home), **more}


class Proxy:
    """A local proxy that records every request for another host and answers none."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            self.asked.append(connection.recv(200))
            connection.close()


@pytest.fixture(scope="module", autouse=True)
def running_program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[subprocess.Popen[bytes], Path, Proxy]]:
    """A program that predicts and keeps running while the other tests here run; its home folder and its proxy."""
    home, proxy = tmp_path_factory.mktemp("home"), Proxy()
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"), proxy.address)
    code = f"{PREDICT}\nimport time; time.sleep({RUN_S})"
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environment(home, **proxies)) as process:
        yield process, home, proxy


@pytest.mark.parametrize("code", [IMPORT_AFTER_LIBRARY, EXPORT, BENCHMARK], ids=["library", "export", "benchmark"])
def test_code_that_starts_onnxruntime_writes_no_file_to_the_home_folder(code: str, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment(tmp_path), check=True)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_only_the_runtime_module_imports_onnxruntime() -> None:
    found = set()
    for path in [*(path for package in PACKAGES for path in (ROOT / package).rglob("*.py")), ROOT / "pipeline.py"]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if "onnxruntime" in names or (isinstance(node, ast.ImportFrom) and node.module == "onnxruntime"):
                found.add(path.relative_to(ROOT).as_posix())
    assert found == {"facial_keypoints/runtime.py"}


def test_commands_and_stages_run_with_telemetry_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (name for variables in OFF.values() for name in variables):
        monkeypatch.delenv(name, raising=False)
    seen: dict[str, str] = {}
    with pytest.raises(SystemExit):
        errors.run(lambda: seen.update(os.environ))
    assert {"ORT_DISABLE_TELEMETRY", "GRADIO_ANALYTICS_ENABLED", "HF_HUB_DISABLE_TELEMETRY"} <= set(seen)


def test_telemetry_that_the_user_enabled_stays_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "0")
    switch_off()
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "0"


def test_long_running_program_writes_no_file_and_contacts_no_host(
    running_program: tuple[subprocess.Popen[bytes], Path, Proxy],
) -> None:
    process, home, proxy = running_program
    assert process.wait(300) == 0
    assert [path for path in home.rglob("*") if path.is_file()] == []
    assert proxy.asked == []

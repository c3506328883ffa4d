"""Nothing is reported to the makers of other packages: no id in the home folder, no look-up, whatever starts them.

Each process has a home folder of its own and no variable CI, which alone would keep onnxruntime silent.
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
STAYS_S = 14  # with telemetry on, onnxruntime 1.31 writes its files on import and asks for its host after 10 s
PREDICT = """
import numpy as np
from facial_keypoints import Predictor
Predictor().predict(np.zeros((200, 200, 3), np.uint8))
"""
AFTER_OURS = f"""
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
    """Returns the variables of a user whose home folder, caches and temporary files lie in `home`."""
    quiet = {"CI", "XDG_CACHE_HOME", *(name for variables in OFF.values() for name in variables)}
    kept = {name: value for name, value in os.environ.items() if name not in quiet}
    return {**kept, "HOME": str(home), "TMPDIR": str(home), "USERPROFILE": str(home), "LOCALAPPDATA": str(home), **more}


class Proxy:
    """A proxy on this computer that notes whoever wants to reach another host, and serves nobody."""

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
def staying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[subprocess.Popen[bytes], Path, Proxy]]:
    """A program that predicts and stays for a while, which the other tests here fill; its home and its proxy."""
    home, proxy = tmp_path_factory.mktemp("home"), Proxy()
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"), proxy.address)
    code = f"{PREDICT}\nimport time; time.sleep({STAYS_S})"
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environment(home, **proxies)) as process:
        yield process, home, proxy


@pytest.mark.parametrize("code", [AFTER_OURS, EXPORT, BENCHMARK], ids=["library", "export", "benchmark"])
def test_whatever_starts_onnxruntime_leaves_nothing_in_the_home_folder(code: str, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment(tmp_path), check=True)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_one_module_imports_onnxruntime() -> None:
    found = set()
    for path in [*(path for package in PACKAGES for path in (ROOT / package).rglob("*.py")), ROOT / "pipeline.py"]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if "onnxruntime" in names or (isinstance(node, ast.ImportFrom) and node.module == "onnxruntime"):
                found.add(path.relative_to(ROOT).as_posix())
    assert found == {"facial_keypoints/runtime.py"}


def test_every_command_and_stage_starts_with_reports_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (name for variables in OFF.values() for name in variables):
        monkeypatch.delenv(name, raising=False)
    seen: dict[str, str] = {}
    with pytest.raises(SystemExit):
        errors.run(lambda: seen.update(os.environ))
    assert {"ORT_DISABLE_TELEMETRY", "GRADIO_ANALYTICS_ENABLED", "HF_HUB_DISABLE_TELEMETRY"} <= set(seen)


def test_a_user_who_wants_to_report_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "0")
    switch_off()
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "0"


def test_a_program_that_predicts_and_stays_leaves_nothing_and_asks_no_host(
    staying: tuple[subprocess.Popen[bytes], Path, Proxy],
) -> None:
    process, home, proxy = staying
    assert process.wait(300) == 0
    assert [path for path in home.rglob("*") if path.is_file()] == []
    assert proxy.asked == []

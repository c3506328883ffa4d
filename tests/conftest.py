"""What tests share: the folder of real faces, a small prepared data folder, a function that runs a stage."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from common.backend import backend_name, start_backend
from data_prep import prepare

settings.register_profile("here", deadline=None)  # machines differ in speed, so no test has a time limit
settings.load_profile("here")

ROOT = Path(__file__).parents[1]
# A parent process may ignore SIGINT, as nohup does. Its children inherit that, so this code restores the default first.
HEARING_CTRL_C = (
    "import os, signal, sys\n"
    "signal.signal(signal.SIGINT, signal.SIG_DFL)\n"
    "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)
LIBRARY_TESTS = ROOT / "tests" / "facial_keypoints"
REAL_DATA = ROOT.parent / "shared" / "data"


def project_files() -> list[Path]:
    """Returns the Python files of the project with its tests, without those in hidden folders such as environments."""
    folders = [path for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")]
    return sorted([*ROOT.glob("*.py"), *(file for folder in folders for file in folder.rglob("*.py"))])


def pytest_configure(config: pytest.Config) -> None:
    """Starts Keras as every stage does, so that networks trained here and in a process of their own are identical.

    Skipped if only tests of the light library run, which needs no Keras.
    """
    if not all((config.invocation_params.dir / name).is_relative_to(LIBRARY_TESTS) for name in config.args):
        if backend_name() == "jax":  # nearly all of its time is compiling; read once, before JAX starts
            os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
        start_backend()
    config.addinivalue_line("markers", "any_backend: what it tests depends on the backend; run under all of them")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Under a backend other than TensorFlow, deselects the tests whose results do not depend on the backend."""
    if backend_name() != "tensorflow":
        deselected = [item for item in items if item.get_closest_marker("any_backend") is None]
        config.hook.pytest_deselected(items=deselected)
        items[:] = [item for item in items if item not in deselected]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--mutations", type=int, default=15, help="how often each file is damaged (default: %(default)s)")


@pytest.fixture(scope="session")
def mutations(request: pytest.FixtureRequest) -> int:
    """How often tests/test_damaged_files.py damages each file."""
    return int(request.config.getoption("--mutations"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real faces, which is not part of the project."""
    if not REAL_DATA.is_dir():
        pytest.skip("the real faces are not here")
    return REAL_DATA


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared data folder of 80 synthetic faces."""
    out = tmp_path_factory.mktemp("prepared") / "data"
    prepare.main(["synthetic", "--count", "80", "--out", str(out)])
    return out


@pytest.fixture(scope="session")
def run_stage() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a stage as a user does: `run_stage("training.train", "base")`."""

    def call(module: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", module, *map(str, arguments)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    return call

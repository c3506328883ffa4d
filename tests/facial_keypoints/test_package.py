"""The library as others install it: what it imports, and what is in its wheel."""

import ast
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path
from shutil import copy, copytree

import pytest

from tests.conftest import ROOT

LIBRARY = ROOT / "facial_keypoints"
ALLOWED = {"cv2", "numpy", "onnxruntime", "PIL", "tqdm"}
LARGEST_MB = 12.0
SHIPPED = {"README.md", "manifest.json", "model.onnx", "model_int8.onnx"}  # not model.keras


def test_the_library_imports_its_five_dependencies_and_nothing_else() -> None:
    found = set()
    for path in LIBRARY.rglob("*.py*"):
        if path.suffix in (".py", ".pyi"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    found |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom):
                    assert not node.level
                    found.add(str(node.module).partition(".")[0])
    assert found - sys.stdlib_module_names - {"facial_keypoints"} <= ALLOWED


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy, so that nothing is left in the project."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        copy(ROOT / name, source)
    for name in ("facial_keypoints", "artifacts/pretrained"):
        copytree(ROOT / name, source / name)
    command = [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run([*command, "--wheel-dir", out], cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (path,) = out.iterdir()
    return path


def test_the_wheel_holds_the_library_and_what_is_shipped_of_each_model(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"facial_keypoints"}
    modules = {name for name in names if name.endswith(".py")}
    drawing = LIBRARY / "filters" / "draw.py"  # made the pictures beside it; nobody who installs them needs it
    wanted_modules = set(LIBRARY.rglob("*.py")) - {drawing}
    assert modules == {path.relative_to(ROOT).as_posix() for path in wanted_modules}
    assert "facial_keypoints/py.typed" in names
    models = {path.parent.name for path in (ROOT / "artifacts" / "pretrained").glob("*/model.onnx")}
    wanted = {f"facial_keypoints/pretrained/{model}/{name}" for model in models for name in SHIPPED}
    assert {name for name in names if name.startswith("facial_keypoints/pretrained/")} == wanted
    assert wheel.stat().st_size < LARGEST_MB * 1e6


def test_an_installed_wheel_predicts(wheel: Path, tmp_path: Path) -> None:
    """In a fresh environment, which finds the dependencies where these tests do, but the library in the wheel."""
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    python = environment / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    site = Path(_output([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], tmp_path))
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True)
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    code = (
        "import facial_keypoints, numpy as np\n"
        "keypoints = facial_keypoints.Predictor().predict_crops(np.zeros((2, 96, 96, 3), np.uint8))\n"
        "print(facial_keypoints.__file__, keypoints.coordinates.shape, keypoints.expected_error.shape)"
    )
    assert _output([python, "-c", code], tmp_path) == f"{site / 'facial_keypoints' / '__init__.py'} (2, 15, 2) (2, 15)"


def _output(command: list[str | Path], folder: Path) -> str:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()

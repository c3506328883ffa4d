"""The installed library: what it imports, what its wheel contains, and that it predicts."""

import ast
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path
from shutil import copy, copytree

import pytest

import facial_keypoints
from facial_keypoints.pictures import write_picture
from tests.conftest import ROOT
from tests.facial_keypoints.drawn import drawn_faces

LIBRARY = ROOT / "facial_keypoints"
ALLOWED = {"cv2", "numpy", "onnxruntime", "PIL", "tqdm"}
LARGEST_MB = 12.0
SHIPPED = {"README.md", "manifest.json", "model.onnx", "model_int8.onnx"}  # not model.keras
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
OFFLINE = ["--no-deps", "--no-index", "--no-build-isolation"]  # builds with the setuptools that is installed here


def test_library_imports_only_its_five_dependencies() -> None:
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


@pytest.mark.parametrize("statement", ["import facial_keypoints", "from facial_keypoints import apply_filter"])
def test_importing_the_library_loads_no_parser_database_or_video_module(statement: str) -> None:
    code = f"import sys; {statement}; print(*sys.modules)"
    loaded = _output([sys.executable, "-c", code], ROOT).split()
    unwanted = ("argparse", "sqlite3", "facial_keypoints.video.clips", "facial_keypoints.cli", "onnxruntime", "tqdm")
    assert [name for name in loaded if name.startswith(unwanted)] == []


def test_stub_file_declares_every_public_name() -> None:
    stub = ast.parse((LIBRARY / "__init__.pyi").read_text(encoding="utf-8"))
    typed = [alias.name for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert sorted(typed) == sorted(dir(facial_keypoints))
    assert all(getattr(facial_keypoints, name).__module__ for name in typed)
    assert not hasattr(facial_keypoints, "Detector")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the files that the library is built from, so that a build leaves nothing in the project."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        copy(ROOT / name, source)
    for name in ("facial_keypoints", "artifacts/pretrained"):
        copytree(ROOT / name, source / name)
    return source


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    _output([*PIP, "wheel", ".", *OFFLINE, "--wheel-dir", out], source)
    (path,) = out.iterdir()
    return path


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """A fresh virtual environment that uses the dependencies installed for these tests."""
    folder = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(_output([_scripts(folder) / "python", "-c", code], tmp_path))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return folder


def test_wheel_contains_the_library_and_the_shipped_model_files(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"facial_keypoints"}
    files = {path for suffix in ("py", "pyi", "png", "json", "toml") for path in LIBRARY.rglob(f"*.{suffix}")}
    expected = {path.relative_to(ROOT).as_posix() for path in files} | {"facial_keypoints/py.typed"}
    models = {path.parent.name for path in (ROOT / "artifacts" / "pretrained").glob("*/model.onnx")}
    expected |= {f"facial_keypoints/pretrained/{model}/{name}" for model in models for name in SHIPPED}
    assert {name for name in names if name.startswith("facial_keypoints/")} == expected
    assert wheel.stat().st_size < LARGEST_MB * 1e6


@pytest.mark.parametrize("editable", [False, True], ids=["wheel", "editable"])
def test_installed_command_predicts_with_each_shipped_model(
    editable: bool, source: Path, environment: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """It predicts with each shipped model, which is found in the folder of the installation."""
    requirement: list[str | Path] = ["--editable", source] if editable else [request.getfixturevalue("wheel")]
    _output([*PIP, "--python", _scripts(environment) / "python", "install", *OFFLINE, *requirement], tmp_path)
    code = "from facial_keypoints.pretrained import shipped; print(*shipped().values(), sep='\\n')"
    folders = [Path(line) for line in _output([_scripts(environment) / "python", "-c", code], tmp_path).splitlines()]
    root = source if editable else environment
    assert folders
    assert all(folder.is_relative_to(root) for folder in folders)

    write_picture(tmp_path / "faces.png", drawn_faces(rows=1, columns=2).picture)
    predict: list[str | Path] = [_scripts(environment) / "facial-keypoints", "predict", "faces.png"]
    for folder in folders:
        _output([*predict, "--model", folder.name, "--out", folder.name], tmp_path)
        table = (tmp_path / folder.name / "keypoints.csv").read_text(encoding="utf-8").splitlines()
        assert len(table) == 1 + 2  # a header, and a line for each face


def _scripts(environment: Path) -> Path:
    return environment / ("Scripts" if sys.platform == "win32" else "bin")


def _output(command: list[str | Path], folder: Path) -> str:
    """Returns the stdout of a command; on failure, the assertion shows its stderr."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()

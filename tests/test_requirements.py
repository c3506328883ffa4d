"""Requirements have bounds, agree between files, and list exactly what is imported."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable

import pytest

from benchmarks import dlib68, mediapipe_mesh
from tests.conftest import ROOT

BOUNDED = re.compile(r"([A-Za-z0-9_-]+)>=([0-9.]+),<([0-9.]+)")
DISTRIBUTIONS = {"cv2": "opencv-python", "PIL": "Pillow", "sklearn": "scikit-learn"}  # of modules with other names
PACKAGES = ["facial_keypoints", "common", "data_prep", "models", "training", "detection", "evaluation"]
PACKAGES += ["scale_out", "benchmarks"]
OURS = {*PACKAGES, "web", "tests"}
STAGES = [*PACKAGES, "pipeline.py"]
BY_KERAS = {"tf2onnx", "tensorboard"}
BY_NAME = {"mypy", "pytest-xdist", "ruff", "setuptools"}  # run by the Makefile and the tests, and not imported
WITH_TENSORFLOW = {"tensorflow", "tensorboard", "onnx", "onnxruntime", "tf2onnx"}  # not used with JAX
TESTED_WITH = {"pytest", "pytest-xdist", "hypothesis", "h5py"}


def lines(file: str) -> list[str]:
    """Returns the requirements of a file without comments; those of another file that it includes are left out."""
    if file == "pyproject.toml":
        return list(tomllib.loads((ROOT / file).read_text(encoding="utf-8"))["project"]["dependencies"])
    text = (line.partition("#")[0].strip() for line in (ROOT / file).read_text(encoding="utf-8").splitlines())
    return [line for line in text if line and not line.startswith("-")]


def bounds(file: str) -> dict[str, tuple[str, str]]:
    """Returns the lower and upper bound of each package that a file lists, by name."""
    found = [BOUNDED.fullmatch(line) for line in lines(file)]
    assert all(found), f"{file}: each line is NAME>=LOWEST,<BELOW"
    return {match[1]: (match[2], match[3]) for match in found if match}


def imported(folders: Iterable[str]) -> set[str]:
    """Returns the names of the packages that the folders import, apart from ours and Python's."""
    modules = set()
    for folder in folders:
        paths = [ROOT / folder] if folder.endswith(".py") else (ROOT / folder).rglob("*.py*")
        for path in paths:
            if path.suffix in (".py", ".pyi"):
                for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                    names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
                    modules |= {name.partition(".")[0] for name in names}
    return {DISTRIBUTIONS.get(name, name) for name in modules - sys.stdlib_module_names - OURS - {"pipeline"}}


FILES = ["pyproject.toml", *sorted(path.name for path in ROOT.glob("requirements*.txt"))]
WITH_BOUNDS = [file for file in FILES if file not in ("requirements-lock.txt", "requirements-jax.txt")]


def test_a_package_has_the_same_bounds_wherever_it_is_listed() -> None:
    seen: dict[str, tuple[str, str]] = {}
    for file in WITH_BOUNDS:
        for name, pair in bounds(file).items():
            assert seen.setdefault(name, pair) == pair, f"{file}: {name}"


def test_build_and_tests_require_the_same_setuptools() -> None:
    (requires,) = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
    assert requires == "setuptools>=" + bounds("requirements-dev.txt")["setuptools"][0]


def test_locked_versions_lie_within_the_bounds() -> None:
    locked = dict(line.split("==") for line in lines("requirements-lock.txt"))
    locked = {name.lower(): version for name, version in locked.items()}
    for name, (low, below) in (bounds("requirements.txt") | bounds("requirements-dev.txt")).items():
        assert parts(low) <= parts(locked[name.lower()]) < parts(below), name


def parts(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_lowest_versions_prints_the_lower_bounds() -> None:
    command = ["make", "--silent", "--no-print-directory", "lowest-versions"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    every = bounds("pyproject.toml") | bounds("requirements.txt") | bounds("requirements-dev.txt")
    assert set(printed) == {f"{name}=={low}" for name, (low, _) in every.items()}


def test_requirements_list_exactly_the_imported_packages() -> None:
    optional = {
        *bounds("requirements-kaggle.txt"),
        *bounds("requirements-scale.txt"),
        "jax",
        "gradio_client",
    }  # the last in `benchmarks/web.py`
    assert set(bounds("pyproject.toml")) == imported(["facial_keypoints"])
    assert {*bounds("requirements.txt"), *optional} == imported(STAGES) | BY_KERAS
    tests = {*bounds("requirements.txt"), *bounds("requirements-dev.txt")} - BY_NAME
    assert imported(["tests"]) <= tests
    assert imported([*STAGES, "tests"]) | BY_KERAS == tests | optional
    page = {*bounds("pyproject.toml"), *bounds("requirements-web.txt"), *bounds("requirements-web-dev.txt")}
    assert imported(["web"]) | imported(["facial_keypoints"]) == page


def test_peer_requirements_are_what_benchmarks_and_tests_use() -> None:
    by_tests = {"pycocotools"}
    benchmarks = {"dlib-bin", dlib68.MODELS_PACKAGE, mediapipe_mesh.PACKAGE}
    assert set(bounds("requirements-peers.txt")) == benchmarks | by_tests


def test_jax_requirements_replace_tensorflow_and_use_the_lock_file() -> None:
    assert "-c requirements-lock.txt" in (ROOT / "requirements-jax.txt").read_text(encoding="utf-8").splitlines()
    jax, *others = lines("requirements-jax.txt")
    assert BOUNDED.fullmatch(jax)
    assert set(others) == set(bounds("requirements.txt")) - WITH_TENSORFLOW | TESTED_WITH

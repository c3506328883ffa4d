"""A stage that starts the backend is quiet and leaves the devices alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from common.backend import backend_name
from tests.common.devices import NO_DEVICE_YET
from tests.conftest import ROOT


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=kept | environment, capture_output=True, text=True, check=False
    )


def test_the_backend_starts_without_a_word_and_without_a_device() -> None:
    first_use = "keras.ops.convert_to_numpy(keras.ops.zeros(1))"
    code = f"from common.backend import start_backend; start_backend(){NO_DEVICE_YET}{first_use}"
    for environment in ({}, {"TF_CPP_MIN_LOG_LEVEL": "3"}):  # as set by a stage that starts another
        done = run_python(code, **environment)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("variable", "file", "name"),
    [
        ("", None, "tensorflow"),
        ("jax", None, "jax"),
        ("", '{"backend": "another"}', "another"),
        ("jax", '{"backend": "another"}', "jax"),
        ("", "no JSON", "tensorflow"),
    ],
)
def test_the_backend_is_named_as_keras_chooses_it(
    variable: str, file: str | None, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("KERAS_BACKEND", variable)
    if file:
        (tmp_path / "keras.json").write_text(file)
    assert backend_name() == name


def test_keras_itself_reads_the_file_that_names_a_backend(tmp_path: Path) -> None:
    (tmp_path / "keras.json").write_text('{"backend": "another"}')
    assert "another" in run_python("import keras", KERAS_HOME=str(tmp_path), KERAS_BACKEND="").stderr


def test_a_backend_that_is_not_there_is_one_line() -> None:
    code = "from common.backend import start_backend; from facial_keypoints.errors import run; run(start_backend)"
    done = run_python(code, KERAS_BACKEND="nonsense")
    assert done.returncode == 2
    assert done.stderr.startswith("error: KERAS_BACKEND=nonsense: cannot be imported")
    assert done.stderr.count("\n") == 1

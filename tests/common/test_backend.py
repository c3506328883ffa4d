"""Starting the backend prints nothing and starts no device; bad settings give a one-line error."""

import json
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


@pytest.mark.long
def test_starting_the_backend_prints_nothing_and_starts_no_device() -> None:
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
def test_backend_name_is_the_one_that_keras_chooses(
    variable: str, file: str | None, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("KERAS_BACKEND", variable)
    if file:
        (tmp_path / "keras.json").write_text(file, encoding="utf-8")
    assert backend_name() == name


def test_keras_reads_the_backend_from_keras_json(tmp_path: Path) -> None:
    (tmp_path / "keras.json").write_text('{"backend": "another"}', encoding="utf-8")
    assert "another" in run_python("import keras", KERAS_HOME=str(tmp_path), KERAS_BACKEND="").stderr


START = "from common.backend import start_backend; from facial_keypoints.errors import run; "


@pytest.mark.parametrize(
    ("variables", "file", "message"),
    [
        ({"KERAS_BACKEND": "nonsense"}, None, "KERAS_BACKEND=nonsense: cannot be imported (Unable to import backend"),
        ({"KERAS_BACKEND": "nonsense"}, '{"backend": "tensorflow"}', "KERAS_BACKEND=nonsense: cannot be imported ("),
        ({}, '{"backend": "nonsense"}', "{file}: names the backend nonsense, which cannot be imported ("),
        ({}, '{"floatx": "float8"}', "{file}: Keras cannot read its settings (Invalid `floatx` configuration."),
        ({"KERAS_BACKEND": "nonsense"}, "[1]", "{file}: Keras cannot read its settings ("),
        (
            {"KERAS_MAX_EPOCHS": "1"},
            None,
            "KERAS_MAX_EPOCHS=1: Keras would stop early; unset it and use --epochs",
        ),
        ({"KERAS_MAX_STEPS_PER_EPOCH": "x"}, None, "KERAS_MAX_STEPS_PER_EPOCH=x: Keras would stop early; unset it"),
    ],
)
def test_bad_keras_setting_gives_a_one_line_error_that_names_it(
    variables: dict[str, str], file: str | None, message: str, tmp_path: Path
) -> None:
    if file:
        (tmp_path / "keras.json").write_text(file, encoding="utf-8")
    done = run_python(f"{START} run(start_backend)", **{"KERAS_HOME": str(tmp_path), "KERAS_BACKEND": "", **variables})
    assert done.returncode == 2
    assert done.stderr.startswith("error: " + message.format(file=tmp_path / "keras.json"))
    assert done.stderr.count("\n") == 1


def test_project_overrides_keras_settings_that_change_results(tmp_path: Path) -> None:
    settings = {"image_data_format": "channels_first", "floatx": "float16", "epsilon": 0.5}
    backend = os.environ.get("KERAS_BACKEND") or "tensorflow"
    (tmp_path / "keras.json").write_text(json.dumps({**settings, "backend": backend}), encoding="utf-8")
    ask = "(c.image_data_format(), c.floatx(), c.dtype_policy().name, c.epsilon(), c.backend())"
    environment = {"KERAS_HOME": str(tmp_path), "KERAS_BACKEND": "", "MPLBACKEND": "module://nowhere"}
    done = run_python(f"{START} start_backend(); import keras.config as c; print({ask})", **environment)
    expected = ("channels_last", "float32", "float32", 1e-07, backend)
    assert (done.stdout, done.stderr) == (f"{expected}\n", "")

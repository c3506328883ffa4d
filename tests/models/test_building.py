"""Networks are built by name or from a user's file; any other is refused with a one-line error."""

import functools
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import pytest

from facial_keypoints.errors import InputError
from models.networks import (
    Build,
    build_model,
    build_options,
    file_of,
    load_build,
    network_file,
    network_name,
    network_names,
    predicts_error,
)
from tests.conftest import ROOT
from tests.models.folders import USER_NETWORK

SHAPE = (48, 48, 1)


def test_names_and_files_are_found_for_built_in_and_user_networks(user_file: str) -> None:
    assert {"base", "v1", "v2"} <= set(network_names())
    assert "saved" not in network_names()  # a file of `models` without a `build`
    assert network_name("v2") == "v2"
    assert network_name(user_file) == "my_net"
    assert network_file("v2") == ROOT / "models" / "v2.py"
    assert network_file(user_file) == Path(user_file)


def test_network_names_and_files_are_found_without_importing_keras(user_file: str) -> None:
    code = "import sys, models.networks as n; n.network_file('v2'); n.network_names(); sys.exit('keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_network_from_a_user_file_is_built_with_its_own_options(user_file: str) -> None:
    build = load_build(user_file)
    assert {name: option.default for name, option in build_options(build).items()} == {"units": 8, "with_error": False}
    model = build_model(build, SHAPE, 17, {"units": 5, "with_error": True})
    assert model.get_layer("hidden").units == 5
    assert model.output_shape == (None, 17, 3)
    assert predicts_error(model)
    assert not predicts_error(build_model(build, SHAPE, 17))


def decorated(build: Build) -> Build:
    @functools.wraps(build)
    def inner(*arguments: Any, **keywords: Any) -> Any:
        return build(*arguments, **keywords)

    return inner


def test_wrapped_build_functions_keep_their_file_and_options(user_file: str) -> None:
    """A partial, a decorated function, a callable object and a lambda without a file; errors name the file, if any."""
    build = load_build(user_file)
    for wrapped in (functools.partial(build, units=3), decorated(functools.partial(decorated(build), units=3))):
        assert file_of(wrapped) == Path(user_file)
        assert build_options(wrapped)["units"].default == 3
        assert build_model(wrapped, SHAPE, 15).get_layer("hidden").units == 3
        with pytest.raises(InputError, match=r"my_net\.py: its build has no option width"):
            build_model(wrapped, SHAPE, 15, {"width": 2})

    class Callable:
        def __call__(self, input_shape: tuple[int, int, int], keypoints: int) -> Any:
            return build(input_shape, keypoints)

    assert file_of(Callable()) is None
    assert file_of(eval("lambda input_shape, keypoints: None")) is None
    assert build_model(Callable(), SHAPE, 15).output_shape == (None, 15, 2)
    with pytest.raises(InputError, match=r"^build: its build returns NoneType"):
        build_model(eval("lambda input_shape, keypoints: None"), SHAPE, 15)


def test_user_file_may_define_build_as_a_partial_of_a_project_network(tmp_path: Path) -> None:
    file = tmp_path / "narrow.py"
    file.write_text(
        "import functools\nfrom models import v2\n\nbuild = functools.partial(v2.build, width=0.25)\n", encoding="utf-8"
    )
    assert build_options(load_build(str(file)))["width"].default == 0.25


def test_string_annotations_of_build_options_are_resolved(user_file: str) -> None:
    Path(user_file).write_text(f"from __future__ import annotations\n{USER_NETWORK}", encoding="utf-8")
    assert build_options(load_build(user_file))["units"].annotation is int


def test_base_has_no_options_and_v2_has_a_width() -> None:
    assert list(build_options(load_build("base"))) == []
    assert list(build_options(load_build("v2"))) == ["width"]


DENSE = "import keras\ndef build(input_shape, keypoints):\n    return keras.Sequential([keras.Input({}), {}])\n"
FLAT = "keras.layers.Flatten(), keras.layers.Dense(2 * keypoints)"
POINTS = f"{FLAT}, keras.layers.Reshape((keypoints, 2))"
BAD_FILES = {  # content of the file -> expected message
    "def build(input_shape, keypoints)\n    pass\n": r"net\.py, line 1: cannot be run \(SyntaxError",
    "\n\nimport no_such_package\n": r"net\.py, line 3: .*No module named 'no_such_package'",
    "x = 1\nx = x / 0\n": r"net\.py, line 2: .*division by zero",
    "import sys\nsys.exit('bye')\n": r"net\.py, line 2: .*bye",
    "x = '\0'\n": r"net\.py: cannot be run",
    "x = 1\n": r"net\.py: has no function `build`",
    "class build:\n    pass\n": r"net\.py: has no function `build`",
    "def build(input_shape, keypoints, n: 'Net' = 1):\n    return 1\n": r"net\.py: an annotation .*'Net' is not",
    "def build(input_shape):\n    return 1\n": r"net\.py: its build takes no keypoints",
    "def build(input_shape, keypoints, units):\n    return 1\n": r"net\.py: the argument units .* has no default",
    "def build(input_shape, keypoints):\n    return 1\n": r"net\.py: its build returns int",
    "def build(input_shape, keypoints):\n    raise KeyError('nose')\n": r"net\.py, line 2: .*KeyError: 'nose'",
    "def build(input_shape, keypoints):\n    raise ValueError('too small')\n": r"net\.py, line 2: .*\(too small\)",
    DENSE.format("input_shape", FLAT): r"gives \(N, 30\); it must give \(N, 15, 2\)",
    DENSE.format("(32, 32, 1)", POINTS): r"takes \(N, 32, 32, 1\); it must begin with keras.Input\(input_shape\)",
    DENSE.format("input_shape", f"keras.layers.Lambda(lambda x: x), {POINTS}"): "cannot load this network after saving",
    USER_NETWORK.replace(
        "@keras.saving.register_keras_serializable()", ""
    ): r"give a class of your own @keras\.saving\.",
}


@pytest.mark.parametrize("text", BAD_FILES)
def test_invalid_network_file_is_a_short_error_that_names_the_file(text: str, tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=BAD_FILES[text]) as caught:
        build_model(load_build(str(file)), SHAPE, 15)
    assert len(str(caught.value)) < 800


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ("v9", "no such network; give one of base, .*v2.*, or a file"),
        ("no/net.py", r"no/net\.py: no such file"),
    ],
)
def test_unknown_network_name_or_missing_file_is_refused(network: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_build(network)


def test_unsupported_image_size_and_unknown_option_are_refused(user_file: str) -> None:
    with pytest.raises(InputError, match=r"no network for 15 keypoints on images of 32 x 96 x 1 .*from 48 to 256 px"):
        build_model(load_build("v2"), (32, 96, 1), 15)
    with pytest.raises(InputError, match="no option width; its options: units, with_error"):
        build_model(load_build(user_file), SHAPE, 15, {"width": 2})


def test_channels_first_error_names_the_keras_setting(user_file: str) -> None:
    keras.config.set_image_data_format("channels_first")
    try:
        with pytest.raises(InputError, match=r"^Keras is set to channels_first; call keras\.config\.set_image"):
            build_model(load_build(user_file), SHAPE, 15)
    finally:
        keras.config.set_image_data_format("channels_last")

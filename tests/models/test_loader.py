"""Networks by name or from a user's file, and trained ones from disk: what fits is used, the rest is one clear line."""

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from common.stage import read_manifest
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15
from models.loader import (
    KERAS_FILE,
    build_model,
    build_options,
    load_build,
    load_model,
    network_file,
    network_name,
    network_names,
    notes,
    predict,
    predicts_error,
)
from tests.conftest import ROOT
from tests.models.folders import write_model_folder

SHAPE = (48, 48, 1)
OWN = """import keras


@keras.saving.register_keras_serializable()
class Doubled(keras.layers.Layer):
    def call(self, x):
        return 2 * x


def build(input_shape, keypoints, units: int = 8, *, with_error: bool = False):
    images = keras.Input(input_shape)
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(images))
    x = Doubled()(keras.layers.Dense(units, name="hidden")(x))
    numbers = 3 if with_error else 2
    x = keras.layers.Dense(numbers * keypoints, "softplus")(x)
    return keras.Model(images, keras.layers.Reshape((keypoints, numbers))(x))
"""


@pytest.fixture
def own(tmp_path: Path) -> str:
    """A user's file, whose network has a layer that is not of Keras."""
    file = tmp_path / "my_net.py"
    file.write_text(OWN)
    return str(file)


def images(count: int, shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, *shape), np.uint8)


def test_a_network_has_a_name_and_a_file(own: str) -> None:
    assert network_names() == ("base", "v1", "v2")
    assert network_name("v2") == "v2"
    assert network_name(own) == "my_net"
    assert network_file("v2") == ROOT / "models" / "v2.py"
    assert network_file(own) == Path(own)


def test_names_and_files_are_told_without_keras(own: str) -> None:
    code = "import sys, models.loader as l; l.network_file('v2'); l.network_names(); sys.exit('keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_a_users_file_is_built_with_its_own_options(own: str) -> None:
    build = load_build(own)
    assert {name: option.default for name, option in build_options(build).items()} == {"units": 8, "with_error": False}
    model = build_model(build, SHAPE, 17, {"units": 5, "with_error": True})
    assert model.get_layer("hidden").units == 5
    assert model.output_shape == (None, 17, 3)
    assert predicts_error(model)
    assert not predicts_error(build_model(build, SHAPE, 17))


def test_the_options_of_our_networks() -> None:
    assert list(build_options(load_build("base"))) == []
    assert list(build_options(load_build("v2"))) == ["width"]


DENSE = "import keras\ndef build(input_shape, keypoints):\n    return keras.Sequential([keras.Input({}), {}])\n"
FLAT = "keras.layers.Flatten(), keras.layers.Dense(2 * keypoints)"
POINTS = f"{FLAT}, keras.layers.Reshape((keypoints, 2))"
BAD_FILES = {  # what is in the file -> what is said of it
    "def build(input_shape, keypoints)\n    pass\n": r"net\.py, line 1: cannot be run \(SyntaxError",
    "\n\nimport no_such_package\n": r"net\.py, line 3: .*No module named 'no_such_package'",
    "x = 1\nx = x / 0\n": r"net\.py, line 2: .*division by zero",
    "import sys\nsys.exit('bye')\n": r"net\.py, line 2: .*bye",
    "x = '\0'\n": r"net\.py: cannot be run",
    "x = 1\n": r"net\.py: has no function `build`",
    "class build:\n    pass\n": r"net\.py: has no function `build`",
    "def build(input_shape):\n    return 1\n": r"net\.py: its build takes no keypoints",
    "def build(input_shape, keypoints, units):\n    return 1\n": r"net\.py: the argument units .* has no default",
    "def build(input_shape, keypoints):\n    return 1\n": r"net\.py: its build returns int",
    "def build(input_shape, keypoints):\n    raise KeyError('nose')\n": r"net\.py, line 2: .*KeyError: 'nose'",
    "def build(input_shape, keypoints):\n    raise ValueError('too small')\n": r"net\.py, line 2: .*\(too small\)",
    DENSE.format("input_shape", FLAT): r"gives \(N, 30\); it must give \(N, 15, 2\)",
    DENSE.format("(32, 32, 1)", POINTS): r"takes \(N, 32, 32, 1\); it must begin with keras.Input\(input_shape\)",
    DENSE.format("input_shape", f"keras.layers.Lambda(lambda x: x), {POINTS}"): "could not load this network again",
    OWN.replace("@keras.saving.register_keras_serializable()", ""): r"give a class of your own @keras\.saving\.",
}


@pytest.mark.parametrize("text", BAD_FILES)
def test_a_file_that_is_no_network_is_one_line_that_names_the_file(text: str, tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    file.write_text(text)
    with pytest.raises(InputError, match=BAD_FILES[text]) as caught:
        build_model(load_build(str(file)), SHAPE, 15)
    assert len(str(caught.value)) < 800


@pytest.mark.parametrize(
    ("network", "said"),
    [("v9", "no such network; give one of base, v1, v2, or a file"), ("no/net.py", r"no/net\.py: no such file")],
)
def test_a_network_that_is_not_there(network: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        load_build(network)


def test_what_a_network_cannot_be_built_for(own: str) -> None:
    with pytest.raises(InputError, match=r"no network for 15 keypoints on images of 32 x 96 x 1 .*from 48 to 256 px"):
        build_model(load_build("v2"), (32, 96, 1), 15)
    with pytest.raises(InputError, match="no option width; its options: units, with_error"):
        build_model(load_build(own), SHAPE, 15, {"width": 2})


@pytest.mark.parametrize("network", ["base", "v2", "own"])
def test_a_model_folder_says_what_its_network_predicts(network: str, own: str, tmp_path: Path) -> None:
    model = write_model_folder(tmp_path / "model", own if network == "own" else network, sources=(0, 1))
    loaded = load_model(tmp_path / "model")
    assert loaded.spec is not None
    assert loaded.spec.sources == (0, 1)
    assert loaded.spec.expected_error == (network == "v2")
    assert loaded.manifest == read_manifest(tmp_path / "model", "train")
    assert loaded.file == tmp_path / "model" / KERAS_FILE
    assert notes(loaded) == []
    assert len(loaded.landmarks(FACE15)) == 17
    predicted = predict(loaded, images(5), FACE15)
    assert predicted.shape == (5, 17, 3 if network == "v2" else 2)
    np.testing.assert_allclose(predicted, model.predict(images(5), verbose=0), atol=1e-4)


def test_a_networks_own_layers_are_found_where_its_file_is(own: str, tmp_path: Path) -> None:
    write_model_folder(tmp_path / "model", own)
    keras.saving.get_custom_objects().clear()  # as in a new process, which has not run the file
    assert load_model(tmp_path / "model").model.output_shape == (None, 15, 2)
    keras.saving.get_custom_objects().clear()
    Path(own).unlink()
    with pytest.raises(InputError, match=r"model\.keras: has layers of the user's file .*my_net\.py: no such file"):
        load_model(tmp_path / "model")


def test_a_bare_file_with_layers_of_the_users_own_is_one_line(own: str, tmp_path: Path) -> None:
    build_model(load_build(own), SHAPE, 15).save(tmp_path / "bare.keras")
    keras.saving.get_custom_objects().clear()
    with pytest.raises(InputError, match=r"bare\.keras: cannot be loaded .*locate class 'Doubled'.* the model folder"):
        load_model(tmp_path / "bare.keras")


def test_a_bare_file_comes_with_notes(tmp_path: Path) -> None:
    file = tmp_path / "theirs.keras"
    model = keras.Sequential([keras.Input((48, 48, 3)), keras.layers.Flatten(), keras.layers.Dense(30)])
    model.save(file)
    loaded = load_model(file)
    assert loaded.spec is None
    assert loaded.manifest is None
    assert loaded.file == file
    assert len(notes(loaded)) > 1
    predicted = predict(loaded, images(4), FACE15)  # grey images, repeated for three channels
    by_hand = model.predict(np.repeat(images(4), 3, axis=-1), verbose=0)
    np.testing.assert_allclose(predicted[:, 3], by_hand[:, 6:8], rtol=1e-5)  # x and y of the fourth keypoint


def test_a_grey_image_is_the_same_in_colour(tmp_path: Path) -> None:
    write_model_folder(tmp_path / "model", shape=(48, 48, 3))
    loaded = load_model(tmp_path / "model")
    colour = np.repeat(images(2), 3, axis=-1)
    np.testing.assert_array_equal(predict(loaded, images(2), FACE15), predict(loaded, colour, FACE15))


def test_images_and_keypoints_that_do_not_fit(tmp_path: Path) -> None:
    write_model_folder(tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    with pytest.raises(InputError, match=r"takes images of \(N, 48, 48, 1\), the data has \(N, 64, 48, 1\)"):
        predict(loaded, images(1, (64, 48, 1)), FACE15)
    with pytest.raises(InputError, match=r"takes images of \(N, 48, 48, 1\), the data has \(N, 48, 48, 3\)"):
        predict(loaded, images(1, (48, 48, 3)), FACE15)
    loaded.model.save(tmp_path / "bare.keras")
    keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(136)]).save(tmp_path / "68.keras")
    with pytest.raises(InputError, match=r"68\.keras: gives \(N, 136\), the data has 15 keypoints \(face15\)"):
        predict(load_model(tmp_path / "68.keras"), images(1), FACE15)


@pytest.mark.parametrize(("always", "said"), [(-1.0, "an expected error that is not above 0"), (np.nan, "no numbers")])
def test_what_is_no_keypoint_is_refused(always: float, said: str, tmp_path: Path) -> None:
    numbers = [keras.layers.Flatten(), keras.layers.Dense(45), keras.layers.Reshape((15, 3))]
    keras.Sequential([keras.Input(SHAPE), *numbers, keras.layers.Rescaling(0, always)]).save(tmp_path / "model.keras")
    with pytest.raises(InputError, match=said):
        predict(load_model(tmp_path / "model.keras"), images(1), FACE15)


def test_models_that_are_not_whole(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        load_model(tmp_path / "none")
    with pytest.raises(InputError, match=r"none\.keras: no such file"):
        load_model(tmp_path / "none.keras")
    (tmp_path / "torn.keras").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(InputError, match=r"torn\.keras: cannot be loaded"):
        load_model(tmp_path / "torn.keras")

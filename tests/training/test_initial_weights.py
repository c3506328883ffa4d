"""What training starts from: VGG16's weights, fetched or from a file, or any saved network; and the random crop."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from common.hashes import path_hash
from data_prep import arrays
from data_prep.faces import Part
from facial_keypoints.errors import InputError
from models.networks import load_build
from models.saved import load_model
from tests.training.conftest import write_data
from training.initial_weights import start_from, take_over
from training.train import main


def few(part: Part, count: int) -> Part:
    return Part(part.images[:count], part.keypoints[:count], part.labelled[:count], part.rows[:count],
                part.groups[:count], part.sources[:count])  # fmt: skip


@pytest.fixture(scope="module")
def few_96(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six synthetic faces of 96 px to train on, two to validate and two to test."""
    parts = arrays.load_parts(data_folder)
    counts = {"train": 6, "val": 2, "test": 2}
    return write_data(tmp_path_factory.mktemp("few") / "data", {k: few(part, counts[k]) for k, part in parts.items()})


def kernel(model: keras.Model, layer: str) -> Any:
    return model.get_layer(layer).get_weights()[0]


def test_vgg16_is_trained_on_convolutions_from_a_file(few_96: Path, tmp_path: Path) -> None:
    """They stay as in the file, the head learns, and the manifest has the file's hash."""
    keras.utils.set_random_seed(3)
    learnt = keras.applications.VGG16(include_top=False, weights=None)
    learnt.save_weights(tmp_path / "learnt.weights.h5")
    main(["vgg16", "--data", str(few_96), "--out", str(tmp_path / "vgg16"), "--epochs", "1",
          "--initial-weights", str(tmp_path / "learnt.weights.h5")])  # fmt: skip
    loaded = load_model(tmp_path / "vgg16")
    np.testing.assert_array_equal(kernel(loaded.model, "block3_conv2"), kernel(learnt, "block3_conv2"))
    assert np.any(loaded.model.get_layer("dense").get_weights()[1] != 0)  # biases, which start at 0
    assert loaded.manifest is not None
    assert loaded.manifest["parameters"]["initial_weights"] == path_hash(tmp_path / "learnt.weights.h5")


def test_vgg16_asks_for_imagenet_and_says_what_to_do_offline(
    few_96: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*_: Any, **__: Any) -> None:
        raise OSError("Name or service not known")

    monkeypatch.setattr("keras.src.utils.file_utils.config.keras_home", lambda: str(tmp_path / "keras"))
    monkeypatch.setattr("socket.create_connection", no_network)
    arguments = ["vgg16", "--data", str(few_96), "--out", str(tmp_path / "vgg16")]
    with pytest.raises(InputError, match="--initial-weights imagenet: Keras cannot fetch the weights"):
        main(arguments)
    with pytest.raises(InputError, match="vgg16 would keep convolutions that learnt nothing; add --fine-tune"):
        main([*arguments, "--initial-weights", "none"])
    assert not (tmp_path / "vgg16").exists()


def test_only_a_file_of_the_same_network_fits(tmp_path: Path) -> None:
    trained, new = (load_build("cnn5")((32, 32, 1), 15) for _ in range(2))
    trained.save(tmp_path / "trained.keras")
    before = new.get_weights()
    start_from(new, "none")
    assert all(np.array_equal(a, b) for a, b in zip(before, new.get_weights(), strict=True))
    start_from(new, str(tmp_path / "trained.keras"))
    assert all(np.array_equal(a, b) for a, b in zip(trained.get_weights(), new.get_weights(), strict=True))
    with pytest.raises(InputError, match=r"trained\.keras: holds no weights that fit base"):
        start_from(load_build("base")((32, 32, 1), 15), str(tmp_path / "trained.keras"))
    with pytest.raises(InputError, match="imagnet: no such folder"):
        start_from(new, "imagnet")
    keras.applications.VGG16(include_top=False, weights=None).save_weights(tmp_path / "vgg16.weights.h5")
    with pytest.raises(InputError, match="cnn5 has not the convolutions of VGG16"):
        start_from(new, str(tmp_path / "vgg16.weights.h5"))


def test_layers_of_another_shape_start_anew_and_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    """The last layer of a network of 68 keypoints gives more numbers than that of 15."""
    trained, new = (load_build("cnn5")((32, 32, 1), keypoints) for keypoints in (15, 68))
    (last,) = (layer.name for layer in new.layers if isinstance(layer, keras.layers.Dense))
    before = kernel(new, last)
    take_over(new, trained, "trained.keras")
    assert capsys.readouterr().out == f"trained.keras: does not fit {last} of cnn5, which start anew\n"
    np.testing.assert_array_equal(kernel(new, last), before)
    others = [layer.name for layer in new.layers if layer.get_weights() and layer.name != last]
    assert len(others) == 5
    for layer in others:
        np.testing.assert_array_equal(kernel(new, layer), kernel(trained, layer))
    with pytest.raises(InputError, match=r"trained\.keras: holds no weights that fit base; give a \.keras file"):
        take_over(load_build("base")((32, 32, 1), 15), trained, "trained.keras")


def test_a_network_trained_on_random_crops_predicts_on_whole_pictures(small_data: Path, tmp_path: Path) -> None:
    """It sees the middle 28 px of 32, and its coordinates are those of the data folder."""
    main(["naimishnet", "--recipe", "naimishnet", "--crop-px", "28", "--data", str(small_data),
          "--out", str(tmp_path / "model"), "--epochs", "2"])  # fmt: skip
    loaded = load_model(tmp_path / "model")
    assert loaded.spec is not None
    assert loaded.spec.crop.shape == (32, 32, 1)
    assert loaded.model.get_layer("scaled_images").output.shape == (None, 28, 28, 1)
    images = arrays.load_part(small_data, "test").images
    border = images.copy()
    border[:, 2:-2, 2:-2] = 0
    predicted = loaded.model.predict(images, verbose=0)
    np.testing.assert_array_equal(predicted, loaded.model.predict(images - border, verbose=0))


def test_pictures_that_are_too_small_to_crop_are_told(
    small_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["naimishnet", "--recipe", "naimishnet", "--data", str(small_data), "--out", str(tmp_path / "model"),
          "--epochs", "1"])  # fmt: skip
    assert "pictures of 32 x 32 px are left whole: no crop of 224 px fits in" in capsys.readouterr().out


def test_a_network_that_cannot_crop_is_refused(small_data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--crop-px 224: base can only see whole pictures; give --crop-px 0"):
        main(["base", "--recipe", "cnn5", "--data", str(small_data), "--out", str(tmp_path / "base")])

"""What training starts from: VGG16's weights, fetched or from a file, or any saved network; and the random crop."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

from common.hashes import path_hash
from data_prep import arrays
from data_prep.faces import Split
from facial_keypoints.array_types import UInt8
from facial_keypoints.codec import decode
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15
from facial_keypoints.spec import Crop, ModelSpec
from models.expected_error import calibration_of, with_calibration, with_expected_error
from models.networks import load_build
from models.saved import load_model, predict
from tests.conftest import ROOT
from tests.models.folders import write_model_folder
from tests.training.conftest import write_data
from training.initial_weights import start_from
from training.targets import Targets
from training.train import main


def few(part: Split, count: int) -> Split:
    return Split(part.images[:count], part.keypoints[:count], part.labelled[:count], part.rows[:count],
                part.groups[:count], part.label_sources[:count])  # fmt: skip


@pytest.fixture(scope="module")
def few_96(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six synthetic faces of 96 px to train on, two to validate and two to test."""
    parts = arrays.load_splits(data_folder)
    counts = {"train": 6, "val": 2, "test": 2}
    return write_data(tmp_path_factory.mktemp("few") / "data", {k: few(part, counts[k]) for k, part in parts.items()})


def kernel(model: keras.Model, layer: str) -> Any:
    return model.get_layer(layer).get_weights()[0]


def test_vgg16_is_trained_on_convolutions_from_a_file(few_96: Path, tmp_path: Path) -> None:
    """They stay as in the file, the head learns, and the manifest has the file's hash."""
    keras.utils.set_random_seed(3)
    learned = keras.applications.VGG16(include_top=False, weights=None)
    learned.save_weights(tmp_path / "learned.weights.h5")
    main(["vgg16", "--data", str(few_96), "--out", str(tmp_path / "vgg16"), "--epochs", "1",
          "--initial-weights", str(tmp_path / "learned.weights.h5")])  # fmt: skip
    loaded = load_model(tmp_path / "vgg16")
    np.testing.assert_array_equal(kernel(loaded.model, "block3_conv2"), kernel(learned, "block3_conv2"))
    assert np.any(loaded.model.get_layer("dense").get_weights()[1] != 0)  # biases, which start at 0
    assert loaded.manifest is not None
    assert loaded.manifest["parameters"]["initial_weights"] == path_hash(tmp_path / "learned.weights.h5")


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
    with pytest.raises(InputError, match="vgg16 would keep untrained convolutions; add --fine-tune"):
        main([*arguments, "--initial-weights", "none"])
    assert not (tmp_path / "vgg16").exists()


CROP = Crop(32, 32, 1, ((1.0, 2.0),) * 15)


def images_of(side: int) -> UInt8:
    return np.random.default_rng(0).integers(0, 256, (3, side, side, 1), np.uint8)


def faces_of(side: int) -> Targets:
    """Three faces without labels."""
    points = np.zeros((3, 15, 2), np.float32)
    return Targets(images_of(side), points, points[..., 0], np.ones(3, bool), np.arange(3))


def start(
    model: keras.Model, weights: str, network: str = "cnn5", label_sources: tuple[int, ...] = (0,)
) -> keras.Model:
    """Starts a network for 15 keypoints on pictures of 32 px."""
    build = load_build(network)
    spec = ModelSpec(FACE15, label_sources, False, CROP)
    return start_from(model, weights, spec, lambda points: build((32, 32, 1), points), faces_of(32))


def test_only_a_file_of_the_same_network_fits(tmp_path: Path) -> None:
    trained, new = (load_build("cnn5")((32, 32, 1), 15) for _ in range(2))
    trained.save(tmp_path / "trained.keras")
    before = new.get_weights()
    start(new, "none")
    assert all(np.array_equal(a, b) for a, b in zip(before, new.get_weights(), strict=True))
    start(new, str(tmp_path / "trained.keras"))
    assert all(np.array_equal(a, b) for a, b in zip(trained.get_weights(), new.get_weights(), strict=True))
    with pytest.raises(InputError, match=r"trained\.keras: has no weights that fit base"):
        start(load_build("base")((32, 32, 1), 15), str(tmp_path / "trained.keras"), "base")
    with pytest.raises(InputError, match="imagnet: no such folder"):
        start(new, "imagnet")
    keras.applications.VGG16(include_top=False, weights=None).save_weights(tmp_path / "vgg16.weights.h5")
    with pytest.raises(InputError, match="cnn5 does not have the convolutions of VGG16"):
        start(new, str(tmp_path / "vgg16.weights.h5"))


def test_of_a_bare_file_with_another_number_of_output_points_the_last_layer_starts_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It does not say which keypoints they are."""
    trained, new = (load_build("cnn5")((32, 32, 1), keypoints) for keypoints in (68, 15))
    trained.save(path := tmp_path / "trained.keras")
    before = kernel(new, "coordinates")
    start(new, str(path))
    listed = f"{', '.join(FACE15.names[:5])} and 10 more"
    assert capsys.readouterr().out == f"{path}: has no manifest, and does not name {listed}, which start untrained\n"
    np.testing.assert_array_equal(kernel(new, "coordinates"), before)
    for number in range(1, 6):
        layer = f"convolution_{number}"
        np.testing.assert_array_equal(kernel(new, layer), kernel(trained, layer))


def test_of_a_model_folder_each_keypoint_keeps_its_weights_and_new_ones_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The trained network has 17 output points of two label sources, the new one 20 of one of them and another."""
    trained = write_model_folder(folder := tmp_path / "trained", "cnn5", (0, 1), (32, 32, 1))
    start(new := load_build("cnn5")((32, 32, 1), 20), str(folder), label_sources=(0, 2))
    said, wanted = (np.asarray(model.predict(images_of(32), verbose=0)) for model in (new, trained))
    np.testing.assert_allclose(said[:, :15], wanted[:, :15], atol=1e-3)
    names = [FACE15.names[keypoint] for keypoint in FACE15.label_sources[2].own]
    listed = ", ".join(f"{name} (label source five)" for name in names)
    assert capsys.readouterr().out == f"{folder}: does not predict {listed}, which start untrained\n"


def test_layers_of_another_shape_start_anew_and_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The dense layer of `base` takes the whole picture, 64 px in the trained network."""
    trained = write_model_folder(tmp_path / "trained", "base", (0, 1), (64, 64, 1))
    new = load_build("base")((32, 32, 1), 15)
    before = kernel(new, "dense")
    start(new, str(tmp_path / "trained"), "base")
    assert capsys.readouterr().out == f"{tmp_path / 'trained'}: does not fit dense of base, which start untrained\n"
    np.testing.assert_array_equal(kernel(new, "dense"), before)
    np.testing.assert_array_equal(kernel(new, "convolution_3"), kernel(trained, "convolution_3"))
    np.testing.assert_array_equal(kernel(new, "coordinates"), kernel(trained, "coordinates")[:, :30])


def test_a_network_that_cannot_be_built_for_other_points_is_refused_where_they_differ(tmp_path: Path) -> None:
    write_model_folder(tmp_path / "trained", "cnn5", (0, 1), (32, 32, 1))

    def build(points: int) -> keras.Model:
        if points != 15:
            raise InputError(f"own.py, line 4: no network for {points} keypoints (only 15)")
        return load_build("cnn5")((32, 32, 1), points)

    spec = ModelSpec(FACE15, (0,), False, CROP)
    message = r"trained: has other output points; .* but own\.py, line 4: no network for 17"
    with pytest.raises(InputError, match=message):
        start_from(build(15), str(tmp_path / "trained"), spec, build, faces_of(32))


def of_two_label_sources(part: Split) -> Split:
    """The faces as one label source labels them, all keypoints, and upside down as another one does, some of them."""
    both = Split(
        *(
            np.concatenate([getattr(part, field.name)] * 2)
            for field in fields(Split)
            if getattr(part, field.name) is not None
        )
    )
    second = np.arange(len(both)) >= len(part)
    images = np.where(second[:, None, None, None], both.images[:, ::-1], both.images)
    labelled = ~second[:, None] | np.isin(np.arange(15), FACE15.label_sources[1].keypoints)
    return replace(both, images=images, labelled=labelled, label_sources=second.astype(np.int64))


def test_fine_tuning_begins_with_what_the_shipped_network_knows(
    few_96: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its expected error too. It has 22 output points of three label sources, these faces have 17 of two."""
    parts = arrays.load_splits(few_96)
    data = write_data(tmp_path / "data", {**parts, "train": of_two_label_sources(parts["train"])})
    shipped, tuned = ROOT / "artifacts" / "pretrained" / "v2", tmp_path / "tuned"
    main(["v2", "--data", str(data), "--out", str(tuned), "--initial-weights", str(shipped), "--epochs", "1",
          "--learning-rate", "1e-9"])  # fmt: skip
    assert "anew" not in capsys.readouterr().out
    loaded, val = load_model(shipped), parts["val"]
    assert loaded.spec is not None
    wanted, said = (predict(model, val.images, FACE15) for model in (loaded, load_model(tuned)))
    assert said.shape == (len(val), 17, 3)
    np.testing.assert_allclose(said[..., :2], wanted[:, :17, :2], atol=1e-3)

    coordinates, expected = decode(wanted, val.label_sources, loaded.spec.output_points)
    errors = np.abs(coordinates - val.keypoints).mean(axis=-1)
    assert expected is not None
    start = pd.read_csv(tuned / "history.csv").loc[0]
    assert start["val_mae"] == pytest.approx(errors[val.labelled].mean(), abs=1e-3)
    assert start["val_loss"] == pytest.approx((np.log(expected) + errors / expected)[val.labelled].mean(), abs=1e-3)

    # What training ends with is the calibration that fits the validation faces, whatever it began with.
    absolute, first = np.log(said[..., 2]), np.log(wanted[:, :17, 2])
    slope, offset = np.polyfit(first.ravel(), absolute.ravel(), 1)
    np.testing.assert_allclose(absolute, offset + slope * first, atol=1e-3)


def test_a_correction_of_the_expected_error_that_is_too_large_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As of a network that was trained too briefly to know its errors."""
    spec = ModelSpec(FACE15, (0,), True, CROP)

    def build(points: int) -> keras.Model:
        images = keras.Input((32, 32, 1))
        numbers = keras.layers.Dense(3 * points)(keras.layers.Flatten()(images))
        numbers = keras.layers.Reshape((points, 3))(numbers)
        return keras.Model(images, with_expected_error(numbers[..., :2], numbers[..., 2:]))

    for scale, expected in ((1.5, (0.5, 1.5)), (100.0, calibration_of(build(15)))):
        with_calibration(build(15), 0.5, scale).save(path := tmp_path / f"{scale}.keras")
        started = start_from(build(15), str(path), spec, build, faces_of(32))
        assert calibration_of(started) == expected
        assert ("starts without it" in capsys.readouterr().out) == (scale == 100)


def test_a_network_trained_on_random_crops_predicts_on_whole_pictures(small_data: Path, tmp_path: Path) -> None:
    """It sees the middle 28 px of 32, and its coordinates are those of the data folder."""
    main(["naimishnet", "--recipe", "naimishnet", "--crop-px", "28", "--data", str(small_data),
          "--out", str(tmp_path / "model"), "--epochs", "2"])  # fmt: skip
    loaded = load_model(tmp_path / "model")
    assert loaded.spec is not None
    assert loaded.spec.crop.shape == (32, 32, 1)
    assert loaded.model.get_layer("scaled_images").output.shape == (None, 28, 28, 1)
    images = arrays.load_split(small_data, "test").images
    border = images.copy()
    border[:, 2:-2, 2:-2] = 0
    predicted = loaded.model.predict(images, verbose=0)
    np.testing.assert_array_equal(predicted, loaded.model.predict(images - border, verbose=0))


def test_pictures_that_are_too_small_to_crop_are_told(
    small_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["naimishnet", "--recipe", "naimishnet", "--data", str(small_data), "--out", str(tmp_path / "model"),
          "--epochs", "1"])  # fmt: skip
    assert "images of 32 x 32 px are not cropped: they are no larger than 224 px" in capsys.readouterr().out


def test_a_network_that_cannot_crop_is_refused(small_data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--crop-px 224: base cannot crop; use --crop-px 0"):
        main(["base", "--recipe", "cnn5", "--data", str(small_data), "--out", str(tmp_path / "base")])

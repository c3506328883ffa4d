"""Initial weights: those of VGG16, downloaded or from a file, or of any saved network; and the random crop."""

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


def first_faces(part: Split, count: int) -> Split:
    return Split(part.images[:count], part.keypoints[:count], part.labelled[:count], part.rows[:count],
                part.groups[:count], part.label_sources[:count])  # fmt: skip


@pytest.fixture(scope="module")
def faces_96(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six synthetic faces of 96 px to train on, two to validate and two to test."""
    parts = arrays.load_splits(data_folder)
    counts = {"train": 6, "val": 2, "test": 2}
    return write_data(
        tmp_path_factory.mktemp("first_faces") / "data", {k: first_faces(part, counts[k]) for k, part in parts.items()}
    )


def kernel(model: keras.Model, layer: str) -> Any:
    return model.get_layer(layer).get_weights()[0]


def test_vgg16_takes_its_convolutions_from_a_weights_file(faces_96: Path, tmp_path: Path) -> None:
    """The convolutions stay as in the file, the head is trained, and the manifest has the hash of the file."""
    keras.utils.set_random_seed(3)
    pretrained = keras.applications.VGG16(include_top=False, weights=None)
    pretrained.save_weights(tmp_path / "pretrained.weights.h5")
    main(["vgg16", "--data", str(faces_96), "--out", str(tmp_path / "vgg16"), "--epochs", "1",
          "--initial-weights", str(tmp_path / "pretrained.weights.h5")])  # fmt: skip
    loaded = load_model(tmp_path / "vgg16")
    np.testing.assert_array_equal(kernel(loaded.model, "block3_conv2"), kernel(pretrained, "block3_conv2"))
    assert np.any(loaded.model.get_layer("dense").get_weights()[1] != 0)  # biases, which start at 0
    assert loaded.manifest is not None
    assert loaded.manifest["parameters"]["initial_weights"] == path_hash(tmp_path / "pretrained.weights.h5")


def test_vgg16_reports_that_imagenet_weights_cannot_be_downloaded(
    faces_96: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*_: Any, **__: Any) -> None:
        raise OSError("Name or service not known")

    monkeypatch.setattr("keras.src.utils.file_utils.config.keras_home", lambda: str(tmp_path / "keras"))
    monkeypatch.setattr("socket.create_connection", no_network)
    arguments = ["vgg16", "--data", str(faces_96), "--out", str(tmp_path / "vgg16")]
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
    """Sets the initial weights of a network for 15 keypoints in images of 32 px."""
    build = load_build(network)
    spec = ModelSpec(FACE15, label_sources, False, CROP)
    return start_from(model, weights, spec, lambda points: build((32, 32, 1), points), faces_of(32))


def test_initial_weights_must_be_of_the_same_network(tmp_path: Path) -> None:
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


def test_model_file_with_other_output_points_leaves_the_last_layer_untrained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file does not name its output points."""
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


def test_model_folder_keeps_common_keypoints_and_new_ones_are_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The trained network has 17 output points of two label sources, the new one 20 of one of these and a third."""
    trained = write_model_folder(folder := tmp_path / "trained", "cnn5", (0, 1), (32, 32, 1))
    start(new := load_build("cnn5")((32, 32, 1), 20), str(folder), label_sources=(0, 2))
    predicted, expected = (np.asarray(model.predict(images_of(32), verbose=0)) for model in (new, trained))
    np.testing.assert_allclose(predicted[:, :15], expected[:, :15], atol=1e-3)
    names = [FACE15.names[keypoint] for keypoint in FACE15.label_sources[2].own]
    listed = ", ".join(f"{name} (label source five)" for name in names)
    assert capsys.readouterr().out == f"{folder}: does not predict {listed}, which start untrained\n"


def test_layers_of_another_shape_stay_untrained_and_are_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The dense layer of `base` depends on the image size, 64 px in the trained network."""
    trained = write_model_folder(tmp_path / "trained", "base", (0, 1), (64, 64, 1))
    new = load_build("base")((32, 32, 1), 15)
    before = kernel(new, "dense")
    start(new, str(tmp_path / "trained"), "base")
    assert capsys.readouterr().out == f"{tmp_path / 'trained'}: does not fit dense of base, which start untrained\n"
    np.testing.assert_array_equal(kernel(new, "dense"), before)
    np.testing.assert_array_equal(kernel(new, "convolution_3"), kernel(trained, "convolution_3"))
    np.testing.assert_array_equal(kernel(new, "coordinates"), kernel(trained, "coordinates")[:, :30])


def test_network_that_cannot_have_the_trained_output_points_is_rejected(tmp_path: Path) -> None:
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
    """Returns the faces twice: fully labelled by source 0, and upside down with the sparse labels of source 1."""
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


def test_fine_tuning_starts_with_the_predictions_of_the_shipped_network(
    faces_96: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And with its expected errors. The network has 22 output points of three label sources, the faces 17 of two."""
    parts = arrays.load_splits(faces_96)
    data = write_data(tmp_path / "data", {**parts, "train": of_two_label_sources(parts["train"])})
    shipped, tuned = ROOT / "artifacts" / "pretrained" / "v2", tmp_path / "tuned"
    main(["v2", "--data", str(data), "--out", str(tuned), "--initial-weights", str(shipped), "--epochs", "1",
          "--learning-rate", "1e-9"])  # fmt: skip
    assert "anew" not in capsys.readouterr().out
    loaded, val = load_model(shipped), parts["val"]
    assert loaded.spec is not None
    shipped_output, tuned_output = (predict(model, val.images, FACE15) for model in (loaded, load_model(tuned)))
    assert tuned_output.shape == (len(val), 17, 3)
    np.testing.assert_allclose(tuned_output[..., :2], shipped_output[:, :17, :2], atol=1e-3)

    coordinates, expected = decode(shipped_output, val.label_sources, loaded.spec.output_points)
    errors = np.abs(coordinates - val.keypoints).mean(axis=-1)
    assert expected is not None
    start = pd.read_csv(tuned / "history.csv").loc[0]
    assert start["val_mae"] == pytest.approx(errors[val.labelled].mean(), abs=1e-3)
    assert start["val_loss"] == pytest.approx((np.log(expected) + errors / expected)[val.labelled].mean(), abs=1e-3)

    # Training ends with the calibration that fits the validation faces, whatever the initial one was.
    absolute, first = np.log(tuned_output[..., 2]), np.log(shipped_output[:, :17, 2])
    slope, offset = np.polyfit(first.ravel(), absolute.ravel(), 1)
    np.testing.assert_allclose(absolute, offset + slope * first, atol=1e-3)


def test_calibration_that_is_too_large_is_not_taken_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Such a calibration comes from a network that was trained too briefly to estimate its errors."""
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


def test_network_trained_on_random_crops_predicts_on_whole_images(small_data: Path, tmp_path: Path) -> None:
    """It uses the middle 28 of 32 px, and its coordinates are those of the data folder."""
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


def test_images_too_small_to_crop_are_reported(
    small_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["naimishnet", "--recipe", "naimishnet", "--data", str(small_data), "--out", str(tmp_path / "model"),
          "--epochs", "1"])  # fmt: skip
    assert "images of 32 x 32 px are not cropped: they are no larger than 224 px" in capsys.readouterr().out


def test_network_that_cannot_crop_is_rejected(small_data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--crop-px 224: base cannot crop; use --crop-px 0"):
        main(["base", "--recipe", "cnn5", "--data", str(small_data), "--out", str(tmp_path / "base")])

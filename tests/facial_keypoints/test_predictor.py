"""The predictor on face crops: inputs, results, models, pickling, and errors."""

import copy
import json
import pickle
import shutil
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from data_prep.synthetic import dataset
from facial_keypoints import InputError, Predictor, Tracker
from facial_keypoints.array_types import UInt8
from facial_keypoints.codec import decode, output_points
from facial_keypoints.crops import box_of
from facial_keypoints.keypoint_set import FACE15, from_names
from facial_keypoints.predictor import TYPICAL_UNCERTAINTY
from facial_keypoints.pretrained import shipped
from facial_keypoints.runtime import onnxruntime
from facial_keypoints.spec import Crop, ModelSpec
from tests.conftest import ROOT
from tests.facial_keypoints.small_models import means_of_channels, spec_of

V2 = ROOT / "artifacts" / "pretrained" / "v2"


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor(threads=1)


@pytest.fixture(scope="module")
def images() -> UInt8:
    """70 drawn faces, more than one batch."""
    return dataset.read(70, seed=3).images


def test_predict_crops_returns_keypoints_and_expected_errors(predictor: Predictor, images: UInt8) -> None:
    coordinates, expected_error = predictor.predict_crops(images)
    assert coordinates.shape == (70, 15, 2)
    assert coordinates.dtype == np.float32
    assert expected_error is not None
    assert expected_error.shape == (70, 15)
    assert expected_error.dtype == np.float32
    assert (expected_error > 0).all()
    truth = dataset.read(70, seed=3).keypoints
    eyes = np.abs(coordinates[:, :2] - truth[:, :2])
    assert np.nanmean(eyes) < 4  # px; the network was trained on photographs only


def test_single_images_and_batches_have_the_same_predictions(predictor: Predictor, images: UInt8) -> None:
    together = predictor.predict_crops(images)
    for i in (0, 63, 64, 69):  # the ends of batches
        alone = predictor.predict_crops(images[i : i + 1])
        for single, batch in zip(alone, together, strict=True):
            assert single is not None
            assert batch is not None
            np.testing.assert_allclose(single[0], batch[i], atol=1e-4)


def test_empty_batch_gives_empty_arrays(predictor: Predictor) -> None:
    coordinates, expected_error = predictor.predict_crops(np.zeros((0, 96, 96, 1), np.uint8))
    assert coordinates.shape == (0, 15, 2)
    assert expected_error is not None
    assert expected_error.shape == (0, 15)


def test_label_source_selects_keypoints_and_defaults_to_the_first(predictor: Predictor, images: UInt8) -> None:
    by_default, complete, sparse = (predictor.predict_crops(images, source) for source in (None, "complete", "sparse"))
    np.testing.assert_array_equal(by_default.coordinates, complete.coordinates)
    differ = (sparse.coordinates != complete.coordinates).any(axis=(0, 2))
    assert tuple(np.flatnonzero(differ)) == FACE15.label_sources[1].own
    with pytest.raises(
        InputError, match=r"six: .* has no label source of this name; give one of complete, sparse, five$"
    ):
        predictor.predict_crops(images, "six")


def test_gray_network_converts_rgb_images_to_gray(predictor: Predictor, images: UInt8) -> None:
    rng = np.random.default_rng(0)
    colored = rng.integers(0, 256, (2, 96, 96, 3), np.uint8)
    gray = np.stack([np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)) for picture in colored])[..., None]
    np.testing.assert_array_equal(predictor.predict_crops(colored)[0], predictor.predict_crops(gray)[0])
    repeated = np.repeat(images, 3, axis=-1)
    np.testing.assert_allclose(predictor.predict_crops(repeated)[0], predictor.predict_crops(images)[0], atol=1e-4)


def test_rgb_network_repeats_the_channel_of_gray_images(tmp_path: Path) -> None:
    rgb = Predictor(means_of_channels(tmp_path / "rgb.onnx", 3, spec_of(3)))
    gray = np.full((2, 4, 5, 1), 7, np.uint8)
    coordinates, expected_error = rgb.predict_crops(gray)
    assert expected_error is None
    np.testing.assert_allclose(coordinates[:, 3], 3 + 7)
    colored = np.zeros((1, 4, 5, 3), np.uint8)
    colored[..., 2] = 9  # blue is last
    np.testing.assert_allclose(rgb.predict_crops(colored)[0][0, 0], 9)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((1, 96, 96, 1), np.float32), "are float32, expected a numpy array of uint8"),
        ([[1]], "are list, expected a numpy array of uint8"),
        (np.zeros((96, 96), np.uint8), r"have shape \(96, 96\), expected \(N, 96, 96, 1\)"),
        (np.zeros((1, 96, 96, 4), np.uint8), "C being 1 or 3"),
        (np.zeros((1, 96, 95, 1), np.uint8), "are 96 x 95 px, .* takes 96 x 96 px"),
    ],
)
def test_images_of_wrong_type_shape_or_size_are_refused(predictor: Predictor, images: UInt8, message: str) -> None:
    with pytest.raises(InputError, match=message):
        predictor.predict_crops(images)


def test_predictor_can_be_shared_by_threads(predictor: Predictor, images: UInt8) -> None:
    alone = [predictor.predict_crops(images[i : i + 5]).coordinates for i in range(0, 60, 5)]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            together = pool.map(lambda i: predictor.predict_crops(images[i : i + 5]).coordinates, range(0, 60, 5))
            for one, other in zip(alone, together, strict=True):
                np.testing.assert_array_equal(one, other)


def test_name_folder_and_file_load_the_same_model(predictor: Predictor, images: UInt8) -> None:
    assert predictor.spec == Predictor(V2).spec
    assert predictor.path == V2 / "model.onnx"
    expected = predictor.predict_crops(images[:2])[0]
    for model in ("v2", V2, str(V2), V2 / "model.onnx"):
        np.testing.assert_allclose(Predictor(model, threads=2).predict_crops(images[:2])[0], expected, atol=1e-4)


def test_predictions_are_the_decoded_network_output(tmp_path: Path) -> None:
    spec = ModelSpec(FACE15, (0, 1), False, Crop(4, 5, 1, ((1.0, 2.0),) * 15))
    predictor = Predictor(means_of_channels(tmp_path / "two.onnx", 1, spec, given=17))
    output = np.repeat(np.arange(17, dtype=np.float32)[None, :, None], 2, axis=2)
    expected = decode(output, np.array([1]), output_points(FACE15, (0, 1))).coordinates
    np.testing.assert_array_equal(predictor.predict_crops(np.zeros((1, 4, 5, 1), np.uint8), "sparse")[0], expected)


@pytest.fixture
def hand(tmp_path: Path) -> Predictor:
    """A network for crops of 4 x 5 px that puts two keypoints without eyes at (0, 0) and (1, 1)."""
    mean = ((3.0, 3.0), (1.0, 1.0))  # rotated and larger: the crop must not depend on it
    spec = ModelSpec(from_names("hand", ["thumb", "wrist"], "hand.csv"), (0,), False, Crop(4, 5, 1, mean))
    return Predictor(means_of_channels(tmp_path / "hand.onnx", 1, spec, given=2))


def test_keypoints_of_a_set_without_eyes_are_predicted_in_a_square_box(hand: Predictor) -> None:
    picture = np.zeros((100, 100), np.uint8)
    first, second = hand.predict(picture, boxes=[(10, 20, 40, 30), (0, 0, 10, 10)])
    # A box of 40 px is cropped as a square of 48 px, scaled to 4 px.
    np.testing.assert_allclose(first.keypoints, [(6, 17), (18, 29)], atol=1e-4)
    assert first.box == pytest.approx((10, 15, 40, 40))
    assert second.box == pytest.approx((0, 0, 10, 10))
    assert first.measures() == (None,) * 7


def test_model_without_eyes_needs_boxes_and_cannot_track(hand: Predictor) -> None:
    with pytest.raises(
        InputError, match=r"hand\.onnx: predicts the keypoint set hand, which has no eyes to find .*boxes="
    ):
        hand.predict(np.zeros((9, 9), np.uint8))
    with pytest.raises(InputError, match="no eyes to find faces by; clips and cameras need a model of faces"):
        Tracker(hand)


def test_shipped_name_wins_over_a_folder_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "v2").mkdir()
    monkeypatch.chdir(tmp_path)
    assert Predictor("v2").path == V2 / "model.onnx"
    with pytest.raises(InputError, match=r"^v2/model\.onnx: no such file; write it with `python -m training\.export"):
        Predictor("./v2")
    with pytest.raises(
        InputError, match=r"^v9: no such model; give one of v2, v2-68, a model folder or an \.onnx file$"
    ):
        Predictor("v9")
    assert list(shipped()) == ["v2", "v2-68"]


def test_bad_model_is_a_one_line_error_that_names_the_file(tmp_path: Path) -> None:
    shutil.copytree(V2, tmp_path / "v2")
    onnx_file = tmp_path / "v2" / "model.onnx"

    def message(model: Path, threads: int | None = None) -> str:
        with pytest.raises(InputError) as error:
            Predictor(model, threads=threads)
        assert "\n" not in str(error.value)
        return str(error.value)

    whole = onnx_file.read_bytes()
    onnx_file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert message(tmp_path / "v2").startswith(f"{onnx_file}: is cut off or altered; export it again")
    onnx_file.write_bytes(whole)
    keras_file = tmp_path / "v2" / "model.keras"
    keras_file.write_bytes(keras_file.read_bytes() + b"!")
    refusal = message(tmp_path / "v2")
    assert refusal.startswith(f"{keras_file}: was altered after model.onnx was exported; ")
    assert "export it again with `python -m training.export" in refusal
    keras_file.unlink()
    Predictor(tmp_path / "v2")  # needs the ONNX file alone
    (tmp_path / "v2" / "manifest.json").write_text("{}", encoding="utf-8")
    assert "manifest.json: does not name model.onnx" in message(tmp_path / "v2")

    (tmp_path / "text.onnx").write_text("hello", encoding="utf-8")
    assert "text.onnx: is not a complete ONNX file" in message(tmp_path / "text.onnx")
    file = means_of_channels(tmp_path / "old.onnx", 1, None)
    assert "old.onnx: does not say what the network predicts; export it again" in message(file)
    file = means_of_channels(tmp_path / "small.onnx", 1, spec_of(3))
    assert "small.onnx: takes (4, 5, 1), but its metadata says (4, 5, 3)" in message(file)
    file = means_of_channels(tmp_path / "few.onnx", 1, spec_of(1), given=14)
    assert "few.onnx: gives (1, 14, 2), but its metadata says (1, 15, 2)" in message(file)
    file = means_of_channels(tmp_path / "nan.onnx", 1, spec_of(1), at=float("nan"))
    assert "nan.onnx: gives values that are not finite" in message(file)
    assert "threads: is 0" in message(V2, threads=0)


def test_typical_uncertainty_is_the_validation_error_in_box_widths(tmp_path: Path) -> None:
    shutil.copytree(V2, tmp_path / "v2")
    manifest = json.loads((V2 / "manifest.json").read_bytes())
    box_px = box_of(np.eye(2, 3), Predictor(V2).spec)[2]
    for error_px in (1.5, 0, "nan", None):
        manifest["metrics"]["val_mae_px"] = error_px
        (tmp_path / "v2" / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
        expected = 1.5 / box_px if error_px == 1.5 else TYPICAL_UNCERTAINTY
        assert Predictor(tmp_path / "v2").typical_uncertainty == pytest.approx(expected)
    shutil.copy(V2 / "model.onnx", tmp_path / "alone.onnx")
    assert Predictor(tmp_path / "alone.onnx").typical_uncertainty == TYPICAL_UNCERTAINTY


def test_importing_the_library_does_not_import_slow_dependencies() -> None:
    code = "import sys, facial_keypoints; print(sorted({'cv2', 'onnxruntime', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    code = "import sys; from facial_keypoints import Predictor; print('onnxruntime' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_predictor_can_be_copied_pickled_and_sent_to_a_process(predictor: Predictor, images: UInt8) -> None:
    crops = images[:4]
    expected = predictor.predict_crops(crops)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        from_process = pool.submit(predictor.predict_crops, crops).result()
    unpickled = pickle.loads(pickle.dumps(predictor)).predict_crops(crops)
    for result in (
        from_process,
        unpickled,
        copy.deepcopy(predictor).predict_crops(crops),
        copy.copy(predictor).predict_crops(crops),
    ):
        np.testing.assert_array_equal(result.coordinates, expected.coordinates)
        np.testing.assert_array_equal(result.expected_error, expected.expected_error)


AZURE = "AzureExecutionProvider"  # the second provider in the CPU wheels of onnxruntime


def test_onnxruntime_providers_are_used_and_pickled(predictor: Predictor, images: UInt8) -> None:
    if AZURE not in onnxruntime().get_available_providers():
        pytest.skip("this onnxruntime has no second provider")
    other = Predictor(threads=1, providers=[(AZURE, {}), "CPUExecutionProvider"])
    for one in (other, pickle.loads(pickle.dumps(other))):
        assert one._session.get_providers() == [AZURE, "CPUExecutionProvider"]
        np.testing.assert_allclose(one.predict_crops(images[:2])[0], predictor.predict_crops(images[:2])[0], atol=1e-4)


def test_idle_inference_threads_do_not_spin() -> None:
    options = Predictor(threads=2)._session.get_session_options()
    assert options.get_session_config_entry("session.force_spinning_stop") == "1"


def test_missing_provider_is_refused() -> None:
    if "CUDAExecutionProvider" in onnxruntime().get_available_providers():
        pytest.skip("this onnxruntime has CUDA")
    message = r"providers: CUDAExecutionProvider is not installed; here is onnxruntime .* with .*CPUExec.*\..*-gpu"
    with pytest.raises(InputError, match=message):
        Predictor(providers=["CUDAExecutionProvider", "CPUExecutionProvider"])


def test_provider_that_fails_to_start_does_not_fall_back_to_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    module = onnxruntime()

    def on_the_cpu(content: bytes, options: Any, providers: list[str], enable_fallback: int) -> Any:
        """Does what onnxruntime does if a provider's libraries are missing: falls back to the CPU."""
        assert (providers, enable_fallback) == (["CUDAExecutionProvider"], 0)
        return session(content, options, providers=["CPUExecutionProvider"])

    session = module.InferenceSession
    monkeypatch.setattr(module, "InferenceSession", on_the_cpu)
    monkeypatch.setattr(module, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    monkeypatch.setattr(module, "preload_dlls", lambda: None, raising=False)
    with pytest.raises(InputError, match="CUDAExecutionProvider does not start and onnxruntime would use CPUExec"):
        Predictor(providers=["CUDAExecutionProvider"])


def test_pickled_predictor_stores_a_name_or_an_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pickle is small, and a relative path finds the same file from any working folder."""
    assert len(pickle.dumps(Predictor("v2-68", int8=True, threads=1))) < 1000
    shutil.copytree(V2, tmp_path / "mine")
    shutil.copy(V2 / "model.onnx", tmp_path / "alone.onnx")
    monkeypatch.chdir(tmp_path)
    pickled = [pickle.dumps(Predictor(model, threads=1)) for model in ("mine", "alone.onnx", Path("mine"))]
    monkeypatch.chdir(ROOT)
    assert [pickle.loads(content).path.name for content in pickled] == ["model.onnx", "alone.onnx", "model.onnx"]


def test_unpickling_refuses_a_changed_or_missing_model_file(tmp_path: Path) -> None:
    file = shutil.copy(V2 / "model.onnx", tmp_path / "mine.onnx")
    pickled = pickle.dumps(Predictor(file, threads=1))
    shutil.copy(V2.with_name("v2-68") / "model.onnx", file)
    with pytest.raises(
        InputError, match=r"mine\.onnx: has changed since this predictor loaded it; make a new Predictor"
    ):
        pickle.loads(pickled)
    Path(file).unlink()
    with pytest.raises(InputError, match=r"mine\.onnx: no such model"):
        pickle.loads(pickled)

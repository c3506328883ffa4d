"""The predictor: what it takes, what it gives, and what it says where it cannot."""

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
    """More than a batch."""
    return dataset.read(70, seed=3).images


def test_keypoints_and_expected_errors_of_drawn_faces(predictor: Predictor, images: UInt8) -> None:
    coordinates, expected_error = predictor.predict_crops(images)
    assert coordinates.shape == (70, 15, 2)
    assert coordinates.dtype == np.float32
    assert expected_error is not None
    assert expected_error.shape == (70, 15)
    assert expected_error.dtype == np.float32
    assert (expected_error > 0).all()
    truth = dataset.read(70, seed=3).keypoints
    eyes = np.abs(coordinates[:, :2] - truth[:, :2])
    assert np.nanmean(eyes) < 4  # px; it was trained on photographs alone


def test_one_by_one_is_as_in_batches(predictor: Predictor, images: UInt8) -> None:
    together = predictor.predict_crops(images)
    for i in (0, 63, 64, 69):  # the ends of batches
        alone = predictor.predict_crops(images[i : i + 1])
        for one, all_ in zip(alone, together, strict=True):
            assert one is not None
            assert all_ is not None
            np.testing.assert_allclose(one[0], all_[i], atol=1e-4)


def test_no_pictures_give_no_keypoints(predictor: Predictor) -> None:
    coordinates, expected_error = predictor.predict_crops(np.zeros((0, 96, 96, 1), np.uint8))
    assert coordinates.shape == (0, 15, 2)
    assert expected_error is not None
    assert expected_error.shape == (0, 15)


def test_the_keypoints_of_each_label_source_and_of_the_first_by_default(predictor: Predictor, images: UInt8) -> None:
    by_default, complete, sparse = (predictor.predict_crops(images, source) for source in (None, "complete", "sparse"))
    np.testing.assert_array_equal(by_default.coordinates, complete.coordinates)
    differ = (sparse.coordinates != complete.coordinates).any(axis=(0, 2))
    assert tuple(np.flatnonzero(differ)) == FACE15.label_sources[1].own
    with pytest.raises(InputError, match=r"six: .* knows no such label source; give one of complete, sparse, five$"):
        predictor.predict_crops(images, "six")


def test_rgb_pictures_for_a_gray_network_are_made_gray(predictor: Predictor, images: UInt8) -> None:
    rng = np.random.default_rng(0)
    colored = rng.integers(0, 256, (2, 96, 96, 3), np.uint8)
    gray = np.stack([np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)) for picture in colored])[..., None]
    np.testing.assert_array_equal(predictor.predict_crops(colored)[0], predictor.predict_crops(gray)[0])
    repeated = np.repeat(images, 3, axis=-1)
    np.testing.assert_allclose(predictor.predict_crops(repeated)[0], predictor.predict_crops(images)[0], atol=1e-4)


def test_gray_pictures_for_an_rgb_network_are_repeated_and_rgb_ones_stay(tmp_path: Path) -> None:
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
def test_other_pictures_are_refused(predictor: Predictor, images: UInt8, message: str) -> None:
    with pytest.raises(InputError, match=message):
        predictor.predict_crops(images)


def test_threads_share_a_predictor(predictor: Predictor, images: UInt8) -> None:
    alone = [predictor.predict_crops(images[i : i + 5]).coordinates for i in range(0, 60, 5)]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            together = pool.map(lambda i: predictor.predict_crops(images[i : i + 5]).coordinates, range(0, 60, 5))
            for one, other in zip(alone, together, strict=True):
                np.testing.assert_array_equal(one, other)


def test_a_name_a_folder_and_a_file_are_one_model(predictor: Predictor, images: UInt8) -> None:
    assert predictor.spec == Predictor(V2).spec
    assert predictor.path == V2 / "model.onnx"
    wanted = predictor.predict_crops(images[:2])[0]
    for model in ("v2", V2, str(V2), V2 / "model.onnx"):
        np.testing.assert_allclose(Predictor(model, threads=2).predict_crops(images[:2])[0], wanted, atol=1e-4)


def test_what_is_predicted_is_what_the_codec_makes_of_the_network_s_output(tmp_path: Path) -> None:
    spec = ModelSpec(FACE15, (0, 1), False, Crop(4, 5, 1, ((1.0, 2.0),) * 15))
    made = Predictor(means_of_channels(tmp_path / "two.onnx", 1, spec, given=17))
    output = np.repeat(np.arange(17, dtype=np.float32)[None, :, None], 2, axis=2)
    wanted = decode(output, np.array([1]), output_points(FACE15, (0, 1))).coordinates
    np.testing.assert_array_equal(made.predict_crops(np.zeros((1, 4, 5, 1), np.uint8), "sparse")[0], wanted)


@pytest.fixture
def hand(tmp_path: Path) -> Predictor:
    """A network for crops of 4 x 5 px that puts two keypoints without eyes at (0, 0) and (1, 1)."""
    mean = ((3.0, 3.0), (1.0, 1.0))  # turned round, and larger: the crop must not follow it
    spec = ModelSpec(from_names("hand", ["thumb", "wrist"], "hand.csv"), (0,), False, Crop(4, 5, 1, mean))
    return Predictor(means_of_channels(tmp_path / "hand.onnx", 1, spec, given=2))


def test_what_has_no_eyes_is_predicted_in_the_square_of_its_box(hand: Predictor) -> None:
    picture = np.zeros((100, 100), np.uint8)
    first, second = hand.predict(picture, boxes=[(10, 20, 40, 30), (0, 0, 10, 10)])
    np.testing.assert_allclose(first.keypoints, [(6, 17), (18, 29)], atol=1e-4)  # a square of 48 px, 12 for one of 4
    assert first.box == pytest.approx((10, 15, 40, 40))
    assert second.box == pytest.approx((0, 0, 10, 10))
    assert first.measures() == (None,) * 7


def test_what_has_no_eyes_needs_boxes(hand: Predictor) -> None:
    with pytest.raises(
        InputError, match=r"hand\.onnx: predicts the keypoint set hand, which has no eyes to find .*boxes="
    ):
        hand.predict(np.zeros((9, 9), np.uint8))
    with pytest.raises(InputError, match="no eyes to find faces by; clips and cameras need a model of faces"):
        Tracker(hand)


def test_a_shipped_name_comes_first_and_a_path_is_written_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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


def test_bad_models_are_one_line_that_names_the_file(tmp_path: Path) -> None:
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
    assert "text.onnx: is no complete ONNX file" in message(tmp_path / "text.onnx")
    made = means_of_channels(tmp_path / "old.onnx", 1, None)
    assert "old.onnx: does not say what the network predicts; export it again" in message(made)
    made = means_of_channels(tmp_path / "small.onnx", 1, spec_of(3))
    assert "small.onnx: takes (4, 5, 1), but its metadata promise (4, 5, 3)" in message(made)
    made = means_of_channels(tmp_path / "few.onnx", 1, spec_of(1), given=14)
    assert "few.onnx: gives (1, 14, 2), but its metadata promise (1, 15, 2)" in message(made)
    made = means_of_channels(tmp_path / "nan.onnx", 1, spec_of(1), at=float("nan"))
    assert "nan.onnx: gives values that are not finite" in message(made)
    assert "threads: is 0" in message(V2, threads=0)


def test_the_typical_uncertainty_is_the_validation_error_in_widths_of_the_box(tmp_path: Path) -> None:
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


def test_the_library_is_imported_without_what_is_slow() -> None:
    code = "import sys, facial_keypoints; print(sorted({'cv2', 'onnxruntime', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    code = "import sys; from facial_keypoints import Predictor; print('onnxruntime' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_predictor_is_copied_pickled_and_sent_to_another_process(predictor: Predictor, images: UInt8) -> None:
    few = images[:4]
    wanted = predictor.predict_crops(few)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        elsewhere = pool.submit(predictor.predict_crops, few).result()
    again = pickle.loads(pickle.dumps(predictor)).predict_crops(few)
    for given in (
        elsewhere,
        again,
        copy.deepcopy(predictor).predict_crops(few),
        copy.copy(predictor).predict_crops(few),
    ):
        np.testing.assert_array_equal(given.coordinates, wanted.coordinates)
        np.testing.assert_array_equal(given.expected_error, wanted.expected_error)


AZURE = "AzureExecutionProvider"  # the one that the CPU wheels of onnxruntime have besides their CPU provider


def test_providers_are_used_and_pickled(predictor: Predictor, images: UInt8) -> None:
    if AZURE not in onnxruntime().get_available_providers():
        pytest.skip("this onnxruntime has no second provider")
    other = Predictor(threads=1, providers=[(AZURE, {}), "CPUExecutionProvider"])
    for one in (other, pickle.loads(pickle.dumps(other))):
        assert one._session.get_providers() == [AZURE, "CPUExecutionProvider"]
        np.testing.assert_allclose(one.predict_crops(images[:2])[0], predictor.predict_crops(images[:2])[0], atol=1e-4)


def test_idle_threads_of_the_network_do_not_keep_the_cores_busy() -> None:
    options = Predictor(threads=2)._session.get_session_options()
    assert options.get_session_config_entry("session.force_spinning_stop") == "1"


def test_a_provider_that_is_not_installed_is_refused() -> None:
    if "CUDAExecutionProvider" in onnxruntime().get_available_providers():
        pytest.skip("this onnxruntime has CUDA")
    says = r"providers: CUDAExecutionProvider is not installed; here is onnxruntime .* with .*CPUExec.*\..*-gpu"
    with pytest.raises(InputError, match=says):
        Predictor(providers=["CUDAExecutionProvider", "CPUExecutionProvider"])


def test_a_provider_that_does_not_start_is_refused_and_not_replaced_by_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    module = onnxruntime()

    def on_the_cpu(content: bytes, options: Any, providers: list[str], enable_fallback: int) -> Any:
        """What onnxruntime does where a provider's libraries are missing: it logs that and goes without."""
        assert (providers, enable_fallback) == (["CUDAExecutionProvider"], 0)
        return session(content, options, providers=["CPUExecutionProvider"])

    session = module.InferenceSession
    monkeypatch.setattr(module, "InferenceSession", on_the_cpu)
    monkeypatch.setattr(module, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    monkeypatch.setattr(module, "preload_dlls", lambda: None, raising=False)
    with pytest.raises(InputError, match="CUDAExecutionProvider does not start and onnxruntime would use CPUExec"):
        Predictor(providers=["CUDAExecutionProvider"])


def test_what_is_pickled_is_a_name_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So it is small, and a relative path leads to the same file from any folder."""
    assert len(pickle.dumps(Predictor("v2-68", int8=True, threads=1))) < 1000
    shutil.copytree(V2, tmp_path / "mine")
    shutil.copy(V2 / "model.onnx", tmp_path / "alone.onnx")
    monkeypatch.chdir(tmp_path)
    pickled = [pickle.dumps(Predictor(model, threads=1)) for model in ("mine", "alone.onnx", Path("mine"))]
    monkeypatch.chdir(ROOT)
    assert [pickle.loads(content).path.name for content in pickled] == ["model.onnx", "alone.onnx", "model.onnx"]


def test_a_pickled_predictor_refuses_a_file_that_has_changed(tmp_path: Path) -> None:
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

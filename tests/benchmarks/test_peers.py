"""The way from dlib's 68 points to 15 keypoints and a file of predictions."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import dlib68, peers
from data_prep import prepare
from data_prep.arrays import load_part
from data_prep.faces import Part
from evaluation.metrics import mae_rmse
from evaluation.predictions import read_predictions
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15
from tests.benchmarks.conftest import needs_dlib

SPARSE_OWN = FACE15.sources[1].own  # nose tip and lower lip


def test_by_hand() -> None:
    face = np.stack([np.arange(68.0), 100 + np.arange(68.0)], axis=1)  # point i is at (i, 100 + i)
    predicted = peers.by_hand(np.stack([face] * 3), np.array([0, 1, 2]))
    # The pictured person's left is on the right of the picture: eye 42 to 47, mouth corner 54.
    first = [44.5, 38.5, 42, 45, 39, 36, 22, 26, 21, 17, 30, 54, 48, 51, 57]
    assert predicted[0, :, 0].tolist() == first
    assert (predicted[..., 1] == predicted[..., 0] + 100).all()
    assert predicted[1, SPARSE_OWN, 0].tolist() == [33, 66]
    others = [k for k in range(len(FACE15)) if k not in SPARSE_OWN]
    assert (predicted[1, others] == predicted[0, others]).all()
    assert (predicted[2] == predicted[0]).all()  # which of the 68 points source 2 means is not known


def labelled_part(points: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Part:
    """Faces whose keypoint k is point k moved by (k, 1) in source 0, and by (10, 10) in source 1, which labels two."""
    count = len(points)
    sources = np.arange(count) % 2
    shift = np.stack([np.arange(15.0), np.ones(15)], axis=1)
    keypoints = (points[:, :15] + np.where(sources[:, None, None] == 0, shift, 10)).astype(np.float32)
    labelled = np.ones((count, 15), bool)
    labelled[sources == 1, 2:] = False
    labelled[:, 14] = False
    images = np.zeros((count, 8, 8, 1), np.uint8)
    return Part(images, keypoints, labelled, np.arange(count), np.arange(count) // 4, sources)


def test_calibration_recovers_a_linear_map() -> None:
    points = np.random.default_rng(0).normal(50, 30, (800, 68, 2))
    part = labelled_part(points[:780])
    fits = peers.fit(points[:780], part)
    assert sorted(fits) == [(0, k) for k in range(14)] + [(1, 0), (1, 1)]
    otherwise = np.full((20, 15, 2), 7, np.float32)
    sources = np.array([0] * 10 + [1] * 10)
    predicted = peers.calibrated(fits, points[780:], sources, otherwise)
    assert predicted[:10, :14] == pytest.approx(points[780:790, :14] + [[k, 1] for k in range(14)], abs=0.1)
    assert predicted[10:, :2] == pytest.approx(points[790:, :2] + 10, abs=0.1)
    # What source 1 never labels is as source 0 labels it; what nobody labels stays.
    assert predicted[10:, 2:14] == pytest.approx(points[790:, 2:14] + [[k, 1] for k in range(2, 14)], abs=0.1)
    assert (predicted[:, 14] == 7).all()


def test_a_source_of_few_groups_is_not_fitted() -> None:
    points = np.random.default_rng(0).normal(50, 30, (16, 68, 2))  # four groups, fewer than folds
    assert peers.fit(points, labelled_part(points)) == {}


def test_faces_are_spread_over_a_whole_part() -> None:
    part = labelled_part(np.zeros((101, 68, 2)))
    assert peers.spread_out(part, 5).rows.tolist() == [0, 25, 50, 75, 100]
    assert len(peers.spread_out(part, 500)) == 101


def test_enlarged_coordinates() -> None:
    # Twice as large, 32 px of margin: the left edge of the picture, -0.5, is the left edge of enlarged pixel 64.
    assert dlib68.to_enlarged([-0.5, 0, 10], 32).tolist() == [63.5, 64.5, 84.5]
    assert dlib68.from_enlarged([63.5, 64.5, 84.5], 32).tolist() == [-0.5, 0, 10]
    image = np.zeros((96, 96, 1), np.uint8)
    image[40:44, 60:64] = 255
    rows, columns = np.nonzero(dlib68.enlarge(image) > 128)
    assert dlib68.from_enlarged([columns.mean(), rows.mean()], 32).tolist() == [61.5, 41.5]


def test_fixed_box() -> None:
    # Middle of 96 columns is 47.5; half of 96 rows is 48 from the edge, so 47.5 from the first centre.
    assert dlib68.fixed_box((96, 96, 1), 0.5, 0.5).tolist() == [23.5, 23.5, 71.5, 71.5]


def test_box_follows_the_points() -> None:
    points = np.tile([[-1.0, 0], [1, 0]], (1, 34, 1))  # centre (0, 0), size 1
    relation = dlib68.box_relation(points, np.array([[-2.0, -3, 2, 1]]))
    assert relation.tolist() == [-2, -3, 2, 1]
    assert dlib68.boxes_around(10 * points + [50, 40], relation).tolist() == [[30, 10, 70, 50]]


def test_missing_package_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"no_such_package is missing; .*pip install -r requirements-peers\.txt"):
        dlib68.optional("no_such_package")


@needs_dlib
def test_data_folder_to_predictions(data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "peers"
    peers.main(["--data", str(data_folder), "--out", str(out)])
    test = load_part(data_folder, "test")
    printed = capsys.readouterr().out
    manifest = (out / "manifest.json").read_text()
    for name in ("dlib", "dlib_calibrated"):
        predicted = read_predictions(out / f"{name}.csv", test.rows, FACE15).coordinates
        mae, rmse = mae_rmse(predicted, test.keypoints, test.labelled)
        assert f"{name:16} MAE {mae:.3f} px, RMSE {rmse:.3f} px" in printed
        assert f'"rmse_px": {rmse}' in manifest
    assert "ms per face and call" in printed


@needs_dlib
def test_no_training_labels(tmp_path: Path) -> None:
    prepare.main(["synthetic", "--count", "20", "--split", "all-test", "--out", str(tmp_path / "data")])
    with pytest.raises(InputError, match="has no training labels to fit dlib to"):
        peers.main(["--data", str(tmp_path / "data"), "--out", str(tmp_path / "peers")])
    assert not (tmp_path / "peers").exists()

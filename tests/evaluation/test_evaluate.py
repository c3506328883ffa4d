"""The stage from files to files, for anyone's predictions and for a model."""

import json
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from common.stage import InputError, file_hash, read_manifest, write_manifest
from data_prep.arrays import data_hash, load_data_manifest, load_part
from data_prep.keypoint_set import FACE15
from evaluation import evaluate
from evaluation.metrics import FIGURES
from evaluation.predictions import write_predictions


def save_shifted(data_folder: Path, path: Path, shift: float) -> None:
    test = load_part(data_folder, "test")
    write_predictions(path, test.keypoints + np.float32(shift), test.rows, FACE15.columns)


def test_predictions_to_tables_and_pictures(
    data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs, out = tmp_path / "theirs.csv", tmp_path / "evaluation" / "theirs"
    save_shifted(data_folder, theirs, 2.0)
    evaluate.main(["--predictions", str(theirs), "--name", "theirs", "--data", str(data_folder), "--out", str(out)])

    accuracy = pd.read_csv(out / "accuracy.csv")
    ends = [f"{figure}_{end}" for figure in FIGURES for end in ("low", "high")]
    assert list(accuracy.columns) == ["labels", "coordinates", *FIGURES, *ends]
    assert accuracy["labels"].tolist() == ["labelled", "all"]
    assert accuracy["coordinates"].tolist() == [2 * (24 * 15 + 12 * 4), 2 * 36 * 15]
    assert accuracy[["mae_px", "rmse_px", "mae_px_low", "mae_px_high"]].to_numpy() == pytest.approx(2.0, abs=1e-4)

    keypoints = pd.read_csv(out / "per_keypoint.csv")
    assert keypoints["keypoint"].tolist() == list(FACE15.names) * 2
    assert keypoints["count"].tolist() == [36] * 4 + [24] * 11 + [36] * 15
    assert keypoints["bias_x_px"].to_numpy() == pytest.approx(2.0, abs=1e-4)

    manifest = read_manifest(out, "evaluate")
    assert manifest["inputs"] == {"data": data_hash(load_data_manifest(data_folder)), "predictions": file_hash(theirs)}
    assert manifest["figures"]["labelled"]["mae_px"] == 2.0
    pictures = {"grid.png", "worst.png", "cumulative_error.png", "per_keypoint.png", "error_by_source.png"}
    assert set(manifest["files"]) == {"predictions.csv", "accuracy.csv", "per_keypoint.csv", *pictures}
    printed = capsys.readouterr().out
    assert "MAE     2.000 [2.000, 2.000] px" in printed
    assert max(map(len, printed.splitlines()[:-1])) <= 100


def save_model_folder(folder: Path, data_folder: Path) -> Path:
    folder.mkdir()
    (folder / "model.keras").write_text("weights")
    figures = {"parameters": 123, "epochs": 4, "seconds": 5.6, "val_mae": 1.0}
    write_manifest(
        folder, "train", {"model": "base"}, {"data": data_hash(load_data_manifest(data_folder))}, figures, time.time()
    )
    return folder


def stand_in(keypoints: int = 15, channels: int = 1, value: float = 48.0) -> SimpleNamespace:
    return SimpleNamespace(
        output_shape=(None, keypoints, 2),
        input_shape=(None, 96, 96, channels),
        predict=lambda images, **_: np.full((len(images), keypoints, 2), value * images.shape[-1] / channels),
    )


def test_model_in_colour_sees_grey_faces_and_carries_its_cost(
    data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, out = save_model_folder(tmp_path / "base", data_folder), tmp_path / "out"
    monkeypatch.setattr(evaluate, "_load_model", lambda path: stand_in(channels=3))
    evaluate.main([str(model), "--data", str(data_folder), "--out", str(out)])
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["parameters"]["name"] == "base"
    assert manifest["inputs"]["model"] == file_hash(model / "model.keras")
    assert {key: manifest["figures"][key] for key in ("parameters", "epochs", "seconds")} == {
        "parameters": 123,
        "epochs": 4,
        "seconds": 5.6,
    }
    assert (pd.read_csv(out / "predictions.csv").iloc[:, 1:] == 48.0).all(axis=None)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (stand_in(keypoints=68), "gives 68 keypoints, the data has 15"),
        (stand_in(channels=4), "takes pictures of 96x96x4, the data has 96x96x1"),
        (stand_in(value=np.nan), "predicts values that are no numbers"),
    ],
)
def test_model_that_does_not_fit(
    data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: SimpleNamespace, message: str
) -> None:
    folder = save_model_folder(tmp_path / "base", data_folder)
    monkeypatch.setattr(evaluate, "_load_model", lambda path: model)
    with pytest.raises(InputError, match=message):
        evaluate.main([str(folder), "--data", str(data_folder), "--out", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".out*"))  # nothing half-written


def test_cut_off_model_is_refused_before_it_is_loaded(data_folder: Path, tmp_path: Path) -> None:
    model = save_model_folder(tmp_path / "base", data_folder)
    (model / "model.keras").write_text("weig")
    with pytest.raises(InputError, match=r"model\.keras: is cut off or altered"):
        evaluate.main([str(model), "--data", str(data_folder), "--out", str(tmp_path / "out")])


def test_out_may_not_replace_what_is_read(data_folder: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs.csv"
    save_shifted(data_folder, theirs, 2.0)
    options = ["--predictions", str(theirs), "--name", "theirs", "--data", str(data_folder)]
    for out in (data_folder, tmp_path):
        with pytest.raises(InputError, match="would be replaced"):
            evaluate.main([*options, "--out", str(out)])
    assert (data_folder / "test_rows.npy").is_file()


@pytest.mark.parametrize("name", ["mean_face", "../elsewhere"])
def test_names_that_cannot_be(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        evaluate.main(["--predictions", "theirs.csv", "--name", name])
    assert stop.value.code == 2
    assert "choose a plain name" in capsys.readouterr().err

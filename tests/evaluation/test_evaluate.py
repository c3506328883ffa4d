"""The stage from files to files, for anyone's predictions and for a model."""

import json
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from common.stage import file_hash, read_manifest, write_manifest
from data_prep.arrays import data_hash, load_data_manifest, load_part
from evaluation import evaluate
from evaluation.metrics import FIGURES
from evaluation.predictions import Predictions, write_predictions
from evaluation.tables import COST
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15


def save_shifted(data_folder: Path, path: Path, shift: float) -> None:
    test = load_part(data_folder, "test")
    write_predictions(path, Predictions(test.keypoints + np.float32(shift)), test.rows, FACE15)


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
    (folder / "model.keras").write_text("weights " * 1500)  # 12,000 bytes
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


def marks_stand_in(sigma: float = 2.0) -> SimpleNamespace:
    """A network of 17 marks that puts mark m of any picture at (m, 10 m)."""
    marks = np.array([(m, 10 * m, sigma) for m in range(17)], np.float32)
    return SimpleNamespace(
        output_shape=(None, 17, 3),
        input_shape=(None, 96, 96, 1),
        predict=lambda images, **_: np.repeat(marks[None], len(images), axis=0),
    )


def test_network_with_sigma_follows_the_label_source_and_shows_its_reliability(
    data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model, out = save_model_folder(tmp_path / "v2", data_folder), tmp_path / "out"
    monkeypatch.setattr(evaluate, "_load_model", lambda path: marks_stand_in())
    evaluate.main([str(model), "--data", str(data_folder), "--out", str(out)])
    table, sources = pd.read_csv(out / "predictions.csv"), load_part(data_folder, "test").sources
    assert table["nose_tip_x"].tolist() == [15 if source else 10 for source in sources]
    assert (table.filter(like="_sigma") == 2).all(axis=None)

    reliability = pd.read_csv(out / "reliability.csv")
    assert reliability["points"].tolist() == [41] * 8 + [40] * 2
    manifest = read_manifest(out, "evaluate")
    assert "reliability.png" in manifest["files"]
    lowest, highest = reliability["ratio"].min(), reliability["ratio"].max()
    assert manifest["figures"]["sigma"] == {"bins": 10, "ratio_lowest": lowest, "ratio_highest": highest}
    assert f"  sigma   10 bins: error / predicted from {lowest:.2f} to {highest:.2f}\n" in capsys.readouterr().out


def test_flip_takes_the_mean_with_mirrored_pictures(
    data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = save_model_folder(tmp_path / "v2", data_folder)
    monkeypatch.setattr(evaluate, "_load_model", lambda path: marks_stand_in())
    monkeypatch.chdir(tmp_path)
    evaluate.main([str(model), "--data", str(data_folder), "--flip"])
    out = tmp_path / "artifacts" / "evaluation" / "v2_flip"
    first = pd.read_csv(out / "predictions.csv").iloc[0]  # of source 0
    # mark 0, the left eye, is at (0, 0); mirrored back, it is mark 1 at (95 - 1, 10)
    assert first[["left_eye_center_x", "left_eye_center_y"]].tolist() == [47, 5]
    assert first[["nose_tip_x", "nose_tip_y"]].tolist() == [(10 + 95 - 10) / 2, 100]  # its own mirror image
    parameters = read_manifest(out, "evaluate")["parameters"]
    assert (parameters["name"], parameters["flip"]) == ("v2_flip", True)


def test_model_in_colour_sees_grey_faces_and_carries_its_cost(
    data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, out = save_model_folder(tmp_path / "base", data_folder), tmp_path / "out"
    monkeypatch.setattr(evaluate, "_load_model", lambda path: stand_in(channels=3))
    evaluate.main([str(model), "--data", str(data_folder), "--out", str(out)])
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["parameters"]["name"] == "base"
    assert manifest["inputs"]["model"] == file_hash(model / "model.keras")
    cost = {"parameters": 123, "epochs": 4, "seconds": 5.6, "file_mb": 0.012}
    assert {key: manifest["figures"][key] for key in COST} == cost
    assert (pd.read_csv(out / "predictions.csv").iloc[:, 1:] == 48.0).all(axis=None)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (stand_in(keypoints=68), r"gives 68x2 .* the data has 15 keypoints \(face15\)"),
        (stand_in(channels=4), "takes pictures of 96x96x4, the data has 96x96x1"),
        (stand_in(value=np.nan), "predicts values that are no numbers"),
        (marks_stand_in(sigma=0), "predicts a sigma that is not above 0"),
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


BAD_ROWS = {
    "no row column": ("person,origin\nx,y\n", "has 0 columns `row`"),
    "no test face": ("row\n0\n1\n", "lists no face of the test part"),
    "words": ("row\nfirst\n", "line 2: row 'first' is no whole number"),
}


@pytest.mark.parametrize("kind", BAD_ROWS)
def test_rows_that_choose_no_faces(data_folder: Path, tmp_path: Path, kind: str) -> None:
    text, message = BAD_ROWS[kind]
    theirs, rows = tmp_path / "theirs.csv", tmp_path / "rows.csv"
    save_shifted(data_folder, theirs, 2.0)
    rows.write_text(text)
    options = ["--predictions", str(theirs), "--name", "theirs", "--data", str(data_folder), "--rows", str(rows)]
    with pytest.raises(InputError, match=r"rows\.csv.*" + message):
        evaluate.main([*options, "--out", str(tmp_path / "out")])


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

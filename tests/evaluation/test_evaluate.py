"""The evaluation stage from input files to output files, for a predictions file and for a model."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from common.hashes import file_hash
from common.stage import read_manifest
from data_prep.arrays import data_hash, load_data_manifest, load_split
from evaluation import compare, evaluate
from evaluation.metrics import METRICS
from evaluation.predictions import write_predictions
from evaluation.stages import EVALUATE
from facial_keypoints.array_types import Float32
from facial_keypoints.codec import Keypoints
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15, FACE68
from tests.evaluation.conftest import COST, save_data, save_keras, save_model

CENTER = np.full((15, 2), 48.0)


def save_shifted(data_folder: Path, path: Path, shift: float) -> None:
    test = load_split(data_folder, "test")
    write_predictions(path, Keypoints(test.keypoints + np.float32(shift)), test.rows, FACE15)


def test_predictions_file_is_scored_in_tables_and_plots(
    data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs, out = tmp_path / "theirs.csv", tmp_path / "evaluation" / "theirs"
    save_shifted(data_folder, theirs, 2.0)
    evaluate.main(["--predictions", str(theirs), "--name", "theirs", "--data", str(data_folder), "--out", str(out)])

    accuracy = pd.read_csv(out / "accuracy.csv")
    ends = [f"{metric}_{end}" for metric in METRICS for end in ("low", "high")]
    assert list(accuracy.columns) == ["labels", "coordinates", *METRICS, *ends]
    assert accuracy["labels"].tolist() == ["labelled", "all"]
    assert accuracy["coordinates"].tolist() == [2 * (24 * 15 + 12 * 4), 2 * 36 * 15]
    assert accuracy[["mae_px", "rmse_px", "mae_px_low", "mae_px_high"]].to_numpy() == pytest.approx(2.0, abs=1e-4)

    keypoints = pd.read_csv(out / "per_keypoint.csv")
    assert keypoints["keypoint"].tolist() == list(FACE15.names) * 2
    labelled = [36 if k in FACE15.label_sources[1].keypoints else 24 for k in range(15)]
    assert keypoints["count"].tolist() == [*labelled, *[36] * 15]
    assert keypoints["bias_x_px"].to_numpy() == pytest.approx(2.0, abs=1e-4)

    manifest = read_manifest(out, EVALUATE)
    assert manifest["inputs"] == {"data": data_hash(load_data_manifest(data_folder)), "predictions": file_hash(theirs)}
    assert manifest["metrics"]["labelled"]["mae_px"] == 2.0
    assert manifest["notes"] == []
    plots = {"grid.png", "worst.png", "cumulative_error.png", "per_keypoint.png", "error_by_source.png"}
    tables = {
        "predictions.csv",
        "accuracy.csv",
        "nme.csv",
        "per_keypoint.csv",
        "per_region.csv",
        "by_origin.csv",
        "by_condition.csv",
    }
    assert set(manifest["files"]) == tables | plots
    printed = capsys.readouterr().out
    assert "MAE     2.000 [2.000, 2.000] px" in printed
    assert max(map(len, printed.splitlines()[:-1])) <= 100


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (3, "test has 6 faces in 3 groups: too few for reliable figures, and an interval needs 6 groups"),
        (6, "test has 12 faces in 6 groups: too few for reliable figures, and the intervals are too narrow"),
        (10, ""),
    ],
)
def test_too_few_test_faces_or_groups_are_reported(
    data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], groups: int, message: str
) -> None:
    test = load_split(data_folder, "test")  # two faces in a group
    theirs, listed = tmp_path / "theirs.csv", tmp_path / "listed.csv"
    save_shifted(data_folder, theirs, 2.0)
    listed.write_text("\n".join(["row", *map(str, test.rows[: 2 * groups])]), encoding="utf-8")
    how = ["--data", str(data_folder), "--rows", str(listed), "--out", str(tmp_path / "out")]
    evaluate.main(["--predictions", str(theirs), "--name", "theirs", *how])
    printed = capsys.readouterr().out
    assert ("too few" in printed, f"\n  {message}\n" in printed) == (bool(message), bool(message))
    intervals = pd.read_csv(tmp_path / "out" / "accuracy.csv")[["mae_px_low", "mae_px_high"]]
    assert intervals.isna().to_numpy().all() == (groups < 6)


def output_points(expected_error: float = 2.0) -> Float32:
    """Output point m lies at (m, 10 m): the 15 keypoints of source 0, then the two that source 1 labels elsewhere."""
    return np.array([(m, 10 * m, expected_error) for m in range(17)], np.float32)


def test_model_is_scored_per_label_source_and_its_reliability_reported(
    data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, out = save_model(tmp_path / "v2", data_folder, output_points(), sources=(0, 1)), tmp_path / "out"
    evaluate.main([str(model), "--data", str(data_folder), "--out", str(out)])
    table, sources = pd.read_csv(out / "predictions.csv"), load_split(data_folder, "test").label_sources
    assert table["nose_tip_x"].tolist() == [15 if source else 10 for source in sources]
    assert (table.filter(like="_expected_error") == 2).all(axis=None)

    reliability = pd.read_csv(out / "reliability.csv")
    assert reliability["points"].tolist() == [41] * 8 + [40] * 2
    manifest = read_manifest(out, EVALUATE)
    assert "reliability.png" in manifest["files"]
    lowest, highest = reliability["ratio"].min(), reliability["ratio"].max()
    assert manifest["metrics"]["expected_error"] == {"bins": 10, "ratio_lowest": lowest, "ratio_highest": highest}
    assert f"in 10 bins, measured / expected {lowest:.2f} to {highest:.2f}\n" in capsys.readouterr().out


def test_flip_averages_with_predictions_on_mirrored_images(
    data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = save_model(tmp_path / "v2", data_folder, output_points(), sources=(0, 1))
    monkeypatch.chdir(tmp_path)
    evaluate.main([str(model), "--data", str(data_folder), "--flip"])
    out = tmp_path / "artifacts" / "evaluation" / "v2_flip"
    first = pd.read_csv(out / "predictions.csv").iloc[0]  # of source 0
    # output point 0, the left eye, is at (0, 0); mirrored back, it is output point 1 at (95 - 1, 10)
    assert first[["left_eye_center_x", "left_eye_center_y"]].tolist() == [47, 5]
    assert first[["nose_tip_x", "nose_tip_y"]].tolist() == [(10 + 95 - 10) / 2, 100]  # its own mirror image
    parameters = read_manifest(out, EVALUATE)["parameters"]
    assert (parameters["name"], parameters["flip"]) == ("v2_flip", True)


def test_color_model_is_scored_on_gray_faces_and_its_cost_is_recorded(data_folder: Path, tmp_path: Path) -> None:
    model, out = save_model(tmp_path / "base", data_folder, CENTER, channels=3), tmp_path / "out"
    evaluate.main([str(model), "--data", str(data_folder), "--out", str(out)])
    manifest = read_manifest(out, EVALUATE)
    assert manifest["parameters"]["name"] == "base"
    assert manifest["inputs"]["model"] == file_hash(model / "model.keras")
    cost = COST | {"file_mb": round((model / "model.keras").stat().st_size / 1e6, 3)}
    assert {key: manifest["metrics"][key] for key in cost} == cost
    assert (pd.read_csv(out / "predictions.csv").iloc[:, 1:] == 48.0).all(axis=None)


def test_model_file_without_manifest_is_scored_with_a_note(
    data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = save_keras(tmp_path / "theirs.keras", np.arange(30))
    evaluations = tmp_path / "evaluation"
    evaluate.main([str(theirs), "--data", str(data_folder), "--out", str(evaluations / "theirs")])
    assert "they may be among these test faces" in capsys.readouterr().out
    notes = "; ".join(read_manifest(evaluations / "theirs", EVALUATE)["notes"])
    assert "theirs.keras has no manifest" in notes
    assert "label sources" in notes
    table = pd.read_csv(evaluations / "theirs" / "predictions.csv")
    assert table[FACE15.columns].drop_duplicates().to_numpy().tolist() == [list(range(30))]  # x, y, x, y, ...

    compare.main(["--evaluations", str(evaluations), "--data", str(data_folder), "--out", str(tmp_path / "comparison")])
    row = (
        pd.read_csv(tmp_path / "comparison" / "comparison.csv").set_index(["name", "labels"]).loc["theirs", "labelled"]
    )
    assert row["parameters"] == 2 * 30  # those of its one dense layer
    assert row[["epochs", "seconds"]].isna().all()


@pytest.mark.parametrize(
    ("output", "channels", "message"),
    [
        (np.zeros((68, 2)), 1, r"gives \(N, 68, 2\), the data has 15 keypoints \(face15\)"),
        (CENTER, 4, r"takes images of \(N, 96, 96, 4\), the data has \(N, 96, 96, 1\)"),
        (np.full((15, 2), np.nan), 1, "predicts values that are not finite"),
        (output_points(expected_error=0)[:15], 1, "predicts an expected error that is not above 0"),
    ],
)
def test_model_file_that_does_not_fit_the_data_is_rejected(
    data_folder: Path, tmp_path: Path, output: Float32, channels: int, message: str
) -> None:
    theirs = save_keras(tmp_path / "theirs.keras", output, channels)
    with pytest.raises(InputError, match=message):
        evaluate.main([str(theirs), "--data", str(data_folder), "--out", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".out*"))  # nothing half-written


def test_other_training_data_is_noted_and_training_on_test_faces_is_rejected(
    data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = save_model(tmp_path / "base", data_folder, CENTER)
    other = save_data(tmp_path / "other", seed=2)
    evaluate.main([str(model), "--data", str(other), "--out", str(tmp_path / "out")])
    (note,) = read_manifest(tmp_path / "out", EVALUATE)["notes"]
    assert f"note: {note}\n" in capsys.readouterr().out
    assert "trained on another data folder" in note

    manifest = (model / "manifest.json").read_text(encoding="utf-8")
    extra = f'"inputs": {{\n    "extra_data": "{data_hash(load_data_manifest(other))}",'
    (model / "manifest.json").write_text(manifest.replace('"inputs": {', extra), encoding="utf-8")
    with pytest.raises(InputError, match="was trained on these faces"):
        evaluate.main([str(model), "--data", str(other), "--out", str(tmp_path / "out")])


@pytest.mark.parametrize("bare", [False, True])
def test_model_of_another_keypoint_set_is_rejected(
    data_folder: Path, data68_folder: Path, tmp_path: Path, bare: bool
) -> None:
    for_15 = save_model(tmp_path / "for_15", data_folder, CENTER)
    for_68 = save_model(tmp_path / "for_68", data68_folder, np.full((68, 2), 9.0), keypoint_set=FACE68)
    messages = {
        (for_68, data_folder): r"gives \(N, 68, 2\), the data has 15"
        if bare
        else "predicts face68, the data has face15",
        (for_15, data68_folder): r"gives \(N, 15, 2\), the data has 68"
        if bare
        else "predicts face15, the data has face68",
    }
    for (model, data), message in messages.items():
        path = model / "model.keras" if bare else model
        with pytest.raises(InputError, match=message) as error:
            evaluate.main([str(path), "--data", str(data), "--out", str(tmp_path / "out")])
        assert "train a model on this data" in str(error.value)
        assert "\n" not in str(error.value)
        assert not (tmp_path / "out").exists()


def test_predictions_of_another_keypoint_set_are_rejected(
    data_folder: Path, data68_folder: Path, tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs.csv"
    save_shifted(data_folder, theirs, 2.0)
    with pytest.raises(InputError, match=r"theirs\.csv: lacks jaw_1_x, .* and 131 more;"):
        evaluate.main(["--predictions", str(theirs), "--name", "theirs", "--data", str(data68_folder)])


def test_damaged_model_is_rejected_before_it_is_loaded(data_folder: Path, tmp_path: Path) -> None:
    model = save_model(tmp_path / "base", data_folder, CENTER)
    (model / "model.keras").write_text("weig", encoding="utf-8")
    with pytest.raises(InputError, match=r"model\.keras: is damaged or altered"):
        evaluate.main([str(model), "--data", str(data_folder), "--out", str(tmp_path / "out")])


BAD_ROWS = {
    "no row column": (b"person,origin\nx,y\n", "has 0 columns `row`"),
    "no test face": (b"row\n0\n1\n", "lists no test face"),
    "words": (b"row\nfirst\n", "line 2: row 'first' is not a whole number"),
    "NUL byte": (b"row\n3\0\n", "line 2: row .* is not a whole number"),
    "endless cell": (b"row\n" + b"1" * 200_000, "is not a CSV file"),
    "two encodings": ("row,name\n1,é\n".encode() + b"2,\xe9\n", "line 3: is not UTF-8, unlike other lines"),
}


@pytest.mark.parametrize("kind", BAD_ROWS)
def test_bad_rows_file_is_rejected(data_folder: Path, tmp_path: Path, kind: str) -> None:
    text, message = BAD_ROWS[kind]
    theirs, rows = tmp_path / "theirs.csv", tmp_path / "rows.csv"
    save_shifted(data_folder, theirs, 2.0)
    rows.write_bytes(text)
    options = ["--predictions", str(theirs), "--name", "theirs", "--data", str(data_folder), "--rows", str(rows)]
    with pytest.raises(InputError, match=r"rows\.csv.*" + message):
        evaluate.main([*options, "--out", str(tmp_path / "out")])


def test_out_must_not_replace_an_input(data_folder: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs.csv"
    save_shifted(data_folder, theirs, 2.0)
    options = ["--predictions", str(theirs), "--name", "theirs", "--data", str(data_folder)]
    for out in (data_folder, tmp_path):
        with pytest.raises(InputError, match="would be replaced"):
            evaluate.main([*options, "--out", str(out)])
    assert (data_folder / "test_rows.npy").is_file()


@pytest.mark.parametrize("name", ["mean_face", "../elsewhere"])
def test_invalid_names_are_rejected(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        evaluate.main(["--predictions", "theirs.csv", "--name", name])
    assert stop.value.code == 2
    assert "choose a plain name" in capsys.readouterr().err

"""The comparison stage: from evaluations to tables and verdicts."""

import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from common.hashes import file_hash
from common.stage import read_manifest, stage_folder, write_manifest
from data_prep.arrays import data_hash, load_data_manifest, load_split
from evaluation import compare, evaluate
from evaluation.baselines import BASELINES, mean_face
from evaluation.bootstrap import Difference
from evaluation.comparison import verdict
from evaluation.metrics import METRICS
from evaluation.predictions import write_predictions
from evaluation.stages import COMPARE, EVALUATE
from evaluation.tables import COST
from facial_keypoints.array_types import Float32
from facial_keypoints.codec import Keypoints
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15
from tests.evaluation.conftest import save_data


def save_evaluation(
    data_folder: Path,
    name: str,
    predicted: Float32,
    cost: dict[str, float] | None = None,
    training: dict[str, Any] | None = None,
) -> None:
    """Writes the files of an evaluation that the comparison reads; no plots, which take seconds."""
    with stage_folder(data_folder.parent / "evaluation" / name, EVALUATE) as folder:
        rows = load_split(data_folder, "test").rows
        write_predictions(folder / "predictions.csv", Keypoints(predicted), rows, FACE15)
        inputs = {"data": data_hash(load_data_manifest(data_folder))}
        write_manifest(folder, EVALUATE, {"name": name}, inputs, cost or {}, time.time(), {"training": training or {}})


def run_compare(folder: Path, *more: str) -> pd.DataFrame:
    out = folder / "comparison"
    compare.main(
        ["--evaluations", str(folder / "evaluation"), "--data", str(folder / "data"), "--out", str(out), *more]
    )
    return pd.read_csv(out / "comparison.csv").set_index(["labels", "name"])


def noisy(predicted: Float32, px: float) -> Float32:
    return predicted + np.random.default_rng(4).normal(0, px, predicted.shape).astype(np.float32)


def test_models_and_mean_faces_are_compared_with_verdicts(
    data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train, test = (load_split(data_folder, split) for split in ("train", "test"))
    theirs, out = tmp_path / "base.csv", tmp_path / "evaluation" / "base"
    write_predictions(theirs, Keypoints(noisy(test.keypoints, 2)), test.rows, FACE15)
    evaluate.main(["--predictions", str(theirs), "--name", "base", "--data", str(data_folder), "--out", str(out)])
    cost = {"parameters": 6_668_378, "epochs": 12, "seconds": 34.5, "file_mb": 26.7}
    save_evaluation(data_folder, "v1", noisy(test.keypoints, 1), cost)
    save_evaluation(data_folder, "lazy", noisy(mean_face(train, test), 0.3))
    capsys.readouterr()
    table = run_compare(tmp_path)

    assert [name for labels, name in table.index if labels == "labelled"][:2] == ["v1", "base"]  # best first
    assert set(table.index.get_level_values("name")) == {"base", "v1", "lazy", *BASELINES}
    assert [*METRICS, *COST] == [*table.columns[1:14], *table.columns[40:44]]
    accuracy = pd.read_csv(out / "accuracy.csv").set_index("labels")
    for labels in ("labelled", "all"):
        assert table.loc[(labels, "base"), list(METRICS)].tolist() == accuracy.loc[labels, list(METRICS)].tolist()

    labelled = table.loc["labelled"]
    assert labelled.loc["v1", list(cost)].tolist() == list(cost.values())
    assert labelled["verdict"]["v1"] == "better than base"
    assert labelled["verdict"]["base"] == "better than the mean face"
    assert labelled["verdict"]["lazy"] == "no better than the mean face, worse than base"
    difference = labelled["mae_px"]["v1"] - labelled["mae_px"]["base"]
    assert labelled["mae_minus_reference_px"]["v1"] == pytest.approx(difference, abs=2e-4)
    assert labelled["p_value"]["v1"] < 0.01
    assert table.loc["all", "verdict"].isna().all()

    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines()[:-1])) <= 100
    assert printed.index("Real labels only") < printed.index("All labels")
    assert "lazy: no better than the mean face, worse than base (MAE +" in printed
    text = (tmp_path / "comparison" / "comparison.md").read_text(encoding="utf-8")
    assert f"{labelled['mae_px']['v1']:.2f} [{labelled['mae_px_low']['v1']:.2f}, " in text
    assert "| 26.7 |" in text
    ratios = pd.read_csv(tmp_path / "comparison" / "ratios.csv").set_index(["name", "keypoint"])
    assert set(ratios.index.get_level_values("name")) == {"v1", "lazy"}
    ratio = labelled["mae_px"]["v1"] / labelled["mae_px"]["base"]
    assert ratios["mae_ratio"]["v1", "all"] == pytest.approx(ratio, abs=2e-4)
    assert f"\n- v1: RMSE {ratios['rmse_ratio']['v1', 'all']:.3f} [" in text
    assert (tmp_path / "comparison" / "comparison.png").is_file()


def test_missing_reference_is_reported_or_rejected(
    data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_evaluation(data_folder, "v1", load_split(data_folder, "test").keypoints)
    table = run_compare(tmp_path)
    assert table.loc[("labelled", "v1"), "verdict"] == "better than the mean face"
    assert "No model called base" in capsys.readouterr().out
    with pytest.raises(InputError, match=r"--reference nobody: is not .* one of mean_face, .*, v1"):
        run_compare(tmp_path, "--reference", "nobody")
    assert run_compare(tmp_path, "--reference", "mean_face").loc[("labelled", "v1"), "p_value"] < 0.01


def test_evaluation_on_other_data_is_reported_and_left_out(
    data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_evaluation(data_folder, "old", load_split(data_folder, "test").keypoints)
    save_data(data_folder, seed=2)
    with pytest.raises(InputError, match="has no evaluation made on"):
        run_compare(tmp_path)
    save_evaluation(data_folder, "base", load_split(data_folder, "test").keypoints)
    capsys.readouterr()
    table = run_compare(tmp_path)
    assert "old" not in table.index.get_level_values("name")
    printed = capsys.readouterr().out
    assert "old was made on other data" in printed
    assert "evaluate it again" in printed


def test_rows_file_limits_the_scored_faces(
    data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    test = load_split(data_folder, "test")
    first = test.rows < 34  # ten of the 36 test faces, rows 24 to 59
    save_evaluation(data_folder, "base", test.keypoints + np.where(first, np.float32(1), 5)[:, None, None])
    save_evaluation(data_folder, "v1", test.keypoints + np.where(first, np.float32(2), 0)[:, None, None])
    rows = tmp_path / "rows.csv"
    rows.write_text(
        "origin,row\n" + "".join(f"lfpw/{row}.jpg,{row}\n" for row in range(34)), encoding="utf-8"
    )  # training rows too
    evaluate.main(
        ["--predictions", str(tmp_path / "evaluation" / "v1" / "predictions.csv"), "--data", str(data_folder)]
        + ["--rows", str(rows), "--name", "part", "--out", str(tmp_path / "evaluation" / "part")]
    )
    assert pd.read_csv(tmp_path / "evaluation" / "part" / "predictions.csv")["row"].tolist() == list(range(24, 34))

    assert run_compare(tmp_path)["mae_px"]["labelled", "v1"] < 1
    capsys.readouterr()
    table = run_compare(tmp_path, "--rows", str(rows))
    assert table["mae_px"]["labelled"][["base", "v1"]].tolist() == pytest.approx([1, 2], abs=1e-4)
    assert "part" not in table.index.get_level_values("name")
    printed = capsys.readouterr().out
    assert "part was made with --rows" in printed
    assert "scored on 10 test faces, those of 36 that rows.csv lists" in printed
    comparison = tmp_path / "comparison"
    text = (comparison / "comparison.md").read_text(encoding="utf-8")
    assert "Scored on 10 test faces (those of 36 that rows.csv lists) in 5" in text
    assert read_manifest(comparison, COMPARE)["inputs"]["rows"] == file_hash(rows)


def test_evaluation_folder_may_have_another_name_than_the_model(data_folder: Path, tmp_path: Path) -> None:
    save_evaluation(data_folder, "v1", load_split(data_folder, "test").keypoints)
    (tmp_path / "evaluation" / "v1").rename(tmp_path / "evaluation" / "second_try")
    assert ("labelled", "v1") in run_compare(tmp_path).index
    assert "evaluation/second_try" in read_manifest(tmp_path / "comparison", COMPARE)["inputs"]


def test_two_evaluations_with_the_same_name_are_rejected(data_folder: Path, tmp_path: Path) -> None:
    save_evaluation(data_folder, "v1", load_split(data_folder, "test").keypoints)
    shutil.copytree(tmp_path / "evaluation" / "v1", tmp_path / "evaluation" / "v1_again")
    with pytest.raises(InputError, match=r"v1_again: is named v1 like .*v1; .*another --name"):
        run_compare(tmp_path)


def test_folder_without_evaluations_is_rejected(data_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder; make evaluations"):
        run_compare(tmp_path)
    (tmp_path / "evaluation").mkdir()
    with pytest.raises(InputError, match="has no evaluation"):
        run_compare(tmp_path)


UNKNOWN = Difference(-5, np.nan, np.nan, p_value=np.nan)  # one group has no interval
BETTER, WORSE, SAME = (Difference(*ends, p_value=0.5) for ends in ((-2, -3, -1), (2, 1, 3), (0, -1, 1)))


@pytest.mark.parametrize(
    ("to_mean_face", "to_base", "words"),
    [
        (BETTER, None, "better than the mean face"),
        (SAME, None, "no better than the mean face"),
        (WORSE, BETTER, "no better than the mean face, better than base"),
        (BETTER, BETTER, "better than base"),
        (BETTER, WORSE, "worse than base"),
        (BETTER, SAME, "no clear difference from base"),
        (None, None, "nothing to compare with"),
        (UNKNOWN, None, "too few groups to tell"),
    ],
)
def test_verdict_follows_from_the_differences(
    to_mean_face: Difference | None, to_base: Difference | None, words: str
) -> None:
    assert verdict(to_mean_face, to_base, "base") == words

"""Faces of 68 keypoints cropped from pictures of two origins: tables by origin, and figures in px of the pictures."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from common.stage import read_manifest
from data_prep.arrays import load_split
from data_prep.faces import Split
from data_prep.faces_csv import read_origins
from evaluation import compare, evaluate
from evaluation.bootstrap import resampling_weights
from evaluation.inputs import listed_faces, load_data, people_in_both
from evaluation.metrics import METRICS
from evaluation.original_pictures import labels_in_pictures, transform_keypoints
from evaluation.predictions import read_predictions, write_predictions
from evaluation.report import write_on_pictures
from evaluation.stages import EVALUATE
from evaluation.tables import accuracy_table, nme_table, region_table
from facial_keypoints.codec import Keypoints
from facial_keypoints.errors import InputError
from facial_keypoints.geometry import inverse
from facial_keypoints.keypoint_set import FACE15, FACE68

JAW = 17


def save_predictions(folder: Path, test: Split) -> Path:
    """Writes predictions that are 2 px too far right in the crops of the first origin, 4 px in the second's."""
    shift = np.where(test.label_sources == 0, 2, 4)[:, None] * np.ones(len(FACE68))
    wrong = test.keypoints.copy()
    wrong[..., 0] += shift
    path = folder / "theirs.csv"
    write_predictions(path, Keypoints(wrong, shift.astype(np.float32)), test.rows, FACE68)
    return path


@pytest.mark.parametrize("text", ["row;note\n3;a\n5,0;b\n", ",row,note\n0,3,a\n1,5,b\n", "row\n3\n5\n"])
def test_rows_file_may_have_other_separators_and_columns(tmp_path: Path, text: str) -> None:
    (tmp_path / "rows.csv").write_text(text, encoding="utf-8")
    assert listed_faces(tmp_path / "rows.csv", np.array([3, 4, 5, 6])).tolist() == [True, False, True, False]


def test_evaluate_and_compare_score_in_pictures_and_by_origin(
    data68_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    test, out = load_split(data68_folder, "test"), tmp_path / "evaluation" / "theirs"
    theirs = ["--predictions", str(save_predictions(tmp_path, test)), "--name", "theirs"]
    evaluate.main([*theirs, "--data", str(data68_folder), "--out", str(out)])

    accuracy = pd.read_csv(out / "accuracy.csv").set_index("labels").loc["labelled"]
    on_pictures = pd.read_csv(out / "accuracy_pictures.csv").set_index("labels").loc["labelled"]
    assert accuracy["mae_px"] == pytest.approx(1.5)  # 2 and 4 px in x, none in y
    assert on_pictures["mae_px"] == pytest.approx(3.0)  # a px of the crop is two of the picture
    assert (accuracy["points_within_5px_pct"], on_pictures["points_within_5px_pct"]) == (100, 50)
    assert on_pictures["nme_pct"] == pytest.approx(accuracy["nme_pct"], abs=1e-3)

    in_pictures = read_predictions(out / "predictions_pictures.csv", test.rows, FACE68)
    expected = 2 * (test.keypoints[0] + (4 + 2, -1))  # row 0 of the first origin: 2 px to the right in the crop
    np.testing.assert_allclose(in_pictures.coordinates[0], expected, atol=1e-4)
    assert in_pictures.expected_error is not None
    assert in_pictures.expected_error[:2, 0].tolist() == [4, 8]

    by_origin = pd.read_csv(out / "by_origin.csv").set_index(["by", "which", "name", "labels"])
    first, second = (("origin", str(tmp_path / f"pictures_{letter}"), "theirs", "labelled") for letter in "ab")
    assert by_origin.loc[[first, second], "mae_px"].tolist() == [1, 2]
    assert by_origin.loc[[first, second], ["faces", "groups"]].to_numpy().tolist() == [[8, 8]] * 2
    assert by_origin.loc[("label_source", "frames", "theirs", "labelled"), "mae_px"] == 2
    assert by_origin.loc[("label_source", "frames", "mean_face", "labelled"), "nme_pct"] > 0
    assert set(METRICS) <= set(by_origin.columns)
    assert f"origin {tmp_path / 'pictures_a'} (8 faces): NME" in capsys.readouterr().out
    assert {"pictures.png", "pictures_side_by_side.png"} <= set(read_manifest(out, EVALUATE)["files"])

    arguments = ["--evaluations", str(out.parent), "--data", str(data68_folder), "--out", str(tmp_path / "comparison")]
    compare.main([*arguments, "--reference", "theirs"])
    for name in ("nme", "per_region", "per_keypoint", "accuracy_pictures", "by_origin"):
        table = pd.read_csv(tmp_path / "comparison" / f"{name}.csv")
        mine = table[table["name"] == "theirs"].drop(columns="name").reset_index(drop=True)
        evaluated = pd.read_csv(out / f"{name}.csv")
        if name == "by_origin":
            evaluated = evaluated[evaluated["name"] == "theirs"].drop(columns="name").reset_index(drop=True)
        pd.testing.assert_frame_equal(mine, evaluated)
        assert {"theirs", "mean_face", "mean_face_per_source"} <= set(table["name"])
    text = (tmp_path / "comparison" / "comparison.md").read_text(encoding="utf-8")
    assert "NME in % of the distance of the outer eye corners" in text
    assert f"|  | {tmp_path / 'pictures_a'} (8 faces) | {tmp_path / 'pictures_b'} (8 faces) |" in text
    assert (tmp_path / "comparison" / "cumulative_error.png").is_file()


def test_missing_pictures_are_reported_and_the_tables_are_still_written(data68_folder: Path, tmp_path: Path) -> None:
    for picture in (tmp_path / "pictures_b").iterdir():
        picture.unlink()
    data = load_data(data68_folder)
    weights = resampling_weights(data.test.groups, resamples=50)
    text = write_on_pictures(tmp_path, "theirs", Keypoints(data.test.keypoints), data, weights)
    (line,) = (line for line in text.splitlines() if "no faces drawn on their pictures" in line)
    assert "pictures_b" in line
    assert "no such file" in line
    assert not (tmp_path / "pictures.png").exists()
    assert (tmp_path / "accuracy_pictures.csv").is_file()


def test_rows_file_selects_the_faces_of_one_origin(data68_folder: Path, tmp_path: Path) -> None:
    lines = (data68_folder / "faces.csv").read_text(encoding="utf-8").splitlines()
    rows = tmp_path / "rows.csv"
    rows.write_text("\n".join([lines[0], *(line for line in lines if "pictures_b" in line)]), encoding="utf-8")
    data = load_data(data68_folder)
    chosen = data.only(listed_faces(rows, data.test.rows))
    assert [(by, which, int(kept.sum())) for by, which, kept in chosen.subsets()] == [
        ("label_source", "frames", 8),
        ("origin", str(tmp_path / "pictures_b"), 8),
    ]


def test_predictions_in_picture_px_score_the_same_as_in_crop_px(data68_folder: Path, tmp_path: Path) -> None:
    """The predictions that an evaluation wrote in px of the pictures give the same evaluation again."""
    theirs = save_predictions(tmp_path, load_split(data68_folder, "test"))
    accuracies = []
    for file, more in ((theirs, []), (tmp_path / "first" / "predictions_pictures.csv", ["--in-pictures"])):
        out = tmp_path / ("second" if more else "first")
        arguments = ["--predictions", str(file), *more, "--name", "theirs", "--data", str(data68_folder)]
        evaluate.main([*arguments, "--out", str(out)])
        accuracies.append(pd.read_csv(out / "accuracy.csv").drop(columns="labels"))
    first, second = accuracies
    np.testing.assert_allclose(first, second, atol=2e-3)


def test_in_pictures_is_rejected_for_faces_that_were_not_cropped(data_folder: Path, tmp_path: Path) -> None:
    test = load_split(data_folder, "test")
    write_predictions(tmp_path / "theirs.csv", Keypoints(test.keypoints), test.rows, FACE15)
    arguments = ["--predictions", str(tmp_path / "theirs.csv"), "--in-pictures", "--name", "theirs"]
    with pytest.raises(InputError, match="were not cropped from pictures; omit --in-pictures"):
        evaluate.main([*arguments, "--data", str(data_folder), "--out", str(tmp_path / "out")])


def test_faces_of_people_in_the_training_part_are_counted(data68_folder: Path) -> None:
    """Half of the test faces get the group of a training face."""
    data = load_data(data68_folder)
    assert people_in_both(data) == []
    groups = np.where(np.arange(16) < 8, data.train.groups[0], data.test.groups)
    (line,) = people_in_both(replace(data, test=replace(data.test, groups=groups)))
    assert line.startswith("8 of 16 test faces are of people or photos that are in the training part as well")


def test_coordinates_of_a_rotated_crop_map_to_picture_px() -> None:
    turned = np.array([[[0, -3.0, 10], [3.0, 0, 20]]])  # rotated by 90 degrees, scaled by 3
    rows = np.zeros(1, np.int64)
    part = Split(
        np.zeros((1, 4, 4, 1), np.uint8),
        np.array([[[10, 20], [4, 26]]], np.float32),
        np.ones((1, 2), bool),
        rows,
        rows,
        rows,
    )
    true = labels_in_pictures(part, turned)
    np.testing.assert_allclose(true.keypoints, [[[0, 0], [2, 2]]], atol=1e-6)
    in_pictures = transform_keypoints(Keypoints(part.keypoints, np.array([[3, 6]], np.float32)), inverse(turned))
    np.testing.assert_allclose(in_pictures.coordinates, true.keypoints)
    assert in_pictures.expected_error is not None
    np.testing.assert_allclose(in_pictures.expected_error, [[1, 2]])
    assert transform_keypoints(Keypoints(part.keypoints), inverse(turned)).expected_error is None


def test_nme_by_normalizer_and_by_region_matches_hand_calculation(data68_folder: Path) -> None:
    test = load_split(data68_folder, "test")
    wrong = test.keypoints.copy()
    wrong[:, :JAW, 1] += 6
    weights = resampling_weights(test.groups, resamples=50)
    nme = nme_table(wrong, test, FACE68, weights).set_index(["normalizer", "labels"])
    # a quarter of the points are 6 px off; the outer corners are 30 px apart, the pupils (5 * 20 + 30) / 6 px
    assert nme["nme_pct"]["outer eye corners", "labelled"] == pytest.approx(100 * 6 / 4 / 30, abs=1e-3)
    assert nme["nme_pct"]["pupils", "labelled"] == pytest.approx(100 * 6 / 4 / (130 / 6), abs=1e-3)
    assert nme["faces"].tolist() == [16] * 4
    standard = accuracy_table(wrong, test, FACE68, weights).iloc[0]
    of_standard = nme.loc[("outer eye corners", "labelled")]
    for end in ("", "_low", "_high"):
        assert of_standard[f"nme_pct{end}"] == standard[f"nme_pct{end}"]
        assert of_standard[f"auc_at_8{end}"] == standard[f"auc{end}"]
        assert of_standard[f"failure_rate_at_8_pct{end}"] == standard[f"failure_rate_pct{end}"]

    regions = region_table(wrong, test, FACE68, weights).set_index(["region", "labels"])
    assert regions["nme_pct"]["jaw", "labelled"] == pytest.approx(20, abs=1e-3)
    assert regions["nme_pct_pupils"]["jaw", "labelled"] == pytest.approx(100 * 6 / (130 / 6), abs=1e-3)
    assert regions["point_error_px"]["jaw", "labelled"] == pytest.approx(6, abs=1e-4)
    assert regions["count"]["jaw", "labelled"] == 16 * JAW
    assert (regions.loc[["eyebrows", "nose", "eyes", "mouth"], "mae_px"] == 0).all()


def test_faces_csv_that_does_not_match_the_arrays_is_rejected(data68_folder: Path, tmp_path: Path) -> None:
    origins = load_data(data68_folder).origins
    assert origins is not None
    assert origins.files.tolist() == [f"{row}.png" for row in range(10, 26)]
    path = tmp_path / "faces.csv"
    text = (data68_folder / "faces.csv").read_text(encoding="utf-8")
    for damaged, message in (
        (text.replace("origin", "from"), "lacks the column origin"),
        (text.replace("test,12,", "test,13,"), "has other test rows than"),
        (text.replace("test,12,", "test,twelve,"), "'twelve' is not a whole number"),
    ):
        path.write_text(damaged, encoding="utf-8")
        with pytest.raises(InputError, match=message):
            read_origins(tmp_path, "test", np.arange(10, 26))

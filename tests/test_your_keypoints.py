"""Custom keypoints, from the label file to the exported model."""

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import onnx
import pandas as pd
import pytest

import pipeline
from data_prep import prepare
from data_prep.readers.labels import keypoint_set_of
from evaluation import compare, evaluate
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import from_dict
from facial_keypoints.spec import METADATA_KEY
from tests.conftest import REAL_DATA
from training import export, train

NETWORK = """import keras


def build(input_shape, keypoints):
    images = keras.Input(input_shape)
    x = keras.layers.Rescaling(1 / 255)(images)
    for filters in (8, 16):
        x = keras.layers.MaxPooling2D(4)(keras.layers.Conv2D(filters, 3, padding="same", activation="relu")(x))
    x = keras.layers.Dense(2 * keypoints)(keras.layers.Flatten()(x))
    return keras.Model(images, keras.layers.Reshape((keypoints, 2))(x))
"""
QUICK = ["--batch-size", "8", "--learning-rate", "0.003", "--schedule", "constant"]


def write_labels(path: Path, names: list[str], faces: dict[str, np.ndarray]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["file", *(f"{name}_{axis}" for name in names for axis in "xy")])
        rows.writerows([name, *np.round(points, 2).ravel()] for name, points in faces.items())


def draw_cars(folder: Path, names: list[str], count: int = 40) -> Path:
    """Writes `cars.csv` and `photos/`: each shows a bright quadrilateral whose first corners are the keypoints."""
    rng = np.random.default_rng(0)
    (folder / "photos").mkdir(parents=True)
    faces = {}
    for row in range(count):
        corners = np.array([[20, 20], [60, 22], [62, 50], [18, 52]]) + rng.uniform(-8, 8, (4, 2))
        picture = np.full((72, 84), 40, np.uint8)
        cv2.fillConvexPoly(picture, corners.round().astype(np.int32), 220)
        cv2.imwrite(str(folder / "photos" / f"{row}.png"), picture)
        faces[f"{row}.png"] = corners[: len(names)]
    write_labels(folder / "cars.csv", names, faces)
    return folder / "cars.csv"


@pytest.mark.long
def test_custom_keypoints_are_prepared_trained_evaluated_and_exported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The names have no left and right, so training does not mirror faces and --flip is refused."""
    path = draw_cars(tmp_path, ["a", "b", "c", "d"])
    (tmp_path / "own.py").write_text(NETWORK, encoding="utf-8")
    out = tmp_path / "out"
    sizes = ["--crop", "whole", "--size", "48", "--epochs", "12"]
    pipeline.main([str(path), "--images", str(tmp_path / "photos"), "--out", str(out), *sizes, "--networks",
                   str(tmp_path / "own.py")])  # fmt: skip
    table = pd.read_csv(out / "comparison" / "comparison.csv")
    of_labels = table[table["labels"] == "labelled"].set_index("name")
    assert {"pck_at_0.05_pct", "pck_at_0.1_pct", "nme_pct"} <= set(of_labels)
    nme = pd.read_csv(out / "evaluation" / "own" / "nme.csv")
    assert nme["normalizer"].tolist() == ["box diagonal"] * 2
    assert nme["faces"].tolist() == [4, 4]
    assert nme["faces_left_out"].tolist() == [0, 0]
    assert set(pd.read_csv(out / "evaluation" / "own" / "by_condition.csv")["by"]) == {"light"}

    model = out / "models" / "own"
    export.main([str(model)])
    capsys.readouterr()
    metadata = {each.key: each.value for each in onnx.load(model / "model.onnx").metadata_props}
    stored = from_dict(json.loads(metadata[METADATA_KEY])["keypoint_set"], "model.onnx")
    assert stored == keypoint_set_of(path, ["a_x", "a_y", "b_x", "b_y", "c_x", "c_y", "d_x", "d_y"])

    with pytest.raises(InputError, match=r"the keypoint set has no mirror pairs: give them in keypoints\.toml"):
        evaluate.main([str(model), "--flip", "--data", str(out / "data"), "--out", str(tmp_path / "flip")])
    others = draw_cars(tmp_path / "others", ["a", "b", "wheel"])
    prepare.main([str(others), "--images", str(tmp_path / "others" / "photos"), *sizes[:4], "--out",
                  str(tmp_path / "data3")])  # fmt: skip
    with pytest.raises(InputError, match=r"predicts custom_4, the data has custom_3 \(only custom_4 has c, d; only"):
        evaluate.main([str(model), "--data", str(tmp_path / "data3"), "--out", str(tmp_path / "other")])
    assert not (tmp_path / "flip").exists()


def test_accuracy_table_separates_visible_and_occluded_keypoints(tmp_path: Path) -> None:
    """As CVAT exports them: a keypoint of visibility 0 keeps its position and is not a label."""
    names = ["a", "b", "c", "d"]
    draw_cars(tmp_path, names, count=12)
    corners = np.array([[20, 20], [60, 22], [62, 50], [18, 52]], np.float64)
    visibility = np.full((12, 4), 2)
    visibility[::2, 3], visibility[0, 2] = 1, 0
    content = {
        "images": [{"id": row + 1, "file_name": f"{row}.png"} for row in range(12)],
        "categories": [{"id": 1, "name": "car", "keypoints": names, "skeleton": []}],
        "annotations": [
            {"id": 1, "image_id": row + 1, "category_id": 1, "keypoints": np.c_[corners, of_face].ravel().tolist()}
            for row, of_face in enumerate(visibility)
        ],
    }
    (tmp_path / "cars.json").write_text(json.dumps(content), encoding="utf-8")
    data, scored = tmp_path / "data", tmp_path / "scored"
    sizes = ["--crop", "whole", "--size", "84", "--split", "all-test"]
    prepare.main([str(tmp_path / "cars.json"), "--images", str(tmp_path / "photos"), *sizes, "--out", str(data)])
    np.testing.assert_array_equal(np.load(data / "test_labelled.npy"), visibility > 0)
    np.testing.assert_array_equal(np.load(data / "test_visible.npy"), visibility == 2)

    predicted = np.load(data / "test_keypoints.npy")
    predicted[..., 0] += np.where(visibility == 1, 6, 2)  # px
    columns = [f"{name}_{axis}" for name in names for axis in "xy"]
    pd.DataFrame(predicted.reshape(12, 8), columns=columns).to_csv(tmp_path / "theirs.csv", index=False)
    options = ["--name", "theirs", "--data", str(data), "--out", str(scored)]
    evaluate.main(["--predictions", str(tmp_path / "theirs.csv"), *options])
    accuracy = pd.read_csv(scored / "accuracy.csv").set_index("labels")
    assert accuracy.loc[["labelled", "visible", "occluded"], "coordinates"].tolist() == [2 * 47, 2 * 41, 2 * 6]
    assert accuracy.loc[["visible", "occluded"], "mae_px"].tolist() == pytest.approx([1, 3], abs=1e-3)


@pytest.mark.long
def test_keypoint_without_labels_is_reported_and_not_trained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = draw_cars(tmp_path, ["a", "b", "c"], count=12)
    lines = path.read_text(encoding="utf-8").splitlines()
    unlabelled = [lines[0], *(line.rsplit(",", 2)[0] + ",," for line in lines[1:])]
    path.write_text("\n".join(unlabelled) + "\n", encoding="utf-8")
    data = tmp_path / "data"
    prepare.main([str(path), "--images", str(tmp_path / "photos"), "--size", "48", "--out", str(data)])
    assert "label source labels: 12 faces, no label for 1 keypoints (c)" in capsys.readouterr().out
    with pytest.raises(InputError, match="no training face has a label of c"):
        train.main(["base", "--data", str(data), "--out", str(tmp_path / "model")])
    assert not (tmp_path / "model").exists()


@pytest.mark.long
@pytest.mark.parametrize("count", [1, 1000])
def test_sets_of_1_and_1000_keypoints_are_evaluated_and_compared(tmp_path: Path, count: int) -> None:
    """The predictions lie 1 px to the right of the labels."""
    names = [f"p{k}" for k in range(count)]
    draw_cars(tmp_path, ["a"], count=12)
    rng = np.random.default_rng(0)
    write_labels(tmp_path / "cars.csv", names, {f"{row}.png": rng.uniform(10, 60, (count, 2)) for row in range(12)})
    data = tmp_path / "data"
    sizes = ["--crop", "whole", "--size", "84", "--split", "random"]
    prepare.main([str(tmp_path / "cars.csv"), "--images", str(tmp_path / "photos"), *sizes, "--out", str(data)])
    test = np.load(data / "test_keypoints.npy") + (1, 0)
    columns = [f"{name}_{axis}" for name in names for axis in "xy"]
    theirs = pd.DataFrame(test.reshape(len(test), -1), columns=columns)
    theirs.to_csv(tmp_path / "theirs.csv", index=False)
    scored = tmp_path / "evaluation" / "theirs"
    evaluate.main(["--predictions", str(tmp_path / "theirs.csv"), "--name", "theirs", "--data", str(data), "--out",
                   str(scored)])  # fmt: skip
    table = pd.read_csv(scored / "per_keypoint.csv")
    assert table["keypoint"].tolist() == 2 * names
    np.testing.assert_allclose(table["point_error_px"], 1, atol=1e-3)
    compare.main(["--evaluations", str(tmp_path / "evaluation"), "--data", str(data), "--out", str(tmp_path / "all")])
    compared = pd.read_csv(tmp_path / "all" / "comparison.csv").set_index(["name", "labels"])
    assert compared.loc[("theirs", "labelled"), "mae_px"] == pytest.approx(0.5, abs=1e-3)
    nme = compared.loc[("theirs", "labelled"), "nme_pct"]
    assert np.isnan(nme) if count == 1 else 1 < nme < 2  # one keypoint has no box; 50 px square: 1 / 70.7


@pytest.mark.long
def test_network_learns_20_mouth_points_with_custom_names(tmp_path: Path) -> None:
    """Real mouths: 20 of the 68 points under names of no built-in set, with a few faces and epochs."""
    real = REAL_DATA / "helen68"
    if not real.exists():
        pytest.skip("the real faces are not here")
    from data_prep.readers.pts import read_points

    faces, photos = {}, tmp_path / "photos"
    photos.mkdir()
    for labels in sorted(real.glob("*.pts"))[:240]:
        picture = labels.with_suffix(".jpg")
        if picture.exists():
            (photos / picture.name).symlink_to(picture)
            faces[picture.name] = read_points(labels)[0][48:]
    names = [f"lip_{k}" for k in range(20)]
    write_labels(tmp_path / "mouths.csv", names, faces)
    data, model, scored = tmp_path / "data", tmp_path / "model", tmp_path / "scored"
    prepare.main([str(tmp_path / "mouths.csv"), "--images", str(photos), "--size", "48", "--out", str(data)])
    train.main(["v2", "--data", str(data), "--out", str(model), "--epochs", "25", "--batch-size", "16"])
    evaluate.main([str(model), "--data", str(data), "--out", str(scored)])
    of_model = pd.read_csv(scored / "by_origin.csv").query("labels == 'labelled' and by == 'origin'").set_index("name")
    assert of_model.loc["model", "nme_pct"] < 0.95 * of_model.loc["mean_face", "nme_pct"]

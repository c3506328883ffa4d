"""The loop of a labelling team: predict, correct some faces, prepare, train. Only reviewed faces become labels."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.stage import read_manifest
from data_prep import arrays, prepare
from data_prep.arrays import PREPARE
from data_prep.synthetic import dataset
from facial_keypoints import geometry
from facial_keypoints.__main__ import main
from facial_keypoints.array_types import Float64
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15
from facial_keypoints.pictures import write_picture

FACES, CORRECTED = 20, [3, 8, 15]
SHIFT_PX = (2.5, -1.5)  # by which a person corrects each keypoint


@pytest.fixture(scope="module")
def predicted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 20 drawn faces in `photos` and the output of predict in `out` and `faces.json`."""
    folder = tmp_path_factory.mktemp("loop")
    for number, image in enumerate(dataset.read(FACES, seed=11).images):
        path = folder / "photos" / f"{number:02}.png"
        path.parent.mkdir(exist_ok=True)
        write_picture(path, np.repeat(image, 3, axis=-1))
    out = ["--out", str(folder / "out"), "--write-coco", str(folder / "faces.json"), "--review", "5"]
    main(["predict", str(folder / "photos"), "--no-detect", "--measures", *out])
    return folder


def corrected_coco(folder: Path, out: Path) -> tuple[Path, dict[str, Float64]]:
    """Writes the COCO file with three faces corrected; returns it and their keypoints by picture."""
    content: Any = json.loads((folder / "faces.json").read_bytes())
    names = {image["id"]: image["file_name"] for image in content["images"]}
    points = {}
    for number in CORRECTED:
        annotation = content["annotations"][number]
        values = np.array(annotation["keypoints"], np.float64).reshape(-1, 3)
        values[:, :2] += SHIFT_PX
        annotation |= {"keypoints": values.ravel().tolist(), "attributes": {"reviewed": True}}
        points[names[annotation["image_id"]]] = values[:, :2]
    out.write_text(json.dumps(content), encoding="utf-8")
    return out, points


def keypoints_by_picture(folder: Path) -> dict[str, Float64]:
    """Returns the keypoints (15, 2) of the test split in px of their pictures, by picture."""
    split = arrays.load_split(folder, "test", FACE15)
    assert split.labelled.all()
    assert split.crops is not None
    placed = geometry.transform(split.keypoints, geometry.inverse(split.crops))
    with (folder / "faces.csv").open(encoding="utf-8") as file:
        files = [row["file"] for row in csv.DictReader(file) if row["split"] == "test"]
    return dict(zip(files, placed, strict=True))


def test_only_reviewed_faces_of_a_coco_file_become_labels(
    predicted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, points = corrected_coco(predicted, tmp_path / "corrected.json")
    data = tmp_path / "data"
    options = ["--images", str(predicted / "photos"), "--split", "all-test", "--out", str(data)]
    prepare.main([str(path), *options])
    assert "17 of 20 faces left out as unlabelled: unreviewed predictions" in capsys.readouterr().out
    metrics = read_manifest(data, PREPARE)["metrics"]
    assert (metrics["faces"], metrics["unreviewed"]) == (3, 17)
    found = keypoints_by_picture(data)
    assert set(found) == set(points) == {"03.png", "08.png", "15.png"}
    for name, expected in points.items():
        np.testing.assert_allclose(found[name], expected, atol=2e-3)


def test_reviewed_option_accepts_all_predictions_of_a_file_as_labels(predicted: Path, tmp_path: Path) -> None:
    options = ["--images", str(predicted / "photos"), "--split", "all-test", "--out", str(tmp_path / "data")]
    for source in (predicted / "faces.json", predicted / "out", predicted / "out" / "keypoints.csv"):
        with pytest.raises(InputError, match="all 20 faces are unreviewed predictions"):
            prepare.main([str(source), *options])
        prepare.main([str(source), "--reviewed", *options])
        manifest = read_manifest(tmp_path / "data", PREPARE)
        assert (manifest["metrics"]["faces"], manifest["metrics"]["unreviewed"]) == (20, 0)
        assert manifest["parameters"]["reviewed"] is True


def test_row_of_review_csv_becomes_a_label_once_reviewed_is_1(predicted: Path, tmp_path: Path) -> None:
    with (predicted / "out" / "review.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 5
    rows[2]["reviewed"] = "1"
    for name in FACE15.names:
        rows[2][f"{name}_x"] = str(float(rows[2][f"{name}_x"]) + 3)
    with (tmp_path / "review.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    options = ["--images", str(predicted / "photos"), "--split", "all-test", "--out", str(tmp_path / "data")]
    prepare.main([str(tmp_path / "review.csv"), *options])
    (found,) = keypoints_by_picture(tmp_path / "data").items()
    assert found[0] == rows[2]["file"]
    assert found[1][0, 0] == pytest.approx(float(rows[2]["left_eye_center_x"]), abs=2e-3)
    rows[2]["reviewed"] = "perhaps"
    with (tmp_path / "review.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    with pytest.raises(InputError, match=r"review\.csv: row 2 \(line 4\): has 'perhaps' as reviewed; write 1"):
        prepare.main([str(tmp_path / "review.csv"), *options])


@pytest.mark.long
def test_fine_tuning_uses_only_the_corrected_faces_of_a_coco_file(
    predicted: Path, data_folder: Path, tmp_path: Path
) -> None:
    """v2 learns from the corrected faces beside other data; the other 17 faces of the file are not used."""
    from training.inputs import load_data
    from training.train import main as train

    path, _ = corrected_coco(predicted, tmp_path / "corrected.json")
    extra = tmp_path / "extra"
    options = ["--images", str(predicted / "photos"), "--split", "all-test", "--out", str(extra)]
    prepare.main([str(path), *options])
    alone, both = (load_data(data_folder, more, "by_source") for more in (None, extra))
    assert len(both.train.images) == len(alone.train.images) + len(CORRECTED)
    assert len(both.val.images) == len(alone.val.images)
    corrected = arrays.load_split(extra, "test", FACE15)
    for image, keypoints in zip(corrected.images, corrected.keypoints, strict=True):
        (at,) = np.flatnonzero((both.train.images == image).all(axis=(1, 2, 3)))
        np.testing.assert_array_equal(both.train.points[at, :15], keypoints)
        assert both.train.weights[at, :15].all()
    command = ["v2", "--data", str(data_folder), "--extra-data", str(extra), "--epochs", "1"]
    train([*command, "--recipe", "finetune", "--initial-weights", "v2", "--out", str(tmp_path / "model")])
    assert (tmp_path / "model" / "model.keras").is_file()

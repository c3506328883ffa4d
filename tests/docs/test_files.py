"""docs/files.md lists every column of every CSV file that stages and commands write, and no others."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from data_prep import prepare, pseudo_label
from data_prep.synthetic import dataset
from evaluation import compare, evaluate, submit
from facial_keypoints.__main__ import main as facial_keypoints
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15, FACE68, KeypointSet
from tests.conftest import ROOT

PAGE = ROOT / "docs" / "files.md"
FACES = 24
ROW = re.compile(r"^\| (`.+?) \|(.+?)\|", re.MULTILINE)
GROUP = re.compile(r"\[(\w+ columns)\]")


def sections() -> dict[str, str]:
    """Returns the text below each heading of the page."""
    parts = re.split(r"^#+ (.+)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {heading.lower(): text for heading, text in zip(parts[1::2], parts[2::2], strict=True)}


def documented(heading: str, keypoint_set: KeypointSet = FACE15) -> list[str]:
    """Returns the columns that a section lists, with those of the sections that it refers to, sorted."""
    text, columns = sections()[heading.lower()], []
    for cell, kind in ROW.findall(text):
        if "(68)" in cell and keypoint_set is not FACE68:
            continue
        for column in re.findall(r"`(.+?)`", cell):
            names = keypoint_set.names if column.startswith("NAME_") else [""]
            columns += [column.replace("NAME", name) for name in names]
            if "±" in kind:
                columns += [f"{column}_low", f"{column}_high"]
    for group in GROUP.findall(text):
        columns += documented(group, keypoint_set)
    return sorted(columns)


def written(path: Path) -> list[str]:
    """Returns the columns of a CSV file, sorted, with any index column and any repeated name (as `NAME.1`)."""
    return sorted(map(str, pd.read_csv(path).columns))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of drawn faces in pictures of 160 px, a clip of two frames, and a file that is not a picture."""
    folder = tmp_path_factory.mktemp("given")
    (folder / "pictures").mkdir()
    clip = cv2.VideoWriter(str(folder / "clip.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 10, (160, 160))
    for i, image in enumerate(dataset.read(FACES, seed=0).images):
        picture = np.pad(image[..., 0], 32, mode="edge")
        assert cv2.imwrite(str(folder / "pictures" / f"{i}.png"), picture)
        if i < 2:
            clip.write(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR))
    clip.release()
    (folder / "bad").mkdir()
    shutil.copy(folder / "pictures" / "0.png", folder / "bad" / "0.png")
    (folder / "bad" / "1.png").write_bytes(b"not a picture")
    return folder


def save_predictions(data: Path, predictions: Path, out: Path, keypoint_set: KeypointSet) -> None:
    """Writes and evaluates predictions of the test faces, 1 px off in x and y, with expected errors."""
    rows = np.load(data / "test_rows.npy")
    keypoints = np.load(data / "test_keypoints.npy").reshape(len(rows), -1) + 1
    table = pd.DataFrame(keypoints, columns=keypoint_set.columns)
    for i, name in enumerate(keypoint_set.names):
        table[f"{name}_expected_error"] = 1 + i / 10
    table.insert(0, "row", rows)
    table.to_csv(predictions, index=False)
    evaluate.main(["--predictions", str(predictions), "--name", out.name, "--data", str(data), "--out", str(out)])


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory, pictures: Path, data_folder: Path) -> Path:
    """What the stages write for two inputs: crops with 15 keypoints, and pictures with 68."""
    out = tmp_path_factory.mktemp("written")
    for name in ("a", "b"):
        save_predictions(data_folder, out / f"{name}.csv", out / "evaluation15" / name, FACE15)
    labels = out / "labelled"
    shutil.copytree(pictures / "pictures", labels / "pictures")
    mean = np.array([[48 + 30 * np.cos(k), 48 + 30 * np.sin(k)] for k in range(len(FACE68))]) + 32
    mean[36:42], mean[42:48], mean[30] = (65, 65), (95, 65), (80, 85)  # the right eye, the left one and the nose
    mean[[36, 45], 0] = 60, 100  # outer corners
    table = pd.DataFrame([mean.ravel()] * FACES, columns=FACE68.columns)
    table.insert(0, "file", [f"{i}.png" for i in range(FACES)])
    table.to_csv(labels / "keypoints.csv", index=False)
    prepare.main([str(labels), "--out", str(out / "data68")])
    for name in ("a", "b"):
        save_predictions(out / "data68", out / f"{name}68.csv", out / "evaluation68" / name, FACE68)
    for count, data in ((15, data_folder), (68, out / "data68")):
        options = ["--data", str(data), "--evaluations", str(out / f"evaluation{count}"), "--reference", "a"]
        compare.main([*options, "--out", str(out / f"comparison{count}")])
    return out


def assert_documented(folder: Path, name: str, keypoint_set: KeypointSet, more: tuple[str, ...] = ()) -> None:
    assert written(folder / name) == sorted([*documented(name, keypoint_set), *more]), folder / name


@pytest.mark.long
def test_files_of_the_data_folder_are_documented(data_folder: Path, folders: Path) -> None:
    for folder in (data_folder, folders / "data68"):
        assert [path.name for path in folder.glob("*.csv")] == ["faces.csv"]
        assert_documented(folder, "faces.csv", FACE15)
        arrays = {path.name.split("_", 1)[1] for path in folder.glob("*.npy")} | {"crops.npy", "visible.npy"}
        assert arrays == set(re.findall(r"^\| `\{split\}_(\w+\.npy)`", PAGE.read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.long
@pytest.mark.parametrize("keypoint_set", [FACE15, FACE68], ids=lambda keypoint_set: keypoint_set.name)
def test_columns_of_evaluation_and_comparison_are_documented(folders: Path, keypoint_set: KeypointSet) -> None:
    count = len(keypoint_set)
    tables = {
        "accuracy",
        "nme",
        "per_keypoint",
        "per_region",
        "by_origin",
        "by_condition",
        "predictions",
        "reliability",
    }
    if keypoint_set is FACE68:  # cropped from pictures
        tables |= {"predictions_pictures", "accuracy_pictures"}
    evaluation, comparison = folders / f"evaluation{count}" / "b", folders / f"comparison{count}"
    assert {path.stem for path in evaluation.glob("*.csv")} == tables
    for table in tables:
        assert_documented(evaluation, f"{table}.csv", keypoint_set)

    for path in comparison.glob("*.csv"):
        name_is_documented = path.stem in ("comparison", "ratios", "by_origin", "by_condition")
        assert_documented(comparison, path.name, keypoint_set, () if name_is_documented else ("name",))


def test_columns_of_predict_and_align_are_documented(pictures: Path, tmp_path: Path) -> None:
    faces, out = str(pictures / "pictures"), tmp_path / "out"
    facial_keypoints(
        ["predict", str(pictures / "pictures" / "0.png"), "--out", str(out), "--review", "1", "--measures"]
    )
    assert_documented(out, "keypoints.csv", FACE15)
    assert_documented(out, "review.csv", FACE15)
    facial_keypoints(["predict", str(pictures / "clip.mp4"), "--out", str(tmp_path / "clip"), "--measures"])
    assert written(tmp_path / "clip" / "clip.mp4.csv") == documented("CLIP.mp4.csv")
    facial_keypoints(["align", faces, "--out", str(tmp_path / "crops")])
    (crops,) = (tmp_path / "crops").glob("*.csv")
    assert written(crops) == documented("crops.csv")
    with pytest.raises(InputError, match="could not be read"):
        facial_keypoints(["predict", str(pictures / "bad"), "--out", str(tmp_path / "bad")])
    assert_documented(tmp_path / "bad", "unread.csv", FACE15)


def test_columns_of_pseudo_label_are_documented(pictures: Path, tmp_path: Path) -> None:
    """The network's own predictions are the five labels; pseudo_label writes all 68 keypoints."""
    facial_keypoints(["predict", str(pictures / "pictures"), "--out", str(tmp_path / "seen")])
    seen = pd.read_csv(tmp_path / "seen" / "keypoints.csv").drop_duplicates("file").head(8)
    five = [FACE15.names[k] for k in FACE15.label_sources[2].keypoints]
    (tmp_path / "five").mkdir()
    shutil.copytree(pictures / "pictures", tmp_path / "five" / "pictures")
    columns = ["file", *(f"{name}_{axis}" for name in five for axis in "xy")]
    seen[columns].to_csv(tmp_path / "five" / "keypoints.csv", index=False)
    pseudo_label.main([str(tmp_path / "five"), "--out", str(tmp_path / "all")])
    assert written(tmp_path / "all" / "keypoints.csv") == documented("keypoints.csv of pseudo_label", FACE68)


@pytest.mark.long
def test_columns_of_training_history_and_submission_are_documented(
    data_folder: Path, tmp_path: Path, run_stage: Callable[..., object]
) -> None:
    options = ["--data", data_folder, "--out", tmp_path / "base", "--epochs", 1]
    run_stage("training.train", "base", *options)
    assert_documented(tmp_path / "base", "history.csv", FACE15)
    image = " ".join(["128"] * 96 * 96)
    (tmp_path / "test.csv").write_text(f"ImageId,Image\n1,{image}\n", encoding="utf-8")
    (tmp_path / "lookup.csv").write_text("RowId,ImageId,FeatureName\n1,1,nose_tip_x\n", encoding="utf-8")
    out = tmp_path / "submission.csv"
    submit.main([str(tmp_path / "base"), str(tmp_path / "test.csv"), str(tmp_path / "lookup.csv"), "--out", str(out)])
    assert_documented(tmp_path, "submission.csv", FACE15)

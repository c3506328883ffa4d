"""The first stage as a user runs it: what it writes, the published figures, bad input."""

import hashlib
import json
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pandas as pd
import pytest

from data_prep import arrays
from data_prep.prepare import main
from data_prep.readers import npz
from evaluation.baselines import mean_face, mean_face_imputed
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15
from tests.conftest import HEARING_CTRL_C, ROOT

Run = Callable[..., CompletedProcess[str]]


def test_the_data_folder_holds_the_documented_arrays(data_folder: Path) -> None:
    splits = arrays.load_splits(data_folder)
    assert [len(splits[name]) for name in ("train", "val", "test")] == [64, 8, 8]
    for name, split in splits.items():
        count = len(split)
        for array, dtype, shape in (
            ("images", np.uint8, (count, 96, 96, 1)),
            ("keypoints", np.float32, (count, 15, 2)),
            ("labelled", np.bool_, (count, 15)),
            ("rows", np.int64, (count,)),
        ):
            stored = np.load(data_folder / f"{name}_{array}.npy")
            assert (stored.dtype, stored.shape) == (dtype, shape)
        assert np.isfinite(split.keypoints).all()
    assert sorted(np.concatenate([split.rows for split in splits.values()])) == list(range(80))
    groups = [set(split.groups) for split in splits.values()]
    assert sum(map(len, groups)) == len(set.union(*groups))
    assert "# The data" in (data_folder / "report.md").read_text(encoding="utf-8")


def test_the_same_command_gives_the_same_arrays(data_folder: Path, tmp_path: Path) -> None:
    main(["synthetic", "--count", "80", "--out", str(tmp_path / "data")])
    hashes = [arrays.data_hash(arrays.load_data_manifest(folder)) for folder in (data_folder, tmp_path / "data")]
    assert hashes[0] == hashes[1]


def test_all_test_split_puts_every_face_into_test(tmp_path: Path) -> None:
    main(["synthetic", "--count", "30", "--split", "all-test", "--out", str(tmp_path / "data")])
    splits = arrays.load_splits(tmp_path / "data")
    assert [len(splits[name]) for name in ("train", "val", "test")] == [0, 0, 30]


def test_published_split_and_figures_are_reproduced_on_the_real_labels(real_data: Path, tmp_path: Path) -> None:
    """The published split of the real labels. Its pictures are black, because these figures do not depend on them."""
    source = tmp_path / "source"
    source.mkdir()
    np.savez_compressed(
        source / npz.IMAGES, face_images=np.arange(7049, dtype=np.uint8) * np.zeros((96, 96, 1), np.uint8)
    )
    (source / npz.KEYPOINTS).write_bytes((real_data / "kaggle15_labels" / "facial_keypoints.csv").read_bytes())
    main([str(source), "--split", "published", "--out", str(tmp_path / "data")])
    splits = arrays.load_splits(tmp_path / "data")
    train, test = splits["train"], splits["test"]
    assert [len(splits[name]) for name in ("train", "val", "test")] == [5639, 705, 705]
    assert test.rows[:5].tolist() == [5687, 6035, 4793, 5111, 4077]
    assert 2 * test.labelled.sum() == 10_684

    def scores(predicted: np.typing.NDArray[np.float32], counts: np.typing.NDArray[np.bool_]) -> list[float]:
        error = np.abs(predicted - test.keypoints)[counts].astype(np.float64)
        within = [round(100 * float((error < limit).mean()), 3) for limit in (5, 10, 15)]
        return [round(float(error.mean()), 3), round(float(np.sqrt((error**2).mean())), 3), *within]

    everything = np.ones_like(test.labelled)
    imputed, real = mean_face_imputed(train, test), mean_face(train, test)
    assert scores(imputed, everything)[0] == 1.832
    assert scores(imputed, everything)[2:] == [91.773, 98.723, 99.693]
    assert scores(imputed, test.labelled) == [2.892, 4.040, 83.873, 97.482, 99.392]
    assert scores(real, everything)[0] == 2.465
    assert scores(real, everything)[2:] == [88.733, 98.936, 99.702]
    assert scores(real, test.labelled) == [2.627, 3.749, 86.653, 97.894, 99.410]


def save_source(folder: Path, count: int) -> Path:
    rng = np.random.default_rng(0)
    folder.mkdir()
    np.savez(folder / npz.IMAGES, face_images=rng.integers(0, 256, (96, 96, count), np.uint8))
    labels = pd.DataFrame(rng.uniform(0, 95, (count, 30)), columns=FACE15.columns)
    labels["left_eye_center_x"], labels["right_eye_center_x"] = 70.5, 30.5
    labels["left_eye_center_y"] = labels["right_eye_center_y"] = 30.5
    labels["nose_tip_y"] = 60.5
    labels.to_csv(folder / npz.KEYPOINTS, index=False)
    return folder


def test_bad_arguments_and_inputs_are_refused_and_write_nothing(tmp_path: Path) -> None:
    few, blind = save_source(tmp_path / "few", 5), save_source(tmp_path / "blind", 20)
    labels = pd.read_csv(blind / npz.KEYPOINTS)
    labels[:] = np.nan
    labels.to_csv(blind / npz.KEYPOINTS, index=False)
    out = tmp_path / "out"
    for arguments, message in (
        (["nowhere"], "nowhere: no such file or folder"),
        ([str(few)], "5 faces are not enough to split"),
        ([str(blind)], "holds 20 faces and not one label; bring labelled faces"),
        ([str(few), "--count", "9"], "--count is for the synthetic input only"),
        (["synthetic", "--count", "0"], "must be at least 1"),
        (["synthetic", "--split", "published", "--impute", "knn"], "omit --impute"),
    ):
        with pytest.raises(InputError, match=message):
            main([*arguments, "--out", str(out)])
        assert [path.name for path in tmp_path.iterdir() if path.name not in ("few", "blind")] == []


def test_command_line_exits_with_2_on_bad_input_and_0_when_done(run_stage: Run, tmp_path: Path) -> None:
    done = run_stage("data_prep.prepare", tmp_path / "missing.csv", "--out", tmp_path / "out")
    assert done.returncode == 2
    expected = f"error: {tmp_path / 'missing.csv'}: no such file or folder, and not one of synthetic, kaggle"
    assert done.stderr == expected + "\n"
    done = run_stage("data_prep.prepare", "synthetic", "--count", 60, "--out", tmp_path / "out")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))["command"] == (
        f"python -m data_prep.prepare synthetic --count 60 --out {tmp_path / 'out'}"
    )


def test_training_zip_gives_the_same_faces_as_the_folder(tmp_path: Path) -> None:
    source = save_source(tmp_path / "source", 20)
    faces = npz.read(source)
    lines = [",".join([*FACE15.columns, "Image"])]
    for image, keypoints in zip(faces.images, faces.keypoints, strict=True):
        lines.append(",".join([*map(str, keypoints.ravel()), " ".join(map(str, image.ravel()))]))
    with zipfile.ZipFile(tmp_path / "training.zip", "w") as archive:
        archive.writestr("training.csv", "\n".join(lines) + "\n")
    for name, given in (("a", source), ("b", tmp_path / "training.zip")):
        main([str(given), "--out", str(tmp_path / name)])
    a, b = (arrays.load_split(tmp_path / name, "train") for name in ("a", "b"))
    np.testing.assert_array_equal(a.images, b.images)
    np.testing.assert_array_equal(a.keypoints, b.keypoints)


def save_five_point_source(folder: Path, count: int) -> Path:
    """Writes faces of one shape at random places, with columns for eye centers, nose tip and mouth corners only."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    np.savez(folder / npz.IMAGES, face_images=rng.integers(0, 256, (96, 96, count), np.uint8))
    shape = np.array([[64, 38], [32, 38], [48, 56], [60, 72], [36, 72]]) + rng.normal(0, 3, (count, 1, 2))
    columns = [f"{FACE15.names[k]}_{axis}" for k in FACE15.label_sources[2].keypoints for axis in "xy"]
    pd.DataFrame(shape.reshape(count, -1), columns=columns).to_csv(folder / npz.KEYPOINTS, index=False)
    return folder


@pytest.mark.parametrize("split", ["grouped", "all-test"])
def test_label_source_without_some_keypoints_is_reported_not_refused(
    tmp_path: Path, split: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = save_five_point_source(tmp_path / "five", 30)
    main([str(source), "--split", split, "--out", str(tmp_path / "data")])
    printed = capsys.readouterr().out
    assert "label source five: 30 faces, no label for 10 keypoints (left_eye_inner_corner, " in printed
    assert "no label to impute left_eye_inner_corner, " in printed

    missing = [name for k, name in enumerate(FACE15.names) if k not in FACE15.label_sources[2].keypoints]
    metrics = arrays.load_data_manifest(tmp_path / "data")["metrics"]
    assert metrics["sources"] == {"five": {"faces": 30, "never_labelled": missing}}
    assert metrics["imputed_without_labels"] == missing
    assert f"**No face has a label for {', '.join(missing)}.**" in (tmp_path / "data" / "report.md").read_text(
        encoding="utf-8"
    )

    for faces in arrays.load_splits(tmp_path / "data").values():
        assert (faces.label_sources == 2).all()
        assert (faces.labelled == np.isin(np.arange(15), FACE15.label_sources[2].keypoints)).all()
        middle = faces.keypoints[:, FACE15.label_sources[2].keypoints].mean(axis=1, keepdims=True)
        others = faces.keypoints[:, [FACE15.index(name) for name in missing]]
        np.testing.assert_allclose(others, np.broadcast_to(middle, others.shape), atol=1e-4)


def test_label_sources_given_by_the_reader_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = np.repeat([0, 2], 15)
    faces = replace(npz.read(save_five_point_source(tmp_path / "five", 30)), label_sources=sources)
    monkeypatch.setattr(npz, "read", lambda path, bad, given: faces)
    main([str(tmp_path / "five"), "--split", "all-test", "--out", str(tmp_path / "data")])
    assert arrays.load_split(tmp_path / "data", "test").label_sources.tolist() == sources.tolist()


def test_each_image_is_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, hashed = hashlib.sha256, []

    def counted(data: bytes = b"") -> object:
        hashed.append(len(data))
        return real(data)

    monkeypatch.setattr(hashlib, "sha256", counted)
    main(["synthetic", "--count", "30", "--out", str(tmp_path / "data")])
    assert hashed.count(96 * 96) == 30


def test_importing_the_stage_imports_no_slow_library() -> None:
    """Ctrl-C during the imports in main ends in one line; during earlier imports it ends in a traceback."""
    slow = "{'sklearn', 'matplotlib', 'pandas', 'scipy', 'keras', 'tensorflow'}"
    code = f"import sys, data_prep.prepare; print(sorted({slow} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_ctrl_c_prints_one_line_and_writes_nothing(tmp_path: Path) -> None:
    """Interrupts the drawing of faces, which would take minutes."""
    stage = ["-m", "data_prep.prepare", "synthetic", "--count", "50000", "--out", str(tmp_path / "out")]
    command = [sys.executable, "-c", HEARING_CTRL_C, *stage]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        while not list(tmp_path.iterdir()) and process.poll() is None:  # its folder is there before the first face
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, printed = process.communicate()
    assert process.returncode in (130, -signal.SIGINT)  # the shell calls both 130
    assert printed == "interrupted\n"
    assert list(tmp_path.iterdir()) == []

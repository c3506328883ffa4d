"""The folder of the re-upload: read as stored, and a one-line error for each fault."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from data_prep.readers import npz
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15

COUNT = 12


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / npz.IMAGES, face_images=rng.integers(0, 256, (96, 96, COUNT), np.uint8))
    labels = pd.DataFrame(rng.uniform(0, 95, (COUNT, 30)).round(4), columns=FACE15.columns)
    labels.iloc[3, 4:] = np.nan
    labels.to_csv(tmp_path / npz.KEYPOINTS, index=False)
    return tmp_path


def save_images(folder: Path, images: Any, key: str = "face_images") -> None:
    np.savez(folder / npz.IMAGES, **{key: images})


def edit_labels(folder: Path, row: int, column: str, value: object) -> None:
    table = pd.read_csv(folder / npz.KEYPOINTS).astype(object)
    table.loc[row, column] = value
    table.to_csv(folder / npz.KEYPOINTS, index=False)


def test_pictures_and_labels_are_read_as_stored(folder: Path) -> None:
    faces = npz.read(folder)
    stored = np.load(folder / npz.IMAGES)["face_images"]
    labels = pd.read_csv(folder / npz.KEYPOINTS)
    assert faces.images.shape == (COUNT, 96, 96, 1)
    assert np.array_equal(faces.images[5, :, :, 0], stored[:, :, 5])
    assert np.isnan(faces.keypoints[3, 2:]).all()
    assert np.allclose(faces.keypoints[7, 10], labels.loc[7, ["nose_tip_x", "nose_tip_y"]].astype(float))
    assert faces.rows.tolist() == list(range(COUNT))
    assert set(faces.groups) == {""}
    assert faces.unnamed == (str(folder),)


def test_folder_named_allow_pickle_is_not_mistaken_for_pickled_objects(folder: Path) -> None:
    folder = folder.rename(folder.with_name("allow_pickle"))
    save_images(folder, np.zeros((3, 4, 4), np.uint8), key="pictures")
    with pytest.raises(InputError, match="has no array 'face_images', only pictures"):
        npz.read(folder)


def test_columns_are_read_in_any_order(folder: Path) -> None:
    before = npz.read(folder).keypoints
    table = pd.read_csv(folder / npz.KEYPOINTS)
    table[table.columns[::-1]].to_csv(folder / npz.KEYPOINTS, index=False)
    assert np.array_equal(npz.read(folder).keypoints, before, equal_nan=True)


def test_people_are_named_by_groups_csv(folder: Path) -> None:
    pd.DataFrame({"row": range(COUNT), "person": ["a", " a ", *"bbccddeeff"]}).to_csv(folder / npz.GROUPS, index=False)
    groups = npz.read(folder).groups
    assert groups.tolist() == list("aabbccddeeff")


def test_random_damage_raises_only_input_errors(folder: Path) -> None:
    """Random bytes in the archive's headers make zipfile raise errors of the file system and others."""
    np.savez_compressed(folder / npz.IMAGES, face_images=np.zeros((96, 96, COUNT), np.uint8))
    whole = (folder / npz.IMAGES).read_bytes()
    rng = np.random.default_rng(0)
    places = np.r_[:300, len(whole) - 150 : len(whole)]
    refused = 0
    for _ in range(300):
        damaged = bytearray(whole)
        for at in rng.choice(places, 2):
            damaged[at] = rng.integers(256)
        (folder / npz.IMAGES).write_bytes(damaged)
        try:
            npz.read(folder)
        except InputError as error:
            refused += str(folder) in str(error)
    assert refused > 100


def replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


FAULTS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no images": (lambda f: (f / npz.IMAGES).unlink(), r"face_images\.npz: no such file"),
    "no labels": (lambda f: (f / npz.KEYPOINTS).unlink(), r"facial_keypoints\.csv: no such file"),
    "empty labels": (lambda f: (f / npz.KEYPOINTS).write_text("", encoding="utf-8"), "is empty"),
    "header alone": (lambda f: (f / npz.KEYPOINTS).write_text(",".join(FACE15.columns), encoding="utf-8"), "no rows"),
    "missing column": (
        lambda f: pd.read_csv(f / npz.KEYPOINTS).drop(columns="nose_tip_y").to_csv(f / npz.KEYPOINTS, index=False),
        "lacks nose_tip_y; a label file has",
    ),
    "unknown column": (
        lambda f: pd.read_csv(f / npz.KEYPOINTS).assign(ear_x=1).to_csv(f / npz.KEYPOINTS, index=False),
        "lacks ear_y",
    ),
    "text": (
        lambda f: edit_labels(f, 4, "nose_tip_x", "left"),
        r"row 4 \(line 6\): has 'left' as nose_tip_x, which is not a number of px",
    ),
    "infinite": (
        lambda f: edit_labels(f, 6, "nose_tip_y", "inf"),
        r"row 6 \(line 8\): has 'inf' as nose_tip_y",
    ),
    "beyond float32": (
        lambda f: edit_labels(f, 6, "nose_tip_y", "1e39"),
        r"row 6 \(line 8\): has '1e\+?39' as nose_tip_y",
    ),
    "a field too many": (
        lambda f: (f / npz.KEYPOINTS).write_text(
            ",".join(FACE15.columns) + "\n" + ",".join(["1"] * 31) + "\n", encoding="utf-8"
        ),
        "line 2: has 31 cells where the header has 30",
    ),
    "cut off labels": (
        lambda f: (f / npz.KEYPOINTS).write_text(
            (f / npz.KEYPOINTS).read_text(encoding="utf-8")[:-40], encoding="utf-8"
        ),
        "line 13: has .* cells",
    ),
    "a folder for a file": (
        lambda f: replace_by_folder(f / npz.IMAGES),
        "is a folder, not a file",
    ),
    "wrong key": (lambda f: save_images(f, np.zeros((96, 96, COUNT), np.uint8), "x"), "no array 'face_images', only x"),
    "wrong dtype": (lambda f: save_images(f, np.zeros((96, 96, COUNT))), "is float64, expected uint8"),
    "wrong shape": (lambda f: save_images(f, np.zeros((COUNT, 96, 96), np.uint8)), r"shape \(12, 96, 96\), expected"),
    "pickled": (lambda f: save_images(f, np.array([{}], object)), "pickled objects"),
    "cut off": (lambda f: truncate(f / npz.IMAGES), "is damaged or not a valid npz"),
    "not a zip": (lambda f: (f / npz.IMAGES).write_text("hello", encoding="utf-8"), "npz"),
    "no faces": (lambda f: save_images(f, np.zeros((96, 96, 0), np.uint8)), r"shape \(96, 96, 0\), expected"),
    "counts differ": (lambda f: save_images(f, np.zeros((96, 96, 5), np.uint8)), "5 pictures but .* 12 rows"),
    "short groups": (
        lambda f: (f / npz.GROUPS).write_text("row,person\n0,ann\n", encoding="utf-8"),
        r"groups\.csv: has 1 rows for 12 faces",
    ),
    "a number for no label": (
        lambda f: [edit_labels(f, 6, f"nose_tip_{axis}", "-1") for axis in "xy"],  # type: ignore[func-returns-value]
        r"row 6 \(line 8\): has -1, -1 as nose_tip, which often stands for a missing label; empty both cells",
    ),
    "a label far outside": (
        lambda f: edit_labels(f, 6, "nose_tip_y", "950"),
        r"row 6 \(line 8\): has nose_tip at .*, 950, which lies outside its picture of 96 x 96 px by more than half",
    ),
    "nameless": (
        lambda f: (f / npz.GROUPS).write_text("row,person\n" + "0,ann\n" * 5 + "5,\n" + "6,bo\n" * 6, encoding="utf-8"),
        r"row 5 \(line 7\): names no person",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_bad_folder_gives_a_one_line_error(folder: Path, fault: str) -> None:
    break_it, message = FAULTS[fault]
    break_it(folder)
    with pytest.raises(InputError, match=message) as error:
        npz.read(folder)
    assert "\n" not in str(error.value)

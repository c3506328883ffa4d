"""Small handmade data folders, and models that predict the same keypoints for every image.

One folder holds 60 faces that vary around a mean shape; every third face has labels of the sparse source. The other
folder holds faces of 68 keypoints, cropped from pictures of two origins.
"""

import csv
import time
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from common.stage import stage_folder, write_manifest
from data_prep.arrays import PREPARE, data_hash, load_data_manifest, save_split
from data_prep.faces import Split
from facial_keypoints.array_types import Float32
from facial_keypoints.keypoint_set import FACE15, FACE68, KeypointSet, to_dict
from facial_keypoints.spec import Crop, ModelSpec, to_json
from models.saved import TRAIN

K = len(FACE15)
COST = {"parameters": 123, "epochs": 4, "seconds": 5.6}


def make_split(first_row: int, count: int, rng: np.random.Generator) -> Split:
    shape = np.random.default_rng(0).uniform(25, 70, (K, 2))
    shape[[0, 1]] = (65, 35), (30, 35)
    keypoints = (shape + rng.normal(0, 1, (count, 1, 2)) * 6 + rng.normal(0, 1, (count, K, 2))).astype(np.float32)
    sources = (np.arange(count) % 3 == 2).astype(np.int64)
    labels = np.zeros((2, K), bool)  # which keypoints each source labels
    for source in (0, 1):
        labels[source, list(FACE15.label_sources[source].keypoints)] = True
    labelled = labels[sources]
    rows = np.arange(first_row, first_row + count)
    images = rng.integers(0, 256, (count, 96, 96, 1), dtype=np.uint8)
    return Split(images, keypoints, labelled, rows, rows // 2, sources)


def save_data(folder: Path, seed: int = 1) -> Path:
    rng = np.random.default_rng(seed)
    with stage_folder(folder, PREPARE) as out:
        for first_row, count, split in ((0, 20, "train"), (20, 4, "val"), (24, 36, "test")):
            save_split(out, split, make_split(first_row, count, rng))
        write_manifest(out, PREPARE, {}, {}, {}, time.time(), {"keypoint_set": to_dict(FACE15)})
    return folder


@pytest.fixture
def data_folder(tmp_path: Path) -> Path:
    return save_data(tmp_path / "data")


def save_data68(folder: Path) -> Path:
    """Writes faces of 64 px, cropped without rotation from pictures of 160 x 120 px, and the pictures.

    The crop has half the resolution of the picture: (x, y) in a picture is (x / 2 - 4, y / 2 + 1) in the crop.
    Even faces come from `pictures_a` (label source 0), odd ones from `pictures_b` (label source 1).
    """
    rng = np.random.default_rng(3)
    shape = np.random.default_rng(0).uniform(15, 50, (len(FACE68), 2))
    shape[36:42], shape[42:48] = (22, 25), (42, 25)
    shape[36], shape[45] = (17, 25), (47, 25)
    crop = np.array([[0.5, 0, -4], [0, 0.5, 1]])
    lines = []
    with stage_folder(folder, PREPARE) as out:
        for first_row, count, split in ((0, 8, "train"), (8, 2, "val"), (10, 16, "test")):
            keypoints = (shape + rng.normal(0, 1, (count, 1, 2))).astype(np.float32)
            rows, sources = np.arange(first_row, first_row + count), np.arange(count) % 2
            images = np.empty((count, 64, 64, 1), np.uint8)
            for i, row in enumerate(rows):
                origin = folder.parent / f"pictures_{'ab'[sources[i]]}"
                origin.mkdir(exist_ok=True)
                picture = rng.integers(0, 256, (120, 160, 3), dtype=np.uint8)
                cv2.imwrite(str(origin / f"{row}.png"), picture)
                images[i, ..., 0] = cv2.warpAffine(picture[..., 0], crop, (64, 64))
                lines.append(
                    [split, row, origin, f"{row}.png", f"person {row // 2}", FACE68.label_sources[sources[i]].name]
                )
            labelled, crops = np.ones((count, len(FACE68)), bool), np.tile(crop, (count, 1, 1))
            save_split(out, split, Split(images, keypoints, labelled, rows, rows // 2, sources, crops))
        with (out / "faces.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["split", "row", "origin", "file", "person", "label_source"], *lines])
        write_manifest(out, PREPARE, {}, {}, {}, time.time(), {"keypoint_set": to_dict(FACE68)})
    return folder


@pytest.fixture
def data68_folder(tmp_path: Path) -> Path:
    return save_data68(tmp_path / "data68")


def save_keras(path: Path, output: npt.ArrayLike, channels: int = 1) -> Path:
    """Writes a network that takes images of 96 x 96 px and returns the same numbers for each."""
    from common.backend import start_backend

    start_backend()
    import keras

    numbers: Float32 = np.asarray(output, np.float32)
    image = keras.Input((96, 96, channels))
    dense = keras.layers.Dense(numbers.size, kernel_initializer="zeros")
    model = keras.Model(image, keras.layers.Reshape(numbers.shape)(dense(keras.layers.GlobalMaxPooling2D()(image))))
    dense.set_weights([np.zeros((channels, numbers.size)), numbers.ravel()])
    model.save(path)
    return path


def save_model(
    folder: Path,
    data_folder: Path,
    output: npt.ArrayLike,
    sources: tuple[int, ...] = (0,),
    channels: int = 1,
    keypoint_set: KeypointSet = FACE15,
) -> Path:
    """Writes a model folder as training does; its network returns the same (M, 2 or 3) for every image."""
    numbers = np.asarray(output)
    crop = Crop(96, 96, channels, ((48.0, 48.0),) * len(keypoint_set))
    spec = ModelSpec(keypoint_set, sources, numbers.shape[-1] == 3, crop)
    folder.mkdir()
    save_keras(folder / "model.keras", numbers, channels)
    inputs = {"data": data_hash(load_data_manifest(data_folder))}
    write_manifest(folder, TRAIN, {"network": "base"}, inputs, COST, time.time(), {"model": to_json(spec)})
    return folder

"""Measures fine-tuning on few faces: 20 mouth points and 5 points under names of their own, and the 15 keypoints.

    python -m data_prep.prepare YOUTUBE68 LFPW68 HELEN68 AFW68 --out artifacts/faces68/data
    python -m data_prep.prepare LFPW68 HELEN68 AFW68 --as 15 --out artifacts/pictures15/data
    python -m benchmarks.few_faces

All faces are pictures of the test split of faces68, which no shipped model was trained on. The last 100 are held out.
Of the first 10, 30, 100 or 160, every fifth validates and the others train. Models start from random weights, from `v2`
(crops of 96 px) and from `v2-68` (128 px), with three seeds each. The error is the NME by the diagonal of the box
around the keypoints. Repeat the command to continue an interrupted run.
"""

import csv
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from common.options import stage_parser
from common.stage import stage_folder, write_manifest
from data_prep.arrays import KEYPOINT_SET, PREPARE, load_split, save_split
from data_prep.faces import Split
from evaluation.bootstrap import paired_difference, resampling_weights
from evaluation.metrics import face_nme
from facial_keypoints import geometry
from facial_keypoints.array_types import Float32, Float64, UInt8
from facial_keypoints.codec import decode
from facial_keypoints.errors import run
from facial_keypoints.keypoint_set import BOX_DIAGONAL, FACE15, FACE68, KeypointSet, as_face15, from_names, to_dict
from facial_keypoints.pretrained import shipped

HELD_OUT = 100  # faces
VALIDATION = 5  # one face in this many
COUNTS = (10, 30, 100, 160)
SEEDS = (0, 1, 2)
FIVE = ("left_eye_center", "right_eye_center", "nose_tip", "mouth_left_corner", "mouth_right_corner")
MOUTH = slice(48, 68)  # of the 68 points
NOTHING = "nothing"
RUN = ("keypoints", "start", "faces", "seed")
TABLE = "few_faces.csv"
COLUMNS = (*RUN, "nme_pct", "minutes")


class Pictures(NamedTuple):
    """N pictures in one size: images uint8 (N, H, W, 1), and the 68 points in them, float64 (N, 68, 2) in px."""

    images: UInt8
    points: Float64


def read_pictures(folder68: Path, folder15: Path) -> dict[str, Pictures]:
    """Returns the pictures of the test split of `folder68` in a fixed random order, in the crops of each start."""
    rows68, rows15 = (_rows(folder) for folder in (folder68, folder15))
    test = load_split(folder68, "test", FACE68)
    files = sorted(file for file, (split, _) in rows68.items() if split == "test" and file in rows15)
    # Faces of one photo stay together; AFW numbers them after the last underscore.
    photos = sorted({_photo(file) for file in files})
    rank = dict(zip(photos, np.random.default_rng(0).permutation(len(photos)), strict=True))
    files.sort(key=lambda file: (rank[_photo(file)], file))
    index_of_row = {int(row): index for index, row in enumerate(test.rows)}
    indexes = [index_of_row[rows68[file][1]] for file in files]
    crops, points = test.crops[indexes], test.keypoints[indexes].astype(np.float64)  # type: ignore[index]

    splits = {split: load_split(folder15, split, FACE15) for split in ("train", "val", "test")}
    of_row = {
        (name, int(row)): (split.images[i], split.crops[i])  # type: ignore[index]
        for name, split in splits.items()
        for i, row in enumerate(split.rows)
    }
    images15, crops15 = (np.stack(arrays) for arrays in zip(*(of_row[rows15[file]] for file in files), strict=True))
    points15 = geometry.transform(geometry.transform(points, geometry.inverse(crops)), crops15)
    small, large = Pictures(images15, points15), Pictures(np.asarray(test.images[indexes]), points)
    return {NOTHING: small, "v2": small, "v2-68": large}


def _rows(folder: Path) -> dict[str, tuple[str, int]]:
    """Returns the split and the row of each picture of a data folder by its file, without the frames of videos."""
    with (folder / "faces.csv").open(newline="", encoding="utf-8") as file:
        return {
            f"{Path(row['origin']).name}/{row['file']}": (row["split"], int(row["row"]))
            for row in csv.DictReader(file)
            if row["label_source"] != "frames"
        }


def _photo(file: str) -> str:
    return file.rpartition("_")[0] if file.startswith("afw") else file


def keypoint_sets() -> dict[str, tuple[KeypointSet, Any]]:
    """Returns each keypoint set of the benchmark by name, and the function that takes its points from the 68."""
    five = [FACE15.index(name) for name in FIVE]
    return {
        "20 mouth points": (
            from_names("mouth", [f"m{k}" for k in range(20)], "few_faces"),
            lambda points: points[:, MOUTH],
        ),
        "5 points": (
            from_names("five", [f"p{k}" for k in range(5)], "few_faces"),
            lambda points: as_face15(points)[:, five],
        ),
        "15 keypoints": (FACE15, as_face15),
    }


def runs() -> Iterator[tuple[str, str, int, int]]:
    """Yields keypoints, start, number of faces and seed of each training run."""
    for seed in SEEDS:
        for faces in COUNTS:
            yield "15 keypoints", "v2", faces, seed
            for keypoints in ("20 mouth points", "5 points"):
                for start in (NOTHING, "v2", "v2-68"):
                    yield keypoints, start, faces, seed


def split_of(images: UInt8, points: Float32, selection: Any) -> Split:
    """Returns the selected faces, all labelled, each in its own group."""
    rows = np.arange(len(images))[selection]
    labelled = np.ones(points[selection].shape[:2], bool)
    return Split(images[selection], points[selection], labelled, rows, rows, np.zeros(len(rows), np.int64))


def write_data(out: Path, keypoint_set: KeypointSet, images: UInt8, points: Float32, faces: int) -> None:
    """Writes a data folder of the first `faces` pictures, and of the last ones as the test split."""
    index = np.arange(len(images))
    used, validates = index < faces, index % VALIDATION == VALIDATION - 1
    selections = {"train": used & ~validates, "val": used & validates, "test": index >= len(index) - HELD_OUT}
    with stage_folder(out, PREPARE) as folder:
        for name, of_split in selections.items():
            save_split(folder, name, split_of(images, points, of_split))
        write_manifest(folder, PREPARE, {}, {}, {}, time.time(), {KEYPOINT_SET: to_dict(keypoint_set)})


def errors_of(model: Path, keypoint_set: KeypointSet, images: UInt8, points: Float32) -> Float64:
    """Returns the NME of a model's predictions by the diagonal of the keypoints' box, float64 (N,) in %."""
    from models.saved import load_model, predict

    loaded = load_model(model)
    output = predict(loaded, images, keypoint_set)
    predicted = decode(output, np.zeros(len(images), np.int64), loaded.output_points(keypoint_set)).coordinates
    return face_nme(predicted, points, np.ones(points.shape[:2], bool), BOX_DIAGONAL)


def measure(out: Path, pictures: dict[str, Pictures], keypoints: str, start: str, faces: int, seed: int) -> float:
    """Trains once, stores the error of each held-out face, and returns the minutes."""
    from training.train import train

    keypoint_set, points_of = keypoint_sets()[keypoints]
    images, points = pictures[start].images, points_of(pictures[start].points).astype(np.float32)
    write_data(out / "data", keypoint_set, images, points, faces)
    recipe: dict[str, Any] = {"recipe": "finetune", "initial_weights": start}
    if start == NOTHING:
        recipe = {"recipe": "v2", "batch_size": 8}  # as many steps per epoch as fine-tuning
    started = time.perf_counter()
    model = train("v2", out / "data", out / "model", seed=seed, resume=False, restart=True, **recipe)
    minutes = (time.perf_counter() - started) / 60
    np.save(
        out / file_name(keypoints, start, faces, seed),
        errors_of(model, keypoint_set, images[-HELD_OUT:], points[-HELD_OUT:]),
    )
    return minutes


def file_name(*names: str | int) -> str:
    return "_".join(map(str, names)).replace(" ", "-") + ".npy"


def errors_before(pictures: dict[str, Pictures]) -> Float64:
    """Returns the error of each held-out face of `v2` as shipped."""
    images, points = pictures["v2"].images[-HELD_OUT:], as_face15(pictures["v2"].points)[-HELD_OUT:]
    return errors_of(shipped()["v2"], FACE15, images, points.astype(np.float32))


def mean_face(pictures: dict[str, Pictures], keypoints: str, faces: int) -> Float64:
    """Returns the error of each held-out face if the mean of the first `faces` is predicted, in 96-px crops."""
    points = keypoint_sets()[keypoints][1](pictures[NOTHING].points)
    true = points[-HELD_OUT:].astype(np.float32)
    mean = np.broadcast_to(points[:faces].mean(axis=0), true.shape).astype(np.float32)
    return face_nme(mean, true, np.ones(true.shape[:2], bool), BOX_DIAGONAL)


def finished_runs(out: Path) -> list[dict[str, str]]:
    """Returns the rows of the table; none if there is no table yet."""
    if not (out / TABLE).exists():
        return []
    with (out / TABLE).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def print_tables(out: Path, pictures: dict[str, Pictures]) -> None:
    """Prints a table of each keypoint set: mean over the seeds, and their range."""
    rows = finished_runs(out)
    for keypoints in keypoint_sets():
        print(f"\n{keypoints}: NME, % of the box diagonal (range of {len(SEEDS)} seeds); minutes")
        for start in (NOTHING, "v2", "v2-68"):
            cells = []
            for faces in COUNTS:
                matching = [
                    row
                    for row in rows
                    if (row["keypoints"], row["start"], int(row["faces"])) == (keypoints, start, faces)
                ]
                if nme := [float(row["nme_pct"]) for row in matching]:
                    minutes = np.mean([float(row["minutes"]) for row in matching])
                    cells.append(f"{np.mean(nme):.2f} ({min(nme):.2f} to {max(nme):.2f}); {minutes:.1f}")
            if cells:
                print(f"| from {start} | " + " | ".join(cells) + " |")
        print("| mean face | " + " | ".join(f"{mean_face(pictures, keypoints, n).mean():.2f}" for n in COUNTS) + " |")
    before, groups = errors_before(pictures), np.arange(HELD_OUT)
    weights = resampling_weights(groups)
    print(f"\n15 keypoints, untouched: {before.mean():.3f} %; after fine-tuning minus before, 95 % interval:")
    for faces in COUNTS:
        for seed in SEEDS:
            if (path := out / file_name("15 keypoints", "v2", faces, seed)).exists():
                after, sums_before = (np.stack([nme, np.ones(HELD_OUT)], axis=1) for nme in (np.load(path), before))
                change = paired_difference(after, sums_before, groups, weights)
                print(f"| {faces} | {seed} | {change.value:+.3f} [{change.low:+.3f}, {change.high:+.3f}] |")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = stage_parser("benchmarks.few_faces", __doc__)
    folders = {
        "faces68": ("faces68/data", "data folder of 68 keypoints"),
        "pictures15": ("pictures15/data", "data folder of the 15 keypoints"),
        "out": ("few_faces", "folder to write"),
    }
    for name, (folder, meaning) in folders.items():
        parser.add_argument(
            f"--{name}",
            type=Path,
            default=Path("artifacts") / folder,
            metavar="DIR",
            help=f"{meaning} (default: %(default)s)",
        )
    options = parser.parse_args(arguments)
    from common.backend import start_backend

    start_backend()
    import keras

    options.out.mkdir(parents=True, exist_ok=True)
    pictures = read_pictures(options.faces68, options.pictures15)
    table = options.out / TABLE
    done = {tuple(row[name] for name in RUN) for row in finished_runs(options.out)}
    for training_run in runs():
        if tuple(map(str, training_run)) in done:
            continue
        keras.utils.clear_session()
        minutes = measure(options.out, pictures, *training_run)
        nme = float(np.load(options.out / file_name(*training_run)).mean())
        is_new = not table.exists()
        with table.open("a", newline="", encoding="utf-8") as file:
            lines = csv.writer(file)
            if is_new:
                lines.writerow(COLUMNS)
            lines.writerow([*training_run, f"{nme:.4f}", f"{minutes:.2f}"])
    print_tables(options.out, pictures)


if __name__ == "__main__":
    run(main)

"""Stage 1: a folder, file or name of faces in, checked, imputed, split and dumped as numpy arrays.

python -m data_prep.prepare SOURCE --out DIR
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from common.hashes import path_hash
from common.stage import COMMANDS, MANIFEST, read_manifest, seed, stage_folder, write_manifest
from data_prep import arrays, read_kaggle, read_npz, read_training_csv, synthetic
from data_prep.faces import SPLITS, Faces, Part, labelled_points
from data_prep.grouping import duplicate_groups, join_groups, label_sources
from data_prep.impute import DEFAULT_IMPUTER, IMPUTERS, hidden_label_errors, impute
from data_prep.report import write_report
from data_prep.split import SPLIT_METHODS, sizes_text, split
from facial_keypoints.array_types import Bool, Float32
from facial_keypoints.errors import InputError, run

DEFAULT_OUT = Path("artifacts/data")
SYNTHETIC, KAGGLE = "synthetic", "kaggle"


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(prog="python -m data_prep.prepare", description=(__doc__ or "").splitlines()[0])
    p.add_argument(
        "source",
        nargs="?",
        default=SYNTHETIC,
        help=f"{SYNTHETIC} (default): faces the project draws; {KAGGLE}: fetched with kagglehub; a folder with "
        f"{read_npz.IMAGES} and {read_npz.KEYPOINTS}; or the competition's training.csv or training.zip",
    )
    p.add_argument("--out", type=Path, default=DEFAULT_OUT, help="data folder to write (default: %(default)s)")
    p.add_argument("--split", choices=SPLIT_METHODS, default="grouped", help="default: %(default)s")
    p.add_argument(
        "--impute",
        choices=list(IMPUTERS),
        help=f"default: {DEFAULT_IMPUTER}; with --split documented always ffill, over the whole set",
    )
    p.add_argument("--seed", type=seed, default=0, help="of the split and of the synthetic faces (default: 0)")
    p.add_argument("--count", type=int, help="how many synthetic faces to draw (default: 7049)")
    return p


def read(source: str, count: int | None, seed: int) -> Faces:
    """Returns the faces of a source.

    Raises:
        InputError: no such source, or the reader found it bad.
    """
    if source == SYNTHETIC:
        return synthetic.read(synthetic.COUNT if count is None else count, seed)
    if count is not None:
        raise InputError(f"--count is for the {SYNTHETIC} source only; leave it out")
    if source == KAGGLE:
        return read_kaggle.read()
    path = Path(source)
    if not path.exists():
        raise InputError(f"{source}: no such file or folder, and not one of {SYNTHETIC}, {KAGGLE}")
    return read_npz.read(path) if path.is_dir() else read_training_csv.read(path)


def source_hash(source: str, count: int | None, seed: int) -> dict[str, str]:
    """Returns what the arrays follow from: the source and the hash of its contents, or the facts that stand for it.

    Of a folder that `cut15` wrote also `like`: the hash of the data folder whose held-out people are not in it.

    Raises:
        InputError: such a folder was altered since, or does not say that.
    """
    if source == SYNTHETIC:
        return {source: f"{synthetic.COUNT if count is None else count} faces, seed {seed}"}
    if source == KAGGLE:
        return {source: read_kaggle.DATASET}
    path = Path(source)
    return {source: path_hash(path) if path.exists() else "missing", **cut_like(path)}


def cut_like(folder: Path) -> dict[str, str]:
    """Returns the input `like` of a folder that `cut15` wrote, and nothing for other sources; see `source_hash`."""
    try:
        written_by_cut15 = json.loads((folder / MANIFEST).read_text())["stage"] == "cut15"
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    if not written_by_cut15:
        return {}
    inputs = read_manifest(folder, "cut15")["inputs"]
    if "like" not in inputs:
        raise InputError(f"{folder}: does not say whose people it leaves out; make it again with `{COMMANDS['cut15']}`")
    return {"like": inputs["like"]}


def check(faces: Faces, source: str) -> None:
    """Raises InputError where a keypoint is labelled in no face: nothing could be learnt or imputed for it."""
    never = np.asarray(~labelled_points(faces.keypoints).any(axis=0))
    if never.any():
        names = ", ".join(name for name, bad in zip(faces.keypoint_set.names, never, strict=True) if bad)
        raise InputError(f"{source}: all labels are missing for {names}; every keypoint needs some")


def fill(method: str, keypoints: Float32, training: Bool, over_all: bool) -> Float32:
    """Returns keypoints (N, K, 2) without gaps, learnt from the training faces, or from all where told so.

    Raises:
        InputError: a keypoint has no label among the faces to learn from.
    """
    learn_from = np.ones(len(keypoints), bool) if over_all else training
    if not labelled_points(keypoints)[learn_from].any(axis=0).all():
        raise InputError("a keypoint has no label in the training part; bring more faces or another --seed")
    return impute(method, keypoints, learn_from)


def main(arguments: Sequence[str] | None = None) -> None:
    started = time.time()
    options = parser().parse_args(arguments)
    documented = options.split == "documented"
    if documented and options.impute not in (None, "ffill"):
        raise InputError("--split documented fills forward over the whole set; leave --impute out, or choose a split")
    method = "ffill" if documented else options.impute or DEFAULT_IMPUTER

    reads = [Path(options.source)] if Path(options.source).exists() else []
    with stage_folder(options.out, "prepare", reads) as folder:
        faces = read(options.source, options.count, options.seed)
        check(faces, options.source)
        labelled = labelled_points(faces.keypoints)
        sources = faces.sources if faces.sources is not None else label_sources(labelled, faces.keypoint_set)
        same_picture = duplicate_groups(faces.images)
        groups = same_picture if faces.groups is None else join_groups(same_picture, faces.groups)
        indexes = split(options.split, groups, options.seed)

        training = np.zeros(len(faces), bool)
        training[indexes["train"]] = True
        only_test = options.split == "all-test"
        keypoints = fill(method, faces.keypoints, training, over_all=documented or only_test)
        for name in SPLITS:
            i = indexes[name]
            part = Part(faces.images[i], keypoints[i], labelled[i], faces.rows[i], groups[i], sources[i])
            arrays.save_part(folder, name, part)

        held_out = np.zeros(len(faces), bool)
        held_out[indexes["val"]] = True
        hidden = {} if only_test else hidden_label_errors(faces.keypoints, sources, training, held_out)
        write_report(folder, faces, indexes, sources, groups, hidden, method, options.split)
        sizes = {name: len(indexes[name]) for name in SPLITS}
        write_manifest(
            folder,
            "prepare",
            parameters={
                "source": options.source,
                "split": options.split,
                "impute": method,
                "seed": options.seed,
                "count": options.count,
                "keypoint_set": faces.keypoint_set.name,
            },
            inputs=source_hash(options.source, options.count, options.seed),
            metrics={"faces": len(faces), **sizes, "labelled_pct": round(100 * float(labelled.mean()), 2)},
            started=started,
        )
    print(f"{len(faces)} faces, {options.split} split: {sizes_text(indexes)}")
    print(f"{100 * labelled.mean():.1f} % of the keypoints are labelled, the others imputed by {method}")
    print(f"{options.out}: arrays, report.md and pictures")


if __name__ == "__main__":
    run(main)

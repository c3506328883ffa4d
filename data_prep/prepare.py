"""Stage 1: a folder, file or name of faces in, checked, imputed, split and dumped as numpy arrays.

python -m data_prep.prepare SOURCE --out DIR
"""

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from common.hashes import path_hash
from common.stage import COMMANDS, MANIFEST, read_manifest, seed, stage_folder, write_manifest
from data_prep import arrays, read_kaggle, read_npz, read_training_csv, synthetic
from data_prep.faces import SPLITS, Faces, Part, labelled_points, never_labelled
from data_prep.grouping import duplicate_groups, join_groups, label_sources
from data_prep.impute import DEFAULT_IMPUTER, IMPUTERS, hidden_label_errors, impute
from data_prep.labels import shown_names
from data_prep.split import SPLIT_METHODS, sizes_text, split
from facial_keypoints.array_types import Bool, Int64
from facial_keypoints.errors import InputError, run
from facial_keypoints.keypoint_set import KeypointSet

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
    """Raises InputError where no keypoint of any face is labelled: nothing could be imputed, learnt or scored."""
    if not labelled_points(faces.keypoints).any():
        raise InputError(f"{source}: holds {len(faces)} faces and not one label; bring labelled faces")


def gaps(labelled: Bool, sources: Int64, learn_from: Bool, keypoint_set: KeypointSet) -> dict[str, Any]:
    """Returns, for the manifest, which keypoints each label source and the imputer get no labels for.

    Args:
        labelled: bool (N, K).
        sources: int64 (N,), the label source of each face.
        learn_from: bool (N,), the faces that the imputer learns from.
    """
    by_source = {
        keypoint_set.sources[source].name: {
            "faces": int((sources == source).sum()),
            "never_labelled": never_labelled(labelled[sources == source], keypoint_set),
        }
        for source in np.unique(sources)
    }
    return {"sources": by_source, "imputed_without_labels": never_labelled(labelled[learn_from], keypoint_set)}


def gaps_text(gaps: Mapping[str, Any]) -> list[str]:
    """Returns the lines that say what `gaps` returns."""
    lines = []
    for name, source in gaps["sources"].items():
        missing = source["never_labelled"]
        lines.append(
            f"label source {name}: {source['faces']} faces"
            + (f", no label for {len(missing)} keypoints ({shown_names(missing)})" if missing else "")
        )
    if missing := gaps["imputed_without_labels"]:
        lines.append(f"no label to impute {shown_names(missing)} from: put into the middle of each face, as unlabelled")
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    started = time.time()
    options = parser().parse_args(arguments)
    from data_prep.report import Prepared, write_report  # here, for matplotlib takes a second

    documented = options.split == "documented"
    if documented and options.impute not in (None, "ffill"):
        raise InputError("--split documented fills forward over the whole set; leave --impute out, or choose a split")
    method = "ffill" if documented else options.impute or DEFAULT_IMPUTER

    reads = [Path(options.source)] if Path(options.source).exists() else []
    with stage_folder(options.out, "prepare", reads) as folder:
        faces = read(options.source, options.count, options.seed)
        check(faces, options.source)
        labelled = labelled_points(faces.keypoints)
        sources = label_sources(labelled, faces.keypoint_set) if faces.sources is None else faces.sources
        duplicates = duplicate_groups(faces.images)
        groups = duplicates if faces.groups is None else join_groups(duplicates, faces.groups)
        indexes = split(options.split, groups, options.seed)

        training, held_out = np.zeros((2, len(faces)), bool)
        training[indexes["train"]], held_out[indexes["val"]] = True, True
        only_test = options.split == "all-test"
        learn_from = training | documented | only_test
        if not labelled[learn_from].any():
            raise InputError("the training part has no label; bring more labelled faces or another --seed")
        keypoints = impute(method, faces.keypoints, learn_from)
        for name in SPLITS:
            i = indexes[name]
            part = Part(faces.images[i], keypoints[i], labelled[i], faces.rows[i], groups[i], sources[i])
            arrays.save_part(folder, name, part)

        hidden = {} if only_test else hidden_label_errors(faces.keypoints, sources, training, held_out)
        prepared = Prepared(
            faces, labelled, sources, duplicates, groups, indexes, learn_from, method, hidden, options.split
        )
        write_report(folder, prepared)
        lacking = gaps(labelled, sources, learn_from, faces.keypoint_set)
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
            metrics={
                "faces": len(faces),
                **sizes,
                "labelled_pct": round(100 * float(labelled.mean()), 2),
                **lacking,
            },
            started=started,
        )
    print(f"{len(faces)} faces, {options.split} split: {sizes_text(indexes)}")
    print(f"{100 * labelled.mean():.1f} % of the keypoints are labelled, the others imputed by {method}")
    print(*gaps_text(lacking), sep="\n")
    print(f"{options.out}: arrays, report.md and pictures")


if __name__ == "__main__":
    run(main)

"""Stage 1: faces in, checked, cut where they are whole pictures, imputed, split and dumped as numpy arrays.

python -m data_prep.prepare SOURCE... --out DIR
"""

import argparse
import csv
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from common.hashes import path_hash
from common.stage import seed, stage_folder, write_manifest
from data_prep import arrays, read_kaggle, sources, synthetic
from data_prep.csv_table import read_lines
from data_prep.cut import CROPS, FACE, Cutting
from data_prep.faces import SPLITS, Faces, Part, labelled_points, never_labelled
from data_prep.grouping import duplicate_groups, join_groups
from data_prep.impute import DEFAULT_IMPUTER, IMPUTERS, hidden_label_errors, impute
from data_prep.labels import shown_names
from data_prep.sources import KAGGLE, SYNTHETIC
from data_prep.split import SPLIT_METHODS, sizes_text, split
from facial_keypoints.array_types import Bool, Int64
from facial_keypoints.errors import InputError, run
from facial_keypoints.keypoint_set import KeypointSet

DEFAULT_OUT = Path("artifacts/data")
SMALLEST_SIZE_PX, LARGEST_SIZE_PX = 16, 1024


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(prog="python -m data_prep.prepare", description=(__doc__ or "").splitlines()[0])
    p.add_argument(
        "sources",
        nargs="*",
        metavar="SOURCE",
        help=f"{SYNTHETIC} (default): faces the project draws; {KAGGLE}: fetched with kagglehub; the competition's "
        f"training.csv or training.zip; an imglab .xml; or a folder with {sources.LAYOUTS}. Several of one keypoint "
        "set are joined",
    )
    p.add_argument("--out", type=Path, default=DEFAULT_OUT, help="data folder to write (default: %(default)s)")
    p.add_argument("--split", choices=SPLIT_METHODS, default="grouped", help="default: %(default)s")
    p.add_argument(
        "--leave-out",
        type=Path,
        action="append",
        default=[],
        metavar="DATA",
        help="leave out whoever is in validation or test of this data folder; may be given several times",
    )
    p.add_argument(
        "--impute",
        choices=list(IMPUTERS),
        help=f"default: {DEFAULT_IMPUTER}; with --split documented always ffill, over the whole set",
    )
    p.add_argument("--seed", type=seed, default=0, help="of the split, drawn faces and eye places (default: 0)")
    p.add_argument("--count", type=int, help="how many synthetic faces to draw (default: 7049)")
    how = p.add_argument_group("pictures of any size that are cut here")
    how.add_argument("--as", dest="as_15", choices=["15"], help="take 68 points as the 15 keypoints")
    how.add_argument(
        "--both-sources",
        action="store_true",
        help="with --as 15: each crop twice, labelled as the complete and as the sparse label source does",
    )
    how.add_argument("--size", type=int, metavar="PX", help="side of the crop (default: 96 for 15 points, 128 for 68)")
    how.add_argument("--crop", choices=CROPS, default=FACE, help="what of the picture (default: %(default)s)")
    how.add_argument("--colour", action="store_true", help="RGB instead of grey")
    how.add_argument("--cuts", type=int, default=1, help="crops of each face, 15 points only (default: 1)")
    how.add_argument("--skip-bad", action="store_true", help="go on without pictures that cannot be decoded")
    return p


def cutting(options: argparse.Namespace) -> Cutting:
    """Returns how pictures are to be cut; raises InputError where the options do not go together."""
    if options.size is not None and not SMALLEST_SIZE_PX <= options.size <= LARGEST_SIZE_PX:
        raise InputError(f"--size {options.size}: give {SMALLEST_SIZE_PX} to {LARGEST_SIZE_PX} px")
    if options.cuts < 1:
        raise InputError(f"--cuts {options.cuts}: the number of crops of each face must be at least 1")
    if options.both_sources and not options.as_15:
        raise InputError("--both-sources: only where 68 points are taken as 15; add --as 15")
    return Cutting(
        size_px=options.size,
        crop=options.crop,
        colour=options.colour,
        as_15=options.as_15 is not None,
        both_sources=options.both_sources,
        cuts=options.cuts,
        skip_bad=options.skip_bad,
        seed=options.seed,
    )


def source_hashes(names: Sequence[str], count: int | None, seed: int) -> dict[str, str]:
    """Returns what the arrays follow from: each source and the hash of its contents, or the facts that stand for it."""
    hashes = {}
    for name in names:
        if name == SYNTHETIC:
            hashes[name] = f"{synthetic.COUNT if count is None else count} faces, seed {seed}"
        elif name == KAGGLE:
            hashes[name] = read_kaggle.DATASET
        else:
            hashes[name] = path_hash(Path(name)) if Path(name).exists() else "missing"
    return hashes


def held_out_people(folder: Path) -> set[str]:
    """Returns who is in the validation and test part of a data folder whose manifest has been read, by name.

    Raises:
        InputError: it names nobody.
    """
    path = folder / arrays.FACES_CSV
    header, body = read_lines(path)
    if not {"part", "person"} <= set(header):
        raise InputError(f"{path}: lacks the columns part and person; {arrays.MEND}")
    part, person = header.index("part"), header.index("person")
    people = {cells[person] for _, cells in body if cells[part] != "train"} - {""}
    if not people:
        raise InputError(f"{folder}: names nobody in its validation and test part, so nobody can be left out by name")
    return people


def without(faces: Faces, people: set[str]) -> Faces:
    """Returns the faces of other people than these.

    Raises:
        InputError: nobody is left, or nobody is named.
    """
    if faces.groups is None:
        raise InputError("--leave-out: the sources name nobody, so who is to be left out cannot be told")
    kept = ~np.isin(faces.groups, list(people))
    if not kept.any():
        raise InputError("--leave-out: everybody in the sources is in validation or test there; bring more people")
    return faces.only(kept)


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


def save_origins(folder: Path, faces: Faces, indexes: Mapping[str, Int64]) -> None:
    """Writes `faces.csv`: part and row of each face, where it comes from, who it is and whose labels it has."""
    assert faces.origins is not None  # joined faces have them
    assert faces.sources is not None
    people = np.full(len(faces), "") if faces.groups is None else faces.groups
    names = [source.name for source in faces.keypoint_set.sources]
    with (folder / arrays.FACES_CSV).open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["part", "row", "origin", "file", "person", "source"])
        for part in SPLITS:
            for i in indexes[part]:
                origin, picture = faces.origins.folders[i], faces.origins.files[i]
                table.writerow([part, faces.rows[i], origin, picture, people[i], names[faces.sources[i]]])


def main(arguments: Sequence[str] | None = None) -> None:
    started = time.time()
    options = parser().parse_args(arguments)
    from data_prep.report import Prepared, write_report  # here, for matplotlib takes a second

    documented = options.split == "documented"
    if documented and options.impute not in (None, "ffill"):
        raise InputError("--split documented fills forward over the whole set; leave --impute out, or choose a split")
    method = "ffill" if documented else options.impute or DEFAULT_IMPUTER
    names = options.sources or [SYNTHETIC]
    how = cutting(options)
    reads = [Path(name) for name in names if Path(name).exists()]
    reads += options.leave_out

    with stage_folder(options.out, "prepare", reads) as folder:
        inputs = source_hashes(names, options.count, options.seed)
        faces, found = sources.read(names, options.count, options.seed, how)
        if options.leave_out:
            inputs["leave_out"] = " ".join(
                arrays.data_hash(arrays.load_data_manifest(one)) for one in options.leave_out
            )
        for data in options.leave_out:
            everybody, faces = len(faces), without(faces, held_out_people(data))
            found.append(f"{everybody - len(faces):,} faces left out: they are in val or test of {data}")
        labelled = labelled_points(faces.keypoints)
        duplicates = duplicate_groups(faces.images)
        groups = duplicates if faces.groups is None else join_groups(duplicates, faces.groups)
        indexes = split(options.split, groups, options.seed, faces.origins.parts if faces.origins else None)

        training, held_out = np.zeros((2, len(faces)), bool)
        training[indexes["train"]], held_out[indexes["val"]] = True, True
        only_test = options.split == "all-test"
        learn_from = training | documented | only_test
        if not labelled[learn_from].any():
            raise InputError("the training part has no label; bring more labelled faces or another --seed")
        assert faces.sources is not None  # joined faces have them
        keypoints = impute(method, faces.keypoints, learn_from)
        for name in SPLITS:
            i = indexes[name]
            crops = None if faces.crops is None else faces.crops[i]
            part = Part(faces.images[i], keypoints[i], labelled[i], faces.rows[i], groups[i], faces.sources[i], crops)
            arrays.save_part(folder, name, part)
        save_origins(folder, faces, indexes)

        hidden = {} if only_test else hidden_label_errors(faces.keypoints, faces.sources, training, held_out)
        prepared = Prepared(
            faces, labelled, faces.sources, duplicates, groups, indexes, learn_from, method, hidden, options.split
        )
        write_report(folder, prepared)
        lacking = gaps(labelled, faces.sources, learn_from, faces.keypoint_set)
        write_manifest(
            folder,
            "prepare",
            parameters=parameters(options, method, faces.keypoint_set),
            inputs=inputs,
            metrics={
                "faces": len(faces),
                **{name: len(indexes[name]) for name in SPLITS},
                "labelled_pct": round(100 * float(labelled.mean()), 2),
                "skipped": list(faces.skipped),
                **lacking,
            },
            started=started,
        )
    print(*found, sep="\n")
    print(f"{len(faces)} faces, {options.split} split: {sizes_text(options.split, indexes)}")
    print(f"{100 * labelled.mean():.1f} % of the keypoints are labelled, the others imputed by {method}")
    print(*gaps_text(lacking), sep="\n")
    if faces.skipped:
        print(f"{len(faces.skipped)} pictures could not be decoded and were left out: {shown_names(faces.skipped)}")
    print(f"{options.out}: arrays, faces.csv, report.md and pictures")


def parameters(options: argparse.Namespace, method: str, keypoint_set: KeypointSet) -> dict[str, Any]:
    """Returns the options that the arrays follow from, for the manifest."""
    return {
        "sources": options.sources or [SYNTHETIC],
        "split": options.split,
        "impute": method,
        "seed": options.seed,
        "count": options.count,
        "keypoint_set": keypoint_set.name,
        "as_15": options.as_15 is not None,
        "both_sources": options.both_sources,
        "size_px": options.size,
        "crop": options.crop,
        "colour": options.colour,
        "cuts": options.cuts,
    }


if __name__ == "__main__":
    run(main)

"""Stage 1: reads labelled faces, checks, crops, imputes and splits them, and writes numpy arrays."""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from common.hashes import files_hash, path_hash
from common.stage import seed, stage_folder, write_manifest
from data_prep import arrays, faces_csv, inputs
from data_prep.arrays import PREPARE
from data_prep.crop import CROPS, FACE, CropOptions
from data_prep.faces import SPLITS, Faces
from data_prep.impute import DEFAULT_IMPUTER, IMPUTERS
from data_prep.inputs import KAGGLE, SYNTHETIC
from data_prep.prepared import gaps, prepare, summary
from data_prep.readers import imglab, kaggle
from data_prep.readers.pictures import EXIF
from data_prep.split import SPLIT_METHODS
from data_prep.synthetic import dataset
from facial_keypoints.errors import InputError, run
from facial_keypoints.keypoint_set import KeypointSet

DEFAULT_OUT = Path("artifacts/data")
SMALLEST_SIZE_PX, LARGEST_SIZE_PX = 16, 1024
EPILOG = """examples:
  python -m data_prep.prepare
  python -m data_prep.prepare training.csv --out artifacts/data
  python -m data_prep.prepare helen lfpw --as 15 --size 96
"""


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="python -m data_prep.prepare",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument(
        "inputs",
        nargs="*",
        metavar="INPUT",
        help=f"{SYNTHETIC} (default): faces that the project draws; {KAGGLE}: downloaded with kagglehub; the "
        f"competition's training.csv or training.zip; an imglab .xml; or a folder with {inputs.LAYOUTS}. Several "
        "inputs of one keypoint set are joined",
    )
    p.add_argument("--out", type=Path, default=DEFAULT_OUT, metavar="DIR", help="data folder (default: %(default)s)")
    faces = p.add_argument_group("faces")
    faces.add_argument(
        "--count", type=int, metavar="N", help=f"number of {SYNTHETIC} faces to draw (default: {dataset.COUNT})"
    )
    faces.add_argument(
        "--skip-bad",
        action="store_true",
        help="skip and list faces that cannot be used (picture missing or damaged, label missing or wrong)",
    )
    faces.add_argument(
        "--leave-out",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="leave out the people in val or test of this data folder; may be given several times",
    )
    faces.add_argument(
        "--impute",
        choices=list(IMPUTERS),
        help=f"method that fills gaps (default: {DEFAULT_IMPUTER}; with --split published always ffill on all faces)",
    )
    faces.add_argument(
        "--split", choices=SPLIT_METHODS, default="grouped", help="how to split the faces (default: %(default)s)"
    )
    faces.add_argument("--seed", type=seed, default=0, metavar="N", help="random seed (default: %(default)s)")
    how = p.add_argument_group("cropping of pictures")
    how.add_argument("--as", dest="as_15", choices=["15"], help="convert 68 points to the 15 keypoints")
    how.add_argument(
        "--both-label-sources",
        action="store_true",
        help="with --as 15: add each crop twice, with the labels of the complete and of the sparse label source",
    )
    how.add_argument("--size", type=int, metavar="PX", help="side of the crop (default: 96 for 15 points, 128 for 68)")
    how.add_argument("--crop", choices=CROPS, default=FACE, help="part of the picture to use (default: %(default)s)")
    how.add_argument("--color", action="store_true", help="RGB instead of gray")
    how.add_argument(
        "--crops-per-face", type=int, default=1, metavar="N", help="crops of each face, 15 points only (default: 1)"
    )
    how.add_argument(
        "--exif",
        choices=EXIF,
        help="apply or ignore the EXIF orientation of pictures (default: refuse pictures that have one)",
    )
    return p


def crop_options(options: argparse.Namespace) -> CropOptions:
    """Returns how to crop pictures; raises InputError if the options do not go together."""
    if options.size is not None and not SMALLEST_SIZE_PX <= options.size <= LARGEST_SIZE_PX:
        raise InputError(f"--size {options.size}: give {SMALLEST_SIZE_PX} to {LARGEST_SIZE_PX} px")
    if options.crops_per_face < 1:
        raise InputError(
            f"--crops-per-face {options.crops_per_face}: the number of crops of each face must be at least 1"
        )
    if options.both_label_sources and not options.as_15:
        raise InputError("--both-label-sources: needs --as 15; add it")
    return CropOptions(
        size_px=options.size,
        crop=options.crop,
        color=options.color,
        as_15=options.as_15 is not None,
        both_label_sources=options.both_label_sources,
        crops_per_face=options.crops_per_face,
        exif=options.exif,
        seed=options.seed,
    )


def input_hashes(names: Sequence[str], count: int | None, seed: int) -> dict[str, str]:
    """Returns the hash of the contents of each input, or the facts that determine them."""
    hashes = {}
    for name in names:
        if name == SYNTHETIC:
            hashes[name] = f"{dataset.COUNT if count is None else count} faces, seed {seed}"
        elif name == KAGGLE:
            hashes[name] = kaggle.DATASET
        elif not Path(name).exists():
            hashes[name] = "missing"
        elif Path(name).suffix.lower() == ".xml":
            hashes[name] = files_hash(Path(name).parent, imglab.files(Path(name)))
        else:
            hashes[name] = path_hash(Path(name))
    return hashes


def without_held_out(faces: Faces, folders: Sequence[Path]) -> tuple[Faces, list[str]]:
    """Returns the faces of people in no validation or test split of these folders, and a line for each folder."""
    lines = []
    for folder in folders:
        before, faces = len(faces), without(faces, faces_csv.held_out_people(folder))
        lines.append(f"{before - len(faces):,} faces left out: they are in val or test of {folder}")
    return faces, lines


def without(faces: Faces, people: set[str]) -> Faces:
    """Returns the faces of all other people.

    Raises:
        InputError: no face is left, or the inputs name no people.
    """
    if not (faces.groups != "").any():
        raise InputError("--leave-out: the inputs name no people, so nobody can be left out by name")
    kept = ~np.isin(faces.groups, list(people))
    if not kept.any():
        raise InputError("--leave-out: all people in the inputs are in val or test there; bring more people")
    return faces.only(kept)


def parameters(options: argparse.Namespace, method: str, keypoint_set: KeypointSet) -> dict[str, Any]:
    """Returns the options that the arrays depend on, for the manifest."""
    return {
        "inputs": options.inputs or [SYNTHETIC],
        "split": options.split,
        "impute": method,
        "seed": options.seed,
        "count": options.count,
        "keypoint_set": keypoint_set.name,
        "as_15": options.as_15 is not None,
        "both_label_sources": options.both_label_sources,
        "size_px": options.size,
        "crop": options.crop,
        "color": options.color,
        "cuts": options.crops_per_face,
        "exif": options.exif,
    }


def imputer(options: argparse.Namespace) -> str:
    """Returns the method that fills gaps; raises InputError if the split does not allow the chosen one."""
    if options.split != "published":
        return options.impute or DEFAULT_IMPUTER
    if options.impute not in (None, "ffill"):
        raise InputError("--split published always uses ffill on all faces; omit --impute, or choose another split")
    return "ffill"


def main(arguments: Sequence[str] | None = None) -> None:
    started = time.time()
    options = parser().parse_args(arguments)
    from data_prep.report.write import write_report  # imported here because matplotlib takes a second

    method, how, names = imputer(options), crop_options(options), options.inputs or [SYNTHETIC]
    reads = [Path(name) for name in names if Path(name).exists()] + options.leave_out
    with stage_folder(options.out, PREPARE, reads) as folder:
        hashes = input_hashes(names, options.count, options.seed)
        if options.leave_out:
            manifests = [arrays.load_data_manifest(data) for data in options.leave_out]
            hashes["leave_out"] = " ".join(arrays.data_hash(manifest) for manifest in manifests)
        faces, found = inputs.read(names, options.count, options.seed, how, options.skip_bad)
        faces, left_out = without_held_out(faces, options.leave_out)
        data = prepare(faces, options.split, method, options.seed)
        for name in SPLITS:
            arrays.save_split(folder, name, data.split(name))
        faces_csv.write(folder, faces, data.indexes)
        write_report(folder, data)
        missing = gaps(data)
        write_manifest(
            folder,
            PREPARE,
            parameters=parameters(options, method, faces.keypoint_set),
            inputs=hashes,
            metrics={
                "faces": len(faces),
                **{name: len(data.indexes[name]) for name in SPLITS},
                "labelled_pct": round(100 * float(faces.labelled.mean()), 2),
                "occluded": int(faces.occluded.sum()),
                "skipped": list(faces.skipped),
                **missing,
            },
            started=started,
        )
    print(*found, *left_out, *summary(data, missing), sep="\n")
    print(f"{options.out}: arrays, {faces_csv.NAME}, report.md and pictures")


if __name__ == "__main__":
    run(main)

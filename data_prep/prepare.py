"""Stage 1: faces in, checked, cut where they are whole pictures, imputed, split and dumped as numpy arrays.

python -m data_prep.prepare INPUT... --out DIR
"""

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


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(prog="python -m data_prep.prepare", description=(__doc__ or "").partition("\n")[0])
    p.add_argument(
        "inputs",
        nargs="*",
        metavar="INPUT",
        help=f"{SYNTHETIC} (default): faces the project draws; {KAGGLE}: fetched with kagglehub; the competition's "
        f"training.csv or training.zip; an imglab .xml; or a folder with {inputs.LAYOUTS}. Several of one keypoint "
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
        help=f"default: {DEFAULT_IMPUTER}; with --split published always ffill, over the whole set",
    )
    p.add_argument("--seed", type=seed, default=0, help="of the split, drawn faces and eye places (default: 0)")
    p.add_argument(
        "--skip-bad",
        action="store_true",
        help="leave out faces that cannot be used (picture missing or damaged, label missing or wrong) and list them",
    )
    p.add_argument("--count", type=int, help="how many synthetic faces to draw (default: 7049)")
    how = p.add_argument_group("pictures of any size that are cut here")
    how.add_argument("--as", dest="as_15", choices=["15"], help="take 68 points as the 15 keypoints")
    how.add_argument(
        "--both-label-sources",
        action="store_true",
        help="with --as 15: each crop twice, labelled as the complete and as the sparse label source does",
    )
    how.add_argument("--size", type=int, metavar="PX", help="side of the crop (default: 96 for 15 points, 128 for 68)")
    how.add_argument("--crop", choices=CROPS, default=FACE, help="what of the picture (default: %(default)s)")
    how.add_argument("--color", action="store_true", help="RGB instead of gray")
    how.add_argument("--crops-per-face", type=int, default=1, help="crops of each face, 15 points only (default: 1)")
    how.add_argument(
        "--exif",
        choices=EXIF,
        help="of pictures whose EXIF data ask for a turn: turn them before the labels are used, or leave their pixels "
        "as stored (default: such a set is refused)",
    )
    return p


def crop_options(options: argparse.Namespace) -> CropOptions:
    """Returns how pictures are to be cut; raises InputError where the options do not go together."""
    if options.size is not None and not SMALLEST_SIZE_PX <= options.size <= LARGEST_SIZE_PX:
        raise InputError(f"--size {options.size}: give {SMALLEST_SIZE_PX} to {LARGEST_SIZE_PX} px")
    if options.crops_per_face < 1:
        raise InputError(
            f"--crops-per-face {options.crops_per_face}: the number of crops of each face must be at least 1"
        )
    if options.both_label_sources and not options.as_15:
        raise InputError("--both-label-sources: only where 68 points are taken as 15; add --as 15")
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
    """Returns what the arrays follow from: each source and the hash of its contents, or the facts that stand for it."""
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
    """Returns the faces of people whom none of these data folders validates or tests on, and a line for each folder."""
    lines = []
    for folder in folders:
        everybody, faces = len(faces), without(faces, faces_csv.held_out_people(folder))
        lines.append(f"{everybody - len(faces):,} faces left out: they are in val or test of {folder}")
    return faces, lines


def without(faces: Faces, people: set[str]) -> Faces:
    """Returns the faces of other people than these.

    Raises:
        InputError: nobody is left, or nobody is named.
    """
    if not (faces.groups != "").any():
        raise InputError("--leave-out: the inputs name no people, so nobody can be left out by name")
    kept = ~np.isin(faces.groups, list(people))
    if not kept.any():
        raise InputError("--leave-out: everybody in the inputs is in validation or test there; bring more people")
    return faces.only(kept)


def parameters(options: argparse.Namespace, method: str, keypoint_set: KeypointSet) -> dict[str, Any]:
    """Returns the options that the arrays follow from, for the manifest."""
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
    """Returns the method that fills gaps; raises InputError where another one than the split's own is asked for."""
    if options.split != "published":
        return options.impute or DEFAULT_IMPUTER
    if options.impute not in (None, "ffill"):
        raise InputError("--split published fills forward over the whole set; leave --impute out, or choose a split")
    return "ffill"


def main(arguments: Sequence[str] | None = None) -> None:
    started = time.time()
    options = parser().parse_args(arguments)
    from data_prep.report.write import write_report  # here, for matplotlib takes a second

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
        lacking = gaps(data)
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
                **lacking,
            },
            started=started,
        )
    print(*found, *left_out, *summary(data, lacking), sep="\n")
    print(f"{options.out}: arrays, {faces_csv.NAME}, report.md and pictures")


if __name__ == "__main__":
    run(main)

"""Stage 1: reads labelled faces, checks, crops, imputes and splits them, and writes numpy arrays."""

import argparse
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from common.hashes import files_hash, path_hash
from common.options import DEFAULT_DATA, seed, stage_parser
from common.stage import stage_folder, write_manifest
from data_prep import arrays, faces_csv, inputs
from data_prep.arrays import PREPARE
from data_prep.crop import CROPS, FACE, CropOptions
from data_prep.faces import SPLITS, Faces
from data_prep.impute import DEFAULT_IMPUTER, IMPUTERS
from data_prep.inputs import KAGGLE, SYNTHETIC, LabelOptions
from data_prep.prepared import gaps, prepare, summary
from data_prep.readers import coco, imglab, kaggle, keypoint_sets, pictures_csv
from data_prep.readers.pictures import EXIF
from data_prep.split import SPLIT_METHODS
from data_prep.synthetic import dataset
from facial_keypoints.errors import InputError, run
from facial_keypoints.keypoint_set import KEYPOINT_SETS, to_dict

SCRATCH = "scratch"  # a folder for images while they are prepared
SMALLEST_SIZE_PX, LARGEST_SIZE_PX = 16, 1024


def parser() -> argparse.ArgumentParser:
    p = stage_parser(
        "data_prep.prepare", __doc__, "", "training.csv --out artifacts/data", "helen lfpw --as 15 --size 96"
    )
    p.add_argument(
        "inputs",
        nargs="*",
        metavar="INPUT",
        help=f"{SYNTHETIC} (default): faces that the project draws; {KAGGLE}: a data set that kagglehub downloads; "
        "training.csv or training.zip of the Kaggle competition; a CSV file with a column `file`; an imglab .xml or a "
        f"COCO .json; or a folder with {inputs.LAYOUTS}. Several inputs of one keypoint set are joined",
    )
    add_label_options(p)
    p.add_argument("--out", type=Path, default=DEFAULT_DATA, metavar="DIR", help="data folder (default: %(default)s)")
    add_face_options(p)
    add_crop_options(p)
    return p


def add_label_options(p: argparse.ArgumentParser) -> None:
    labels = p.add_argument_group("label files")
    labels.add_argument(
        "--images",
        type=Path,
        metavar="DIR",
        help="folder of the pictures that a label file names (default: pictures/ or images/ beside it, or its folder)",
    )
    labels.add_argument(
        "--category", metavar="NAME", help="category to read, if a COCO file has several with keypoints"
    )
    labels.add_argument(
        "--reviewed",
        action="store_true",
        help="use all predictions in these files as labels, because a person has checked them (default: only those "
        "marked as reviewed)",
    )
    labels.add_argument(
        "--keypoints",
        metavar="FILE.toml",
        help=f"keypoint set: a file, or {' or '.join(KEYPOINT_SETS)} (default: keypoints.toml beside the data, "
        "otherwise derived from the labels)",
    )


def add_face_options(p: argparse.ArgumentParser) -> None:
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
        help="leave out the people in val or test of this data folder; may be repeated",
    )
    faces.add_argument(
        "--impute",
        choices=list(IMPUTERS),
        help=f"how to fill in missing labels (default: {DEFAULT_IMPUTER}; --split published always takes ffill)",
    )
    faces.add_argument(
        "--split", choices=SPLIT_METHODS, default="grouped", help="how to split the faces (default: %(default)s)"
    )
    faces.add_argument("--seed", type=seed, default=0, metavar="N", help="random seed (default: %(default)s)")


def add_crop_options(p: argparse.ArgumentParser) -> None:
    crops = p.add_argument_group("cropping of pictures")
    crops.add_argument("--as", dest="as_15", choices=["15"], help="convert 68 keypoints to the 15")
    crops.add_argument(
        "--both-label-sources",
        action="store_true",
        help="with --as 15: add each crop twice, with the labels of the complete and of the sparse label source",
    )
    crops.add_argument(
        "--size", type=int, metavar="PX", help="side of the crop (default: 128; 96 for the 15 keypoints)"
    )
    crops.add_argument("--crop", choices=CROPS, default=FACE, help="part of the picture to use (default: %(default)s)")
    crops.add_argument("--color", action="store_true", help="RGB instead of grayscale")
    crops.add_argument(
        "--crops-per-face", type=int, default=1, metavar="N", help="crops of each face, 15 keypoints only (default: 1)"
    )
    crops.add_argument(
        "--exif",
        choices=EXIF,
        help="apply or ignore the EXIF orientation of pictures (default: refuse pictures that have one)",
    )


def crop_options(options: argparse.Namespace) -> CropOptions:
    """Returns how to crop pictures; raises InputError if the options conflict or have wrong values."""
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


def input_hashes(
    names: Sequence[str], count: int | None, seed: int, keypoints: str | None = None, images: Path | None = None
) -> dict[str, str]:
    """Returns, for each input, the hash of its contents or the values that determine them."""
    hashes = {}
    for name in names:
        path = Path(name)
        if name == SYNTHETIC:
            hashes[name] = f"{dataset.COUNT if count is None else count} faces, seed {seed}"
        elif name == KAGGLE:
            hashes[name] = kaggle.DATASET
        elif not path.exists():
            hashes[name] = "missing"
        elif path.suffix.lower() == ".xml":
            hashes[name] = files_hash(path.parent, imglab.files(path))
        else:
            hashes[name] = path_hash(path)
        if path.is_file() and path.suffix.lower() == ".json":
            folder, files = coco.files(path, images)
            hashes[str(folder)] = files_hash(folder, files)
        elif inputs.names_images(path) and (images or path.is_file()):
            folder = images or path.parent / pictures_csv.PICTURES
            hashes[str(folder)] = path_hash(folder) if folder.exists() else "missing"
        if path.is_file() and (set_file := path.parent / keypoint_sets.FILE).is_file():
            hashes[str(set_file)] = path_hash(set_file)
    if keypoints and Path(keypoints).is_file():
        hashes["keypoints"] = path_hash(Path(keypoints))
    return hashes


def without_held_out(faces: Faces, folders: Sequence[Path]) -> tuple[Faces, list[str]]:
    """Returns the faces without people in val or test of these folders, and a line for each folder.

    Raises:
        InputError: no face is left, or the inputs or a folder name no people.
    """
    lines = []
    for folder in folders:
        people = faces_csv.held_out_people(folder)
        if not (faces.groups != "").any():
            raise InputError("--leave-out: the inputs name no people to leave out; remove the option")
        kept = ~np.isin(faces.groups, list(people))
        if not kept.any():
            raise InputError("--leave-out: all people in the inputs are in val or test there; bring more people")
        faces = faces.only(kept)
        lines.append(f"{(~kept).sum():,} faces left out: they are in val or test of {folder}")
    return faces, lines


def imputer(options: argparse.Namespace) -> str:
    """Returns the method that fills gaps; raises InputError if the split does not allow that of `--impute`."""
    if options.split != "published":
        return options.impute or DEFAULT_IMPUTER
    if options.impute not in (None, "ffill"):
        raise InputError("--split published always uses ffill on all faces; omit --impute, or choose another split")
    return "ffill"


def main(arguments: Sequence[str] | None = None) -> None:
    started = time.time()
    options = parser().parse_args(arguments)
    from data_prep.report.write import write_report  # imported here because matplotlib takes a second

    method, cropping, names = imputer(options), crop_options(options), options.inputs or [SYNTHETIC]
    user_set = keypoint_sets.given_set(options.keypoints)
    read_names = [*names, *filter(None, [options.images, options.keypoints])]
    reads = [Path(name) for name in read_names if Path(name).exists()] + options.leave_out
    with stage_folder(options.out, PREPARE, reads) as folder:
        hashes = input_hashes(names, options.count, options.seed, options.keypoints, options.images)
        if options.leave_out:
            manifests = [arrays.load_data_manifest(data) for data in options.leave_out]
            hashes["leave_out"] = " ".join(arrays.data_hash(manifest) for manifest in manifests)
        scratch = folder / SCRATCH
        scratch.mkdir()
        label_options = LabelOptions(user_set, options.images, options.category, options.reviewed)
        faces, descriptions = inputs.read(
            names, options.count, options.seed, cropping, options.skip_bad, label_options, scratch
        )
        faces, left_out_lines = without_held_out(faces, options.leave_out)
        data = prepare(faces, options.split, method, options.seed)
        for name in SPLITS:
            arrays.save_split(folder, name, data.all_faces(), data.indexes[name])
        faces_csv.write(folder, faces, data.indexes)
        write_report(folder, data)
        unlabelled = gaps(data)
        shutil.rmtree(scratch, ignore_errors=True)  # Windows keeps files that are mapped
        write_manifest(
            folder,
            PREPARE,
            parameters={
                **vars(cropping),
                **{name: getattr(options, name) for name in ("split", "count", "keypoints", "category", "reviewed")},
                "inputs": names,
                "images": options.images and str(options.images),
                "impute": method,
            },
            inputs=hashes,
            metrics={
                "faces": len(faces),
                **{name: len(data.indexes[name]) for name in SPLITS},
                "labelled_pct": round(100 * float(faces.labelled.mean()), 2),
                "occluded": int(faces.occluded.sum()),
                "skipped": list(faces.skipped),
                "unreviewed": faces.unreviewed,
                **unlabelled,
            },
            started=started,
            extra={arrays.KEYPOINT_SET: to_dict(faces.keypoint_set)},
        )
    print(
        *descriptions,
        *keypoint_sets.description(faces.keypoint_set),
        *left_out_lines,
        *summary(data, unlabelled),
        sep="\n",
    )
    print(f"{options.out}: arrays, {faces_csv.NAME}, report.md and pictures")


if __name__ == "__main__":
    run(main)

"""Chooses the reader of each INPUT and joins several inputs into one set of faces."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from data_prep import image_arrays
from data_prep.crop import CropOptions, crop
from data_prep.faces import Faces, Origins, Text
from data_prep.readers import coco, frames, imglab, kaggle, labelme, npz, pictures_csv, pts, training_csv
from data_prep.readers.bad_faces import STRICT, BadFaces
from data_prep.readers.keypoint_sets import set_beside
from data_prep.readers.labelled_pictures import LabelledPictures, checked
from data_prep.readers.reviewed import only_reviewed
from data_prep.synthetic import dataset
from facial_keypoints.array_types import Float32, Float64
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15, FACE68, KeypointSet, difference

SYNTHETIC, KAGGLE = dataset.NAME, kaggle.NAME
LAYOUTS = (
    f"{npz.IMAGES}, *{frames.CSV_END}, {pictures_csv.CSV} with {pictures_csv.PICTURES}/, .pts files, LabelMe's .json"
)


@dataclass(frozen=True)
class LabelOptions:
    """What the user states about the label files.

    Attributes:
        keypoint_set: that of `--keypoints`; None: of `keypoints.toml` beside an input, or derived from its labels.
        images: the folder of the pictures that they name; None: the default of each reader.
        category: name of the category of a COCO file; None: the only one with keypoints.
        reviewed: a person has checked all predictions in the files, so they count as labels.
    """

    keypoint_set: KeypointSet | None = None
    images: Path | None = None
    category: str | None = None
    reviewed: bool = False


NO_LABEL_OPTIONS = LabelOptions()


def read(
    inputs: Sequence[str],
    count: int | None,
    seed: int,
    crop_options: CropOptions,
    skip_bad: bool = False,
    label_options: LabelOptions = NO_LABEL_OPTIONS,
    scratch: Path | None = None,
) -> tuple[Faces, list[str]]:
    """Returns the faces of all inputs, and one line for each that describes it.

    Args:
        inputs: as on the command line.
        count: the number of faces to draw; for SYNTHETIC only.
        seed: for drawn faces.
        crop_options: how to crop pictures.
        skip_bad: skip faces that cannot be used; `Faces.skipped` lists them.
        label_options: what the user states about the label files.
        scratch: a folder for images that are cropped here, which can be larger than memory; None: keep them in memory.

    Raises:
        InputError: an input does not exist, cannot be read or does not fit the others, or no input uses the options.
    """
    if count is not None and SYNTHETIC not in inputs:
        raise InputError(f"--count is for the {SYNTHETIC} input only; leave it out")
    paths = [str(Path(name).resolve()) for name in inputs]
    if repeated := [name for name, path in zip(inputs, paths, strict=True) if paths.count(path) > 1]:
        raise InputError(f"{repeated[0]}: is given twice; every face would be there twice")
    if label_options.images is not None and not any(names_images(Path(name)) for name in inputs):
        raise InputError(
            f"--images {label_options.images}: is for label files that name pictures; {inputs[0]} is none, leave it out"
        )
    if label_options.category is not None and not any(Path(name).suffix.lower() == ".json" for name in inputs):
        raise InputError(f"--category {label_options.category}: is for COCO files; {inputs[0]} is none, leave it out")
    results = [read_one(name, count, seed, crop_options, skip_bad, label_options, scratch) for name in inputs]
    keypoint_sets = [keypoint_set for _, _, keypoint_set in results]
    given = label_options.keypoint_set
    if given and (
        conflicting := [name for name, input_set in zip(inputs, keypoint_sets, strict=True) if input_set != given]
    ):
        raise InputError(f"{conflicting[0]}: always has its own keypoint set; leave out --keypoints")
    faces = [faces_of_input for faces_of_input, _, _ in results]
    if crop_options != CropOptions(seed=crop_options.seed) and all(one.crops is None for one in faces):
        raise InputError(f"{inputs[0]}: its faces are already cropped; leave out the options for cropping")
    if crop_options.as_15 and any(one.keypoint_set != FACE15 for one in faces):
        raise InputError(
            "--as 15: takes 68 points of labelled pictures; leave out inputs whose faces are cropped already"
        )
    if crop_options.both_label_sources and FACE68 not in keypoint_sets:
        raise InputError("--both-label-sources: no input has the 68 points that hold both; leave it out")
    return join(inputs, faces, scratch), [description for _, description, _ in results]


def read_one(
    name: str,
    count: int | None,
    seed: int,
    crop_options: CropOptions,
    skip_bad: bool = False,
    label_options: LabelOptions = NO_LABEL_OPTIONS,
    scratch: Path | None = None,
) -> tuple[Faces, str, KeypointSet]:
    """Returns the faces of one input, a line that describes it, and its keypoint set before `--as 15`; see `read`."""
    bad, path = BadFaces(skip_bad), Path(name)
    label_options = replace(label_options, keypoint_set=label_options.keypoint_set or set_beside(path))
    given = label_options.keypoint_set
    if name == SYNTHETIC:
        faces = dataset.read(dataset.COUNT if count is None else count, seed)
    elif name == KAGGLE:
        faces = kaggle.read(bad)
    elif not path.exists():
        raise InputError(f"{name}: no such file or folder, and not one of {SYNTHETIC}, {KAGGLE}")
    elif (pictures := read_pictures(path, bad, label_options)) is not None:
        pictures, unreviewed = only_reviewed(name, pictures, label_options.reviewed)
        pictures = checked(pictures, crop_options.exif, bad)
        check_sides(name, np.stack([face.keypoints for face in pictures.faces]), pictures.keypoint_set)
        faces = crop(pictures, crop_options, bad, scratch)
        faces = replace(faces, skipped=tuple(bad.lines), unreviewed=unreviewed)
        return faces, f"{name}: {pictures.description}", pictures.keypoint_set
    else:
        faces = npz.read(path, bad, given=given) if path.is_dir() else training_csv.read(path, bad, given)
    if not faces.labelled.any():
        raise InputError(f"{name}: holds {len(faces)} faces and not one label; bring labelled faces")
    check_sides(name, faces.keypoints, faces.keypoint_set)
    return replace(faces, skipped=tuple(bad.lines)), f"{name}: {len(faces):,} faces", faces.keypoint_set


def check_sides(name: str, keypoints: Float32, keypoint_set: KeypointSet) -> None:
    """Raises InputError if, with the nose below the eyes, the left eye is on the left in most faces (N, K, 2).

    `left` is the person's. If it were the picture's, faces would be cropped upside down.
    """
    nose = keypoint_set.role("nose_tip")
    if keypoint_set.eyes is None or not nose:
        return
    left, right, below = (keypoints[:, list(role)].mean(axis=1) for role in (*keypoint_set.eyes, nose))
    across, down = left - right, below - (left + right) / 2
    cross_products = across[:, 0] * down[:, 1] - across[:, 1] * down[:, 0]  # above 0 where the left eye is on the right
    usable = ~np.isnan(cross_products)
    swapped = int((cross_products[usable] < 0).sum())
    if swapped > usable.sum() / 2:
        raise InputError(
            f"{name}: {swapped} of {usable.sum()} faces have the left eye on the left of the picture; `left` is the "
            "person's own: swap left and right in the labels"
        )


def join(names: Sequence[str], of_inputs: Sequence[Faces], scratch: Path | None = None) -> Faces:
    """Returns the faces of several inputs as one set, with consecutive row numbers; see `read`.

    Raises:
        InputError: the inputs have different keypoints, or images of different shapes.
    """
    first = of_inputs[0]
    if len(of_inputs) == 1:
        return first
    for name, faces in zip(names, of_inputs, strict=True):
        if faces.keypoint_set != first.keypoint_set:
            raise InputError(
                f"{name}: has the keypoint set {faces.keypoint_set.name}, {names[0]} has {first.keypoint_set.name} ("
                f"{difference(faces.keypoint_set, first.keypoint_set) or 'their keypoints.toml differ'}); join inputs "
                "of one set, or take 68 points as 15 by --as 15"
            )
        if faces.images.shape[1:] != first.images.shape[1:]:
            theirs, ours = ("x".join(map(str, one.images.shape[1:])) for one in (faces, first))
            raise InputError(f"{name}: has images of {theirs}, {names[0]} of {ours}; give the same --size and --color")
    uncropped = all(faces.crops is None for faces in of_inputs)
    return Faces(
        images=image_arrays.concatenate([faces.images for faces in of_inputs], scratch),
        keypoints=np.concatenate([faces.keypoints for faces in of_inputs]),
        rows=np.arange(sum(map(len, of_inputs))),
        groups=np.concatenate([_groups(faces) for faces in of_inputs]),
        keypoint_set=first.keypoint_set,
        label_sources=np.concatenate([faces.label_sources for faces in of_inputs]),
        origins=Origins(
            np.concatenate([faces.origins.folders for faces in of_inputs]),
            np.concatenate([faces.origins.files for faces in of_inputs]),
        ),
        official_splits=np.concatenate([faces.official_splits for faces in of_inputs]),
        occluded=np.concatenate([faces.occluded for faces in of_inputs]),
        crops=None if uncropped else np.concatenate([_crop_matrices(faces) for faces in of_inputs]),
        unnamed=tuple(name for faces in of_inputs for name in faces.unnamed),
        skipped=tuple(line for faces in of_inputs for line in faces.skipped),
        knows_occluded=any(faces.knows_occluded for faces in of_inputs),
        unreviewed=sum(faces.unreviewed for faces in of_inputs),
    )


def _groups(faces: Faces) -> Text:
    """Returns the groups of the faces; a face without a group forms one by itself."""
    single_groups = [f"{origin}:{row}" for origin, row in zip(faces.origins.folders, faces.rows, strict=True)]
    return np.where(faces.groups == "", single_groups, faces.groups)


def _crop_matrices(faces: Faces) -> Float64:
    """Returns the crop matrices of the faces; the identity for images that were not cropped here."""
    return np.tile(np.eye(2, 3), (len(faces), 1, 1)) if faces.crops is None else faces.crops


def names_images(path: Path) -> bool:
    """Returns whether an input names pictures whose folder `--images` can set."""
    if path.is_dir():
        return (path / pictures_csv.CSV).is_file() or labelme.is_labelme(path)
    suffix = path.suffix.lower()
    return path.is_file() and (suffix == ".json" or (suffix != ".xml" and pictures_csv.is_label_file(path)))


def read_pictures(
    path: Path, bad: BadFaces = STRICT, label_options: LabelOptions = NO_LABEL_OPTIONS
) -> LabelledPictures | None:
    """Returns the labelled pictures of a folder or file; None if it holds faces that are cropped already.

    Args:
        path: the folder or file.
        bad: skips faces that cannot be used, or raises their error.
        label_options: what the user states about the label files.

    Raises:
        InputError: it has no known layout, or its reader rejects it.
    """
    if path.is_file():
        return read_label_file(path, bad, label_options)
    given, images = label_options.keypoint_set, label_options.images
    if (path / npz.IMAGES).exists() or (path / npz.KEYPOINTS).exists():
        return None
    if any((path / f"{split}{frames.CSV_END}").is_file() for split in frames.SPLITS):
        return frames.read(path, bad)
    if (path / pictures_csv.CSV).is_file():
        return pictures_csv.read(path, bad, given, images)
    if any(pts.files(path / folder) for folder in pts.SPLITS):
        return pts.read(path, bad, given)
    if labelme.is_labelme(path):
        return labelme.read(path, images, bad, given)
    label_files = [
        file for end in ("json", "xml") for pattern in ("*", "*/*") for file in sorted(path.glob(f"{pattern}.{end}"))
    ]
    hint = f"give its label file instead, {label_files[0]}" if label_files else "see docs/preparing.md"
    raise InputError(f"{path}: none of the known layouts is in this folder ({LAYOUTS}); {hint}")


def read_label_file(path: Path, bad: BadFaces, label_options: LabelOptions) -> LabelledPictures | None:
    """Returns the labelled pictures of a file; None if it also holds the pictures. See `read_pictures`."""
    given, images, suffix = label_options.keypoint_set, label_options.images, path.suffix.lower()
    if suffix == ".json":
        return coco.read(path, images, label_options.category, bad, given)
    if suffix == ".xml":
        return imglab.read(path, bad, given)
    return pictures_csv.read(path, bad, given, images) if pictures_csv.is_label_file(path) else None

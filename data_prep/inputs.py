"""Which reader a SOURCE needs, and several sources joined into one set of faces."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from data_prep.crop import CropOptions, cut
from data_prep.faces import Faces, Origins, Text, labelled_points
from data_prep.grouping import label_sources
from data_prep.readers import frames, imglab, kaggle, npz, pictures_csv, pts, training_csv
from data_prep.readers.bad_faces import STRICT, BadFaces
from data_prep.readers.labelled_pictures import LabelledPictures, checked
from data_prep.synthetic import dataset
from facial_keypoints.array_types import Bool, Float32, Float64, Int64
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15, KeypointSet

SYNTHETIC, KAGGLE = "synthetic", "kaggle"
LAYOUTS = f"{npz.IMAGES}, *{frames.CSV_END}, {pictures_csv.CSV} with {pictures_csv.PICTURES}/, .pts files"


def read(
    inputs: Sequence[str], count: int | None, seed: int, crop_options: CropOptions, skip_bad: bool = False
) -> tuple[Faces, list[str]]:
    """Returns the faces of all sources, and a line for each that says what was found.

    Args:
        inputs: as on the command line.
        count: how many faces to draw; for SYNTHETIC only.
        seed: of drawn faces.
        cutting: how pictures are cut.
        skip_bad: leave out faces that cannot be used; `Faces.skipped` lists them.

    Raises:
        InputError: no such input, a reader found one bad, they do not join, or `crop_options` do not go with any.
    """
    if count is not None and SYNTHETIC not in inputs:
        raise InputError(f"--count is for the {SYNTHETIC} input only; leave it out")
    places = [str(Path(path).resolve()) for path in inputs]
    if repeated := [name for name, at in zip(inputs, places, strict=True) if places.count(at) > 1]:
        raise InputError(f"{repeated[0]}: is named twice; every face would be there twice")
    read_ones = [read_one(path, count, seed, crop_options, skip_bad) for path in inputs]
    if crop_options != CropOptions(seed=crop_options.seed) and all(faces.crops is None for faces, _ in read_ones):
        raise InputError(f"{inputs[0]}: its faces are already cut; leave out the options that say how to cut")
    faces = [faces for faces, _ in read_ones]
    if crop_options.as_15 and any(one.keypoint_set != FACE15 for one in faces):
        raise InputError(
            "--as 15: takes 68 points of marked pictures; leave out inputs whose faces are cropped already"
        )
    if crop_options.both_label_sources and all(
        one.label_sources is None or len(np.unique(one.label_sources)) < 2 for one in faces
    ):
        raise InputError("--both-label-sources: no input has the 68 points that hold both; leave it out")
    return join(inputs, faces), [line for _, line in read_ones]


def read_one(
    name: str, count: int | None, seed: int, crop_options: CropOptions, skip_bad: bool = False
) -> tuple[Faces, str]:
    """Returns the faces of one source; see `read`."""
    bad = BadFaces(skip_bad)
    path = Path(name)
    found = ""
    if name == SYNTHETIC:
        faces = dataset.read(dataset.COUNT if count is None else count, seed)
    elif name == KAGGLE:
        faces = kaggle.read(bad)
    elif not path.exists():
        raise InputError(f"{name}: no such file or folder, and not one of {SYNTHETIC}, {KAGGLE}")
    elif (pictures := read_pictures(path, bad)) is not None:
        pictures = checked(pictures, crop_options.exif, bad)
        check_sides(name, np.stack([face.keypoints for face in pictures.faces]), pictures.keypoint_set)
        faces, found = cut(pictures, crop_options, bad), pictures.found
    else:
        faces = npz.read(path, bad) if path.is_dir() else training_csv.read(path, bad)
    if not found:
        if not labelled_points(faces.keypoints).any():
            raise InputError(f"{name}: holds {len(faces)} faces and not one label; bring labelled faces")
        check_sides(name, faces.keypoints, faces.keypoint_set)
        found = f"{len(faces):,} faces"
    return replace(faces, skipped=tuple(bad.lines)), f"{name}: {found}"


def check_sides(name: str, keypoints: Float32, keypoint_set: KeypointSet) -> None:
    """Raises InputError where in most faces, (N, K, 2), the left eye lies on the picture's left.

    `left` is the person's own. Whoever takes it for the picture's gets faces cut upside down. Only of the 15 keypoints,
    whose columns have such names.
    """
    if keypoint_set != FACE15:
        return
    left, right = (keypoints[:, FACE15.index(f"{side}_eye_center"), 0] for side in ("left", "right"))
    both = ~np.isnan(left + right)
    swapped = int((left < right)[both].sum())
    if swapped > both.sum() / 2:
        raise InputError(
            f"{name}: {swapped} of {both.sum()} faces have left_eye_center on the left of the picture; `left` is the "
            "person's own: swap left and right in the header"
        )


def join(names: Sequence[str], of_inputs: Sequence[Faces]) -> Faces:
    """Returns the faces of several sources as one set: their rows are numbered through, their origins kept.

    Raises:
        InputError: other keypoints, or images of another shape.
    """
    first = of_inputs[0]
    for name, faces in zip(names, of_inputs, strict=True):
        if faces.keypoint_set != first.keypoint_set:
            raise InputError(
                f"{name}: has the keypoint set {faces.keypoint_set.name}, {names[0]} has {first.keypoint_set.name}; "
                "join inputs of one set, or take 68 points as 15 by --as 15"
            )
        if faces.images.shape[1:] != first.images.shape[1:]:
            theirs, ours = ("x".join(map(str, one.images.shape[1:])) for one in (faces, first))
            raise InputError(f"{name}: has images of {theirs}, {names[0]} of {ours}; give the same --size and --color")
    named = list(zip(names, of_inputs, strict=True))
    several = len(of_inputs) > 1
    has_people = several or first.groups is not None
    has_crops = any(faces.crops is not None for faces in of_inputs)
    origins = [_origins(name, faces) for name, faces in named]
    return Faces(
        images=np.concatenate([faces.images for faces in of_inputs]) if several else first.images,
        keypoints=np.concatenate([faces.keypoints for faces in of_inputs]),
        rows=np.arange(sum(map(len, of_inputs))) if several else first.rows,
        groups=np.concatenate([_people(name, faces) for name, faces in named]) if has_people else None,
        keypoint_set=first.keypoint_set,
        label_sources=np.concatenate([_label_sources_of(faces) for faces in of_inputs]),
        origins=Origins(
            np.concatenate([one.folders for one in origins]), np.concatenate([one.files for one in origins])
        ),
        official_splits=np.concatenate([_official_splits(faces) for faces in of_inputs]),
        crops=np.concatenate([_crops(faces) for faces in of_inputs]) if has_crops else None,
        skipped=tuple(file for faces in of_inputs for file in faces.skipped),
        nameless=tuple(of for name, faces in named for of in _nameless(name, faces)),
        visible=None
        if all(faces.visible is None for faces in of_inputs)
        else np.concatenate([_visible(faces) for faces in of_inputs]),
    )


# What a reader may leave out, of N faces.


def _people(name: str, faces: Faces) -> Text:
    """Every face is another person."""
    return np.array([f"{name}:{row}" for row in faces.rows]) if faces.groups is None else faces.groups


def _nameless(name: str, faces: Faces) -> tuple[str, ...]:
    return (name,) if faces.groups is None else faces.nameless


def _label_sources_of(faces: Faces) -> Int64:
    if faces.label_sources is None:
        return label_sources(labelled_points(faces.keypoints), faces.keypoint_set)
    return faces.label_sources


def _origins(name: str, faces: Faces) -> Origins:
    return faces.origins or Origins(np.full(len(faces), name), np.full(len(faces), ""))


def _official_splits(faces: Faces) -> Text:
    return np.full(len(faces), "") if faces.official_splits is None else faces.official_splits


def _visible(faces: Faces) -> Bool:
    """Every label is that of a visible keypoint."""
    return labelled_points(faces.keypoints) if faces.visible is None else faces.visible


def _crops(faces: Faces) -> Float64:
    """Each image as it is."""
    return np.tile(np.eye(2, 3), (len(faces), 1, 1)) if faces.crops is None else faces.crops


def read_pictures(path: Path, bad: BadFaces = STRICT) -> LabelledPictures | None:
    """Returns the marked pictures of a folder or file; None where it holds faces that are cut already.

    Args:
        path: the folder or file.
        bad: what becomes of faces that cannot be used.

    Raises:
        InputError: it is of no known layout, or its reader found it bad.
    """
    if path.is_file():
        return imglab.read(path, bad) if path.suffix.lower() == ".xml" else None
    if (path / npz.IMAGES).exists() or (path / npz.KEYPOINTS).exists():
        return None
    if any((path / f"{split}{frames.CSV_END}").is_file() for split in frames.SPLITS):
        return frames.read(path, bad)
    if (path / pictures_csv.CSV).is_file():
        return pictures_csv.read(path, bad)
    if any(pts.files(path / folder) for folder in pts.SPLITS):
        return pts.read(path, bad)
    raise InputError(f"{path}: none of the known layouts is in this folder ({LAYOUTS}); see docs/preparing.md")

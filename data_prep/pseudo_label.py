"""Predicts 68 points for pictures with a few labels, as additional training data.

FOLDER holds pictures with some of the 15 keypoints (`keypoints.csv` and `pictures/`). DIR gets copies of the pictures
with 68 points each, which `data_prep.prepare` reads. A network that learns from another's predictions under stronger
augmentation can become better than the other one (Xie et al. 2020, arXiv 1911.04252). N faces.
"""

import csv
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from common.hashes import path_hash
from common.options import stage_parser
from common.stage import Stage, stage_folder, write_manifest
from data_prep.faces import labelled_points
from data_prep.readers.bad_faces import STRICT
from data_prep.readers.labelled_pictures import LabelledPicture, checked
from data_prep.readers.pictures import EXIF, read_picture
from data_prep.readers.pictures_csv import CSV, FILE, PERSON, PICTURES, read
from facial_keypoints import crops, geometry
from facial_keypoints.array_types import Bool, Float32, Float64, UInt8
from facial_keypoints.codec import mean_output, output_points
from facial_keypoints.errors import InputError, run
from facial_keypoints.keypoint_set import FACE15, FACE68, as_face15
from facial_keypoints.predictor import Predictor
from facial_keypoints.views import max_views, outputs_of_views, views

PSEUDO_LABEL = Stage("pseudo_label", "data_prep.pseudo_label", "FOLDER --out DIR")

MIN_LABELS = 2  # they determine the position and size of a face
MAX_OFFSET = 0.1  # fraction of the eye distance; faces with a label farther from its prediction are left out


def outputs(predictor: Predictor, picture: UInt8, labels: Float32, count: int) -> tuple[Float32, Float64]:
    """Returns the outputs for V views of a face, (V, 68, 2 or 3) in px of its crop, and the crop (2, 3).

    Args:
        predictor: a model of 68 points.
        picture: uint8 (H, W, C).
        labels: float32 (15, 2) in px of the picture, NaN where unlabelled; at least two are labelled.
        count: V, the number of views.
    """
    spec = predictor.spec
    mean = as_face15(np.array(spec.crop.mean_keypoints))
    crop = geometry.fit_similarity(np.nan_to_num(labels), mean, labelled_points(labels))
    crop = predictor.predict_at(picture, crop)[0].crop

    def run(images: UInt8) -> Float32:
        points, errors = predictor.predict_crops(images)
        return points if errors is None else np.concatenate([points, errors[..., None]], axis=-1)

    of_views = views(count, spec.crop.width_px, mirror=True)
    output = outputs_of_views(run, picture, crop, spec, output_points(spec.keypoint_set), of_views)
    return output.astype(np.float32), crop


def mean_of_views(of_views: Float32, mirrored: Bool) -> Float64:
    """Returns the mean output of N faces over their views, (N, 68, 2 or 3); see `codec.mean_output`.

    Args:
        of_views: (N, V, 68, 2 or 3) in px of the crop.
        mirrored: bool (V,), which views are mirrored.
    """
    by_view = np.moveaxis(of_views, 1, 0).copy()
    if mirrored.any():
        # A horizontal bias of the labels is the same in a mirrored picture; the mean would cancel it. This keeps it.
        bias = mean_output(by_view[~mirrored])[..., :2] - mean_output(by_view[mirrored])[..., :2]
        by_view[mirrored, ..., :2] += np.median(bias, axis=0)
    return mean_output(by_view)


def agree(points: Float64, labels: Float32) -> Bool:
    """Returns bool (N,): the predictions (N, 68, 2) of a face agree with its labels (N, 15, 2; NaN if unlabelled).

    Labels and predictions can follow different conventions, so the offset between them is measured relative to its
    median over all faces.
    """
    predicted = as_face15(points)
    left, right = np.moveaxis(crops.eye_centers(predicted, FACE15), -2, 0)
    offset = (predicted - labels) / np.linalg.norm(left - right, axis=-1)[:, None, None]
    labelled = labelled_points(labels).any(axis=0)
    median = np.nanmedian(offset[:, labelled], axis=0)
    is_far = np.linalg.norm(offset[:, labelled] - median, axis=-1) > MAX_OFFSET  # False if there is no label
    return ~is_far.any(axis=1)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = stage_parser("data_prep.pseudo_label", __doc__, "my_faces --out my_faces_68")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help=f"folder with {CSV} and {PICTURES}/")
    parser.add_argument(
        "--model",
        nargs="+",
        default=["v2-68"],
        metavar="NAME|DIR",
        help="shipped model or model folder; several: the mean of their points, weighted by their expected errors if "
        "all give them (default: v2-68)",
    )
    parser.add_argument(
        "--views",
        type=int,
        default=max_views(mirror=True),
        choices=range(1, max_views(mirror=True) + 1),
        metavar="N",
        help="average over N views of each face, those after the fifth mirrored (default: %(default)s)",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    parser.add_argument("--exif", choices=EXIF, help="as in data_prep.prepare, which needs the same choice for DIR")
    options = parser.parse_args(arguments)
    started = time.time()
    predictors = {name: Predictor(name) for name in options.model}
    pictures = checked(read(options.folder), options.exif, STRICT)
    for name, predictor in predictors.items():
        if predictor.spec.keypoint_set != FACE68 or pictures.keypoint_set != FACE15:
            raise InputError(
                f"{options.folder}: has labels of {pictures.keypoint_set.name}, and {name} predicts "
                f"{predictor.spec.keypoint_set.name}; give pictures with some of the 15 keypoints and a model of 68"
            )
    files = [predictor.path for predictor in predictors.values()]
    with stage_folder(options.out, PSEUDO_LABEL, [options.folder, *files]) as folder:
        points, kept = label(list(predictors.values()), pictures.faces, options.views, options.exif)
        (folder / PICTURES).mkdir()
        faces = [face for face, keep in zip(pictures.faces, kept, strict=True) if keep]
        for face in faces:
            copy = folder / PICTURES / face.file.relative_to(options.folder / PICTURES)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(face.file, copy)
        write(folder / CSV, options.folder / PICTURES, faces, points[kept])
        write_manifest(
            folder,
            PSEUDO_LABEL,
            {"model": " ".join(predictors), "views": options.views, "exif": options.exif},
            {"pictures": path_hash(options.folder), **{str(file): path_hash(file) for file in files}},
            {"faces": len(kept), "kept": int(kept.sum())},
            started,
        )
    print(f"{options.out}: {kept.sum():,} of {len(kept):,} faces; the others have labels far from the predictions")


def label(
    predictors: Sequence[Predictor], faces: Sequence[LabelledPicture], count: int, exif: str | None
) -> tuple[Float64, Bool]:
    """Returns the 68 points of faces in px of their pictures, float64 (N, 68, 2), and bool (N,), from `agree`.

    Args:
        predictors: models of 68 points, whose outputs are averaged by `codec.mean_output`.
        faces: with some of the 15 keypoints.
        count: the number of views of each face.
        exif: see `data_prep.readers.pictures.read_picture`.

    Raises:
        InputError: a face has too few labels, or its picture cannot be decoded.
    """
    for face in faces:
        if labelled_points(face.keypoints).sum() < MIN_LABELS:
            raise InputError(f"{face.where}: has fewer than {MIN_LABELS} labels, too few for its size; remove it")
    needs_color = [predictor.spec.crop.channels > 1 for predictor in predictors]
    results: list[list[tuple[Float32, Float64]]] = [[] for _ in predictors]
    for face in tqdm(faces, unit="face", disable=None):
        pictures = {color: read_picture(face.file, color, exif) for color in set(needs_color)}
        for predictor, color, of_model in zip(predictors, needs_color, results, strict=True):
            of_model.append(outputs(predictor, pictures[color], face.keypoints, count))
    means = []
    for predictor, of_model in zip(predictors, results, strict=True):
        of_views, crops_of_faces = (np.stack(arrays) for arrays in zip(*of_model, strict=True))
        mirrored = views(count, predictor.spec.crop.width_px, mirror=True)[1]
        means.append(in_pictures(mean_of_views(of_views, mirrored), crops_of_faces))
    columns = min(mean.shape[-1] for mean in means)  # includes expected errors only if all models give them
    points = mean_output(np.stack([mean[..., :columns] for mean in means]))[..., :2]
    return points, agree(points, np.stack([face.keypoints for face in faces]))


def in_pictures(output: Float64, crops_of_faces: Float64) -> Float64:
    """Returns an output (N, 68, 2 or 3) in px of the pictures, from px of the crops (N, 2, 3), picture to crop."""
    to_pictures = geometry.inverse(crops_of_faces)
    sizes = np.sqrt(np.abs(np.linalg.det(to_pictures[:, :, :2])))[:, None, None]
    return np.concatenate([geometry.transform(output[..., :2], to_pictures), output[..., 2:] * sizes], axis=-1)


def write(path: Path, root: Path, faces: Sequence[LabelledPicture], points: Float64) -> None:
    """Writes the labels of N faces, whose pictures are in `root`, for `readers.pictures_csv`."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow([FILE, PERSON, *FACE68.columns])
        for face, of_face in zip(faces, points, strict=True):
            name = face.file.relative_to(root).as_posix()
            rows.writerow([name, face.person, *(f"{value:.3f}" for value in of_face.ravel())])


if __name__ == "__main__":
    run(main)

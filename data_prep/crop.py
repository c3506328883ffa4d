"""Crops faces from labelled pictures of any size. N faces, K keypoints."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from data_prep import image_arrays
from data_prep.faces import Faces, Origins, labelled_points
from data_prep.grouping import label_sources
from data_prep.readers.bad_faces import STRICT, BadFaces
from data_prep.readers.labelled_pictures import LabelledPicture, LabelledPictures
from data_prep.readers.pictures import read_picture
from facial_keypoints import geometry
from facial_keypoints.array_types import Bool, Float32, Float64, UInt8
from facial_keypoints.crops import BOX_SCALE, square_crop
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15, FACE68, Indexes, KeypointSet, as_face15, face15_of_68

Labels = tuple[Float32, Bool]  # keypoints (N, K, 2), and which are occluded (N, K)
Crops = tuple[UInt8, Float64, list[LabelledPicture]]  # images (N, S, S, C), matrices picture to crop (N, 2, 3), faces

FACE, WHOLE = "face", "whole"
CROPS = (FACE, WHOLE)
DEFAULT_SIZE_PX, DEFAULT_SIZE_15_PX = 128, 96
SMALLEST_FACE_PX = 1.0

# Mean and standard deviation of the eye positions of the 7,033 real faces of the 15-point set, in px of 96, without
# outliers beyond 15 px.
EYES_SIDE_PX = 96
EYES_MIDDLE_PX = ((48.5, 1.8), (37.7, 2.0))
EYES_DISTANCE_PX = (36.4, 3.6)
EYES_ROLL_DEGREES = (0.0, 5.6)


@dataclass(frozen=True)
class CropOptions:
    """How faces are cropped.

    Attributes:
        size_px: side of the crop; None: the default of the keypoint set.
        crop: `face`: with 15 keypoints, the eyes get the positions of a random face of the 15-point set; other faces
            are cropped to a square of BOX_SCALE times their box. `whole`: the whole picture is scaled to fit.
        color: RGB instead of gray.
        as_15: convert 68 points to the 15 keypoints.
        both_label_sources: with `as_15`, add every crop twice, with the labels of the complete and the sparse source.
        crops_per_face: crops of each face; they differ only with 15 keypoints.
        exif: `apply` or `ignore`, see `data_prep.readers.pictures.read_picture`; None if no picture is rotated.
        seed: for the eye positions.
    """

    size_px: int | None = None
    crop: str = FACE
    color: bool = False
    as_15: bool = False
    both_label_sources: bool = False
    crops_per_face: int = 1
    exif: str | None = None
    seed: int = 0


def crop(
    pictures: LabelledPictures, crop_options: CropOptions, bad: BadFaces = STRICT, scratch: Path | None = None
) -> Faces:
    """Returns the crops of all faces; a keypoint that falls outside its crop is unlabelled.

    Args:
        pictures: as `data_prep.readers.labelled_pictures.checked` returns them.
        crop_options: how to crop them.
        bad: skips faces that cannot be cropped, or raises their error.
        scratch: a folder for the images, which can be larger than memory; None: keep them in memory.

    Raises:
        InputError: no face is left; or, unless `bad` skips the face, its picture cannot be decoded or its keypoints do
            not show its size.
    """
    if crop_options.as_15 and pictures.keypoint_set not in (FACE15, FACE68):
        raise InputError(f"{pictures.root}: has the keypoint set {pictures.keypoint_set.name}; --as 15 takes 68 points")
    keypoint_set = FACE15 if crop_options.as_15 else pictures.keypoint_set
    if crop_options.crops_per_face > 1 and (keypoint_set != FACE15 or crop_options.crop == WHOLE):
        raise InputError(
            f"--crops-per-face {crop_options.crops_per_face}: these crops would all be the same; only crops of 15 "
            "keypoints differ"
        )
    default_px = DEFAULT_SIZE_15_PX if keypoint_set == FACE15 else DEFAULT_SIZE_PX
    crops = _crop_faces(pictures, crop_options, crop_options.size_px or default_px, bad, scratch)
    faces = crops[2]
    keypoints = np.stack([face.keypoints for face in faces])
    none_occluded = np.zeros(keypoints.shape[1], bool)
    occluded = np.stack([none_occluded if face.occluded is None else face.occluded for face in faces])
    labels: dict[int | None, Labels] = {pictures.label_source: (keypoints, occluded)}
    if crop_options.as_15 and pictures.keypoint_set == FACE68:
        sources = (0, 1) if crop_options.both_label_sources else (0,)
        labels = {
            source: (_as_label_source(keypoints, source), _occluded_of_15(occluded, source)) for source in sources
        }
    return _faces_with_labels(crops, labels, pictures, keypoint_set, scratch)


def _crop_faces(
    pictures: LabelledPictures, crop_options: CropOptions, side: int, bad: BadFaces, scratch: Path | None
) -> Crops:
    """Returns the crops of all faces, `side` px wide and high, their matrices, and the face in each crop."""
    rng = np.random.default_rng(crop_options.seed)
    uses_eyes = crop_options.as_15 or pictures.keypoint_set == FACE15
    eyes = pictures.keypoint_set.eyes if uses_eyes else None
    channels = 3 if crop_options.color else 1
    count = len(pictures.faces) * crop_options.crops_per_face
    images = image_arrays.empty((count, side, side, channels), scratch)
    file, picture = None, np.empty((0, 0, channels), np.uint8)  # the last picture read: its faces are often consecutive
    matrices: list[Float64] = []
    faces: list[LabelledPicture] = []
    for face in tqdm(pictures.faces, desc=pictures.root.name, unit="face", disable=None):
        with bad.left_out():
            if face.file != file:
                picture = read_picture(face.file, crop_options.color, crop_options.exif)
                file = face.file
            face_matrices = [
                matrix_of(face, eyes, picture.shape[:2], side, crop_options, rng)
                for _ in range(crop_options.crops_per_face)
            ]
            for matrix in face_matrices:
                images[len(faces)] = geometry.crop(picture, matrix, side, side)
                matrices.append(matrix)
                faces.append(face)
                if len(faces) % image_arrays.BLOCK == 0:
                    images = image_arrays.reopen(images)
    bad.check_any_usable(pictures.root, len(faces))
    return image_arrays.reopen(images)[: len(faces)], np.stack(matrices), faces


def _faces_with_labels(
    crops: Crops,
    labels: Mapping[int | None, Labels],
    pictures: LabelledPictures,
    keypoint_set: KeypointSet,
    scratch: Path | None,
) -> Faces:
    """Returns the crops once for each label source.

    Args:
        labels: keypoints in px of the pictures and which are occluded, by label source; the source None is inferred
            from the pattern of labels.
    """
    images, matrices, crop_faces = crops
    copies, count = len(labels), len(crop_faces)
    faces = crop_faces * copies
    keypoints = np.concatenate([_in_crops(points, matrices, images.shape[1]) for points, _ in labels.values()])
    known_sources = [np.full(count, source) for source in labels if source is not None]
    return Faces(
        images=image_arrays.concatenate([images] * copies, scratch) if copies > 1 else images,
        keypoints=keypoints,
        rows=np.arange(len(faces)),
        groups=np.array([face.person for face in faces]),
        keypoint_set=keypoint_set,
        label_sources=np.concatenate(known_sources)
        if known_sources
        else label_sources(labelled_points(keypoints), keypoint_set),
        origins=Origins(
            folders=np.array([str(pictures.root)] * len(faces)),
            files=np.array([face.file.relative_to(pictures.root).as_posix() for face in faces]),
        ),
        official_splits=np.array([face.split for face in faces]),
        occluded=np.concatenate([occluded for _, occluded in labels.values()]) & labelled_points(keypoints),
        crops=np.concatenate([matrices] * copies),
        unnamed=() if pictures.names_people else (str(pictures.root),),
        knows_occluded=any(face.occluded is not None for face in crop_faces),
    )


def _occluded_of_15(occluded: Bool, label_source: int) -> Bool:
    """Returns which of the 15 keypoints are computed from an occluded one of the 68 points, (N, 15) from (N, 68)."""
    return np.stack([occluded[:, list(points)].any(axis=1) for points in face15_of_68(label_source)], axis=1)


def matrix_of(
    face: LabelledPicture,
    eyes: tuple[Indexes, Indexes] | None,
    shape: tuple[int, int],
    side: int,
    crop_options: CropOptions,
    rng: np.random.Generator,
) -> Float64:
    """Returns the matrix (2, 3), picture to crop, for a face in a picture of `shape` (H, W) px.

    Args:
        eyes: the keypoints of both eyes, to position the eyes as in the 15-point set; None to crop the face's box.
    """
    if crop_options.crop == WHOLE:
        height, width = shape
        return square_crop((width - 1) / 2, (height - 1) / 2, max(shape), side, side)
    if eyes is None:
        return by_box(face.keypoints, face.where, side, face.box)
    return _by_eyes(np.stack([_labelled_mean(face.keypoints[list(eye)]) for eye in eyes]), face.where, side, rng)


def _labelled_mean(points: Float32) -> Float32:
    """Returns the mean of the labelled points (n, 2), float32 (2,); NaN if there is none."""
    labelled = points[labelled_points(points)]
    return labelled.mean(axis=0) if len(labelled) else np.full(2, np.nan, np.float32)


def by_box(keypoints: Float32, where: str, side: int, box: Sequence[float] | None = None) -> Float64:
    """Returns the matrix (2, 3) of an upright square around the middle of a face's box, BOX_SCALE times its size.

    Args:
        keypoints: float32 (K, 2) in px, NaN where unlabelled.
        where: file and row of the face, for messages.
        side: of the crop, px.
        box: x, y, width and height in px; enlarged to hold all labels. None: the box of the labels.

    Raises:
        InputError: there is no box, and the labels do not show the size of the face.
    """
    labelled = keypoints[labelled_points(keypoints)]
    if box:
        x, y, width, height = box
        labelled = np.concatenate([labelled, np.array([(x, y), (x + width, y + height)], np.float32)])
    if not len(labelled):
        raise InputError(f"{where}: has no label; label its keypoints, or skip the face with --skip-bad")
    low, high = labelled.min(axis=0), labelled.max(axis=0)
    longer = float((high - low).max())
    if not longer >= SMALLEST_FACE_PX:
        subject, fix = "keypoints are all", "correct them"
        if len(keypoints) == 1:
            subject, fix = "keypoint is", "give its box, or take whole pictures with --crop whole"
        raise InputError(
            f"{where}: its {subject} at one point, so the face has no size; {fix}, or skip the face with --skip-bad"
        )
    middle = (low + high) / 2
    return square_crop(float(middle[0]), float(middle[1]), BOX_SCALE * longer, side, side)


def _by_eyes(eyes: Float32, where: str, side: int, rng: np.random.Generator) -> Float64:
    """Returns the matrix (2, 3) that moves the left and right eye centers (2, 2) to those of a random face."""
    distance = float(np.hypot(*(eyes[1] - eyes[0])))
    if not distance >= SMALLEST_FACE_PX:  # also if an eye is unlabelled
        raise InputError(
            f"{where}: its eye centers are unlabelled or at one point, so the face has no size; correct its "
            "keypoints, or skip the face with --skip-bad"
        )
    middle = np.array([rng.normal(*mean_and_deviation) for mean_and_deviation in EYES_MIDDLE_PX])
    half_distance = rng.normal(*EYES_DISTANCE_PX) / 2
    roll = math.radians(rng.normal(*EYES_ROLL_DEGREES))
    to_left_eye = half_distance * np.array([math.cos(roll), math.sin(roll)])
    target = np.stack([middle + to_left_eye, middle - to_left_eye])
    ratio = side / EYES_SIDE_PX
    return geometry.fit_similarity(eyes, (target + 0.5) * ratio - 0.5)[0]


def _as_label_source(points: Float32, label_source: int) -> Float32:
    """Returns 68 points (N, 68, 2) as labels of a label source of FACE15, float32 (N, 15, 2); NaN where unlabelled."""
    labelled = np.isin(np.arange(len(FACE15)), FACE15.label_sources[label_source].keypoints)
    return np.where(labelled[:, None], as_face15(points, label_source), np.nan).astype(np.float32)


def _in_crops(labels: Float32, crops: Float64, side: int) -> Float32:
    """Returns the labels in px of the crops; NaN if outside."""
    moved = geometry.transform(labels, crops)
    inside = ((moved > -0.5) & (moved < side - 0.5)).all(axis=-1, keepdims=True)
    return np.where(inside, moved, np.nan).astype(np.float32)

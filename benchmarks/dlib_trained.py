"""Runs dlib's own trainer on the training faces of a data folder, for a comparison on equal data.

A cascade of boosted regression trees (Kazemi and Sullivan 2014, One Millisecond Face Alignment with an Ensemble of
Regression Trees). The trainer needs all keypoints of a face, so incomplete faces are skipped. Faces of label sources
without a horizontal bias are also used mirrored. Pictures are enlarged as for dlib's downloadable predictor. The box is
the whole crop, which was already made from the keypoints.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.dlib68 import fixed_box, margin_px, output_points, predictor_arguments, to_enlarged
from benchmarks.optional import optional
from data_prep.faces import Split
from facial_keypoints import codec
from facial_keypoints.array_types import Bool, Float32, Float64, UInt8
from facial_keypoints.keypoint_set import KeypointSet

SETTINGS = {  # dlib's names; all others have dlib's defaults (500 trees in each step of the cascade)
    "cascade_depth": 15,
    "tree_depth": 4,
    "nu": 0.1,
    "oversampling_amount": 10,  # number of other faces' shapes to start from
    "num_threads": 1,
    "random_seed": "0",
}


def complete(split: Split) -> Bool:
    """Returns which faces have all keypoints labelled, bool (N,); only these can be used by the trainer."""
    return np.asarray(split.labelled.all(axis=1))


def train(split: Split, keypoint_set: KeypointSet, file: Path) -> float:
    """Writes a predictor trained on the complete faces of a split; returns the training time in seconds."""
    dlib = optional("dlib")
    options = dlib.shape_predictor_training_options()
    for name, value in SETTINGS.items():
        setattr(options, name, value)
    images, keypoints = with_mirrored(split.only(complete(split)), keypoint_set)
    box = whole_box(split.images)
    pairs = [_labelled(dlib, *pair, box) for pair in zip(images, keypoints, strict=True)]
    started = time.perf_counter()
    predictor = dlib.train_shape_predictor([picture for picture, _ in pairs], [[face] for _, face in pairs], options)
    predictor.save(str(file))
    return time.perf_counter() - started


def with_mirrored(split: Split, keypoint_set: KeypointSet) -> tuple[UInt8, Float32]:
    """Returns images (M, H, W, C) and keypoints (M, K, 2): all faces, then those of unbiased sources mirrored."""
    unbiased = ~np.isin(split.label_sources, keypoint_set.biased_label_sources)
    mirrored = codec.flipped_back(split.keypoints[unbiased], split.images.shape[2], codec.output_points(keypoint_set))
    images = np.concatenate([split.images, split.images[unbiased][:, :, ::-1]])
    return images, np.concatenate([split.keypoints, mirrored])


def _labelled(dlib: Any, image: UInt8, keypoints: Float32, box: Float64) -> tuple[UInt8, Any]:
    """Returns the enlarged picture and dlib's `full_object_detection` in it; dlib takes whole pixels."""
    picture, rectangle = predictor_arguments(image, box)
    pixels = np.rint(to_enlarged(keypoints, margin_px(image))).astype(int).tolist()
    return picture, dlib.full_object_detection(rectangle, [dlib.point(x, y) for x, y in pixels])


def find_points(predictor: Any, images: UInt8) -> Float64:
    """Returns a trained predictor's keypoints of images uint8 (N, H, W, C): float64 (N, K, 2) in px."""
    return output_points(predictor, images, np.tile(whole_box(images), (len(images), 1)))


def whole_box(images: UInt8) -> Float64:
    """Returns the box of a whole crop, float64 (4,)."""
    return fixed_box(images.shape[1:], side=1, center=0.5)

"""dlib's own trainer on the training faces of a data folder: a rival that has learnt from the same faces as ours.

A cascade of boosted regression trees (Kazemi and Sullivan 2014, One Millisecond Face Alignment with an Ensemble of
Regression Trees). The trainer needs all keypoints of a face: faces with gaps are left out. Faces of label sources
without a bias to one side are given mirrored as well. The pictures are enlarged as for dlib's downloadable predictor;
the box is the whole crop, which was cut by the points already.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.dlib68 import fixed_box, margin_px, output_points, ready, to_enlarged
from benchmarks.optional import optional
from data_prep.faces import Split
from facial_keypoints import codec
from facial_keypoints.array_types import Bool, Float32, Float64, UInt8
from facial_keypoints.keypoint_set import KeypointSet

SETTINGS = {  # by dlib's names; what is not here is as dlib has it (500 trees in each step of the cascade)
    "cascade_depth": 15,
    "tree_depth": 4,
    "nu": 0.1,
    "oversampling_amount": 10,  # starts from the shapes of so many other faces
    "num_threads": 1,
    "random_seed": "0",
}


def complete(part: Split) -> Bool:
    """Returns the faces whose keypoints are all labelled, bool (N,): those that the trainer can use."""
    return np.asarray(part.labelled.all(axis=1))


def train(part: Split, keypoint_set: KeypointSet, file: Path) -> float:
    """Writes a predictor trained on the complete faces of a part; returns the seconds that training took."""
    dlib = optional("dlib")
    options = dlib.shape_predictor_training_options()
    for name, value in SETTINGS.items():
        setattr(options, name, value)
    images, keypoints = with_mirrored(part.only(complete(part)), keypoint_set)
    box = whole(part.images)
    given = [_marked(dlib, *pair, box) for pair in zip(images, keypoints, strict=True)]
    started = time.perf_counter()
    predictor = dlib.train_shape_predictor([picture for picture, _ in given], [[face] for _, face in given], options)
    predictor.save(str(file))
    return time.perf_counter() - started


def with_mirrored(part: Split, keypoint_set: KeypointSet) -> tuple[UInt8, Float32]:
    """Returns pictures (M, H, W, C) and keypoints (M, K, 2): all faces, then mirrored those of unbiased sources."""
    unbiased = ~np.isin(part.label_sources, keypoint_set.biased_label_sources)
    mirrored = codec.flipped_back(part.keypoints[unbiased], part.images.shape[2], codec.output_points(keypoint_set))
    images = np.concatenate([part.images, part.images[unbiased][:, :, ::-1]])
    return images, np.concatenate([part.keypoints, mirrored])


def _marked(dlib: Any, image: UInt8, keypoints: Float32, box: Float64) -> tuple[UInt8, Any]:
    """Returns the enlarged picture and dlib's `full_object_detection` in it; dlib takes whole pixels."""
    picture, rectangle = ready(image, box)
    pixels = np.rint(to_enlarged(keypoints, margin_px(image))).astype(int).tolist()
    return picture, dlib.full_object_detection(rectangle, [dlib.point(x, y) for x, y in pixels])


def find_points(predictor: Any, images: UInt8) -> Float64:
    """Returns a trained predictor's keypoints in px, float64 (N, K, 2); uint8 (N, H, W, C) in."""
    return output_points(predictor, images, np.tile(whole(images), (len(images), 1)))


def whole(images: UInt8) -> Float64:
    """Returns the box that holds a whole crop, float64 (4,)."""
    return fixed_box(images.shape[1:], side=1, center=0.5)

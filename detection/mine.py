"""Finds false faces: those that a first version of a face finder detects in pictures without faces."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from detection.scenes import Scene
from facial_keypoints.detectors.finder import FaceFinder
from facial_keypoints.detectors.five_points import fitted_boxes

MIN_SCORE = 0.2  # of false faces that are used
SMALLEST_EYES_PX = 6.0
ENLARGED = 2.0  # a small false face in one picture can be a large one in another


def with_hard_negatives(scenes: Sequence[Scene], model: Path) -> list[Scene]:
    """Returns the scenes; those without faces get the middles of their false faces (`Scene.hard`).

    Args:
        scenes: of any kind.
        model: the folder of a face finder, with its ONNX file.

    Raises:
        InputError: the folder holds no face finder.
    """
    finder = FaceFinder(model, smallest_px=SMALLEST_EYES_PX, min_score=MIN_SCORE)
    bar = tqdm(scenes, desc="false faces", disable=None, leave=False)
    return [scene if len(scene.points) else with_false_faces(scene, finder) for scene in bar]


def with_false_faces(scene: Scene, finder: FaceFinder) -> Scene:
    """Returns a scene without faces, with the middles of false faces in it, in its own size or enlarged."""
    large = cv2.resize(scene.picture, None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_LINEAR)
    small_points, large_points = finder.points(scene.picture)[0], finder.points(np.asarray(large, np.uint8))[0]
    points = np.concatenate([small_points, (large_points + 0.5) / ENLARGED - 0.5])
    return replace(scene, hard=fitted_boxes(points)[0])

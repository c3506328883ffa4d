"""Measures detection and accuracy for small faces in composed group photos.

    python -m benchmarks.groups FOLDER... --detector yunet|FILE.onnx [--eyes 20 30 40 60]
        [--model NAME|DIR|FILE] [--pictures DIR]

Whole photos with one labelled face each (`.pts` files, or the frames set) are shrunk until the eyes of that face are
`--eyes` px apart, and placed in rows in scenes of 1,600 x 1,200 px. The scenes therefore have straight edges and
different light between photos, and shrunk photos are sharp. Errors are those of both eye centers and mouth corners of
the faces that were found, in percent of the distance between the eyes. Another detected face counts as false if YuNet
did not find it in the photo before it was shrunk.
"""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from benchmarks.photos import MS, SAME_FACE_ERROR, add_photo_options, faces_of
from common.markdown import table
from common.options import stage_parser
from facial_keypoints import geometry
from facial_keypoints.array_types import Float64, UInt8
from facial_keypoints.boxes import Detector
from facial_keypoints.crops import eye_centers
from facial_keypoints.detectors.choose import HAAR, chosen_detector
from facial_keypoints.drawing import draw_faces
from facial_keypoints.errors import InputError, run
from facial_keypoints.face import Face
from facial_keypoints.keypoint_set import FACE15, as_face15
from facial_keypoints.pictures import read_picture, write_picture
from facial_keypoints.predictor import Predictor

WIDTH_PX, HEIGHT_PX, GRAY_LEVEL = 1600, 1200, 128
EYES_PX = (20, 30, 40, 60)
SCORED = [FACE15.index(f"{side}_eye_center") for side in ("left", "right")]
SCORED += [FACE15.index(f"mouth_{side}_corner") for side in ("left", "right")]


class Scene(NamedTuple):
    """A picture, uint8 (H, W, 3), its labelled faces (N, 15, 2), and the centers of all faces YuNet finds (F, 2)."""

    picture: UInt8
    labelled: Float64
    detected: Float64


def photos_of(folders: Sequence[Path], predictor: Predictor, detector: Detector | None) -> list[Scene]:
    """Returns the photos of folders, each with one labelled face."""
    photos = []
    for face in (face for folder in folders for face in faces_of(folder)):
        picture = read_picture(face.file)
        detected = [one.keypoints.mean(axis=0) for one in predictor.predict(picture, detector=detector)]
        labelled = np.asarray(as_face15(face.keypoints[None]), np.float64)
        photos.append(Scene(picture, labelled, np.array(detected, np.float64).reshape(-1, 2)))
    return photos


def eye_distances(labelled: Float64) -> Float64:
    """Returns the distances between the eyes of faces (N, 15, 2), float64 (N,)."""
    centers = eye_centers(labelled, FACE15)
    return np.asarray(np.linalg.norm(centers[:, 1] - centers[:, 0], axis=-1))


def shrink_to(photo: Scene, eyes_px: float) -> Scene | None:
    """Shrinks a photo until the eyes of its one face are `eyes_px` apart.

    Returns None if it is too small for that, or too large for a scene.
    """
    scale = eyes_px / float(eye_distances(photo.labelled)[0])
    if scale > 1:
        return None
    picture = geometry.scaled(photo.picture, scale)
    if picture.shape[0] > HEIGHT_PX or picture.shape[1] > WIDTH_PX:
        return None
    ratio = np.array(picture.shape[1::-1]) / photo.picture.shape[1::-1]
    return Scene(picture, (photo.labelled + 0.5) * ratio - 0.5, (photo.detected + 0.5) * ratio - 0.5)


def compose_scenes(photos: Sequence[Scene]) -> Iterator[Scene]:
    """Yields scenes with photos side by side in rows; each photo must fit into a scene."""
    x = y = row_px = 0
    placed: list[tuple[int, int, Scene]] = []
    for photo in photos:
        height, width = photo.picture.shape[:2]
        if x + width > WIDTH_PX:
            x, y, row_px = 0, y + row_px, 0
        if y + height > HEIGHT_PX:
            yield _scene(placed)
            x, y, row_px, placed = 0, 0, 0, []
        placed.append((x, y, photo))
        x, row_px = x + width, max(row_px, height)
    yield _scene(placed)


def _scene(placed: Sequence[tuple[int, int, Scene]]) -> Scene:
    """Returns the scene of photos with their top left corners at (x, y)."""
    picture = np.full((HEIGHT_PX, WIDTH_PX, 3), GRAY_LEVEL, np.uint8)
    for x, y, photo in placed:
        height, width = photo.picture.shape[:2]
        picture[y : y + height, x : x + width] = photo.picture
    labelled, detected = (np.concatenate([photo[field] + (x, y) for x, y, photo in placed]) for field in (1, 2))
    return Scene(picture, labelled, detected)


def measure(scene: Scene, faces: Sequence[Face]) -> tuple[list[float], int]:
    """Returns the errors in percent of the labelled faces that were found, and the number of false faces."""
    points = np.array([[face.role(name) for name in FACE15.names] for face in faces]).reshape(-1, len(FACE15), 2)
    spans = eye_distances(scene.labelled)
    distances = np.linalg.norm(points[:, None] - scene.labelled, axis=-1) / spans[:, None]  # (faces, labelled, 15)
    best = [min(of_face, key=np.mean) for of_face in np.moveaxis(distances, 1, 0)] if len(faces) else []
    errors = [100 * float(of_face[SCORED].mean()) for of_face in best if of_face.mean() < SAME_FACE_ERROR]
    known_centers = np.concatenate([scene.labelled.mean(axis=1), scene.detected])
    offsets = np.linalg.norm(points.mean(axis=1)[:, None] - known_centers, axis=-1).min(axis=1)
    return errors, int((offsets > [face.box[2] / 2 for face in faces]).sum())


def row_of(scenes: Sequence[Scene], predictor: Predictor, detector: Detector | None) -> list[str]:
    """Returns the cells of a table row."""
    errors: list[float] = []
    false = 0
    started = time.process_time()
    found = [predictor.predict(scene.picture, detector=detector) for scene in scenes]
    seconds = time.process_time() - started
    for scene, faces in zip(scenes, found, strict=True):
        scene_errors, false_in_scene = measure(scene, faces)
        errors, false = errors + scene_errors, false + false_in_scene
    count = sum(len(scene.labelled) for scene in scenes)
    return [
        f"{len(scenes)}",
        f"{count}",
        f"{len(errors)} ({100 * len(errors) / count:.1f} %)",
        f"{false / len(scenes):.2f}",
        f"{np.mean(errors):.2f} %",
        f"{np.percentile(errors, 95):.2f} %",
        f"{MS * seconds / len(scenes):.0f}",
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints a table with one row per distance between the eyes and detector."""
    p = stage_parser("benchmarks.groups", __doc__, "photos/ --detector yunet --eyes 20 40")
    add_photo_options(p, required=True)
    p.add_argument(
        "--eyes",
        nargs="+",
        type=float,
        default=EYES_PX,
        metavar="PX",
        help=f"distances between the eyes (default: {' '.join(map(str, EYES_PX))})",
    )
    p.add_argument(
        "--pictures", type=Path, metavar="DIR", help="write the scenes with the faces that face-finder finds"
    )
    options = p.parse_args(arguments)
    cv2.setNumThreads(1)
    predictor, yunet = Predictor(options.model, threads=1), chosen_detector(options.detector)
    photos = photos_of(options.folders, predictor, yunet)
    detectors: dict[str, Detector] = {
        "face-finder": chosen_detector(),
        "YuNet": yunet,
        "Haar cascade": chosen_detector(HAAR),
    }
    rows = []
    for eyes_px in options.eyes:
        small = [photo for photo in (shrink_to(photo, eyes_px) for photo in photos) if photo]
        if not small:
            raise InputError(
                f"--eyes {eyes_px:g}: no photo is large enough for this and fits into a scene; give a smaller value"
            )
        scenes = list(compose_scenes(small))
        for name, detector in detectors.items():
            rows.append([f"eyes {eyes_px:g} px apart, {name}", *row_of(scenes, predictor, detector)])
        if options.pictures:
            options.pictures.mkdir(parents=True, exist_ok=True)
            for number, scene in enumerate(scenes):
                drawn = draw_faces(scene.picture, predictor.predict(scene.picture))
                write_picture(options.pictures / f"{eyes_px:g}_{number}.jpg", drawn)
    header = ["", "scenes", "faces", "found", "false, each", "error", "95 % of errors below", "CPU ms"]
    print(table(header, rows))


if __name__ == "__main__":
    run(main)

"""Compares face detectors on whole pictures: which faces they find, false faces, and time.

    python -m benchmarks.detectors SCENES [--detector NAME...] [--split SPLIT] [--most N] [--false DIR]
    python -m benchmarks.detectors SCENES --conditions [--detector NAME...] [--split SPLIT] [--most N]

SCENES is a folder that `detection.train` reads, with all faces of each picture: `marked` by a person, or found by
YuNet (`further`; those with a low score count neither as faces nor as false). The first form predicts keypoints with
each detector, as `facial-keypoints predict` does. A face is found if a predicted one has its size within a
factor of 1.6, and its middle within 0.3 sides of its box. `false` faces match no face of the list: look at them
(`--false` writes them). Errors are those of the five points of marked faces, in percent of the eye distance of the mean
face. Times are CPU times of one thread.

The second form changes the pictures and runs the detectors alone: eyes a given number of px apart, rotated in the
plane, dark, blurred. It counts the marked faces that are found.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from benchmarks.mediapipe_detectors import RANGES, MediaPipe
from benchmarks.photos import MS, rotated
from common.markdown import table
from data_prep.faces import SPLITS, evenly_spread
from detection.scenes import Scene, read_scenes
from facial_keypoints import geometry
from facial_keypoints.array_types import Bool, Float64, UInt8
from facial_keypoints.boxes import USUAL_EYES, Boxes, Detector, eyes_in
from facial_keypoints.detectors.choose import NAMES, YUNET, chosen_detector
from facial_keypoints.detectors.five_points import NAMES as FIVE
from facial_keypoints.detectors.five_points import POINTS, fitted_boxes
from facial_keypoints.drawing import draw_faces
from facial_keypoints.errors import InputError, run
from facial_keypoints.face import Face
from facial_keypoints.keypoint_set import check_roles
from facial_keypoints.pictures import read_picture, write_picture
from facial_keypoints.predictor import Predictor
from facial_keypoints.pretrained import FINDER

NEAR_SIDES, SIZE_FACTOR = 0.3, 1.6
EYES_PX = 6, 8, 10, 15, 25, 40, 80
TURNED_DEGREES = 15, 30, 45, 60
DARK = 0.1  # of the light that is left
BLUR_EYES = 0.08  # standard deviation of a blur, in distances between the eyes

Change = Callable[[UInt8, Float64], tuple[UInt8, Float64]]  # of a picture and its points (F, 5, 2)


@dataclass
class Counts:
    """What a detector finds in all pictures.

    Attributes:
        marked, further: the faces found.
        false: (file, face) of those that match no face of the list.
        errors: of the five points, in percent.
        detecting, whole: CPU seconds without and with keypoints.
    """

    marked: int = 0
    further: int = 0
    false: list[tuple[Path, Face]] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    detecting: float = 0.0
    whole: float = 0.0


def five_points(faces: Sequence[Face]) -> Float64:
    """Returns the five points of faces, float64 (F, 5, 2) in px."""
    points = [[face.keypoints[list(face.keypoint_set.role(name))].mean(axis=0) for name in FIVE] for face in faces]
    return np.array(points, np.float64).reshape(-1, POINTS, 2)


def matches(points: Float64, middle: Float64, side: Float64) -> Bool:
    """Returns which labelled faces each box matches, bool (F, L).

    Args:
        points: of the labelled faces, (L, 5, 2) px.
        middle, side: of the boxes, (F, 2) and (F,) px.
    """
    of_label, side_of_label, _ = fitted_boxes(points)
    distance = np.linalg.norm(middle[:, None] - of_label[None], axis=-1)
    ratio = side[:, None] / side_of_label[None]
    return np.asarray((distance < NEAR_SIDES * side_of_label) & (ratio < SIZE_FACTOR) & (ratio > 1 / SIZE_FACTOR))


def count(scene: Scene, picture: UInt8, predictor: Predictor, detector: Detector, counts: Counts) -> None:
    """Adds what a detector finds in a picture to its counts."""
    started = time.process_time()
    detector(picture)
    detection_end = time.process_time()
    faces = predictor.predict(picture, detector=detector)
    counts.detecting += detection_end - started
    counts.whole += time.process_time() - detection_end
    points = five_points(faces)
    middle, side, _ = fitted_boxes(points)
    matched = matches(scene.points, middle, side)
    found = matched.any(axis=0)
    counts.marked += int((found & scene.marked).sum())
    counts.further += int((found & scene.sure & ~scene.marked).sum())
    counts.false += [(scene.file, face) for face, hit in zip(faces, np.any(matched, axis=1), strict=True) if not hit]
    for label in np.flatnonzero(found & scene.marked):
        error = np.linalg.norm(points[matched[:, label]] - scene.points[label], axis=-1).mean(axis=-1).min()
        counts.errors.append(100 * float(error) / (USUAL_EYES.apart * float(scene.side[label])))


def faces_report(
    scenes: Sequence[Scene], detectors: dict[str, Detector], predictor: Predictor, false: Path | None
) -> str:
    """Returns a table with a row for each detector; writes the false faces to the folder `false`."""
    all_counts = {name: Counts() for name in detectors}
    for scene in tqdm(scenes, unit="picture", leave=False, disable=None):
        picture = read_picture(scene.file)
        for name, detector in detectors.items():
            count(scene, picture, predictor, detector, all_counts[name])
    marked, sure = (sum(int(getattr(scene, kind).sum()) for scene in scenes) for kind in ("marked", "sure"))
    yunet = all_counts.get(YUNET)
    rows = []
    for name, counts in all_counts.items():
        rows.append(
            [
                name,
                f"{counts.marked}",
                f"{counts.further}",
                f"{len(counts.false)}",
                f"{np.mean(counts.errors):.2f} %" if counts.errors else "",
                f"{MS * counts.detecting / len(scenes):.1f}",
                f"{MS * counts.whole / len(scenes):.1f}",
                f"{counts.whole / yunet.whole:.2f}" if yunet else "",
            ]
        )
        if false is not None:
            write_false(false, name, counts.false)
    header = ["", f"marked (of {marked})", f"further (of {sure - marked})", "false", "error", "detect, ms", "whole, ms"]
    return f"{len(scenes)} pictures\n\n" + table([*header, "over YuNet"], rows)


def write_false(folder: Path, name: str, false: Sequence[tuple[Path, Face]]) -> None:
    """Writes the pictures with their false faces drawn."""
    folder.mkdir(parents=True, exist_ok=True)
    for file, face in false:
        write_picture(folder / f"{Path(name).stem}_{file.stem}.png", draw_faces(read_picture(file), [face]))


# --- Changed pictures -------------------------------------------------------------------------------------------------


def with_eyes(eyes_px: float, picture: UInt8, points: Float64) -> tuple[UInt8, Float64]:
    """Returns the picture scaled so that the eyes of the mean face, on the first face, are this far apart."""
    scale = eyes_px / (USUAL_EYES.apart * float(fitted_boxes(points[:1])[1][0]))
    if scale <= 1:
        small = geometry.scaled(picture, scale)
    else:
        size = tuple(round(side * scale) for side in picture.shape[1::-1])
        small = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    ratio = np.array(small.shape[1::-1]) / picture.shape[1::-1]
    return small, (points + 0.5) * ratio - 0.5


def rotated_by(degrees: float, picture: UInt8, points: Float64) -> tuple[UInt8, Float64]:
    """Returns the picture rotated clockwise, without cropping."""
    copy, moved = rotated(picture, points.reshape(-1, 2), degrees)
    return copy, moved.reshape(-1, POINTS, 2)


def dark(picture: UInt8, points: Float64) -> tuple[UInt8, Float64]:
    """Returns the picture with little light."""
    return np.asarray(picture * DARK, np.uint8), points


def blurred(picture: UInt8, points: Float64) -> tuple[UInt8, Float64]:
    """Returns the picture out of focus."""
    sigma = BLUR_EYES * USUAL_EYES.apart * float(fitted_boxes(points[:1])[1][0])
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.uint8), points


def conditions_report(scenes: Sequence[Scene], detectors: dict[str, Detector]) -> str:
    """Returns a table with a row for each change of the pictures: the share of marked faces that are found."""
    changes: dict[str, Change] = {"as they are": lambda picture, points: (picture, points)}
    changes |= {f"eyes {eyes} px apart": partial(with_eyes, eyes) for eyes in EYES_PX}
    changes |= {f"turned by {degrees} degrees": partial(rotated_by, degrees) for degrees in TURNED_DEGREES}
    changes |= {"a tenth of the light": dark, "blurred": blurred}
    scenes = [scene for scene in scenes if scene.marked.any()]
    found = np.zeros((len(changes), len(detectors)), int)
    for scene in tqdm(scenes, unit="picture", leave=False, disable=None):
        picture, points = read_picture(scene.file), scene.points[scene.marked][:1]
        for row, change in enumerate(changes.values()):
            changed, moved = change(picture, points)
            for column, detector in enumerate(detectors.values()):
                found[row, column] += is_found(detector(changed), moved)
    shares = 100 * found / len(scenes)
    rows = [[name, *(f"{share:.1f} %" for share in row)] for name, row in zip(changes, shares, strict=True)]
    return f"{len(scenes)} marked faces\n\n" + table(["", *detectors], rows)


def is_found(boxes: Boxes, points: Float64) -> bool:
    """Returns whether one of the boxes matches a labelled face (1, 5, 2)."""
    eyes = eyes_in(boxes)
    side = np.linalg.norm(eyes[:, 1] - eyes[:, 0], axis=-1) / USUAL_EYES.apart
    across = (eyes[:, 1] - eyes[:, 0]) / USUAL_EYES.apart
    down = np.stack([-across[:, 1], across[:, 0]], axis=-1) * (0.5 - USUAL_EYES.middle_y)
    return bool(matches(points, eyes.mean(axis=1) + down, side).any())


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="python -m benchmarks.detectors",
        description=(__doc__ or "").partition("\n")[0],
        epilog="Example: python -m benchmarks.detectors scenes --detector haar yunet face-finder",
    )
    p.add_argument("scenes", type=Path, metavar="SCENES", help="folder with faces.csv and pictures/")
    p.add_argument(
        "--detector",
        nargs="+",
        default=[YUNET, FINDER],
        metavar="NAME",
        help=f"{', '.join(NAMES)}, YuNet's FILE.onnx, the folder of a face finder, or with requirements-peers.txt "
        f"{', '.join(RANGES)} (default: {YUNET} {FINDER})",
    )
    p.add_argument(
        "--split",
        choices=SPLITS,
        default="test",
        help="which people and files (default: %(default)s)",
    )
    p.add_argument("--most", type=int, metavar="N", help="at most N pictures, evenly taken")
    p.add_argument("--false", type=Path, metavar="DIR", help="write the pictures with false faces here")
    p.add_argument("--conditions", action="store_true", help="change the pictures and run the detectors alone")
    p.add_argument("--model", default="v2", metavar="NAME|DIR|FILE", help="of keypoints (default: %(default)s)")
    return p


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser().parse_args(arguments)
    cv2.setNumThreads(1)
    scenes = read_scenes(options.scenes, options.split)
    scenes = [scenes[index] for index in evenly_spread(len(scenes), options.most or len(scenes))]
    if not scenes:
        raise InputError(f"{options.scenes}: has no pictures in the {options.split} split; give another --split")
    detectors: dict[str, Detector] = {}
    for name in options.detector:
        heading = YUNET if Path(name).suffix == ".onnx" else name
        detectors[heading] = MediaPipe(RANGES[name]) if name in RANGES else chosen_detector(name)
    if options.conditions:
        print(conditions_report(scenes, detectors))
        return
    predictor = Predictor(options.model, threads=1)
    check_roles(predictor.spec.keypoint_set, FIVE, f"--model {options.model}")
    print(faces_report(scenes, detectors, predictor, options.false))


if __name__ == "__main__":
    run(main)

"""Measures detection, accuracy and time for whole photos.

    python -m benchmarks.photos FOLDER... [--half first|second|all] [--most N] [--detector NAME...]
        [--model NAME|DIR|FILE] [--turned DEGREES...] [--any-angle]

A FOLDER has photos with one labelled face each: `.pts` files, or the frames set. Further detected faces count as
`other`, and as false if YuNet (`--detector`) does not find them. Errors are the mean distance of the keypoints, in
percent of the distance between the eyes. `true crops` are the errors of the same faces, cropped by their labels, in one
pass. The first half is every other photo; the eye positions in boxes and the uncertainty limits were chosen on it. The
second half has the rest. The eye positions and uncertainties are printed too; `detectors/*.py` and
`facial_keypoints/face.py` hold the chosen values. They fit a model if the largest uncertainty of labelled faces is
below MAX_UNCERTAINTY, and the smallest of dropped detections above it. `--turned` rotates each photo in its plane first
and fills up with gray.

    python -m benchmarks.photos --speed PHOTO [--turns N]

The time of one photo, from the shell and step by step on one core, in ms of CPU time, which other work on the machine
influences less than the clock. The network (onnxruntime) is compared with `keras.Model.predict` on the same crops, for
one face and for 64.
"""

import argparse
import itertools
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from tqdm import tqdm

from benchmarks.memory import run_measured
from common.markdown import table
from common.options import stage_parser
from data_prep.faces import evenly_spread
from data_prep.readers import frames, pts
from data_prep.readers.labelled_pictures import LabelledPicture
from facial_keypoints import crops, geometry
from facial_keypoints.array_types import Float64, UInt8
from facial_keypoints.boxes import Boxes, Detector
from facial_keypoints.detectors.choose import HAAR, YUNET, chosen_detector
from facial_keypoints.detectors.haar import Haar
from facial_keypoints.detectors.turned import turn_of
from facial_keypoints.drawing import draw_faces
from facial_keypoints.errors import InputError, run
from facial_keypoints.face import MAX_UNCERTAINTY, Face, uncertainty
from facial_keypoints.keypoint_set import FACE15, FACE68, as_face15
from facial_keypoints.pictures import read_picture, write_picture
from facial_keypoints.predictor import BATCH, Predictor
from models.saved import load_model

SAME_FACE_ERROR = 0.3  # of the distance between the eyes; a face with a larger mean error is another face
PERCENTILES = (0, 50, 95, 100)
GRAY = (127, 127, 127)
MS = 1e3


class Photo(NamedTuple):
    """The result for one photo.

    Attributes:
        error, from_true: mean error in percent of the labelled face, cropped as found and by its labels; None if not
            found.
        uncertainties: of the labelled face, of others, of false ones, and of dropped detections.
        eyes: of the labelled face in its box: center x, y and distance, as fractions of the box.
        seconds: CPU time.
    """

    error: float | None
    from_true: float | None
    uncertainties: tuple[list[float], list[float], list[float], list[float]]
    eyes: Float64 | None
    seconds: float


def faces_of(folder: Path) -> Sequence[LabelledPicture]:
    """Returns the labelled faces of a folder, sorted by file name."""
    reader = pts if any(folder.glob("*.pts")) else frames
    faces = reader.read(folder)
    if faces.keypoint_set != FACE68:
        raise InputError(f"{folder}: has the keypoint set {faces.keypoint_set.name}, expected {FACE68.name}")
    return sorted(faces.faces, key=lambda face: face.file.name)


def rotated(picture: UInt8, keypoints: Float64, degrees: float) -> tuple[UInt8, Float64]:
    """Returns a picture (H, W, 3) and its keypoints (K, 2), both rotated clockwise without cropping."""
    turn, width, height = turn_of(picture, degrees)
    copy = cv2.warpAffine(picture, turn, (width, height), borderMode=cv2.BORDER_CONSTANT, borderValue=GRAY)
    return np.asarray(copy, np.uint8), geometry.transform(keypoints, turn)


def measure(
    picture: UInt8, keypoints: Float64, predictor: Predictor, detector: Detector, reference: Detector | None
) -> Photo:
    """Returns the result for a photo with 68 keypoints; `reference` decides which of the other faces are real."""
    spec = predictor.spec
    truth = as_face15(keypoints) if spec.keypoint_set == FACE15 else keypoints
    left, right = crops.eye_centers(truth, spec.keypoint_set)
    eye_span = float(np.linalg.norm(left - right))
    started = time.process_time()
    faces = predictor.predict(picture, detector=detector)
    seconds = time.process_time() - started

    def error(face: Face) -> float:
        return float(np.linalg.norm(face.keypoints - truth, axis=1).mean()) / eye_span

    limit = MAX_UNCERTAINTY * predictor.typical_uncertainty
    boxes = detector(picture)
    predictions = predictor.predict_at(picture, crops.crop_of_boxes(boxes, spec))
    dropped = [uncertainty(one) for one in predictions if uncertainty(one) >= limit and error(one) >= SAME_FACE_ERROR]
    others = [other for other in faces if error(other) >= SAME_FACE_ERROR]
    confirmed = predictor.predict(picture, detector=reference) if reference and others else []
    false = [uncertainty(other) for other in others if reference and not any(near(other, face) for face in confirmed)]
    labelled = min(faces, key=error, default=None)
    if labelled is None or error(labelled) >= SAME_FACE_ERROR:
        return Photo(None, None, ([], [uncertainty(other) for other in others], false, dropped), None, seconds)
    (true,) = predictor.predict_at(picture, crops.crop_of(truth[None], spec), passes=1)
    uncertainties = ([uncertainty(labelled)], [uncertainty(other) for other in others], false, dropped)
    return Photo(
        100 * error(labelled), 100 * error(true), uncertainties, eyes_in(boxes, (left + right) / 2, eye_span), seconds
    )


def near(one: Face, other: Face) -> bool:
    """Returns whether the centers of two faces are within half a box of each other."""
    middles = [face.keypoints.mean(axis=0) for face in (one, other)]
    return float(np.linalg.norm(middles[0] - middles[1])) < max(one.box[2], other.box[2]) / 2


def eyes_in(boxes: Boxes, middle: Float64, eye_span: float) -> Float64 | None:
    """Returns the position of the point between the eyes and the eye distance in the box with the best score."""
    positions = np.column_stack([(middle - boxes.xywh[:, :2]) / boxes.xywh[:, 2:], eye_span / boxes.xywh[:, 2]])
    around = (np.abs(positions - (0.5, 0.4, 0.4)) < (0.3, 0.3, 0.3)).all(axis=1)
    return positions[around][np.argmax(boxes.scores[around])] if around.any() else None


def row_of(photos: Sequence[Photo]) -> list[str]:
    """Returns the cells of a table row."""
    found = [photo for photo in photos if photo.error is not None]
    others, false = (sum(len(photo.uncertainties[kind]) for photo in photos) for kind in (1, 2))
    errors = [""] * 3
    if found:
        error, from_true = (
            float(np.mean([getattr(photo, name) for photo in found])) for name in ("error", "from_true")
        )
        errors = [f"{error:.2f} %", f"{from_true:.2f} %", f"{100 * (error / from_true - 1):+.1f} %"]
    return [
        f"{len(photos)}",
        f"{len(found)} ({100 * len(found) / len(photos):.1f} %)",
        f"{others / len(photos):.2f}",
        f"{false / len(photos):.2f}",
        *errors,
        f"{MS * np.mean([photo.seconds for photo in photos]):.0f}",
    ]


def values_of_constants(photos: Sequence[Photo], typical_uncertainty: float) -> str:
    """Returns the values from which constants are chosen, as text; uncertainties in multiples of the typical one."""
    eyes = [photo.eyes for photo in photos if photo.eyes is not None]
    x, y, distance = np.median(eyes, axis=0)
    texts = [f"eyes in the box: center ({x:.3f}, {y:.3f}), distance {distance:.3f}"]
    for kind, name in enumerate(("labelled", "other", "false", "dropped")):
        if values := [value for photo in photos for value in photo.uncertainties[kind]]:
            figures = ", ".join(f"{value:.2f}" for value in np.percentile(values, PERCENTILES) / typical_uncertainty)
            texts.append(f"uncertainty of {name} faces (smallest, median, 95 %, largest): {figures}")
    return "; ".join(texts)


def photos_report(options: argparse.Namespace) -> None:
    """Prints a table with one row per folder, angle and detector; times are those of one thread."""
    cv2.setNumThreads(1)
    predictor = Predictor(options.model, threads=1)
    detectors = {"Haar": chosen_detector(HAAR, any_angle=options.any_angle)}
    for name_or_file in options.detector:
        heading = "YuNet" if name_or_file == YUNET or Path(name_or_file).suffix == ".onnx" else name_or_file
        detectors[heading] = chosen_detector(name_or_file, any_angle=options.any_angle)
    reference = detectors.get("YuNet")
    rows, notes = [], []
    for folder in options.folders:
        faces = faces_of(folder)
        faces = {"first": faces[0::2], "second": faces[1::2], "all": faces}[options.half]
        faces = [faces[i] for i in evenly_spread(len(faces), options.most or len(faces))]
        for degrees, (name, detector) in itertools.product(options.turned, detectors.items()):
            row = f"{folder.name}, {name}" + (f", turned by {degrees:g} degrees" if degrees else "")
            photos = []
            for face in tqdm(faces, row, unit="photo", leave=False, disable=None):
                picture, keypoints = rotated(read_picture(face.file), face.keypoints, degrees)
                photos.append(measure(picture, keypoints, predictor, detector, reference))
            rows.append([row, *row_of(photos)])
            if not degrees:  # eye positions in boxes of rotated faces differ
                notes.append(f"{row}: {values_of_constants(photos, predictor.typical_uncertainty)}")
    header = ["", "photos", "found", "other, each", "false, each", "error", "true crops", "more", "CPU ms"]
    print(table(header, rows), *notes, sep="\n\n")


def cpu_ms(work: Callable[[], object], turns: int) -> float:
    """Returns the median CPU time of a call, in ms."""
    times = []
    for _ in range(turns):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return float(MS * np.median(times))


def steps_of(photo: Path, predictor: Predictor, turns: int) -> dict[str, float]:
    """Returns the CPU time of each step for a photo, in ms."""
    spec, picture, haar = predictor.spec, read_picture(photo), Haar()
    faces = predictor.predict(picture)
    if not faces:
        raise InputError(f"{photo}: no face found; give a photo of a face")
    crop = crops.crop_of(faces[0].keypoints[None], spec)
    image = crops.crop_faces(picture, crop, spec)
    batch = np.repeat(image, BATCH, axis=0)
    model = load_model(predictor.path.parent).model
    model.predict(batch, batch_size=BATCH, verbose=0)  # compiles it
    network = cpu_ms(lambda: predictor.predict_crops(image), turns)
    one_pass = cpu_ms(lambda: predictor.predict_at(picture, crop, passes=1), turns)
    boxes = haar(picture)
    with tempfile.TemporaryDirectory() as folder:
        return {
            "read": cpu_ms(lambda: read_picture(photo), turns),
            "detect (Haar)": cpu_ms(lambda: haar(picture), turns),
            f"all {len(boxes.xywh)} boxes to {len(faces)} faces": cpu_ms(
                lambda: predictor.predict(picture, detector=lambda _: boxes), turns
            ),
            "one face: network": network,
            "one face: keras.Model.predict": cpu_ms(lambda: model.predict(image, verbose=0), turns),
            f"{BATCH} faces: network": cpu_ms(lambda: predictor.predict_crops(batch), turns),
            f"{BATCH} faces: keras.Model.predict": cpu_ms(
                lambda: model.predict(batch, batch_size=BATCH, verbose=0), turns
            ),
            "one face: crop and map back": one_pass - network,
            "draw": cpu_ms(lambda: draw_faces(picture, faces), turns),
            "write": cpu_ms(lambda: write_picture(Path(folder) / "a.jpg", picture), turns),
        }


def from_shell(photo: Path, model: str) -> tuple[float, float]:
    """Returns the seconds of `facial-keypoints predict` for a photo: by the clock, and CPU time."""
    with tempfile.TemporaryDirectory() as folder:
        predict = [sys.executable, "-m", "facial_keypoints", "predict", str(photo), "--model", model]
        seconds, usage = run_measured([*predict, "--out", f"{folder}/out"], subprocess.DEVNULL)
    return seconds, usage.ru_utime + usage.ru_stime


def speed_report(options: argparse.Namespace) -> None:
    """Prints the times for a photo, and Keras' time as a multiple of the network's."""
    cv2.setNumThreads(1)
    shell = np.median([from_shell(options.speed, options.model) for _ in range(options.turns)], axis=0)
    steps = steps_of(options.speed, Predictor(options.model, threads=1), options.turns)
    rows = [["from the shell, by the clock", f"{MS * shell[0]:.0f}"], ["from the shell", f"{MS * shell[1]:.0f}"]]
    print(table(["", "ms"], [*rows, *([name, f"{value:.1f}"] for name, value in steps.items())]))
    for faces in ("one face", f"{BATCH} faces"):
        ratio = steps[f"{faces}: keras.Model.predict"] / steps[f"{faces}: network"]
        print(f"\n{faces}: keras.Model.predict takes {ratio:.1f} times as long as the network")


def add_photo_options(p: argparse.ArgumentParser, *, required: bool) -> None:
    """Adds FOLDER, `--detector` and `--model`; `required`: whether folders and one detector are required."""
    text = "photos with 68 labelled keypoints of one face each"
    p.add_argument("folders", nargs="+" if required else "*", type=Path, metavar="FOLDER", help=text)
    if required:
        text = "compare the cascade with YuNet, which also decides which faces are false"
        p.add_argument("--detector", required=True, metavar="yunet|FILE.onnx", help=text)
    else:
        text = "compare the cascade with these; yunet or its FILE.onnx also decides which faces are false"
        p.add_argument("--detector", nargs="+", default=[], metavar="NAME", help=text)
    p.add_argument("--model", default="v2", metavar="NAME|DIR|FILE", help="model (default: %(default)s)")


def parser() -> argparse.ArgumentParser:
    p = stage_parser("benchmarks.photos", __doc__, "photos/ --half all --detector yunet")
    add_photo_options(p, required=False)
    p.add_argument(
        "--half",
        choices=("first", "second", "all"),
        default="second",
        help="which half of the photos (default: %(default)s)",
    )
    p.add_argument("--most", type=int, metavar="N", help="at most N photos per folder, evenly taken")
    p.add_argument(
        "--turned", nargs="+", type=float, default=[0.0], metavar="DEGREES", help="rotations (default: none)"
    )
    p.add_argument("--any-angle", action="store_true", help="the detectors also search rotated copies")
    p.add_argument("--speed", type=Path, metavar="PHOTO", help="measure the time of one photo instead")
    p.add_argument(
        "--turns",
        type=int,
        default=10,
        metavar="N",
        help="repetitions of each time measurement (default: %(default)s)",
    )
    return p


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser().parse_args(arguments)
    if bool(options.folders) == bool(options.speed):
        raise InputError("give folders of photos, or one photo with --speed")
    (speed_report if options.speed else photos_report)(options)


if __name__ == "__main__":
    run(main)

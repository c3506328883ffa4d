"""Measures clips: CPU time by step, jitter and the lag of smoothing.

    python -m benchmarks.clips CLIP [--detector haar|yunet|FILE.onnx]

Everything runs on one thread. Times are CPU times, so other work on the machine has little effect. The rate on two
cores is an estimate: half of the detector's time, which OpenCV divides between them, plus all other time.

T frames, K keypoints.
"""

import contextlib
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from common.options import stage_parser
from common.process import one_opencv_thread
from facial_keypoints.array_types import Bool, Float64, UInt8
from facial_keypoints.boxes import Boxes, Detector
from facial_keypoints.detectors.choose import chosen_detector
from facial_keypoints.drawing import draw_faces
from facial_keypoints.errors import InputError, run
from facial_keypoints.predictor import Predictor
from facial_keypoints.pretrained import FINDER
from facial_keypoints.video import clips
from facial_keypoints.video.tracking import TrackedFace, Tracker

READ, DETECT, FOLLOW, DRAW, WRITE = STEPS = "read", "detect", "follow", "draw", "write"
LONGEST_LAG, LAG_STEP = 4.0, 0.05  # frames
SPEED_FRAMES = 11  # frames over which a face's speed is averaged, to find the slower half of the frames


@dataclass(eq=False)
class Record:
    """A run over a clip.

    Attributes:
        faces: faces of each frame.
        seconds: CPU time of each frame by step.
        detections: CPU time of each call of the detector.
    """

    faces: list[list[TrackedFace]] = field(default_factory=list)
    seconds: list[dict[str, float]] = field(default_factory=list)
    detections: list[float] = field(default_factory=list)


def measure(clip: clips.Clip, predictor: Predictor, detector: Detector, *, smooth: bool, folder: Path) -> Record:
    """Processes a clip as `predict` does and returns the time of each step."""
    record = Record()
    frame_seconds: dict[str, float] = {}

    def detect(picture: UInt8) -> Boxes:
        with timed(frame_seconds, DETECT):
            boxes = detector(picture)
        record.detections.append(frame_seconds[DETECT])
        return boxes

    def annotated_frames() -> Iterator[UInt8]:
        nonlocal frame_seconds
        tracker, frames = Tracker(predictor, detect, smooth=smooth), clips.read_frames(clip)
        while True:
            frame_seconds = dict.fromkeys(STEPS, 0.0)
            with timed(frame_seconds, READ):
                frame = next(frames, None)
            if frame is None:
                return
            with timed(frame_seconds, FOLLOW):
                faces = tracker.update(*frame)
            frame_seconds[FOLLOW] -= frame_seconds[DETECT]
            with timed(frame_seconds, DRAW):
                numbers = [face.number for face in faces]
                picture = draw_faces(frame.picture, faces, numbers=numbers)
            record.faces.append(faces)
            record.seconds.append(frame_seconds)
            with timed(frame_seconds, WRITE):
                yield picture

    clips.write_clip(folder / "annotated.mp4", clip, annotated_frames())
    return record


@contextlib.contextmanager
def timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    """Stores the CPU time of the block, over all threads of this process, under the name of a step."""
    started = time.process_time()
    yield
    seconds[step] = time.process_time() - started


def trajectories(record: Record) -> list[tuple[Float64, float]]:
    """Returns the keypoints (T, K, 2) in px and mean width in px of each face; a gap starts a new trajectory."""
    runs: list[list[TrackedFace]] = []
    open_runs: dict[int, list[TrackedFace]] = {}
    for faces in record.faces:
        next_runs = {face.number: open_runs.get(face.number, []) for face in faces}
        runs += [next_runs[number] for number in next_runs if number not in open_runs]
        for face in faces:
            next_runs[face.number].append(face)
        open_runs = next_runs
    long_runs = [faces for faces in runs if len(faces) > SPEED_FRAMES]
    return [
        (np.array([face.keypoints for face in faces], np.float64), float(np.mean([face.box[2] for face in faces])))
        for faces in long_runs
    ]


def jitter_px(points: Float64) -> Float64:
    """Returns the length of each keypoint's second difference, (T - 2, K) in px, from (T, K, 2); 0 in even motion."""
    return np.asarray(np.linalg.norm(np.diff(points, 2, axis=0), axis=-1))


def speeds(points: Float64, width_px: float) -> Float64:
    """Returns the speed of a face around each frame except the first and last, (T - 2,) in face widths per frame."""
    steps = np.linalg.norm(np.gradient(points.mean(axis=1), axis=0), axis=-1) / width_px
    return np.asarray(np.convolve(steps, np.full(SPEED_FRAMES, 1 / SPEED_FRAMES), "same")[1:-1])


def lag_frames(before: Sequence[Float64], after: Sequence[Float64]) -> float:
    """Returns the delay in frames with which keypoints `before` fit `after` best, each (T, K, 2)."""
    lags = np.arange(0, LONGEST_LAG + LAG_STEP / 2, LAG_STEP)
    differences = [sum(_difference(*pair, float(lag)) for pair in zip(before, after, strict=True)) for lag in lags]
    return float(lags[int(np.argmin(differences))])


def _difference(before: Float64, after: Float64, lag: float) -> float:
    frames = np.arange(int(np.ceil(LONGEST_LAG)), len(before))
    earlier = np.floor(frames - lag).astype(int)
    share = (frames - lag - earlier)[:, None, None]
    delayed = before[earlier] * (1 - share) + before[np.minimum(earlier + 1, len(before) - 1)] * share
    return float(((after[frames] - delayed) ** 2).sum())


def cost_lines(record: Record) -> list[str]:
    """Returns the lines with times."""
    counts = np.array([len(faces) for faces in record.faces])
    lines = [f"{'CPU ms a frame':16} {'frames':>6} " + " ".join(f"{step:>7}" for step in (*STEPS, "all"))]
    lines[0] += f" {'one core, fps':>14} {'two (estimate)':>15}"
    groups: dict[str, Bool] = {"all": counts >= 0, "no face": counts == 0, "one face": counts == 1, "more": counts > 1}
    for name, group in groups.items():
        if not group.any():
            continue
        selected = [seconds for seconds, in_group in zip(record.seconds, group, strict=True) if in_group]
        ms = {step: 1e3 * float(np.mean([seconds[step] for seconds in selected])) for step in STEPS}
        total = sum(ms.values())
        columns = " ".join(f"{value:7.2f}" for value in (*ms.values(), total))
        two = total - ms[DETECT] / 2
        lines.append(f"{name:16} {int(group.sum()):6} {columns} {1e3 / total:14.0f} {1e3 / two:15.0f}")
    detections = record.detections
    lines.append(f"detector: {len(detections)} calls, {1e3 * float(np.median(detections)):.0f} ms each")
    return lines


def smoothing_lines(raw: Record, smoothed: Record) -> list[str]:
    """Returns the lines with jitter and lag."""
    before, after = trajectories(raw), trajectories(smoothed)
    if not before:
        return ["no face was tracked long enough to measure smoothing"]
    speed = np.concatenate([speeds(*face) for face in before])
    still = speed <= np.median(speed)
    lag = lag_frames([points for points, _ in before], [points for points, _ in after])
    lines = [f"{'second difference, px rms':26} {'all':>7} {'stiller half':>13} {'lag, frames':>12}"]
    for name, faces, delay in (("as predicted", before, 0.0), ("smoothed", after, lag)):
        squares = np.concatenate([jitter_px(points) for points, _ in faces]) ** 2
        lines.append(f"{name:26} {squares.mean() ** 0.5:7.2f} {squares[still].mean() ** 0.5:13.2f} {delay:12.2f}")
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    parser = stage_parser("benchmarks.clips", __doc__, "walk.mp4 --detector yunet")
    parser.add_argument("clip", type=Path, metavar="CLIP")
    parser.add_argument("--model", default="v2", metavar="NAME|DIR|FILE", help="model (default: %(default)s)")
    parser.add_argument(
        "--detector", default=FINDER, metavar="NAME|FILE.onnx|DIR", help="face detector (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    clip, predictor = clips.read_clip(options.clip), Predictor(options.model, threads=1)
    detector: Detector = chosen_detector(options.detector)
    with one_opencv_thread(), tempfile.TemporaryDirectory() as folder:
        raw, smoothed = (
            measure(clip, predictor, detector, smooth=smooth, folder=Path(folder)) for smooth in (False, True)
        )
    if not raw.detections:
        raise InputError(f"{clip.path}: has too few frames to measure; give a longer clip")
    numbers = {face.number for faces in smoothed.faces for face in faces}
    print(f"{clip.path.name}: {clip.width_px} x {clip.height_px} px, {len(raw.faces)} frames, {len(numbers)} faces")
    print("\n".join([*cost_lines(smoothed), *smoothing_lines(raw, smoothed)]))


if __name__ == "__main__":
    run(main)

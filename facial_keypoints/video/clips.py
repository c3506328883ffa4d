"""Clips: frames in, faces by frame, annotated clips out. OpenCV decodes and encodes; sound is left out."""

import contextlib
import csv
import io
import itertools
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from facial_keypoints import results
from facial_keypoints.array_types import UInt8
from facial_keypoints.boxes import Detector
from facial_keypoints.drawing import draw_faces
from facial_keypoints.errors import InputError
from facial_keypoints.pictures import notes
from facial_keypoints.predictor import Predictor
from facial_keypoints.video.tracking import TrackedFace, Tracker

SUFFIX, CODEC = ".mp4", "mp4v"  # MPEG-4 part 2; OpenCV's wheels hold no H.264, and their VP9 takes 70 times as long
SMALLEST_PX = 2  # of a clip's side that is written
FASTEST_HZ = 1000
MOTION_JPEG = ("mjpg", "jpeg")  # the codes of a clip whose frames are JPEG pictures
UNDECODED = -1  # for cv2.CAP_PROP_FORMAT: frames are given as they stand in the file
SILENT, QUIET = 0, "-8"  # OpenCV's and FFmpeg's levels at which they print nothing
DECIMALS = 4  # of a second
FIRST_COLUMNS = ("frame", "time_s", "face")  # of a table
ROUNDED_S = 0.002  # to which files round the times of frames
UNEVEN, MOST_UNEVEN = 0.5, 0.01  # of the usual gap between frames; of all gaps, before a rate is said to vary
MISSING_S = 1.0  # of a clip, before it is said to be cut off
MOST_TICKS = 65_535  # in a second, for MPEG-4; a frame lasts a whole number of them


class Clip(NamedTuple):
    """What a clip is.

    Attributes:
        width_px, height_px: of its frames.
        fps: frames per second, on average.
        frame_count: as many as are in the file, or more where it says that it once had more; None: not known.
    """

    path: Path
    width_px: int
    height_px: int
    fps: float
    frame_count: int | None


class Rate(NamedTuple):
    """How fast the frames of a clip follow each other, as their times say.

    Attributes:
        fps: frames per second, on average.
        varies: whether more than MOST_UNEVEN of the gaps between them differ from the usual one.
        frames: how many there are.
    """

    fps: float
    varies: bool
    frames: int


class Frame(NamedTuple):
    """A frame of a clip.

    Attributes:
        picture: uint8 (H, W, 3) RGB.
        time_s: from the clip's beginning, always later than the frame before.
    """

    picture: UInt8
    time_s: float


def read_clip(path: str | Path) -> Clip:
    """Returns what a clip is, after its first frame has been decoded and the times of all frames have been read.

    Where the times do not fit the rate that the file says, as in recordings of browsers and phones, all frames are
    decoded once for their exact times. A rate that varies is a note in the log, and so are pixels that are not square.

    Raises:
        InputError: no such file, it cannot be decoded, has no frames, or gives them no times; or it is Motion JPEG
            whose frames change their size.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; give a clip")
    with _capture(path) as capture:
        read, picture = capture.read()
        nominal_fps, said = float(capture.get(cv2.CAP_PROP_FPS)), capture.get(cv2.CAP_PROP_FRAME_COUNT)
        code = int(capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little", signed=True)
        pixel = int(capture.get(cv2.CAP_PROP_SAR_NUM)), int(capture.get(cv2.CAP_PROP_SAR_DEN))
    if not read:
        raise InputError(f"{path}: has no frame that can be decoded; save it as MP4")
    if code.decode("latin-1").lower() in MOTION_JPEG:
        _check_one_size(path)
    rate = frame_rate(_times_s(path, decoded=False), nominal_fps)
    if rate.varies or rate.fps != nominal_fps:
        rate = frame_rate(_times_s(path, decoded=True), nominal_fps)
    if not 0 < rate.fps <= FASTEST_HZ:
        raise InputError(f"{path}: does not say how many frames it shows in a second; save it as MP4")
    if rate.varies:
        notes.warning("%s: its frame rate varies; a clip written of it has the mean, %.4g a second", path, rate.fps)
    if 0 < pixel[0] != pixel[1]:  # 0: the file does not say
        notes.warning("%s: its pixels are not square (%d:%d); those of a clip written of it are", path, *pixel)
    # Some files say their number of frames exactly, some how many there would be at the nominal rate, some nothing.
    missing = said > rate.frames and said / nominal_fps > rate.frames / rate.fps + MISSING_S
    return Clip(path, picture.shape[1], picture.shape[0], rate.fps, int(said) if missing else rate.frames)


def frame_rate(times_s: npt.ArrayLike, nominal_fps: float) -> Rate:
    """Returns the rate at which as many frames take as long as these.

    It is the nominal one where that differs by less than half a frame, or 2 ms, over the whole clip.

    Args:
        times_s: (N,), when each frame is shown, in any order.
        nominal_fps: what the file says, which may be wrong, or no rate at all.
    """
    gaps_s = np.diff(np.sort(np.asarray(times_s, np.float64)))
    frames, between_s = len(gaps_s) + 1, float(gaps_s.sum())
    if not 0 < between_s < math.inf:
        return Rate(nominal_fps, False, frames)
    usual_s, mean_s = float(np.median(gaps_s)), between_s / len(gaps_s)
    uneven = np.abs(gaps_s - usual_s) > max(UNEVEN * usual_s, ROUNDED_S)
    varies = bool(uneven.mean() > MOST_UNEVEN)
    last_s = mean_s  # how long the last frame is shown, which no time says
    if 0 < nominal_fps <= FASTEST_HZ:
        if abs(between_s - len(gaps_s) / nominal_fps) <= max(0.5 / nominal_fps, ROUNDED_S):
            return Rate(nominal_fps, varies, frames)
        if varies:
            last_s = min(mean_s, 1 / nominal_fps)
    return Rate(frames / (between_s + last_s), varies, frames)


def _times_s(path: Path, *, decoded: bool) -> list[float]:
    """Returns when each frame of a clip is shown, in the file's order, without those whose time is not known.

    Args:
        decoded: exactly those that a decoder gives; else all in the file, a hundredth of the time, among which some may
            be that are never shown.
    """
    times_s = []
    with _capture(path) as capture:
        if not decoded:
            capture.set(cv2.CAP_PROP_FORMAT, UNDECODED)
        while capture.grab():
            times_s.append(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
    return [time_s for time_s in times_s if math.isfinite(time_s)]


def read_frames(clip: Clip) -> Iterator[Frame]:
    """Yields the frames of a clip, upright as its file says. A clip that ends early is a note in the log.

    Raises:
        InputError: the size of the frames changes. (FFmpeg's decoder scales all of them to the size of the first.)
    """
    time_s, number = -1 / clip.fps, 0
    with _capture(clip.path) as capture:
        while True:
            read, picture = capture.read()
            if not read:
                break
            if picture.shape != (clip.height_px, clip.width_px, 3):
                first = clip.width_px, clip.height_px
                raise _of_another_size(clip.path, number, (picture.shape[1], picture.shape[0]), first)
            said = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            time_s = said if said > time_s else time_s + 1 / clip.fps
            yield Frame(np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8), time_s)
            number += 1
    if clip.frame_count and number < clip.frame_count - MISSING_S * clip.fps:
        notes.warning("%s: ends after %d of %d frames; it is cut off or damaged", clip.path, number, clip.frame_count)


def _check_one_size(path: Path) -> None:
    """Raises InputError where the frames of a Motion JPEG clip change their size, which the decoder hides."""
    first = None
    with _capture(path) as capture:
        capture.set(cv2.CAP_PROP_FORMAT, UNDECODED)
        for number in itertools.count():
            read, packet = capture.read()
            if not read:
                return
            try:
                size = Image.open(io.BytesIO(packet.tobytes()), formats=["JPEG"]).size  # reads the header
            except Exception:  # a damaged frame, which the decoder leaves out or mends
                continue
            first = first or size
            if size != first:
                raise _of_another_size(path, number, size, first)


def _of_another_size(path: Path, number: int, size: tuple[int, int], first: tuple[int, int]) -> InputError:
    says = f"frame {number} is {size[0]} x {size[1]} px, the first {first[0]} x {first[1]}"
    return InputError(f"{path}: {says}; cut the clip there")


def track_clip(
    clip: Clip, predictor: Predictor, detector: Detector | None = None, *, smooth: bool = True
) -> Iterator[tuple[Frame, list[TrackedFace]]]:
    """Yields each frame of a clip with its faces; shows a progress bar where there is a terminal.

    Raises:
        InputError: as `read_frames`.
    """
    from tqdm import tqdm  # takes a tenth of a second, which pictures need not wait for

    tracker = Tracker(predictor, detector, smooth=smooth)
    for frame in tqdm(read_frames(clip), clip.path.name, clip.frame_count, unit="frame", disable=None):
        yield frame, tracker.update(*frame)


def written_name(name: str) -> str:
    """Returns what a clip of this file name is called when it is written."""
    return name if Path(name).suffix.lower() == SUFFIX else f"{name}{SUFFIX}"


def is_table(path: Path) -> bool:
    """Returns whether a file begins as the tables do that `predict_clip` writes."""
    start = ",".join(FIRST_COLUMNS).encode()
    with path.open("rb") as file:
        return file.read(len(start)) == start


def check_size(clip: Clip) -> None:
    """Raises InputError where no clip of this size can be written."""
    if min(clip.width_px, clip.height_px) < SMALLEST_PX:
        size = f"{clip.width_px} x {clip.height_px}"
        raise InputError(f"{clip.path}: is {size} px, too small for a clip that can be written")


def write_clip(path: Path, clip: Clip, pictures: Iterable[UInt8]) -> None:
    """Writes pictures, uint8 (H, W, 3) RGB, as a clip of the size and frame rate of another; MPEG-4 in `.mp4`.

    OpenCV leaves out the last column or row of an odd width or height. The rate is rounded where MPEG-4 needs it.

    Raises:
        InputError: it could not be written.
    """
    check_size(clip)
    size = clip.width_px, clip.height_px
    count = 0
    fps = round(clip.fps, int(math.log10(MOST_TICKS / clip.fps)))  # OpenCV makes ticks of its decimals
    with quiet():
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*CODEC), fps, size)
    try:
        if not writer.isOpened():
            raise InputError(f"{path}: cannot be written; choose another --out")
        for picture in pictures:
            writer.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
            count += 1
    finally:
        writer.release()
    if _frames_said(path) != count:  # OpenCV does not tell of a full disk
        raise InputError(f"{path}: could not be written whole; free some space or choose another --out")


def _frames_said(path: Path) -> int:
    """Returns how many frames a clip says it has; 0 where it cannot be opened."""
    try:
        with _capture(path) as capture:
            return int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    except InputError:
        return 0


def predict_clip(
    path: Path, predictor: Predictor, detector: Detector | None, out_folder: Path, smooth: bool = True
) -> list[int]:
    """Reads a clip and does what `annotate_clip` does.

    Raises:
        InputError: the clip cannot be read, or the folder not written.
    """
    return annotate_clip(read_clip(path), predictor, detector, out_folder, smooth)


def annotate_clip(
    clip: Clip, predictor: Predictor, detector: Detector | None, out_folder: Path, smooth: bool = True
) -> list[int]:
    """Returns how many frames a clip has, and how many without a face.

    Writes `NAME.mp4`, the clip with its faces drawn, and `NAME.csv`, its faces by frame, into a folder.

    NAME is the clip's file name: `walk.mp4` becomes `walk.mp4` and `walk.mp4.csv`. Columns of the table: `frame` from 0
    on, `time_s`, `face` (its number in this clip), then those of `results.columns`.

    Raises:
        InputError: the clip cannot be read, or the folder not written.
    """
    name, faces_per_frame = clip.path.name, []
    with (out_folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow([*FIRST_COLUMNS, *results.columns(predictor.spec)])

        def drawn() -> Iterator[UInt8]:
            for number, (frame, faces) in enumerate(track_clip(clip, predictor, detector, smooth=smooth)):
                start = [number, round(frame.time_s, DECIMALS)]
                table.writerows([*start, face.number, *results.row(results.face_values(face))] for face in faces)
                faces_per_frame.append(len(faces))
                numbers = [face.number for face in faces]
                yield draw_faces(frame.picture, faces, numbers=numbers)

        write_clip(out_folder / written_name(name), clip, drawn())
    return [len(faces_per_frame), faces_per_frame.count(0)]


def summary(of_clips: Sequence[Sequence[int]]) -> str:
    """Returns how many frames some clips have, in words for the user; each: frames, and how many without a face."""
    frames, empty = np.sum(of_clips, axis=0).tolist()
    text = f"{len(of_clips)} clip{'s' * (len(of_clips) > 1)} of {frames} frames"
    return text + (f", no face found in {empty} of them" if empty else "")


@contextlib.contextmanager
def _capture(path: Path) -> Iterator[cv2.VideoCapture]:
    """Yields an opened clip, and closes it.

    Raises:
        InputError: it cannot be opened.
    """
    with quiet():
        capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        if not capture.isOpened():
            raise InputError(f"{path}: is no clip that can be decoded, or has no frames; save it as MP4")
        yield capture
    finally:
        capture.release()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps OpenCV and FFmpeg from printing while they open a clip, which they do beside saying that they failed."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(SILENT)
    before = os.environ.get("OPENCV_FFMPEG_LOGLEVEL")
    os.environ["OPENCV_FFMPEG_LOGLEVEL"] = before or QUIET  # which OpenCV reads when it first opens a clip
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)
        if before is None:
            os.environ.pop("OPENCV_FFMPEG_LOGLEVEL", None)

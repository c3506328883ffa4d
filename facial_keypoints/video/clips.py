"""Reads clips, follows their faces and writes annotated clips without sound. OpenCV decodes and encodes."""

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
from facial_keypoints.errors import InputError, counted
from facial_keypoints.pictures import notes
from facial_keypoints.predictor import Predictor
from facial_keypoints.video.tracking import TrackedFace, Tracker

SUFFIX, CODEC = ".mp4", "mp4v"  # MPEG-4 part 2; OpenCV's wheels have no H.264, and their VP9 takes 70 times as long
SMALLEST_PX = 2  # side of a clip that can be written
FASTEST_HZ = 1000
MOTION_JPEG = ("mjpg", "jpeg")  # the codec ids of clips whose frames are JPEG pictures
UNDECODED = -1  # for cv2.CAP_PROP_FORMAT: read the packets of the file
SILENT, QUIET = 0, "-8"  # the levels at which OpenCV and FFmpeg print nothing
DECIMALS = 4  # of a second
FIRST_COLUMNS = ("frame", "time_s", "face")  # of the table
ROUNDED_S = 0.002  # the precision of the frame times in files
UNEVEN, MAX_UNEVEN = 0.5, 0.01  # a gap's deviation from the median gap; the share of such gaps at a constant rate
MISSING_S = 1.0  # the longest missing end of a clip without a warning
MAX_TICKS = 65_535  # per second in MPEG-4; a frame lasts a whole number of ticks


class Clip(NamedTuple):
    """A clip file.

    Attributes:
        path: the file.
        width_px, height_px: the size of its frames.
        fps: frames per second, on average.
        frame_count: the number of frames, including those that an incomplete file lacks; None if unknown.
    """

    path: Path
    width_px: int
    height_px: int
    fps: float
    frame_count: int | None


class Frame(NamedTuple):
    """A frame of a clip.

    Attributes:
        picture: uint8 (H, W, 3) RGB.
        time_s: the time since the beginning of the clip, later than that of the previous frame.
    """

    picture: UInt8
    time_s: float


def read_clip(path: str | Path) -> Clip:
    """Opens a clip: decodes its first frame and reads the times of all frames.

    If the times contradict the file's frame rate, as in recordings of browsers and phones, decodes all frames once for
    their exact times. Logs a warning if the rate varies or if the pixels are not square.

    Raises:
        InputError: the file is missing or cannot be decoded, or has no frames or frame rate; or it is Motion JPEG with
            frames of several sizes.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; give a clip")
    with _capture(path) as capture:
        read, picture = capture.read()
        nominal_fps, nominal_count = float(capture.get(cv2.CAP_PROP_FPS)), capture.get(cv2.CAP_PROP_FRAME_COUNT)
        codec = int(capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little", signed=True)
        pixel_ratio = int(capture.get(cv2.CAP_PROP_SAR_NUM)), int(capture.get(cv2.CAP_PROP_SAR_DEN))
    if not read:
        raise InputError(f"{path}: has no frame that can be decoded; save it as MP4")
    if codec.decode("latin-1").lower() in MOTION_JPEG:
        _check_one_size(path)
    fps, varies, frames = frame_rate(_times_s(path, decoded=False), nominal_fps)
    if varies or fps != nominal_fps:
        fps, varies, frames = frame_rate(_times_s(path, decoded=True), nominal_fps)
    if not 0 < fps <= FASTEST_HZ:
        raise InputError(f"{path}: has no frame rate; save it as MP4")
    if varies:
        notes.warning("%s: its frame rate varies; clips written from it have its mean, %.4g per second", path, fps)
    if 0 < pixel_ratio[0] != pixel_ratio[1]:  # 0: unknown
        notes.warning("%s: its pixels are not square (%d:%d); those of clips written from it are", path, *pixel_ratio)
    # Some files give their exact number of frames, some the number at the nominal rate, some none.
    missing = nominal_count > frames and nominal_count / nominal_fps > frames / fps + MISSING_S
    return Clip(path, picture.shape[1], picture.shape[0], fps, int(nominal_count) if missing else frames)


def frame_rate(times_s: npt.ArrayLike, nominal_fps: float) -> tuple[float, bool, int]:
    """Returns the mean rate of frames at these times, whether it varies, and the number of frames.

    It is the nominal rate if that differs by less than half a frame, or 2 ms, over the whole clip. It varies if more
    than MAX_UNEVEN of the gaps between frames differ from the median gap.

    Args:
        times_s: (N,), when each frame begins, in any order.
        nominal_fps: the rate in the file, which may be wrong or 0.
    """
    gaps_s = np.diff(np.sort(np.asarray(times_s, np.float64)))
    frames, between_s = len(gaps_s) + 1, float(gaps_s.sum())
    if not 0 < between_s < math.inf:
        return nominal_fps, False, frames
    median_s, mean_s = float(np.median(gaps_s)), between_s / len(gaps_s)
    uneven = np.abs(gaps_s - median_s) > max(UNEVEN * median_s, ROUNDED_S)
    varies = bool(uneven.mean() > MAX_UNEVEN)
    last_s = mean_s  # the duration of the last frame, which is not in the file
    if 0 < nominal_fps <= FASTEST_HZ:
        if abs(between_s - len(gaps_s) / nominal_fps) <= max(0.5 / nominal_fps, ROUNDED_S):
            return nominal_fps, varies, frames
        if varies:
            last_s = min(mean_s, 1 / nominal_fps)
    return frames / (between_s + last_s), varies, frames


def _times_s(path: Path, *, decoded: bool) -> list[float]:
    """Returns when each frame of a clip begins, in the file's order; leaves out frames of unknown time.

    Args:
        decoded: whether to decode the frames, which gives exact times but takes a hundred times as long; otherwise the
            result can contain frames that are never shown.
    """
    times_s = []
    with _capture(path) as capture:
        if not decoded:
            capture.set(cv2.CAP_PROP_FORMAT, UNDECODED)
        while capture.grab():
            times_s.append(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
    return [time_s for time_s in times_s if math.isfinite(time_s)]


def read_frames(clip: Clip) -> Iterator[Frame]:
    """Yields the frames of a clip, upright by its orientation. Logs a warning if the clip ends early.

    Raises:
        InputError: the size of the frames changes. (FFmpeg's decoder scales them to the size of the first.)
    """
    time_s, number = -1 / clip.fps, 0
    with _capture(clip.path) as capture:
        while True:
            read, picture = capture.read()
            if not read:
                break
            if picture.shape != (clip.height_px, clip.width_px, 3):
                first = clip.width_px, clip.height_px
                raise _size_error(clip.path, number, (picture.shape[1], picture.shape[0]), first)
            nominal_s = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            time_s = nominal_s if nominal_s > time_s else time_s + 1 / clip.fps
            yield Frame(np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8), time_s)
            number += 1
    if clip.frame_count and number < clip.frame_count - MISSING_S * clip.fps:
        notes.warning("%s: ends after %d of %d frames; it is cut off or damaged", clip.path, number, clip.frame_count)


def _check_one_size(path: Path) -> None:
    """Raises InputError if the frames of a Motion JPEG clip change their size, which the decoder hides."""
    first = None
    with _capture(path) as capture:
        capture.set(cv2.CAP_PROP_FORMAT, UNDECODED)
        for number in itertools.count():
            read, packet = capture.read()
            if not read:
                return
            try:
                size = Image.open(io.BytesIO(packet.tobytes()), formats=["JPEG"]).size  # reads the header
            except Exception:  # a damaged frame, which the decoder skips or repairs
                continue
            first = first or size
            if size != first:
                raise _size_error(path, number, size, first)


def _size_error(path: Path, number: int, size: tuple[int, int], first: tuple[int, int]) -> InputError:
    fault = f"frame {number} is {size[0]} x {size[1]} px, the first {first[0]} x {first[1]}"
    return InputError(f"{path}: {fault}; split the clip there")


def track_clip(
    clip: Clip, predictor: Predictor, detector: Detector | None = None, *, smooth: bool = True
) -> Iterator[tuple[Frame, list[TrackedFace]]]:
    """Yields each frame of a clip with its faces; shows a progress bar in a terminal.

    Raises:
        InputError: as in `read_frames`.
    """
    from tqdm import tqdm  # its import takes a tenth of a second; pictures do not need it

    tracker = Tracker(predictor, detector, smooth=smooth)
    for frame in tqdm(read_frames(clip), clip.path.name, clip.frame_count, unit="frame", disable=None):
        yield frame, tracker.update(*frame)


def written_name(name: str) -> str:
    """Returns the name of the file to write for a clip of this name."""
    return name if Path(name).suffix.lower() == SUFFIX else f"{name}{SUFFIX}"


def is_table(path: Path) -> bool:
    """Returns whether a file begins like the tables of `annotate_clip`."""
    start = ",".join(FIRST_COLUMNS).encode()
    with path.open("rb") as file:
        return file.read(len(start)) == start


def check_size(clip: Clip) -> None:
    """Raises InputError if no clip of this size can be written."""
    if min(clip.width_px, clip.height_px) < SMALLEST_PX:
        size = f"{clip.width_px} x {clip.height_px}"
        raise InputError(f"{clip.path}: is {size} px, too small to be written as a clip")


def write_clip(path: Path, clip: Clip, pictures: Iterable[UInt8]) -> None:
    """Writes pictures, uint8 (H, W, 3) RGB, as a clip of the size and frame rate of another; MPEG-4 in `.mp4`.

    OpenCV drops the last column or row of an odd width or height. The rate is rounded to what MPEG-4 can store.

    Raises:
        InputError: the clip could not be written.
    """
    check_size(clip)
    size = clip.width_px, clip.height_px
    count = 0
    fps = round(clip.fps, int(math.log10(MAX_TICKS / clip.fps)))  # OpenCV turns the decimals into ticks
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
    if _nominal_count(path) != count:  # OpenCV reports no error on a full disk
        raise InputError(f"{path}: could not be written completely; free some space or choose another --out")


def _nominal_count(path: Path) -> int:
    """Returns the number of frames in a clip's header; 0 if the clip cannot be opened."""
    try:
        with _capture(path) as capture:
            return int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    except InputError:
        return 0


def annotate_clip(
    clip: Clip,
    predictor: Predictor,
    detector: Detector | None,
    out_folder: Path,
    smooth: bool = True,
    measures: bool = False,
) -> list[int]:
    """Writes `NAME.mp4`, the clip with its faces drawn, and `NAME.csv`, a table of them, into a folder.

    NAME is the clip's file name: `walk.mp4` becomes `walk.mp4` and `walk.mp4.csv`. The columns are `frame` (from 0),
    `time_s`, `face` (its number in the clip), then those of `results.columns`.
    With `measures`, head pose comes from the smoothed keypoints and openness from those of each frame.

    Returns:
        The number of frames, and the number of frames without a face.

    Raises:
        InputError: the clip cannot be read, or the folder cannot be written.
    """
    name, faces_per_frame = clip.path.name, []
    with (out_folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow([*FIRST_COLUMNS, *results.columns(predictor.spec, measures=measures)])

        def drawn() -> Iterator[UInt8]:
            for number, (frame, faces) in enumerate(track_clip(clip, predictor, detector, smooth=smooth)):
                start = [number, round(frame.time_s, DECIMALS)]
                for face in faces:
                    values = results.face_values(face, measures=measures)
                    table.writerow([*start, face.number, *results.row(values, measures=measures)])
                faces_per_frame.append(len(faces))
                numbers = [face.number for face in faces]
                yield draw_faces(frame.picture, faces, numbers=numbers)

        write_clip(out_folder / written_name(name), clip, drawn())
    return [len(faces_per_frame), faces_per_frame.count(0)]


def summary(of_clips: Sequence[Sequence[int]]) -> str:
    """Returns a one-line summary of clips from their numbers of frames and of frames without a face."""
    frames, empty = np.sum(of_clips, axis=0).tolist()
    text = f"{counted(len(of_clips), 'clip')} of {counted(frames, 'frame')}"
    return text + (f", no face found in {empty} of them" if empty else "")


@contextlib.contextmanager
def _capture(path: Path) -> Iterator[cv2.VideoCapture]:
    """Opens a clip and closes it afterwards.

    Raises:
        InputError: the clip cannot be opened.
    """
    with quiet():
        capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        if not capture.isOpened():
            raise InputError(f"{path}: cannot be decoded as a clip, or has no frames; save it as MP4")
        yield capture
    finally:
        capture.release()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps OpenCV and FFmpeg from printing while they open a clip."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(SILENT)
    before = os.environ.get("OPENCV_FFMPEG_LOGLEVEL")
    os.environ["OPENCV_FFMPEG_LOGLEVEL"] = before or QUIET  # OpenCV reads it when it first opens a clip
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)
        if before is None:
            os.environ.pop("OPENCV_FFMPEG_LOGLEVEL", None)

"""`facial-keypoints predict`: the faces of pictures, folders and clips, drawn and in tables."""

import argparse
import csv
import hashlib
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
from tqdm import tqdm

from facial_keypoints import crops, results
from facial_keypoints.array_types import UInt8
from facial_keypoints.boxes import Detector
from facial_keypoints.clips import predict_clip as annotate_clip
from facial_keypoints.clips import read_clip
from facial_keypoints.drawing import draw_faces
from facial_keypoints.earlier import OVERLAYS, UNREAD, check_out
from facial_keypoints.errors import InputError
from facial_keypoints.face import Face
from facial_keypoints.keypoint_set import KeypointSet
from facial_keypoints.options import add_detector_options, add_model_option, detector_of
from facial_keypoints.pictures import read_picture, write_picture
from facial_keypoints.predictor import Predictor
from facial_keypoints.results import PictureFaces
from facial_keypoints.sources import Source, count, drawn_name, find_sources
from facial_keypoints.unfinished import Unfinished

Finder = Callable[[UInt8], list[Face]]


def add_parser(commands: Any) -> None:
    """Adds the command `predict`."""
    p = commands.add_parser("predict", help="keypoints of the faces in pictures, folders and clips")
    p.add_argument("paths", nargs="+", type=Path, metavar="PICTURE|FOLDER|CLIP")
    p.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write: tables and overlays")
    p.add_argument("--overwrite", action="store_true", help="replace what predict wrote there before")
    add_model_option(p)
    add_detector_options(p)
    p.add_argument(
        "--box",
        type=box,
        action="append",
        metavar="X,Y,W,H",
        help="where a face of the one picture is; may be repeated",
    )
    p.add_argument("--no-detect", action="store_true", help="each picture is one face, cut out already")
    p.add_argument("--no-smooth", action="store_true", help="clips: the keypoints of each frame as they are")
    p.add_argument("--workers", type=int, default=cores(), metavar="N", help="pictures at once (default: %(default)s)")
    p.set_defaults(main=main)


def box(text: str) -> tuple[float, ...]:
    """Returns a box given on the command line, for `argparse`."""
    values = tuple(float(value) for value in text.split(","))
    if len(values) != 4:
        raise argparse.ArgumentTypeError(f"{text} is not four numbers X,Y,W,H")
    return values


def cores() -> int:
    """Returns how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def main(options: argparse.Namespace) -> None:
    """Predicts, and writes `keypoints.csv`, `keypoints.json`, `overlays/` and annotated clips, or nothing.

    Raises:
        InputError: bad options or input; or some of several pictures could not be read, after all else is written.
    """
    if options.workers < 1:
        raise InputError(f"--workers {options.workers}: must be at least 1")
    check_out(options.out, options.overwrite)
    pictures, clips = find_sources(options.paths, options.out)
    if options.box and (len(pictures) != 1 or clips or options.no_detect):
        raise InputError("--box: says where the faces of one picture are; give one picture, and no --no-detect")
    if clips and options.no_detect:
        raise InputError("--no-detect: is for pictures of one face each; leave it out for clips")
    for clip in clips:
        read_clip(clip.path)  # whether it can be
    several = options.workers > 1 and len(pictures) > 1
    predictor = Predictor(options.model, threads=1 if several else options.workers)
    cv2.setNumThreads(1 if several else options.workers)  # a picture for each worker is quicker than a part of one
    detector = detector_of(options)
    unfinished = Unfinished(options.out, settings_of(options, predictor, [*pictures, *clips]))
    try:
        find = finder(options, predictor, detector)
        done, unread = predict_pictures(
            pictures,
            find,
            predictor.spec.keypoint_set,
            unfinished,
            options.workers,
            tell=len(pictures) + len(clips) > 1,
        )
        for clip in clips:
            predict_clip(clip, predictor, detector, unfinished, smooth=not options.no_smooth)
        if unread and not (done or clips):
            unfinished.discard()
            raise InputError(unread[0][1] if len(unread) == 1 else f"none of {len(unread)} pictures could be read")
        if pictures:
            write_tables(unfinished.folder, done, unread, options, predictor)
        unfinished.finish()
    finally:
        unfinished.close()
    print(summary(options.out, done, clips))
    if unread:
        raise InputError(f"{options.out / UNREAD}: {len(unread)} of {len(pictures)} pictures could not be read")


def settings_of(options: argparse.Namespace, predictor: Predictor, sources: list[Source]) -> dict[str, Any]:
    """Returns all that the results hang on, JSON values: a run goes on only with what an equal one left."""
    names = ("yunet", "profile", "any_angle", "box", "no_detect", "no_smooth")
    given = {name: str(getattr(options, name)) for name in names}
    model = hashlib.sha256(predictor.path.read_bytes()).hexdigest()
    paths = [(source.name, str(source.path.resolve())) for source in sources]
    return {**given, "model": model, "several": options.workers > 1, "sources": paths}


def finder(options: argparse.Namespace, predictor: Predictor, detector: Detector | None) -> Finder:
    """Returns the function that finds the faces of a picture as the options say."""
    if options.no_detect:
        return lambda picture: predictor.predict_at(picture, crops.crop_of_whole(picture, predictor.spec)[None])
    if options.box:
        return lambda picture: predictor.predict(picture, boxes=options.box)
    return lambda picture: predictor.predict(picture, detector=detector)


def predict_pictures(
    pictures: list[Source], find: Finder, keypoint_set: KeypointSet, unfinished: Unfinished, workers: int, *, tell: bool
) -> tuple[list[PictureFaces], list[tuple[str, str]]]:
    """Predicts and draws what an earlier run has not done.

    Returns what all pictures hold, in their order, and the names of those that could not be read, each with the reason;
    `tell`: it is told on stderr, too.
    """

    def work(source: Source) -> PictureFaces | InputError:
        try:
            picture = read_picture(source.path)
            faces = find(picture)
        except InputError as error:  # one bad picture of many does not stop the others
            return error
        overlay = unfinished.folder / OVERLAYS / drawn_name(source.name, max(picture.shape))
        overlay.parent.mkdir(parents=True, exist_ok=True)
        write_picture(overlay, draw_faces(picture, faces, keypoint_set))
        height, width = picture.shape[:2]
        return PictureFaces(source.name, width, height, [results.face_values(face) for face in faces])

    done: dict[str, PictureFaces] = {}
    unread: dict[str, str] = {}
    for source in pictures:
        if (record := unfinished.record(stamp(source))) is not None:
            done[source.name] = PictureFaces(**record)
    left = [source for source in pictures if source.name not in done]
    hidden = True if len(pictures) == 1 else None  # None: where there is no terminal
    bar = tqdm(total=len(pictures), initial=len(done), unit="picture", disable=hidden)
    with bar, ThreadPoolExecutor(workers) as pool:
        try:
            for source, result in zip(left, pool.map(work, left), strict=True):
                if isinstance(result, InputError):
                    unread[source.name] = str(result)
                    if tell:
                        bar.write(f"left out: {result}", file=sys.stderr)
                else:
                    done[source.name] = result
                    unfinished.keep(stamp(source), vars(result))
                bar.update()
        finally:
            pool.shutdown(cancel_futures=True)  # those at work end, none begins
    return [done[source.name] for source in pictures if source.name in done], sorted(unread.items())


def stamp(source: Source) -> str:
    """Returns what tells a picture file from another, or from what it was before."""
    try:
        state = source.path.stat()
    except OSError:
        return source.name
    return f"{state.st_mtime_ns} {state.st_size} {source.name}"


def predict_clip(
    clip: Source, predictor: Predictor, detector: Detector | None, unfinished: Unfinished, *, smooth: bool
) -> None:
    """Predicts a clip, unless an earlier run has."""
    if unfinished.record(stamp(clip)) is None:
        annotate_clip(clip.path, predictor, detector, unfinished.folder, smooth)
        unfinished.keep(stamp(clip), True)


def write_tables(
    folder: Path,
    done: list[PictureFaces],
    unread: list[tuple[str, str]],
    options: argparse.Namespace,
    predictor: Predictor,
) -> None:
    """Writes the tables of all pictures."""
    results.write_csv(folder / results.CSV_FILE, done, predictor.spec)
    results.write_json(folder / results.JSON_FILE, done, predictor.spec, str(options.model))
    if unread:
        with (folder / UNREAD).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([("file", "reason"), *unread])


def summary(out: Path, done: list[PictureFaces], clips: list[Source]) -> str:
    """Returns one line for the user."""
    faces = sum(len(picture.faces) for picture in done)
    empty = [picture.file for picture in done if not picture.faces]
    parts = [f"{count(faces, 'face')} in {count(len(done), 'picture')}"] if done else []
    parts += (
        [f"no face found in {empty[0]}" if len(empty) == 1 else f"no face found in {len(empty)} of them"]
        if empty
        else []
    )
    parts += [count(len(clips), "clip")] if clips else []
    return f"{out}: {'; '.join(parts)}"

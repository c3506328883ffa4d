"""`facial-keypoints predict`: the faces of pictures, folders and clips, drawn and in tables."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from facial_keypoints import crops, results
from facial_keypoints.array_types import UInt8
from facial_keypoints.boxes import Detector
from facial_keypoints.cli.batch import fill_folder, predictor_of
from facial_keypoints.cli.earlier import OVERLAYS, check_out
from facial_keypoints.cli.inputs import Source, count, drawn_file, find_sources, read_clips
from facial_keypoints.cli.options import add_common_options, detector_of
from facial_keypoints.drawing import draw_faces
from facial_keypoints.errors import InputError
from facial_keypoints.face import Face
from facial_keypoints.pictures import read_picture, write_picture
from facial_keypoints.predictor import Predictor
from facial_keypoints.results import PictureFaces
from facial_keypoints.video import clips

Finder = Callable[[UInt8], list[Face]]


def add_parser(commands: Any) -> None:
    """Adds the command `predict`."""
    p = commands.add_parser("predict", help="keypoints of the faces in pictures, folders and clips")
    add_common_options(p, "PICTURE|FOLDER|CLIP", "folder to write: tables and overlays")
    p.add_argument("--overwrite", action="store_true", help="replace what predict wrote there before")
    p.add_argument(
        "--box",
        type=box,
        action="append",
        metavar="X,Y,W,H",
        help="where a face of the one picture is; may be repeated",
    )
    p.add_argument("--no-detect", action="store_true", help="each picture is one face, cut out already")
    p.add_argument("--no-smooth", action="store_true", help="clips: the keypoints of each frame as they are")
    p.set_defaults(main=main)


def box(text: str) -> tuple[float, ...]:
    """Returns a box given on the command line, for `argparse`."""
    values = tuple(float(value) for value in text.split(","))
    if len(values) != 4:
        raise argparse.ArgumentTypeError(f"{text} is not four numbers X,Y,W,H")
    return values


def main(options: argparse.Namespace) -> None:
    """Predicts, and writes `keypoints.csv`, `keypoints.json`, `overlays/` and annotated clips, or nothing.

    Raises:
        InputError: bad options or input; or some of several pictures could not be read, after all else is written.
    """
    check_out(options.out, options.overwrite)
    pictures, clips_given = find_sources(options.paths, options.out)
    if options.box and (len(pictures) != 1 or clips_given or options.no_detect):
        raise InputError("--box: says where the faces of one picture are; give one picture, and no --no-detect")
    if clips_given and options.no_detect:
        raise InputError("--no-detect: is for pictures of one face each; leave it out for clips")
    clip_of = read_clips(clips_given)
    predictor, detector = predictor_of(options, pictures), detector_of(options)
    spec, find = predictor.spec, finder(options, predictor, detector)
    names = {source.name for source in pictures}

    def of_picture(source: Source, folder: Path) -> dict[str, Any]:
        picture = read_picture(source.path)
        faces = find(picture)
        overlay = drawn_file(folder / OVERLAYS, source, max(picture.shape), names)
        write_picture(overlay, draw_faces(picture, faces))
        height, width = picture.shape[:2]
        return vars(PictureFaces(source.name, width, height, [results.face_values(face) for face in faces]))

    def of_clip(source: Source, folder: Path) -> list[int]:
        return clips.annotate_clip(clip_of[source.name], predictor, detector, folder, smooth=not options.no_smooth)

    def finish(folder: Path, records: list[dict[str, Any]], of_clips: list[list[int]]) -> str:
        done = [PictureFaces(**record) for record in records]
        if pictures:
            results.write_csv(folder / results.CSV_FILE, done, spec)
            results.write_json(folder / results.JSON_FILE, done, spec, str(options.model))
        return summary(done, of_clips)

    fill_folder(options, predictor, pictures, clips_given, of_picture=of_picture, of_clip=of_clip, finish=finish)


def finder(options: argparse.Namespace, predictor: Predictor, detector: Detector | None) -> Finder:
    """Returns the function that finds the faces of a picture as the options say."""
    if options.no_detect:
        return lambda picture: predictor.predict_at(picture, crops.crop_of_whole(picture, predictor.spec)[None])
    if options.box:
        return lambda picture: predictor.predict(picture, boxes=options.box)
    return lambda picture: predictor.predict(picture, detector=detector)


def summary(done: Sequence[PictureFaces], of_clips: Sequence[Sequence[int]]) -> str:
    """Returns what was found, in one line for the user; see `clips.summary`."""
    parts = []
    if done:
        parts.append(f"{count(sum(len(picture.faces) for picture in done), 'face')} in {count(len(done), 'picture')}")
    if empty := [picture.file for picture in done if not picture.faces]:
        parts.append(f"no face found in {empty[0] if len(empty) == 1 else f'{len(empty)} of them'}")
    if of_clips:
        parts.append(clips.summary(of_clips))
    return "; ".join(parts)

"""`facial-keypoints predict`: tables and overlays of the faces in pictures, folders and clips."""

import argparse
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from facial_keypoints import crops, results
from facial_keypoints.array_types import UInt8
from facial_keypoints.boxes import Detector
from facial_keypoints.cli.batch import fill_folder, predictor_of
from facial_keypoints.cli.boxes import read_boxes
from facial_keypoints.cli.earlier import OVERLAYS, check_out
from facial_keypoints.cli.inputs import Input, find_inputs, output_file, read_clips
from facial_keypoints.cli.options import add_detector_options, add_inputs, add_model_options, detector_of, new_parser
from facial_keypoints.cli.review import check_review, most_uncertain, write_review
from facial_keypoints.coco import check_coco_file, write_coco
from facial_keypoints.drawing import draw_faces
from facial_keypoints.errors import InputError, counted
from facial_keypoints.face import Face
from facial_keypoints.pictures import read_picture, write_picture
from facial_keypoints.predictor import Predictor
from facial_keypoints.results import PictureFaces
from facial_keypoints.spec import ModelSpec
from facial_keypoints.video import clips


def add_parser(commands: Any) -> None:
    """Adds the command `predict`."""
    description = "finds faces in pictures, folders and clips and writes their keypoints as CSV, JSON and overlays"
    p = new_parser(commands, "predict", description, "predict photo.jpg photos/ clip.mp4 --out out")
    output = add_inputs(p, "a picture, a folder of pictures, or a clip", "folder to write, new or empty")
    output.add_argument("--overwrite", action="store_true", help="replace an earlier result of predict in DIR")
    output.add_argument(
        "--measures",
        action="store_true",
        help="also write head pose, openness of eyes and mouth, and the pupils' distance (docs/measures.md)",
    )
    output.add_argument(
        "--write-coco",
        type=Path,
        metavar="FILE.json",
        help="also write the predictions in pictures as COCO keypoints, which annotation tools import",
    )
    output.add_argument(
        "--review",
        type=int,
        metavar="N",
        help="also write review.csv and review.png: the N most uncertain pictures, the most uncertain first",
    )
    output.add_argument("--no-smooth", action="store_true", help="do not smooth the keypoints in clips")
    faces = add_detector_options(p)
    faces.add_argument(
        "--box",
        type=box,
        action="append",
        metavar="X,Y,W,H",
        help="box of a face in the one picture, in px, instead of a detector; may be repeated",
    )
    faces.add_argument(
        "--boxes",
        type=Path,
        metavar="FILE",
        help="boxes in the pictures, in px, instead of a detector: a CSV file (file,x,y,w,h) or a COCO JSON file",
    )
    faces.add_argument("--no-detect", action="store_true", help="treat each picture as one cropped face")
    add_model_options(p)
    p.set_defaults(main=main)


def box(text: str) -> tuple[float, ...]:
    """Returns a box from the command line, for `argparse`."""
    values = tuple(float(value) for value in text.split(","))
    if len(values) != 4:
        raise argparse.ArgumentTypeError(f"{text} is not four numbers X,Y,W,H")
    return values


def main(options: argparse.Namespace) -> None:
    """Writes `keypoints.csv`, `keypoints.json`, `overlays/` and annotated clips, all or nothing.

    Raises:
        InputError: bad options or input; or some pictures could not be read, after all others were written.
    """
    check_out(options.out, options.overwrite)
    pictures, clips_given = find_inputs(options.inputs, options.out)
    check_options(options, pictures, clips_given)
    clip_of = read_clips(clips_given)
    predictor, detector = predictor_of(options, pictures), detector_of(options)
    check_model(options, predictor, clips_given)
    names = {picture.name for picture in pictures}
    faces_of = face_finder(options, predictor, detector, names)

    def of_picture(picture: Input, folder: Path) -> dict[str, Any]:
        pixels = read_picture(picture.path)
        faces = faces_of(pixels, picture.name)
        overlay = output_file(folder / OVERLAYS, picture, max(pixels.shape), names)
        write_picture(overlay, draw_faces(pixels, faces))
        height, width = pixels.shape[:2]
        values = [results.face_values(face, measures=options.measures) for face in faces]
        return vars(PictureFaces(picture.name, width, height, values))

    def of_clip(clip: Input, folder: Path) -> list[int]:
        smooth, measures = not options.no_smooth, options.measures
        return clips.annotate_clip(clip_of[clip.name], predictor, detector, folder, smooth=smooth, measures=measures)

    def finish(folder: Path, records: list[dict[str, Any]], of_clips: list[list[int]]) -> str:
        done = [PictureFaces(**record) for record in records]
        write_tables(folder, options, pictures, done, predictor.spec)
        return summary(done, of_clips)

    boxes = options.boxes.read_text(encoding="utf-8-sig") if options.boxes else ""
    fill_folder(
        options,
        predictor,
        pictures,
        clips_given,
        of_picture=of_picture,
        of_clip=of_clip,
        finish=finish,
        more_settings=boxes,
    )


def check_options(options: argparse.Namespace, pictures: Sequence[Input], clips_given: Sequence[Input]) -> None:
    """Raises InputError if options contradict each other or the inputs."""
    if bool(options.box) + bool(options.boxes) + options.no_detect > 1:
        raise InputError("--box, --boxes, --no-detect: give one of them")
    if options.box and (len(pictures) != 1 or clips_given):
        raise InputError("--box: needs exactly one picture; for several give --boxes FILE")
    if clips_given and (options.no_detect or options.boxes):
        raise InputError(
            f"{clips_given[0].path}: is a clip, in which faces must be detected; --boxes and --no-detect "
            "are for pictures"
        )
    if not pictures and (options.write_coco or options.review is not None):
        raise InputError("--write-coco, --review: are for pictures, and only clips are given; leave them out")
    if options.write_coco:
        check_coco_file(options.write_coco, options.out, options.overwrite)


def check_model(options: argparse.Namespace, predictor: Predictor, clips_given: Sequence[Input]) -> None:
    """Raises InputError if the network cannot do what the options ask for."""
    if options.review is not None:
        check_review(options.review, predictor.spec)
    if clips_given:
        predictor.check_eyes("clips need a model of faces")
    if not (options.box or options.boxes or options.no_detect):
        predictor.check_eyes("give --box X,Y,W,H, --boxes FILE, or --no-detect for whole pictures")


def write_tables(
    folder: Path, options: argparse.Namespace, pictures: Sequence[Input], done: Sequence[PictureFaces], spec: ModelSpec
) -> None:
    """Writes the tables of the pictures, and the files of `--review` and `--write-coco`."""
    if pictures:
        results.write_csv(folder / results.CSV_FILE, done, spec, measures=options.measures)
        results.write_json(folder / results.JSON_FILE, done, spec, str(options.model))
    if options.review is not None:
        paths = {picture.name: picture.path for picture in pictures}
        write_review(folder, most_uncertain(done, options.review), paths, spec)
    if options.write_coco:
        write_coco(options.write_coco, done, spec.keypoint_set, str(options.model))


def face_finder(
    options: argparse.Namespace, predictor: Predictor, detector: Detector | None, names: Collection[str]
) -> Callable[[UInt8, str], list[Face]]:
    """Returns a function from a picture and its name to its faces, by the options; `names`: those of all pictures."""
    if options.no_detect:
        return lambda picture, _: predictor.predict_at(picture, crops.crop_of_whole(picture, predictor.spec)[None])
    if options.boxes:
        boxes = read_boxes(options.boxes, names, predictor.spec.keypoint_set)
        return lambda picture, name: predictor.predict(picture, boxes=boxes[name])
    return lambda picture, _: predictor.predict(picture, detector=detector, boxes=options.box)


def summary(done: Sequence[PictureFaces], of_clips: Sequence[Sequence[int]]) -> str:
    """Returns the number of faces found, in one line; see `clips.summary`."""
    parts, faces = [], sum(len(picture.faces) for picture in done)
    if done:
        parts.append(f"{counted(faces, 'face')} in {counted(len(done), 'picture')}")
    if empty := [picture.file for picture in done if not picture.faces]:
        parts.append(f"no face found in {empty[0] if len(empty) == 1 else f'{len(empty)} of them'}")
    if of_clips:
        parts.append(clips.summary(of_clips))
    return "; ".join(parts)

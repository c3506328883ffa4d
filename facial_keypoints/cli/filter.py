"""`facial-keypoints filter`: draws hats or glasses on the faces in pictures and clips, or blurs them."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from facial_keypoints.array_types import UInt8
from facial_keypoints.cli.batch import check_new, fill_folder, predictor_of
from facial_keypoints.cli.inputs import Input, find_inputs, output_file, read_clips
from facial_keypoints.cli.options import add_detector_options, add_inputs, add_model_options, detector_of, new_parser
from facial_keypoints.errors import counted
from facial_keypoints.face import Face
from facial_keypoints.filters.apply import apply_filter
from facial_keypoints.filters.files import load_filter, names
from facial_keypoints.keypoint_set import check_roles
from facial_keypoints.pictures import read_picture, write_picture
from facial_keypoints.video import clips


def add_parser(commands: Any) -> None:
    """Adds the command `filter`."""
    description = "draws hats or glasses on the faces in pictures and clips, or blurs them"
    p = new_parser(commands, "filter", description, "filter photos/ clip.mp4 --filter blur --out blurred")
    output = add_inputs(p, "a picture, a folder of pictures, or a clip", "new folder to write")
    output.add_argument(
        "--filter",
        action="append",
        required=True,
        dest="filters",
        metavar="NAME|FILE.png",
        help=f"{', '.join(names())}, or your own (docs/filters.md); may be repeated",
    )
    add_detector_options(p)
    add_model_options(p)
    p.set_defaults(main=main)


def main(options: argparse.Namespace) -> None:
    """Writes each picture and clip with filters on its faces, all or nothing.

    Raises:
        InputError: bad options or input; or some pictures could not be read, after all others were written.
    """
    check_new(options.out)
    filters = [load_filter(name) for name in options.filters]
    pictures, clips_given = find_inputs(options.inputs, options.out)
    clip_of = read_clips(clips_given)
    picture_names = {picture.name for picture in pictures}
    predictor, detector = predictor_of(options, pictures), detector_of(options)
    predictor.check_eyes("filters need a model of faces")
    for filter in filters:
        check_roles(predictor.spec.keypoint_set, filter.roles, "the filter")

    def filtered(pixels: UInt8, faces: Sequence[Face]) -> UInt8:
        for filter in filters:
            pixels = apply_filter(pixels, faces, filter)
        return pixels

    def of_picture(picture: Input, folder: Path) -> int:
        pixels = read_picture(picture.path)
        faces = predictor.predict(pixels, detector=detector)
        write_picture(output_file(folder, picture, max(pixels.shape), picture_names), filtered(pixels, faces))
        return len(faces)

    def of_clip(file: Input, folder: Path) -> list[int]:
        clip, faces_per_frame = clip_of[file.name], []

        def frames() -> Iterator[UInt8]:
            for frame, faces in clips.track_clip(clip, predictor, detector):
                faces_per_frame.append(len(faces))
                yield filtered(frame.picture, faces)

        clips.write_clip(folder / clips.written_name(file.name), clip, frames())
        return [len(faces_per_frame), faces_per_frame.count(0)]

    fill_folder(
        options,
        predictor,
        pictures,
        clips_given,
        of_picture=of_picture,
        of_clip=of_clip,
        finish=lambda _, faces_per_picture, of_clips: summary(faces_per_picture, of_clips),
        more_settings=" ".join(filter.digest() for filter in filters),
    )


def summary(faces_per_picture: Sequence[int], of_clips: Sequence[Sequence[int]]) -> str:
    """Returns the number of faces that got a filter, in one line; see `clips.summary`."""
    parts = []
    if faces_per_picture:
        parts.append(f"{counted(sum(faces_per_picture), 'face')} in {counted(len(faces_per_picture), 'picture')}")
    if empty := faces_per_picture.count(0):
        parts.append(f"no face found in {empty} of them, written unchanged")
    if of_clips:
        unchanged = sum(empty for _, empty in of_clips)
        parts.append(clips.summary(of_clips) + (", written unchanged" if unchanged else ""))
    return "; ".join(parts)

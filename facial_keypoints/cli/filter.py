"""`facial-keypoints filter`: hats, glasses or blur on the faces of pictures and clips."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from facial_keypoints.array_types import UInt8
from facial_keypoints.cli.batch import check_new, fill_folder, predictor_of
from facial_keypoints.cli.inputs import Source, count, drawn_file, find_sources, read_clips
from facial_keypoints.cli.options import add_common_options, detector_of
from facial_keypoints.face import Face
from facial_keypoints.filters.apply import apply_filter
from facial_keypoints.filters.files import load_filter, names
from facial_keypoints.pictures import read_picture, write_picture
from facial_keypoints.video import clips


def add_parser(commands: Any) -> None:
    """Adds the command `filter`."""
    p = commands.add_parser("filter", help="hats, glasses or blur on the faces of pictures and clips")
    add_common_options(p, "PICTURE|FOLDER|CLIP", "new folder to write")
    p.add_argument(
        "--filter",
        action="append",
        required=True,
        dest="filters",
        metavar="NAME|FILE.png",
        help=f"{', '.join(names())}, or your own (docs/filters.md); may be repeated",
    )
    p.set_defaults(main=main)


def main(options: argparse.Namespace) -> None:
    """Writes each picture and clip with filters on its faces, or nothing.

    Raises:
        InputError: bad options or input; or some of several pictures could not be read, after all else is written.
    """
    check_new(options.out)
    filters = [load_filter(name) for name in options.filters]
    pictures, clips_given = find_sources(options.paths, options.out)
    clip_of = read_clips(clips_given)
    names_given = {source.name for source in pictures}
    predictor, detector = predictor_of(options, pictures), detector_of(options)

    def painted(picture: UInt8, faces: Sequence[Face]) -> UInt8:
        for filter in filters:
            picture = apply_filter(picture, faces, filter)
        return picture

    def of_picture(source: Source, folder: Path) -> int:
        picture = read_picture(source.path)
        faces = predictor.predict(picture, detector=detector)
        drawn = drawn_file(folder, source, max(picture.shape), names_given)
        write_picture(drawn, painted(picture, faces))
        return len(faces)

    def of_clip(source: Source, folder: Path) -> list[int]:
        clip, faces_per_frame = clip_of[source.name], []

        def frames() -> Iterator[UInt8]:
            for frame, faces in clips.track_clip(clip, predictor, detector):
                faces_per_frame.append(len(faces))
                yield painted(frame.picture, faces)

        clips.write_clip(folder / clips.written_name(source.name), clip, frames())
        return [len(faces_per_frame), faces_per_frame.count(0)]

    fill_folder(
        options,
        predictor,
        pictures,
        clips_given,
        of_picture=of_picture,
        of_clip=of_clip,
        finish=lambda _, faces_per_picture, of_clips: _summary(faces_per_picture, of_clips),
        drawn_from=" ".join(filter.digest() for filter in filters),
    )


def _summary(faces_per_picture: Sequence[int], of_clips: Sequence[Sequence[int]]) -> str:
    """Returns what was painted, in one line for the user; see `clips.summary`."""
    said = []
    if faces_per_picture:
        said.append(f"{count(sum(faces_per_picture), 'face')} in {count(len(faces_per_picture), 'picture')}")
    if empty := faces_per_picture.count(0):
        said.append(f"no face found in {empty} of them, which {'is' if empty == 1 else 'are'} written as before")
    if of_clips:
        unpainted = sum(empty for _, empty in of_clips)
        said.append(clips.summary(of_clips) + (", which are written as before" if unpainted else ""))
    return "; ".join(said)

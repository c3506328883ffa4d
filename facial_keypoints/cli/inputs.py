"""Finds the pictures and clips of a command's inputs, and names its output files."""

import os
from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from facial_keypoints.errors import InputError, counted, listed, printable, unprintable_name
from facial_keypoints.folders import is_hidden
from facial_keypoints.pictures import SUFFIXES, notes
from facial_keypoints.video import clips

CLIP_SUFFIXES = (
    *(".3gp", ".avi", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".webm", ".wmv"),
)
WILDCARDS = "*?["  # most shells expand them
JPEG_SUFFIXES = (".jpg", ".jpeg")
JPEG_MAX_PX = 65_500  # of a side; longer pictures are written as PNG


class Input(NamedTuple):
    """A picture or clip file; `name` identifies it in the tables."""

    name: str
    path: Path


def find_inputs(paths: list[Path], out: Path, *, takes_clips: bool = True) -> tuple[list[Input], list[Input]]:
    """Returns the pictures and clips of the inputs; of a folder, all its pictures at any depth, sorted by name.

    Logs a warning for each kind of file that it skips in a folder, clips included.

    Args:
        takes_clips: whether the command processes clips; if so, the warning explains how to give them.

    Raises:
        InputError: a folder has no pictures, an input lies inside `out`, or two inputs would have the same name.
    """
    pictures: list[Input] = []
    clips_given: list[Input] = []
    for path in paths:
        if any(character in str(path) for character in WILDCARDS) and not path.exists():
            fault = f"{path}: no such file; the shell did not expand the wildcard, or nothing matches it"
            raise InputError(f"{fault}; give the folder, or in PowerShell (Get-Item {path})")
        if path.resolve().is_relative_to(out.resolve()):
            raise InputError(f"{path}: lies inside --out {out}; choose another --out")
        if path.is_dir():
            pictures += _pictures_in(path, out, takes_clips)
        elif path.suffix.lower() in CLIP_SUFFIXES:
            clips_given.append(Input(path.name, path))
        else:
            pictures.append(Input(path.name, path))
    names = Counter(picture.name for picture in pictures)
    names += Counter(clips.written_name(clip.name) for clip in clips_given)
    if repeated := [name for name, number in names.items() if number > 1]:
        raise InputError(
            f"{repeated[0]}: {names[repeated[0]]} inputs would have this name in --out; give one folder that contains "
            "them all, or run the command for each"
        )
    return pictures, clips_given


def _pictures_in(folder: Path, out: Path, takes_clips: bool) -> list[Input]:
    """Returns the pictures of a folder by name, except hidden ones and those in `out`; logs the skipped files."""
    files, closed = _files(folder)
    named = [(file.relative_to(folder), file) for file in files if not file.resolve().is_relative_to(out.resolve())]
    visible = [Input(name.as_posix(), file) for name, file in named if not is_hidden(name)]
    suffix_of = {each.name: each.path.suffix.lower() for each in visible}
    pictures = [each for each in visible if suffix_of[each.name] in SUFFIXES]
    clip_names = [name for name, suffix in suffix_of.items() if suffix in CLIP_SUFFIXES]
    others = [each.name for each in visible if suffix_of[each.name] not in (*SUFFIXES, *CLIP_SUFFIXES)]
    skipped_clips = f"skipped {counted(len(clip_names), 'clip')} ({', '.join(clip_names)})"
    if takes_clips:
        skipped_clips += "; give a clip itself to process it"
    if not pictures:
        text = f"{folder}: holds no pictures ({', '.join(SUFFIXES)})"
        raise InputError(f"{text}; {skipped_clips}" if clip_names else text)
    if clip_names:
        notes.warning("%s", printable(f"{folder}: {skipped_clips}"))
    if closed:
        text = f"skipped {counted(len(closed), 'folder')} ({listed(closed)}), links or without permission to open"
        notes.warning("%s", printable(f"{folder}: {text}; give such a folder itself to process it"))
    if others:
        text = f"skipped {counted(len(others), 'file')} ({listed(others)}) without the extension of a picture"
        notes.warning("%s", printable(f"{folder}: {text} ({', '.join(SUFFIXES)})"))
    return pictures


def _files(folder: Path) -> tuple[list[Path], list[str]]:
    """Returns all files at any depth of a folder, sorted, and the names of folders that were not entered.

    Raises:
        InputError: the folder itself cannot be opened.
    """
    paths: list[Path] = []
    errors: list[OSError] = []
    links: list[Path] = []  # not followed, since they can form a cycle
    for root, folders, names in os.walk(folder, onerror=errors.append):
        paths += [Path(root, name) for name in names]
        links += [path for name in folders if (path := Path(root, name)).is_symlink()]
    closed = [Path(error.filename) for error in errors]
    if folder in closed:
        raise InputError(f"{folder}: cannot be opened; change its permissions")
    relative = [path.relative_to(folder) for path in (*closed, *links)]
    not_entered = sorted(path.as_posix() for path in relative if not is_hidden(path))
    return sorted(path for path in paths if path.is_file()), not_entered


def read_clips(clips_given: Iterable[Input]) -> dict[str, clips.Clip]:
    """Returns the clips by name.

    Raises:
        InputError: a clip cannot be read, or is too small to be written.
    """
    clip_of = {}
    for file in clips_given:
        check_name(file)
        clip = clips.read_clip(file.path)
        clips.check_size(clip)
        clip_of[file.name] = clip
    return clip_of


def check_name(file: Input) -> None:
    """Raises InputError if a table cannot hold the file's name."""
    if printable(file.name) != file.name:
        raise InputError(f"{file.path}: {unprintable_name()}")


def output_file(folder: Path, picture: Input, longest_px: int, names: Collection[str]) -> Path:
    """Returns the file to write for a picture; creates its folder if necessary.

    Args:
        longest_px: the picture's longest side.
        names: the names of all pictures.

    Raises:
        InputError: another picture has the name of this file.
    """
    name = output_name(picture.name, longest_px)
    if name != picture.name and name in names:
        raise InputError(f"{picture.path}: would be written as {name}, the name of another picture; rename one")
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    return file


def output_name(name: str, longest_px: int = 0) -> str:
    """Returns the name of the file to write for a picture of this name and longest side, a PNG or JPEG."""
    suffix, fits = Path(name).suffix.lower(), longest_px <= JPEG_MAX_PX
    if suffix == ".png" or (suffix in JPEG_SUFFIXES and fits):
        return name
    return f"{name}.jpg" if fits else f"{name}.png"

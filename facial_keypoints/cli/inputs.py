"""The pictures and clips that a command is given, and the names of what it writes for them."""

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
WILDCARDS = "*?["  # which most shells expand
JPEG_SUFFIXES = (".jpg", ".jpeg")
JPEG_MAX_PX = 65_500  # of a side; longer pictures are written as PNG


class Input(NamedTuple):
    """A picture or clip file; `name` identifies it in the tables."""

    name: str
    path: Path


def find_inputs(paths: list[Path], out: Path, *, takes_clips: bool = True) -> tuple[list[Input], list[Input]]:
    """Returns the pictures and the clips that are meant: of a folder all its pictures at any depth, by name.

    Logs a warning about each kind of file in a folder that it skips, clips included.

    Args:
        takes_clips: whether the command processes clips, so that the warning says how to give them.

    Raises:
        InputError: a folder has no pictures, an input lies inside `out`, or two inputs would have the same name.
    """
    pictures: list[Input] = []
    clips_given: list[Input] = []
    for path in paths:
        if any(character in str(path) for character in WILDCARDS) and not path.exists():
            says = f"{path}: no such file; the shell did not expand the wildcard, or nothing matches it"
            raise InputError(f"{says}; give the folder, or in PowerShell (Get-Item {path})")
        if path.resolve().is_relative_to(out.resolve()):
            raise InputError(f"{path}: lies inside --out {out}; choose another --out")
        if path.is_dir():
            pictures += _in_folder(path, out, takes_clips)
        elif path.suffix.lower() in CLIP_SUFFIXES:
            clips_given.append(Input(path.name, path))
        else:
            pictures.append(Input(path.name, path))
    names = Counter(picture.name for picture in pictures)
    names += Counter(clips.written_name(clip.name) for clip in clips_given)
    if twice := [name for name, number in names.items() if number > 1]:
        raise InputError(
            f"{twice[0]}: {names[twice[0]]} inputs would have this name in --out; give one folder that contains them "
            "all, or run the command for each"
        )
    return pictures, clips_given


def _in_folder(folder: Path, out: Path, takes_clips: bool) -> list[Input]:
    """Returns the pictures of a folder by name, without hidden ones and those in `out`; logs what it skips."""
    files, closed = _files(folder)
    named = [(file.relative_to(folder), file) for file in files if not file.resolve().is_relative_to(out.resolve())]
    visible = [Input(name.as_posix(), file) for name, file in named if not is_hidden(name)]
    suffix_of = {one.name: one.path.suffix.lower() for one in visible}
    pictures = [one for one in visible if suffix_of[one.name] in SUFFIXES]
    clip_names = [name for name, suffix in suffix_of.items() if suffix in CLIP_SUFFIXES]
    others = [one.name for one in visible if suffix_of[one.name] not in (*SUFFIXES, *CLIP_SUFFIXES)]
    skipped_clips = f"skipped {counted(len(clip_names), 'clip')} ({', '.join(clip_names)})"
    if takes_clips:
        skipped_clips += "; give a clip itself to process it"
    if not pictures:
        says = f"{folder}: holds no pictures ({', '.join(SUFFIXES)})"
        raise InputError(f"{says}; {skipped_clips}" if clip_names else says)
    if clip_names:
        notes.warning("%s", printable(f"{folder}: {skipped_clips}"))
    if closed:
        says = f"skipped {counted(len(closed), 'folder')} ({listed(closed)}), links or without permission to open"
        notes.warning("%s", printable(f"{folder}: {says}; give such a folder itself to process it"))
    if others:
        says = f"skipped {counted(len(others), 'file')} ({listed(others)}) without the extension of a picture"
        notes.warning("%s", printable(f"{folder}: {says} ({', '.join(SUFFIXES)})"))
    return pictures


def _files(folder: Path) -> tuple[list[Path], list[str]]:
    """Returns all files at any depth of a folder, in order, and the names of folders that were not entered.

    Raises:
        InputError: the folder itself cannot be opened.
    """
    found: list[Path] = []
    errors: list[OSError] = []
    links: list[Path] = []  # not followed, since they may form a circle
    for root, folders, names in os.walk(folder, onerror=errors.append):
        found += [Path(root, name) for name in names]
        links += [path for name in folders if (path := Path(root, name)).is_symlink()]
    closed = [Path(error.filename) for error in errors]
    if folder in closed:
        raise InputError(f"{folder}: cannot be opened; change its permissions")
    inside = [path.relative_to(folder) for path in (*closed, *links)]
    not_entered = sorted(path.as_posix() for path in inside if not is_hidden(path))
    return sorted(path for path in found if path.is_file()), not_entered


def read_clips(clips_given: Iterable[Input]) -> dict[str, clips.Clip]:
    """Returns the clips by name.

    Raises:
        InputError: a clip cannot be read, or is too small to be written.
    """
    found = {}
    for given in clips_given:
        check_name(given)
        clip = clips.read_clip(given.path)
        clips.check_size(clip)
        found[given.name] = clip
    return found


def check_name(given: Input) -> None:
    """Raises InputError if a table cannot hold the file's name."""
    if printable(given.name) != given.name:
        raise InputError(f"{given.path}: {unprintable_name()}")


def output_file(folder: Path, picture: Input, longest_px: int, names: Collection[str]) -> Path:
    """Returns the file to write for a picture, in a folder that is made if necessary.

    Args:
        longest_px: the picture's longest side.
        names: the names of all pictures.

    Raises:
        InputError: another picture has the name that this one would be written as.
    """
    name = output_name(picture.name, longest_px)
    if name != picture.name and name in names:
        raise InputError(f"{picture.path}: would be written as {name}, the name of another picture; rename one")
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    return file


def output_name(name: str, longest_px: int = 0) -> str:
    """Returns the name under which a picture of this name and longest side is written: as PNG or JPEG."""
    suffix, fits = Path(name).suffix.lower(), longest_px <= JPEG_MAX_PX
    if suffix == ".png" or (suffix in JPEG_SUFFIXES and fits):
        return name
    return f"{name}.jpg" if fits else f"{name}.png"

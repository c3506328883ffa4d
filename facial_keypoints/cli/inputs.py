"""The pictures and clips that a command is given, and the names that what it writes of them has."""

import os
from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from facial_keypoints.errors import InputError, printable, unprintable_name
from facial_keypoints.folders import OF_FILE_MANAGERS
from facial_keypoints.pictures import SUFFIXES, notes
from facial_keypoints.video import clips

CLIP_SUFFIXES = (
    *(".3gp", ".avi", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".webm", ".wmv"),
)
WILDCARDS = "*?["  # which other shells replace by the names of files
JPEG_SUFFIXES = (".jpg", ".jpeg")  # a picture of another name is drawn as JPEG, or as PNG where that is too small
JPEG_MOST_PX = 65_500  # of a side


class Source(NamedTuple):
    """A picture or clip file; `name` stands in the tables."""

    name: str
    path: Path


def find_sources(paths: list[Path], out: Path, *, takes_clips: bool = True) -> tuple[list[Source], list[Source]]:
    """Returns the pictures and the clips that are meant: of a folder all its pictures, by name, at any depth.

    Clips in a folder are left out, which is a note in the log.

    Args:
        takes_clips: whether the note says how to have them done.

    Raises:
        InputError: there is none, one lies inside `out`, or two would have the same name in the tables.
    """
    pictures: list[Source] = []
    clips_given: list[Source] = []
    for path in paths:
        if any(character in str(path) for character in WILDCARDS) and not path.exists():
            says = f"{path}: no such file; your shell left the wildcard as it is, or nothing fits it"
            raise InputError(f"{says}; give the folder, or in PowerShell (Get-Item {path})")
        if path.resolve().is_relative_to(out.resolve()):
            raise InputError(f"{path}: lies inside --out {out}; choose another --out")
        if path.is_dir():
            pictures += _in_folder(path, out, takes_clips)
        elif path.suffix.lower() in CLIP_SUFFIXES:
            clips_given.append(Source(path.name, path))
        else:
            pictures.append(Source(path.name, path))
    names = Counter(source.name for source in pictures)
    names += Counter(clips.written_name(clip_given.name) for clip_given in clips_given)
    if twice := [name for name, number in names.items() if number > 1]:
        raise InputError(
            f"{twice[0]}: {names[twice[0]]} files would have this name in --out; give a folder that holds them all, "
            "whose folders keep them apart, or one at a time"
        )
    return pictures, clips_given


def _in_folder(folder: Path, out: Path, takes_clips: bool) -> list[Source]:
    """Returns the pictures of a folder, by name, without hidden ones and those in `out`; tells of all else in it."""
    inside, closed = _files(folder)
    named = [(file.relative_to(folder), file) for file in inside if not file.resolve().is_relative_to(out.resolve())]
    shown = [Source(n.as_posix(), file) for n, file in named if not any(p.startswith(".") for p in n.parts)]
    known = (*SUFFIXES, *CLIP_SUFFIXES)
    seen = [source for source in shown if source.path.suffix.lower() in known]
    unknown = [source for source in shown if source.path.suffix.lower() not in known]
    others = [source.name for source in unknown if source.path.name not in OF_FILE_MANAGERS]
    clips_given = [source.name for source in seen if source.path.suffix.lower() in CLIP_SUFFIXES]
    left_out = f"{count(len(clips_given), 'clip')} in it left out ({', '.join(clips_given)})"
    if takes_clips:
        left_out += "; name a clip itself to have it done"
    if len(clips_given) == len(seen):
        says = f"{folder}: holds no pictures ({', '.join(SUFFIXES)})"
        raise InputError(f"{says}; {left_out}" if clips_given else says)
    if clips_given:
        notes.warning("%s", printable(f"{folder}: {left_out}"))
    if closed:
        some = ", ".join(closed[:3]) + (", ..." if len(closed) > 3 else "")
        says = f"{count(len(closed), 'folder')} in it left out ({some})"
        notes.warning("%s", printable(f"{folder}: {says}: links, or cannot be opened; name one itself to have it done"))
    if others:
        some = ", ".join(others[:3]) + (", ..." if len(others) > 3 else "")
        says = f"{count(len(others), 'file')} in it left out ({some}): no ending of a picture that can be read"
        notes.warning("%s", printable(f"{folder}: {says} ({', '.join(SUFFIXES)})"))
    return [source for source in seen if source.name not in clips_given]


def read_clips(clips_given: Iterable[Source]) -> dict[str, clips.Clip]:
    """Returns the clips by name.

    Raises:
        InputError: one cannot be read, or nothing could be written of it.
    """
    found = {}
    for clip_given in clips_given:
        check_name(clip_given)
        clip = clips.read_clip(clip_given.path)
        clips.check_size(clip)
        found[clip_given.name] = clip
    return found


def _files(folder: Path) -> tuple[list[Path], list[str]]:
    """Returns all files at any depth of a folder, in order, and the names of folders that were not entered.

    Raises:
        InputError: the folder itself cannot be opened.
    """
    found: list[Path] = []
    errors: list[OSError] = []
    links: list[Path] = []  # which might lead round and round
    for root, folders, names in os.walk(folder, onerror=errors.append):
        found += [Path(root, name) for name in names]
        links += [path for name in folders if (path := Path(root, name)).is_symlink()]
    closed = [Path(error.filename) for error in errors]
    if folder in closed:
        raise InputError(f"{folder}: cannot be opened; change its permissions")
    inside = [path.relative_to(folder) for path in (*closed, *links)]
    shown = [path.as_posix() for path in inside if not any(part.startswith(".") for part in path.parts)]
    return sorted(path for path in found if path.is_file()), sorted(shown)


def check_name(source: Source) -> None:
    """Raises InputError where a file's name cannot stand in a table."""
    if printable(source.name) != source.name:
        raise InputError(f"{source.path}: {unprintable_name()}")


def drawn_file(folder: Path, source: Source, longest_px: int, names: Collection[str]) -> Path:
    """Returns the file, in a folder that is made for it, of a picture of this longest side that has been drawn on.

    Args:
        names: of all the pictures.

    Raises:
        InputError: another one keeps this name when it is drawn.
    """
    name = drawn_name(source.name, longest_px)
    if name != source.name and name in names:
        raise InputError(f"{source.path}: would be drawn as {name}, which another picture is called; rename one")
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    return file


def drawn_name(name: str, longest_px: int = 0) -> str:
    """Returns what a picture of this name and longest side is called when it has been drawn on."""
    suffix, fits = Path(name).suffix.lower(), longest_px <= JPEG_MOST_PX
    if suffix == ".png" or (suffix in JPEG_SUFFIXES and fits):
        return name
    return f"{name}.jpg" if fits else f"{name}.png"


def count(number: int, noun: str) -> str:
    """Returns `1 face`, `2 faces`."""
    return f"{number} {noun}" + ("" if number == 1 else "s")

"""The pictures and clips that a command is given, and the names that what it writes of them has."""

from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from facial_keypoints import clips
from facial_keypoints.errors import InputError, printable
from facial_keypoints.folders import OF_FILE_MANAGERS
from facial_keypoints.pictures import SUFFIXES, notes

CLIP_SUFFIXES = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm")
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
    films: list[Source] = []
    for path in paths:
        if path.resolve().is_relative_to(out.resolve()):
            raise InputError(f"{path}: lies inside --out {out}; choose another --out")
        if path.is_dir():
            pictures += _in_folder(path, out, takes_clips)
        elif path.suffix.lower() in CLIP_SUFFIXES:
            films.append(Source(path.name, path))
        else:
            pictures.append(Source(path.name, path))
    names = Counter(source.name for source in pictures)
    names += Counter(clips.written_name(film.name) for film in films)
    if twice := [name for name, number in names.items() if number > 1]:
        raise InputError(
            f"{twice[0]}: {names[twice[0]]} files would have this name in --out; give a folder that holds them all, "
            "whose folders keep them apart, or one at a time"
        )
    return pictures, films


def _in_folder(folder: Path, out: Path, takes_clips: bool) -> list[Source]:
    """Returns the pictures of a folder, by name, without hidden ones and those in `out`; tells of all else in it."""
    inside = sorted(file for file in folder.rglob("*") if file.is_file())
    named = [(file.relative_to(folder), file) for file in inside if not file.resolve().is_relative_to(out.resolve())]
    shown = [Source(n.as_posix(), file) for n, file in named if not any(p.startswith(".") for p in n.parts)]
    known = (*SUFFIXES, *CLIP_SUFFIXES)
    seen = [source for source in shown if source.path.suffix.lower() in known]
    unknown = [source for source in shown if source.path.suffix.lower() not in known]
    others = [source.name for source in unknown if source.path.name not in OF_FILE_MANAGERS]
    films = [source.name for source in seen if source.path.suffix.lower() in CLIP_SUFFIXES]
    left_out = f"{count(len(films), 'clip')} in it left out ({', '.join(films)})"
    if takes_clips:
        left_out += "; name a clip itself to have it done"
    if len(films) == len(seen):
        says = f"{folder}: holds no pictures ({', '.join(SUFFIXES)})"
        raise InputError(f"{says}; {left_out}" if films else says)
    if films:
        notes.warning("%s", printable(f"{folder}: {left_out}"))
    if others:
        some = ", ".join(others[:3]) + (", ..." if len(others) > 3 else "")
        says = f"{count(len(others), 'file')} in it left out ({some}): no ending of a picture that can be read"
        notes.warning("%s", printable(f"{folder}: {says} ({', '.join(SUFFIXES)})"))
    return [source for source in seen if source.name not in films]


def check_clips(films: Iterable[Source]) -> None:
    """Raises InputError where a clip cannot be read, or nothing could be written of it."""
    for film in films:
        check_name(film)
        clips.check_size(clips.read_clip(film.path))


def check_name(source: Source) -> None:
    """Raises InputError where a file's name cannot stand in a table."""
    if printable(source.name) != source.name:
        raise InputError(f"{source.path}: its name is not valid UTF-8; rename it")


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

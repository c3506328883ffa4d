"""The pictures and clips that a command is given, and the names that what it writes of them has."""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

from facial_keypoints import clips
from facial_keypoints.errors import InputError
from facial_keypoints.pictures import SUFFIXES

CLIP_SUFFIXES = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm")
DRAWN_AS = (".jpg", ".jpeg", ".png")  # a picture in another format is drawn as JPEG, or as PNG where that is too small
JPEG_MOST_PX = 65_500  # of a side


class Source(NamedTuple):
    """A picture or clip file; `name` stands in the tables."""

    name: str
    path: Path


def find_sources(paths: list[Path], out: Path) -> tuple[list[Source], list[Source]]:
    """Returns the pictures and the clips that are meant: of a folder all its pictures, by name, at any depth.

    Raises:
        InputError: there is none, one lies inside `out`, or two would have the same name in the tables.
    """
    pictures: list[Source] = []
    films: list[Source] = []
    for path in paths:
        if path.resolve().is_relative_to(out.resolve()):
            raise InputError(f"{path}: lies inside --out {out}; choose another --out")
        if path.is_dir():
            pictures += _in_folder(path, out)
        elif path.suffix.lower() in CLIP_SUFFIXES:
            films.append(Source(path.name, path))
        else:
            pictures.append(Source(path.name, path))
    names = Counter(drawn_name(source.name) for source in pictures)
    names += Counter(clips.written_name(film.name) for film in films)
    if twice := [name for name, number in names.items() if number > 1]:
        raise InputError(f"{twice[0]}: {names[twice[0]]} files would have this name in --out; give them one at a time")
    return pictures, films


def _in_folder(folder: Path, out: Path) -> list[Source]:
    """Returns the pictures of a folder, by name, without hidden ones and those in `out`."""
    inside = sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
    named = [(file.relative_to(folder), file) for file in inside if not file.resolve().is_relative_to(out.resolve())]
    if not named:
        raise InputError(f"{folder}: holds no pictures ({', '.join(SUFFIXES)})")
    return [Source(n.as_posix(), file) for n, file in named if not any(p.startswith(".") for p in n.parts)]


def drawn_name(name: str, longest_px: int = 0) -> str:
    """Returns what a picture of this name and longest side is called when it has been drawn on."""
    if Path(name).suffix.lower() in DRAWN_AS:
        return name
    return f"{name}.jpg" if longest_px <= JPEG_MOST_PX else f"{name}.png"


def count(number: int, noun: str) -> str:
    """Returns `1 face`, `2 faces`."""
    return f"{number} {noun}" + ("" if number == 1 else "s")

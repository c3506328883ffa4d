"""Finds the files of an earlier run of `predict`, which a later run may replace; it never deletes other files."""

import json
from pathlib import Path

from facial_keypoints import results
from facial_keypoints.cli.batch import UNREAD
from facial_keypoints.cli.inputs import CLIP_SUFFIXES, output_name
from facial_keypoints.cli.review import REVIEW_CSV, REVIEW_PNG, has_reviewed
from facial_keypoints.errors import InputError
from facial_keypoints.folders import OF_FILE_MANAGERS
from facial_keypoints.video import clips

OVERLAYS = "overlays"


def check_out(out: Path, overwrite: bool) -> None:
    """Raises InputError if writing `out` would replace files that must stay."""
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file, not a folder; choose another --out")
    if not out.is_dir() or not any(out.iterdir()):
        return
    replaceable = written_files(out)
    for path in sorted(out.rglob("*")):
        name = path.relative_to(out).as_posix()
        if path.name in (results.CSV_FILE, REVIEW_CSV) and has_reviewed(path):
            raise InputError(f"{path}: has faces that a person has reviewed; move it, or choose another --out")
        if (path.is_symlink() or not path.is_dir()) and path.name not in OF_FILE_MANAGERS and name not in replaceable:
            raise InputError(f"{out}: holds {name}, which predict did not write; choose an empty or new --out")
    if not overwrite:
        raise InputError(f"{out}: holds an earlier result; choose another --out, or replace it with --overwrite")


def written_files(out: Path) -> set[str]:
    """Returns the names of the files that predict wrote into a folder, according to the tables there."""
    written: set[str] = set()
    try:
        pictures = json.loads((out / results.JSON_FILE).read_bytes())["pictures"]
        overlays = {
            output_name(picture["file"], max(picture["width_px"], picture["height_px"])) for picture in pictures
        }
        written |= {results.JSON_FILE, UNREAD, REVIEW_PNG, *(f"{OVERLAYS}/{name}" for name in overlays)}
        written |= {name for name in (results.CSV_FILE, REVIEW_CSV) if not has_reviewed(out / name)}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass  # predict did not write such a table, and so none of those files
    for table in out.glob("*.csv"):
        if Path(table.stem).suffix.lower() in CLIP_SUFFIXES and clips.is_table(table):
            written |= {table.name, clips.written_name(table.stem)}
    return written

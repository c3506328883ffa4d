"""What an earlier run of `predict` left, which a later one may replace: nothing else is ever deleted."""

import json
from pathlib import Path

from facial_keypoints import results
from facial_keypoints.cli.batch import UNREAD
from facial_keypoints.cli.inputs import CLIP_SUFFIXES, drawn_name
from facial_keypoints.errors import InputError
from facial_keypoints.folders import OF_FILE_MANAGERS
from facial_keypoints.video import clips

OVERLAYS = "overlays"


def check_out(out: Path, overwrite: bool) -> None:
    """Raises InputError where writing `out` would replace what is not to be replaced."""
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file, not a folder; choose another --out")
    if not out.is_dir() or not any(out.iterdir()):
        return
    ours = written_files(out)
    for path in sorted(out.rglob("*")):
        inside = path.relative_to(out).as_posix()
        if (path.is_symlink() or not path.is_dir()) and path.name not in OF_FILE_MANAGERS and inside not in ours:
            raise InputError(f"{out}: holds {inside}, which predict did not write; choose an empty or new --out")
    if not overwrite:
        raise InputError(f"{out}: holds an earlier result; choose another --out, or replace it with --overwrite")


def written_files(out: Path) -> set[str]:
    """Returns the names, in a folder, of the files that predict wrote as the tables there say."""
    written: set[str] = set()
    try:
        pictures = json.loads((out / results.JSON_FILE).read_bytes())["pictures"]
        drawn = {drawn_name(one["file"], max(one["width_px"], one["height_px"])) for one in pictures}
        written |= {results.CSV_FILE, results.JSON_FILE, UNREAD, *(f"{OVERLAYS}/{name}" for name in drawn)}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass  # no such table, or none of ours: then those files are none of ours either
    for table in out.glob("*.csv"):
        if Path(table.stem).suffix.lower() in CLIP_SUFFIXES and clips.is_table(table):
            written |= {table.name, clips.written_name(table.stem)}
    return written

"""Writes the mouths of 68-point pictures as labels of one's own, to measure training on any keypoints.

    python -m benchmarks.mouth_points HELEN68 LFPW68 --out artifacts/mouths

The names of the 20 points, `m0` to `m19`, do not refer to mouths or sides. The folder holds what a user would write:
`keypoints.csv`, `pictures/`, and `keypoints.toml` with mirror pairs, lines and a normalizer. All stages and
`benchmarks.peers` take it.
"""

import csv
import json
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from common.options import add_out_option, stage_parser
from data_prep.readers import keypoint_sets, pictures_csv, pts
from data_prep.readers.labelled_pictures import LabelledPictures
from facial_keypoints.errors import InputError, run
from facial_keypoints.folders import atomic_folder
from facial_keypoints.keypoint_set import FACE68

NAMES = {of_68: f"m{number}" for number, of_68 in enumerate(dict(FACE68.regions)["mouth"])}
CORNERS = [NAMES[k] for role in ("mouth_right_corner", "mouth_left_corner") for k in FACE68.role(role)]


def write_mouths(folder: Path, sets: Sequence[LabelledPictures]) -> int:
    """Writes pictures and labels of the mouths in sets of 68 points; returns their number.

    Args:
        folder: an empty folder.
        sets: their folders must have different names, which become part of the pictures' names.
    """
    pictures = folder / pictures_csv.PICTURES
    pictures.mkdir()
    rows: list[list[str]] = []
    for labelled in sets:
        for face in labelled.faces:
            name = f"{labelled.root.resolve().name}_{face.file.name}"
            shutil.copyfile(face.file, pictures / name)
            rows.append([name, face.person, *(f"{value:.3f}" for value in face.keypoints[list(NAMES)].ravel())])
    columns = [f"{name}_{axis}" for name in NAMES.values() for axis in "xy"]
    with (folder / pictures_csv.CSV).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([[pictures_csv.FILE, pictures_csv.PERSON, *columns], *rows])
    (folder / keypoint_sets.FILE).write_text(toml(), encoding="utf-8")
    return len(rows)


def toml() -> str:
    """Returns `keypoints.toml`: the facts of FACE68 about the mouth, under the other names."""
    assert FACE68.mirror is not None
    pairs = [[NAMES[k], NAMES[m]] for k, m in enumerate(FACE68.mirror) if k < m and k in NAMES]
    runs = [[NAMES[k] for k in run] for run in FACE68.skeleton if set(run) <= set(NAMES)]
    first, second = ([name] for name in CORNERS)
    lines: Iterable[str] = (  # JSON's lists of strings are TOML's
        'name = "mouth"',
        f"keypoints = {json.dumps(list(NAMES.values()))}",
        f"mirror = {json.dumps(pairs)}",
        f"skeleton = {json.dumps(runs)}",
        "[[normalizers]]",
        'name = "outer mouth corners"',
        f"first = {json.dumps(first)}",
        f"second = {json.dumps(second)}",
    )
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = stage_parser("benchmarks.mouth_points", __doc__, "helen68 lfpw68 --out artifacts/mouths")
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="pictures with 68 points in .pts files")
    add_out_option(parser, Path("artifacts/mouths"))
    options = parser.parse_args(arguments)
    if options.out.exists():
        raise InputError(f"{options.out}: exists; remove it, or choose another --out")
    sets = [pts.read(folder, given=FACE68) for folder in options.folders]
    with atomic_folder(options.out) as folder:
        count = write_mouths(folder, sets)
    print(f"{options.out}: {count:,} pictures, {pictures_csv.CSV}, {keypoint_sets.FILE}")


if __name__ == "__main__":
    run(main)

"""Times the reader of `training.csv` and compares it with pandas and numpy.

    python -m benchmarks.prepare_speed [INPUT]

INPUT is a folder of faces, or `synthetic` (default). It is written as a training.csv to a temporary folder (about 230
MB for 7,049 faces). Every way of reading it runs in its own process, in turns. The table has medians of wall time
(start of Python included) and peak memory.
"""

import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.memory import in_own_process, peak_mb, run_measured
from common.options import stage_parser
from data_prep.readers import npz
from data_prep.readers.training_csv import IMAGE
from data_prep.synthetic import dataset
from facial_keypoints.errors import run

PANDAS = """
import sys, numpy, pandas
table = pandas.read_csv(sys.argv[1])
images = numpy.stack([{parse} for text in table["Image"]]).reshape(-1, 96, 96, 1)
keypoints = table.drop(columns="Image").to_numpy(numpy.float32).reshape(len(table), -1, 2)
"""
OURS = """
import sys, pathlib
from data_prep.readers.training_csv import read
read(pathlib.Path(sys.argv[1]))
"""
WHOLE_STAGE = """
import sys, tempfile
from data_prep.prepare import main
with tempfile.TemporaryDirectory() as folder:
    main([sys.argv[1], "--out", folder + "/data"])
"""
WAYS = {
    "data_prep.readers.training_csv": OURS,
    "the whole prepare stage, with report": WHOLE_STAGE,
    "pandas, np.array(text.split(), uint8)": PANDAS.format(parse="numpy.array(text.split(), numpy.uint8)"),
    "pandas, np.fromstring(text, sep=' ')": PANDAS.format(parse="numpy.fromstring(text, sep=' ')"),
    "pandas, np.fromstring(text, uint8, sep=' ')": PANDAS.format(parse="numpy.fromstring(text, numpy.uint8, sep=' ')"),
}


def write_training_csv(path: Path, source: str) -> None:
    """Writes grayscale faces as the competition's table."""
    faces = dataset.read() if source == "synthetic" else npz.read(Path(source))
    words = np.array([str(value) for value in range(256)], object)
    with path.open("w", encoding="utf-8") as file:
        file.write(",".join([*faces.keypoint_set.columns, IMAGE]) + "\n")
        for image, keypoints in zip(faces.images, faces.keypoints, strict=True):
            cells = ["" if np.isnan(value) else str(value) for value in keypoints.ravel()]
            file.write(",".join([*cells, " ".join(words[image.ravel()])]) + "\n")


def measure(code: str, path: Path) -> tuple[float, float]:
    """Runs Python code on a file in a new process and returns its wall seconds and its peak memory in MB."""
    seconds, usage = run_measured([sys.executable, "-c", code, str(path)])
    return seconds, peak_mb(usage)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = stage_parser("benchmarks.prepare_speed", __doc__, "synthetic --turns 3")
    parser.add_argument(
        "input", nargs="?", default="synthetic", metavar="INPUT", help="a folder of faces (default: %(default)s)"
    )
    parser.add_argument("--turns", type=int, default=5, metavar="N", help="repetitions (default: %(default)s)")
    options = parser.parse_args(arguments)

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "training.csv"
        in_own_process(write_training_csv, path, options.input)
        print(f"{path.stat().st_size / 1e6:.0f} MB of text, {options.turns} turns")
        turns = [{name: measure(code, path) for name, code in WAYS.items()} for _ in range(options.turns)]

    seconds = {name: statistics.median(turn[name][0] for turn in turns) for name in WAYS}
    memory = {name: statistics.median(turn[name][1] for turn in turns) for name in WAYS}
    our_way = next(iter(WAYS))
    print(f"{'':45} {'seconds':>8} {'peak MB':>8} {'slower':>8}")
    for name in WAYS:
        print(f"{name:45} {seconds[name]:8.2f} {memory[name]:8.0f} {seconds[name] / seconds[our_way]:7.1f}x")


if __name__ == "__main__":
    run(main)

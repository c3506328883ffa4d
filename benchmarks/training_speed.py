"""Times training and compares it with a plain `model.fit` of `base` on float32 arrays.

    python -m benchmarks.training_speed [--data DIR] [--networks NAME...] [--faces N] [--turns N]

Each variant trains three epochs in its own process, in turns. The last two count, including validation on one face and
checkpoints. The table has medians of faces per second and peak memory, also as ratios to the plain fit of the same turn
(without `base` among the networks, to the first variant). It also shows the growth of peak memory after the first
epoch, and the cost of augmentation with its intended limit.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.memory import peak_mb
from common.backend import start_backend
from common.options import add_data_option, positive, stage_parser
from common.stage import write_manifest
from data_prep import arrays
from data_prep.arrays import PREPARE
from data_prep.faces import SPLITS
from facial_keypoints.errors import EXIT_DONE, InputError, run

PLAIN = "plain fit of base, float32 arrays"
WAYS = {  # name: network, recipe, augmentation; without a recipe: Keras' own fit
    PLAIN: ("base", None, None),
    "base, no augmentation": ("base", "published", "none"),
    "base, light augmentation": ("base", "published", "light"),
    "v1, no augmentation": ("v1", "published", "none"),
    "v2, no augmentation": ("v2", "v2", "none"),
    "v2, strong augmentation": ("v2", "v2", "strong"),
    "cnn5, no augmentation": ("cnn5", "cnn5", "none"),
    "cnn5, light augmentation": ("cnn5", "cnn5", "light"),
}
MIN_SPEED = {  # variant with augmentation: the variant without, and the smallest intended share of its speed
    "base, light augmentation": ("base, no augmentation", 0.95),
    "v2, strong augmentation": ("v2, no augmentation", 0.85),
    "cnn5, light augmentation": ("cnn5, no augmentation", 0.85),
}
EPOCHS = 3
BATCH_SIZE = 32  # of the plain fit, as in the recipe `published`

KEYS = ("faces_per_second", "peak_mb", "growth")  # growth: of peak memory after the first epoch
Result = dict[str, float]


def small_folder(data: Path, faces: int, out: Path) -> None:
    """Writes a data folder with the first `faces` training faces of another, one validation and one test face."""
    manifest = arrays.load_data_manifest(data)
    out.mkdir()
    for split in SPLITS:
        loaded = arrays.load_split(data, split)
        arrays.save_split(out, split, loaded.only(np.arange(len(loaded)) < (faces if split == "train" else 1)))
    write_manifest(out, PREPARE, manifest["parameters"], {}, {}, time.time())


def time_one(way: str, data: Path, faces: int) -> Result:
    """Returns faces per second and peak memory in MB of one variant, measured in this process."""
    network, recipe, level = WAYS[way]
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "data"
        small_folder(data, faces, small)
        start_backend()
        if recipe is None or level is None:
            count, timer = time_plain(network, small)
        else:
            count, timer = time_training(network, recipe, level, small, Path(folder) / "model")
    total = (EPOCHS - 1) * count
    return {"faces_per_second": total / timer.seconds, "peak_mb": peak_mb(), "growth": peak_mb() / timer.first_peak_mb}


def clock() -> Any:
    """Returns a Keras callback. `seconds` is the time after the first epoch, including all other callbacks.

    `first_peak_mb` is the peak memory of the first epoch.
    """
    import keras

    class Clock(keras.callbacks.Callback):  # type: ignore[misc]
        seconds = 0.0
        started = 0.0
        first_peak_mb = 0.0

        def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
            if epoch == 1:
                self.started, self.first_peak_mb = time.perf_counter(), peak_mb()

        def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
            self.seconds = time.perf_counter() - self.started

    return Clock()


def time_plain(network: str, data: Path) -> tuple[int, Any]:
    """Returns the number of faces and the `clock` of Keras' own `fit`."""
    import keras

    from models.networks import build_model, load_build

    train = arrays.load_split(data, "train")
    model = build_model(load_build(network), train.images.shape[1:], train.keypoints.shape[1])
    # Without XLA, which takes twice the time on a CPU.
    model.compile(keras.optimizers.Adam(1e-5), loss="mse", metrics=["mae"], jit_compile=False)
    pixels = train.images.astype(np.float32)
    timer = clock()
    model.fit(pixels, train.keypoints, batch_size=BATCH_SIZE, epochs=EPOCHS, verbose=0, callbacks=[timer])
    return len(train), timer


def time_training(network: str, recipe: str, level: str, data: Path, out: Path) -> tuple[int, Any]:
    """Returns the number of faces and the `clock` of this project's training."""
    from training.train import train

    timer = clock()
    train(network, data, out, recipe=recipe, augment=level, epochs=EPOCHS, callbacks=[timer])
    return len(np.load(data / "train_rows.npy")), timer


def measure(way: str, data: Path, faces: int) -> Result:
    """Returns the result of `time_one` in a new process; exits with its exit code if it fails."""
    command = [sys.executable, "-m", "benchmarks.training_speed", "--one", way]
    command += ["--data", str(data), "--faces", str(faces)]
    process = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, encoding="utf-8")
    if process.returncode != EXIT_DONE:
        sys.exit(process.returncode)  # it has printed the reason
    return json.loads(process.stdout.splitlines()[-1])


def speed_ratio(runs: Sequence[Result], others: Sequence[Result], key: str = "faces_per_second") -> float:
    """Returns the median over turns of a value as a multiple of the other variant's in the same turn."""
    return statistics.median(run[key] / other[key] for run, other in zip(runs, others, strict=True))


def table(results: Mapping[str, Sequence[Result]]) -> str:
    """Returns the table of the results of all turns per variant; ratios are to the first variant."""
    first = next(iter(results))
    lines = [f"{'median of ' + str(len(results[first])):34} faces/s   of first   peak MB   of first    growth"]
    for way, runs in results.items():
        speed, memory, growth = (statistics.median(run[key] for run in runs) for key in KEYS)
        of_first = [speed_ratio(runs, results[first], key) for key in ("faces_per_second", "peak_mb")]
        lines.append(f"{way:34} {speed:7.0f} {of_first[0]:10.2f} {memory:9.0f} {of_first[1]:10.2f} {growth:9.3f}")
    for way, (without, minimum) in MIN_SPEED.items():
        if way in results:
            ratio = speed_ratio(results[way], results[without])
            lines.append(f"{way}: {ratio:.2f} of the speed without augmentation (intended: at least {minimum})")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = stage_parser("benchmarks.training_speed", __doc__, "--networks v2 --faces 960 --turns 2")
    add_data_option(parser)
    networks = sorted({network for network, _, _ in WAYS.values()})
    parser.add_argument(
        "--networks",
        nargs="+",
        choices=networks,
        default=["base", "v1", "v2"],
        help="networks to time (default: base v1 v2)",
    )
    parser.add_argument(
        "--faces", type=positive(int), default=5639, metavar="N", help="train on the first N (default: %(default)s)"
    )
    parser.add_argument(
        "--turns", type=positive(int), default=3, metavar="N", help="repetitions (default: %(default)s)"
    )
    parser.add_argument("--one", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one:
        print(json.dumps(time_one(options.one, options.data, options.faces)))
        return
    for split in ("train", "val"):  # loading checks the folder before the long work starts
        arrays.load_data_manifest(options.data)
        if not len(arrays.load_split(options.data, split)):
            raise InputError(f"{options.data}: has no {split} faces; prepare it with another --split")
    results: dict[str, list[Result]] = {way: [] for way, (network, *_) in WAYS.items() if network in options.networks}
    for _ in range(options.turns):
        for way, runs in results.items():
            runs.append(measure(way, options.data, options.faces))
    print(table(results))


if __name__ == "__main__":
    run(main)

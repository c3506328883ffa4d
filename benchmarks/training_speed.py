"""Times training beside a plain `model.fit` of `base` on float32 arrays.

    python -m benchmarks.training_speed [--data DIR] [--faces N] [--turns N]

Each way trains two epochs, in a process of its own, in turns; the second epoch counts, with its validation on one face
and its checkpoint where there are any. Faces per second and peak memory are printed as medians, and as ratios to the
plain way of the same turn. What augmentation costs is printed beside what it should cost at most.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from common.backend import start_backend
from common.stage import write_manifest
from data_prep import arrays
from data_prep.faces import SPLITS
from facial_keypoints.errors import EXIT_DONE, InputError, run

PLAIN = "plain fit of base, float32 arrays"
WAYS = {  # name: network, recipe, level of augmentation; no recipe: Keras' own fit
    PLAIN: ("base", None, None),
    "base, no augmentation": ("base", "documented", "none"),
    "base, full augmentation": ("base", "documented", "full"),
    "v1, no augmentation": ("v1", "documented", "none"),
    "v2, no augmentation": ("v2", "v2", "none"),
    "v2, strong augmentation": ("v2", "v2", "strong"),
}
LEAST_SPEED = {  # way with augmentation: the same without, and the share of its speed that should be left
    "base, full augmentation": ("base, no augmentation", 0.95),
    "v2, strong augmentation": ("v2, no augmentation", 0.85),
}
BATCH_SIZE = 32  # of the plain way, as in the recipe `documented`

Result = dict[str, float]  # faces_per_second, peak_mb


def small_folder(data: Path, faces: int, out: Path) -> None:
    """Writes a data folder with the first training faces of another, one validation face and one test face."""
    manifest = arrays.load_data_manifest(data)
    out.mkdir()
    for split in SPLITS:
        part = arrays.load_part(data, split)
        arrays.save_part(out, split, part.only(np.arange(len(part)) < (faces if split == "train" else 1)))
    write_manifest(out, "prepare", manifest["parameters"], {}, {}, time.time())


def time_one(way: str, data: Path, faces: int) -> Result:
    """Returns faces per second and peak memory in MB of one way, measured in this process."""
    network, recipe, level = WAYS[way]
    with tempfile.TemporaryDirectory() as folder:
        few = Path(folder) / "data"
        small_folder(data, faces, few)
        start_backend()
        if recipe is None or level is None:
            count, seconds = time_plain(network, few)
        else:
            count, seconds = time_training(network, recipe, level, few, Path(folder) / "model")
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
    return {"faces_per_second": count / seconds, "peak_mb": peak_mb}


def clock() -> Any:
    """Returns a Keras callback whose `seconds` are those of the second epoch, all other callbacks' work included."""
    import keras

    class Clock(keras.callbacks.Callback):  # type: ignore[misc]
        seconds = 0.0
        started = 0.0

        def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
            self.started = time.perf_counter()

        def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
            self.seconds = time.perf_counter() - self.started

    return Clock()


def time_plain(network: str, data: Path) -> tuple[int, float]:
    """Returns the number of faces and the seconds of an epoch of Keras' own `fit`."""
    import keras

    from models.networks import build_model, load_build

    train = arrays.load_part(data, "train")
    model = build_model(load_build(network), train.images.shape[1:], train.keypoints.shape[1])
    # Not compiled by XLA, which on a CPU takes twice the time: the plain way at its best.
    model.compile(keras.optimizers.Adam(1e-5), loss="mse", metrics=["mae"], jit_compile=False)
    pixels = train.images.astype(np.float32)
    timer = clock()
    model.fit(pixels, train.keypoints, batch_size=BATCH_SIZE, epochs=2, verbose=0, callbacks=[timer])
    return len(train), timer.seconds


def time_training(network: str, recipe: str, level: str, data: Path, out: Path) -> tuple[int, float]:
    """Returns the number of faces and the seconds of an epoch of this project's training."""
    from training.core import TrainingConfig, train
    from training.inputs import load_data
    from training.recipes import resolve

    choices = resolve(network, recipe, {"augment": level, "epochs": 2})
    of_data = load_data(data, None, choices.labels)
    timer = clock()
    train(TrainingConfig(network, choices, recipe), of_data, out, callbacks=[timer])
    return len(of_data.train.images), timer.seconds


def measure(way: str, data: Path, faces: int) -> Result:
    """Returns what `time_one` measures in a new process; leaves with its exit code where that fails."""
    command = [sys.executable, "-m", "benchmarks.training_speed", "--one", way]
    command += ["--data", str(data), "--faces", str(faces)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != EXIT_DONE:
        sys.exit(done.returncode)  # it has said why
    result: Result = json.loads(done.stdout.splitlines()[-1])
    return result


def speed_ratio(runs: Sequence[Result], others: Sequence[Result], key: str = "faces_per_second") -> float:
    """Returns the median over turns of a value as a multiple of the other way's in the same turn."""
    return statistics.median(run[key] / other[key] for run, other in zip(runs, others, strict=True))


def table(results: Mapping[str, Sequence[Result]]) -> str:
    """Returns the printed lines; results: those of all turns for each of `WAYS`."""
    lines = [f"{'median of ' + str(len(results[PLAIN])):34} faces/s   of plain   peak MB   of plain"]
    for way, runs in results.items():
        speed, memory = (statistics.median(run[key] for run in runs) for key in ("faces_per_second", "peak_mb"))
        of_plain = [speed_ratio(runs, results[PLAIN], key) for key in ("faces_per_second", "peak_mb")]
        lines.append(f"{way:34} {speed:7.0f} {of_plain[0]:10.2f} {memory:9.0f} {of_plain[1]:10.2f}")
    for way, (without, least) in LEAST_SPEED.items():
        ratio = speed_ratio(results[way], results[without])
        lines.append(f"{way}: {ratio:.2f} of the speed without (wanted: at least {least})")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training_speed", description=(__doc__ or "").split("\n", maxsplit=1)[0]
    )
    parser.add_argument("--data", type=Path, default=Path("artifacts/data"), metavar="DIR", help="(%(default)s)")
    parser.add_argument("--faces", type=int, default=5639, help="train on the first so many (%(default)s)")
    parser.add_argument("--turns", type=int, default=3, help="(%(default)s)")
    parser.add_argument("--one", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.turns < 1 or options.faces < 1:
        parser.error("--turns and --faces: at least 1")
    if options.one:
        print(json.dumps(time_one(options.one, options.data, options.faces)))
        return
    for split in ("train", "val"):  # loading checks the folder, before minutes are spent
        arrays.load_data_manifest(options.data)
        if not len(arrays.load_part(options.data, split)):
            raise InputError(f"{options.data}: has no {split} faces; prepare it with another --split")
    results: dict[str, list[Result]] = {way: [] for way in WAYS}
    for _ in range(options.turns):
        for way, runs in results.items():
            runs.append(measure(way, options.data, options.faces))
    print(table(results))


if __name__ == "__main__":
    run(main)

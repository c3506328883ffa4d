"""Times training of `base` beside a plain `model.fit` on float32 arrays.

    python -m benchmarks.training_speed [--data DIR] [--faces N] [--turns N]

Each way warms up on a few faces and trains one epoch that counts, in a process of its own, in turns; for
`training.fit` that includes validation on one face and the checkpoint of the epoch. Faces per second and peak
memory are printed as medians, and as ratios to the plain way of the same turn. `v1` is timed too, and `v2` with its
own recipe: its strong augmentation should cost at most 15 % of its faces per second.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from data_prep import arrays
from data_prep.faces import Part
from facial_keypoints.errors import run

WARM_UP_FACES = 72  # whole batches and a short one, as in the epoch that counts
PLAIN = "plain fit of base, float32 arrays"
WAYS = {
    PLAIN: ("base", None),
    "training.fit of base, no augmentation": ("base", "none"),
    "training.fit of base, full augmentation": ("base", "full"),
    "training.fit of v1, no augmentation": ("v1", "none"),
    "training.fit of v2, no augmentation": ("v2", "none"),
    "training.fit of v2, strong augmentation": ("v2", "strong"),
}
STRONG, STILL = "training.fit of v2, strong augmentation", "training.fit of v2, no augmentation"


def first(part: Part, count: int) -> Part:
    return part.only(np.arange(len(part)) < count)


def time_one(network: str, level: str | None, data: Path, faces: int) -> dict[str, float]:
    """Returns faces per second and peak memory in MB of one way, in this process."""
    import importlib
    import tempfile
    from dataclasses import replace

    import models  # noqa: F401  (before keras: it silences the backend's start-up notes)

    import keras  # isort: skip

    from facial_keypoints.keypoint_set import FACE15
    from training.checkpoint import State
    from training.fit import compile_model, fit
    from training.recipes import RECIPES
    from training.targets import mirror_of, targets

    train, few = first(arrays.load_part(data, "train"), faces), first(arrays.load_part(data, "val"), 1)
    recipe = replace(RECIPES["v2" if network == "v2" else "documented"], augment=level or "none", epochs=1)
    mirror = mirror_of(recipe.labels, FACE15)
    model = importlib.import_module(f"models.{network}").build(train.images.shape[1:], len(mirror))
    warm_up = first(train, WARM_UP_FACES)
    if level is None:
        pictures, keypoints = train.images.astype("float32"), train.keypoints
        model.compile(keras.optimizers.Adam(1e-5), loss="mse", metrics=["mae"])
        model.fit(warm_up.images.astype("float32"), warm_up.keypoints, batch_size=32, verbose=0)
        started = time.perf_counter()
        model.fit(pictures, keypoints, batch_size=32, verbose=0)
        seconds = time.perf_counter() - started
    else:
        compile_model(model, recipe, len(train))
        with tempfile.TemporaryDirectory() as folder:
            for part in (warm_up, train):
                started = time.perf_counter()
                weights = model.get_weights()
                state = State({}, [], weights, list(weights) if recipe.average else [], 0.0)
                of_part, of_few = (targets(p, recipe.labels, FACE15) for p in (part, few))
                fit(model, of_part, of_few, recipe, mirror, 0, state, Path(folder) / "state.npz", [])
        seconds = time.perf_counter() - started
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"faces_per_second": len(train) / seconds, "peak_mb": peak_mb}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training_speed", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--data", type=Path, default=Path("artifacts/data"), help="(%(default)s)")
    parser.add_argument("--faces", type=int, default=5639, help="train on the first so many (%(default)s)")
    parser.add_argument("--turns", type=int, default=3, help="(%(default)s)")
    parser.add_argument("--one", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(time_one(*WAYS[options.one], options.data, options.faces)))
        return
    results: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for _ in range(options.turns):
        for way in WAYS:
            command = [sys.executable, "-m", "benchmarks.training_speed", "--one", way]
            command += ["--data", str(options.data), "--faces", str(options.faces)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            results[way].append(json.loads(done.stdout.splitlines()[-1]))
    print(f"{'median of ' + str(options.turns):42} faces/s   of plain   peak MB   of plain")
    for way, runs in results.items():
        speed, memory = ([r[key] for r in runs] for key in ("faces_per_second", "peak_mb"))
        pairs = list(zip(runs, results[PLAIN], strict=True))
        speed_ratio = statistics.median(r["faces_per_second"] / plain["faces_per_second"] for r, plain in pairs)
        memory_ratio = statistics.median(r["peak_mb"] / plain["peak_mb"] for r, plain in pairs)
        print(
            f"{way:42} {statistics.median(speed):7.0f} {speed_ratio:10.2f} "
            f"{statistics.median(memory):9.0f} {memory_ratio:10.2f}"
        )
    v2_runs = zip(results[STRONG], results[STILL], strict=True)
    ratio = statistics.median(strong["faces_per_second"] / still["faces_per_second"] for strong, still in v2_runs)
    print(f"v2: strong augmentation trains at {ratio:.2f} of the speed without (wanted: at least 0.85)")


if __name__ == "__main__":
    run(main)

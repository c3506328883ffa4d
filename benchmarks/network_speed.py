"""Times ONNX models in onnxruntime beside dlib's 68-point predictor and MediaPipe's face mesh, all on one thread.

    python -m benchmarks.network_speed MODEL.onnx... [--turns N]

Models and peers (where installed) run in turns, so that other work on the machine slows all of them alike; counted is
the processor's time, without waiting for it. Printed are medians: ms for a batch of one picture, that time as a
multiple of the first model's and of each peer's, ms per picture in a batch of 64, that as a multiple of the first
model's, and the rate (pictures per second) of such batches as a multiple of the rate one by one. `model.onnx
model_int8.onnx` so tells what 8-bit integers gain. A file that says what it predicts is timed twice: the network alone,
and `facial_keypoints.Predictor` with its checks around it. Of a peer one call of the predictor or network alone is
timed, on another face each time; its box and its picture are ready.

The peers are optional: `pip install -r requirements-peers.txt`.
"""

import argparse
import contextlib
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import dlib68, mediapipe_mesh
from data_prep.synthetic import dataset
from facial_keypoints.errors import InputError, run
from facial_keypoints.predictor import Predictor
from facial_keypoints.runtime import onnxruntime

BATCH = 64
DTYPES = {"tensor(uint8)": np.uint8, "tensor(float)": np.float32}
DLIB, MEDIAPIPE, PEER_FACES = "dlib", "mediapipe", 100
SINGLE_CALLS, BATCH_CALLS = 50, 2  # in each turn
BY_PREDICTOR = ", Predictor"

Call = Callable[[], Any]


def load_session(path: Path) -> Any:
    """Returns an onnxruntime session that uses one thread; raises InputError where the file is no ONNX model."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; give an ONNX model")
    module = onnxruntime()
    settings = module.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    try:
        return module.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no base of their own
        raise InputError(f"{path}: onnxruntime cannot load it ({error}); export the model again") from None


def images_for(path: Path, session: Any, count: int) -> dict[str, Any]:
    """Returns a model's input: so many random pictures of the size and type it takes, (count, H, W, C).

    Raises:
        InputError: it takes something else than one batch of pictures.
    """
    inputs = session.get_inputs()
    shape, dtype = inputs[0].shape, DTYPES.get(inputs[0].type)
    fits = len(inputs) == 1 and len(shape) == 4 and all(isinstance(side, int) for side in shape[1:])
    if not fits or dtype is None or isinstance(shape[0], int):
        taken = ", ".join(f"{given.type} {given.shape}" for given in inputs)
        raise InputError(f"{path}: takes {taken}; export it with one uint8 or float input (N, H, W, C), N left open")
    pixels = np.random.default_rng(0).integers(0, 256, (count, *shape[1:]))
    return {inputs[0].name: pixels.astype(dtype)}


def model_calls(path: Path) -> tuple[Call, Call]:
    """Returns calls of a model on one picture and on a batch of `BATCH`."""
    session = load_session(path)
    one, many = images_for(path, session, 1), images_for(path, session, BATCH)
    return lambda: session.run(None, one), lambda: session.run(None, many)


def ways(path: Path) -> dict[str, tuple[Call, Call]]:
    """Returns what to time of a model by name: the network, and the predictor where the file says what it predicts."""
    calls = {str(path): model_calls(path)}
    with contextlib.suppress(InputError):  # an ONNX file from elsewhere
        predictor = Predictor(path, threads=1)
        pixels = np.random.default_rng(0).integers(0, 256, (BATCH, *predictor.spec.crop.shape), np.uint8)
        calls[f"{path}{BY_PREDICTOR}"] = (
            lambda: predictor.predict_crops(pixels[:1]),
            lambda: predictor.predict_crops(pixels),
        )
    return calls


def dlib_call() -> Call:
    """Returns a call of dlib's predictor on one of some drawn faces; raises InputError where dlib is not installed."""
    predictor = dlib68.load_predictor()
    images = dataset.read(count=PEER_FACES).images
    return dlib68.next_face(predictor, images, dlib68.fixed_box(images.shape[1:], side=0.9, center=0.55))


def mediapipe_call() -> Call:
    """The same of MediaPipe's face mesh."""
    mesh = mediapipe_mesh.load_mesh()
    images = dataset.read(count=PEER_FACES).images
    return mediapipe_mesh.next_face(mesh, images, mediapipe_mesh.fixed_square(images.shape[1:], side=1.4, center=0.5))


def singles_and_batches(
    models: Mapping[str, tuple[Call, Call]], peers: Mapping[str, Call]
) -> dict[tuple[str, int], tuple[Call, int]]:
    """Returns what `in_turns` takes: models on one picture and on a batch of `BATCH`, peers on one."""
    calls: dict[tuple[str, int], tuple[Call, int]] = {}
    for name, (one, many) in models.items():
        calls[name, 1], calls[name, BATCH] = (one, SINGLE_CALLS), (many, BATCH_CALLS)
    return calls | {(name, 1): (call, SINGLE_CALLS) for name, call in peers.items()}


def in_turns(calls: Mapping[tuple[str, int], tuple[Call, int]], turns: int) -> dict[tuple[str, int], float]:
    """Returns the median processor time in s of each call, made so often in each turn, after a turn that warms up."""
    seconds: dict[tuple[str, int], list[float]] = {name: [] for name in calls}
    for turn in range(turns + 1):
        for name, (call, count) in calls.items():
            taken = call_seconds(call, count)
            seconds[name] += taken if turn else []
    return {name: statistics.median(taken) for name, taken in seconds.items()}


def call_seconds(call: Call, count: int) -> list[float]:
    """Returns the processor time in s of each of some calls that keep to this thread."""
    taken = []
    for _ in range(count):
        started = time.thread_time()
        call()
        taken.append(time.thread_time() - started)
    return taken


def table(models: Sequence[str], peers: Sequence[str], seconds: Mapping[tuple[str, int], float]) -> str:
    """Returns the printed lines, models first.

    Args:
        seconds: the median time in s for (name, pictures in the batch); of peers one by one only.
    """
    names = [*models, *peers]
    titles = ["ms per face", "of first", *(f"of {peer}" for peer in peers), f"in {BATCH}s", "of first", "rate"]
    rows = [["one thread", *titles]]
    for name in names:
        one = seconds[name, 1]
        cells = [f"{1e3 * one:.3f}", *(f"{one / seconds[other, 1]:.2f}" for other in (names[0], *peers))]
        if name in models:
            many, of_first = seconds[name, BATCH], seconds[name, BATCH] / seconds[names[0], BATCH]
            cells += [f"{1e3 * many / BATCH:.3f}", f"{of_first:.2f}", f"{BATCH * one / many:.2f}x"]
        else:
            cells += ["-", "-", "-"]
        rows.append([name, *cells])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.network_speed", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("models", nargs="+", type=Path, metavar="MODEL.onnx")
    parser.add_argument("--turns", type=int, default=10, help="(%(default)s)")
    options = parser.parse_args(arguments)
    if options.turns < 1:
        parser.error("--turns: at least 1")
    models = {name: way for path in options.models for name, way in ways(path).items()}
    peers: dict[str, Call] = {}
    for name, make in ((DLIB, dlib_call), (MEDIAPIPE, mediapipe_call)):
        try:
            peers[name] = make()
        except InputError as error:
            print(f"without {name}: {error}")
    print(table(list(models), list(peers), in_turns(singles_and_batches(models, peers), options.turns)))


if __name__ == "__main__":
    run(main)

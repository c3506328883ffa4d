"""Times ONNX models, dlib's 68-point predictor and MediaPipe's face mesh on one thread.

    python -m benchmarks.network_speed MODEL.onnx... [--turns N]

Models and the other programs (if installed) run in turns, so that other work on the machine slows all of them equally.
The time is CPU time. The table has medians: ms for one picture; this time as a multiple of the first model's and of
each other program's; ms per picture in a batch of 64, and as a multiple of the first model's; and the rate (pictures
per second) of these batches as a multiple of the rate one by one. For example, `model.onnx model_int8.onnx` shows the
gain of 8-bit integers. A file with our metadata is timed twice: the network alone, and `facial_keypoints.Predictor`
with its checks. For the other programs, one call of the predictor or network is timed, on another face each time, with
its box and picture prepared.

The other programs are optional: `pip install -r requirements-peers.txt`.
"""

import contextlib
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import dlib68, mediapipe_mesh
from common.options import positive, stage_parser
from data_prep.synthetic import dataset
from facial_keypoints.errors import InputError, run
from facial_keypoints.predictor import Predictor
from facial_keypoints.runtime import session

BATCH = 64
DTYPES = {"tensor(uint8)": np.uint8, "tensor(float)": np.float32}
DLIB, MEDIAPIPE, PEER_FACES = "dlib", "mediapipe", 100
SINGLE_CALLS, BATCH_CALLS = 50, 2  # per turn
BY_PREDICTOR = ", Predictor"

Call = Callable[[], Any]


def load_session(path: Path) -> Any:
    """Returns an onnxruntime session that uses one thread; raises InputError if the file is not an ONNX model."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; give an ONNX model")
    try:
        return session(path.read_bytes(), threads=1)
    except Exception as error:  # onnxruntime's errors have no common base class
        raise InputError(f"{path}: onnxruntime cannot load it ({error}); export the model again") from None


def images_for(path: Path, session: Any, count: int) -> dict[str, Any]:
    """Returns a model's input: `count` random pictures of its size and type, (count, H, W, C).

    Raises:
        InputError: the model does not take one batch of pictures.
    """
    inputs = session.get_inputs()
    shape, dtype = inputs[0].shape, DTYPES.get(inputs[0].type)
    fits = len(inputs) == 1 and len(shape) == 4 and all(isinstance(side, int) for side in shape[1:])
    if not fits or dtype is None or isinstance(shape[0], int):
        shapes = ", ".join(f"{each.type} {each.shape}" for each in inputs)
        raise InputError(f"{path}: takes {shapes}; export it with one uint8 or float input (N, H, W, C), N left open")
    pixels = np.random.default_rng(0).integers(0, 256, (count, *shape[1:]))
    return {inputs[0].name: pixels.astype(dtype)}


def model_calls(path: Path) -> tuple[Call, Call]:
    """Returns calls of a model on one picture and on a batch of `BATCH`."""
    session = load_session(path)
    one, many = images_for(path, session, 1), images_for(path, session, BATCH)
    return lambda: session.run(None, one), lambda: session.run(None, many)


def calls_of(path: Path) -> dict[str, tuple[Call, Call]]:
    """Returns the calls to time for a model by name: the network, and the predictor if the file has our metadata."""
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
    """Returns a call of dlib's predictor on one of some drawn faces; raises InputError if dlib is not installed."""
    predictor = dlib68.load_predictor()
    images = dataset.read(count=PEER_FACES).images
    return dlib68.next_face(predictor, images, dlib68.fixed_box(images.shape[1:], side=0.9, center=0.55))


def mediapipe_call() -> Call:
    """Returns a call of MediaPipe's face mesh, like `dlib_call`."""
    mesh = mediapipe_mesh.load_mesh()
    images = dataset.read(count=PEER_FACES).images
    return mediapipe_mesh.next_face(mesh, images, mediapipe_mesh.fixed_square(images.shape[1:], side=1.4, center=0.5))


def singles_and_batches(
    models: Mapping[str, tuple[Call, Call]], peers: Mapping[str, Call]
) -> dict[tuple[str, int], tuple[Call, int]]:
    """Returns the argument of `in_turns`: models on one picture and on a batch of `BATCH`, peers on one."""
    calls: dict[tuple[str, int], tuple[Call, int]] = {}
    for name, (one, many) in models.items():
        calls[name, 1], calls[name, BATCH] = (one, SINGLE_CALLS), (many, BATCH_CALLS)
    return calls | {(name, 1): (call, SINGLE_CALLS) for name, call in peers.items()}


def in_turns(calls: Mapping[tuple[str, int], tuple[Call, int]], turns: int) -> dict[tuple[str, int], float]:
    """Returns the median CPU time in s of each call, repeated `count` times per turn, after one warm-up turn."""
    seconds: dict[tuple[str, int], list[float]] = {name: [] for name in calls}
    for turn in range(turns + 1):
        for name, (call, count) in calls.items():
            times = call_seconds(call, count)
            seconds[name] += times if turn else []
    return {name: statistics.median(times) for name, times in seconds.items()}


def call_seconds(call: Call, count: int) -> list[float]:
    """Returns the CPU time in s of each of `count` calls in this thread."""
    times = []
    for _ in range(count):
        started = time.thread_time()
        call()
        times.append(time.thread_time() - started)
    return times


def table(models: Sequence[str], peers: Sequence[str], seconds: Mapping[tuple[str, int], float]) -> str:
    """Returns the table, models first.

    Args:
        seconds: the median time in s for (name, pictures in the batch); for peers only one by one.
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
    parser = stage_parser("benchmarks.network_speed", __doc__, "artifacts/pretrained/v2/model.onnx")
    parser.add_argument("models", nargs="+", type=Path, metavar="MODEL.onnx", help="ONNX models to time")
    parser.add_argument(
        "--turns", type=positive(int), default=10, metavar="N", help="repetitions (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    models = {name: pair for path in options.models for name, pair in calls_of(path).items()}
    peers: dict[str, Call] = {}
    for name, make in ((DLIB, dlib_call), (MEDIAPIPE, mediapipe_call)):
        try:
            peers[name] = make()
        except InputError as error:
            print(f"without {name}: {error}")
    print(table(list(models), list(peers), in_turns(singles_and_batches(models, peers), options.turns)))


if __name__ == "__main__":
    run(main)

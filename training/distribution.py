"""Training on several devices of one process, or of several processes on one or more machines; with JAX only.

All processes run the same program on the same data. Each computes its own share of every batch, and all hold the same
weights, because JAX sums the gradients of all devices. Process 0 alone writes files and shows progress.
"""

import concurrent.futures
import contextlib
import io
import json
import os
import socket
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import keras
import numpy as np

from facial_keypoints.array_types import Bool, Float32, Int64, UInt8
from facial_keypoints.errors import InputError, exit_code, one_line
from models.saved import PREDICTION_BATCH

JOIN_S = 240  # for all processes to start; JAX itself aborts with a stack trace after 300
LEAVE_S = 3  # for all processes to end, if one fails; they usually fail together
CHUNK_BYTES = 2**26  # of a file that process 0 sends
LOST = ("Gloo", "NCCL", "Connection closed", "Socket closed", "UNAVAILABLE")  # in errors if another process is gone


@dataclass(frozen=True)
class Shard:
    """The share of each batch that a process computes.

    Attributes:
        process: its number, from 0.
        processes: how many there are.
        devices: how many each of them has.
    """

    process: int = 0
    processes: int = 1
    devices: int = 1

    @property
    def all_devices(self) -> int:
        """The number of devices of all processes."""
        return self.processes * self.devices

    def rows(self, faces: int) -> tuple[Int64, Bool]:
        """Returns the faces of a batch that this process computes, int64 (n,), and whether each counts, bool (n,).

        All devices get the same number of faces. If the faces of the batch are too few for that, some are repeated,
        and these repetitions do not count.
        """
        size = self.devices * -(-faces // self.all_devices)
        rows = np.arange(size) + self.process * size
        return rows % faces, rows < faces


ALONE = Shard()  # one process with one device


def shard() -> Shard:
    """Returns the share of each batch that this process computes; ALONE with a backend other than JAX."""
    if keras.backend.backend() != "jax":
        return ALONE
    import jax

    return Shard(jax.process_index(), jax.process_count(), jax.local_device_count())


def is_first() -> bool:
    """Returns whether this is process 0, which writes the files."""
    return shard().process == 0


@contextlib.contextmanager
def joined(address: str | None, processes: int | None, process: int | None) -> Iterator[None]:
    """Joins the other processes, and leaves them after the block; processes other than 0 print nothing in it.

    An error in the block ends the program, so that the other processes do not wait for this one.

    Args:
        address: HOST:PORT of process 0; None: JAX finds all three values in the variables of Slurm, Kubernetes, ...
        processes: how many there are.
        process: the number of this one, from 0.

    Raises:
        InputError: the backend is not JAX.
    """
    if (backend := keras.backend.backend()) != "jax":
        raise InputError(
            f"--coordinator: needs JAX, and the backend is {backend}; install requirements-jax.txt and set "
            "KERAS_BACKEND=jax"
        )
    try:
        _initialize(address, processes, process)
        with contextlib.nullcontext() if is_first() else _silent():
            yield
        exchange("")  # without a time limit, unlike the shutdown: process 0 may have more to do
    except BaseException as error:
        _leave(error)
    import jax

    jax.distributed.shutdown()


def _initialize(address: str | None, processes: int | None, process: int | None) -> None:
    """Connects the processes, before JAX computes anything.

    Raises:
        InputError: they cannot be connected, or have different numbers of devices.
    """
    import jax

    option = f"--coordinator {address or 'auto'}"
    if address and process == 0:
        try:
            socket.create_server(("", int(address.rpartition(":")[2]))).close()  # JAX would crash
        except OSError as error:  # its own text has the address too in some versions of Python
            reason = os.strerror(error.errno or 0)
            raise InputError(f"{option}: the port cannot be used ({reason}); choose another one") from None
        print(f"waiting for {processes} processes at {address}", flush=True)
    with contextlib.suppress(AttributeError):  # in early versions
        jax.config.update("jax_enable_preemption_service", False)  # with it, SIGTERM would not end the program

    def connect() -> None:
        keras.utils.set_random_seed(0)  # otherwise Keras computes a common seed; every run sets its own later
        keras.distribution.initialize(address, processes, process)

    # In a thread, because Ctrl-C cannot interrupt it.
    connecting = concurrent.futures.ThreadPoolExecutor(1).submit(connect)
    try:
        connecting.result(JOIN_S)
    except TimeoutError:
        raise InputError(
            f"{option}: not all processes were there after {JOIN_S} s; start all of them, with the address of process "
            "0 and the same --processes"
        ) from None
    except Exception as error:  # of JAX, of Kubernetes, of variables that are not numbers
        raise InputError(f"{option}: cannot be joined ({one_line(error)})") from None
    counts = Counter(device.process_index for device in jax.devices())
    if len(set(counts.values())) > 1:
        numbers = ", ".join(str(counts[number]) for number in sorted(counts))
        raise InputError(f"{option}: the processes have {numbers} devices; give all the same number")


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Discards what the block prints."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):
        yield


def _leave(error: BaseException) -> NoReturn:
    """Reports an error and ends the program, without waiting long for other processes, which may not have failed."""
    lost = isinstance(error, Exception) and any(word in str(error) for word in LOST)

    def fail() -> NoReturn:
        if lost:
            raise InputError(f"lost another process ({one_line(error)}); start all again, with --resume")
        raise error

    import jax

    try:
        code = exit_code(fail)
    except Exception:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    if not lost:
        shutdown = threading.Thread(target=jax.distributed.shutdown, daemon=True)
        shutdown.start()
        shutdown.join(LEAVE_S)
    os._exit(code)  # a normal exit would wait for the others


def exchange(text: str) -> list[str]:
    """Waits for the texts of all processes and returns them in the order of the processes."""
    if shard().processes == 1:
        return [text]
    from jax.experimental.multihost_utils import process_allgather

    encoded = np.frombuffer(text.encode(), np.uint8)
    sizes = process_allgather(np.array(len(encoded), np.int32))
    padded = np.zeros(max(1, sizes.max()), np.uint8)
    padded[: len(encoded)] = encoded
    gathered = process_allgather(padded)
    return [bytes(data[:size]).decode() for data, size in zip(gathered, sizes, strict=True)]


def from_first(value: bool | int) -> Any:
    """Returns the value of process 0."""
    return json.loads(exchange(json.dumps(value))[0])


@contextlib.contextmanager
def agreed() -> Iterator[dict[str, Any]]:
    """Yields a dictionary to fill with JSON values that must be the same in all processes.

    The block must not call `exchange`.

    Raises:
        InputError: in all processes, if the block raises one in any of them, or if their values differ.
    """
    facts: dict[str, Any] = {}
    failed: InputError | None = None
    try:
        yield facts
    except InputError as error:
        if shard().processes == 1:
            raise
        failed = error
    results = [json.loads(text) for text in exchange(json.dumps([failed and str(failed), facts]))]
    if failed:
        raise failed
    for number, (message, _) in enumerate(results):
        if message:
            raise InputError(f"process {number}: {message}")
    for number, (_, theirs) in enumerate(results):
        if differs := differences(theirs, results[0][1]):
            raise InputError(f"process {number} differs from process 0: {differs}; start all with the same command")


def differences(these: dict[str, Any], those: dict[str, Any]) -> str:
    """Returns the values that differ, as text; "" if none does."""
    names = [name for name in those | these if these.get(name) != those.get(name)]
    return ", ".join(f"{name} {these.get(name)}, not {those.get(name)}" for name in names)


def readable(path: Path) -> Path | io.BytesIO:
    """Returns a source to read a file of process 0; other processes may have no access to the file itself."""
    if shard().processes == 1:
        return path
    from jax.experimental.multihost_utils import broadcast_one_to_all

    content = np.fromfile(path, np.uint8) if is_first() else None
    size = from_first(0 if content is None else len(content))
    content = np.zeros(size, np.uint8) if content is None else content
    chunks = (content[start : start + CHUNK_BYTES] for start in range(0, size, CHUNK_BYTES))
    return io.BytesIO(b"".join(broadcast_one_to_all(chunk).tobytes() for chunk in chunks))


def scope() -> contextlib.AbstractContextManager[Any]:
    """Returns a block in which Keras trains on all devices of all processes; it does nothing if there is only one."""
    if shard().all_devices == 1:
        return contextlib.nullcontext()
    import jax

    devices = sorted(jax.devices(), key=lambda device: (device.process_index, device.id))
    return keras.distribution.DataParallel(devices=devices, auto_shard_dataset=False).scope()


@contextlib.contextmanager
def local() -> Iterator[None]:
    """Suspends `scope` in the block, which computes on one device of this process."""
    before = keras.distribution.distribution()
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(before)


def spread(variables: Sequence[Any]) -> None:
    """Copies the values of variables from process 0 to all devices of the `scope`."""
    distribution = keras.distribution.distribution()
    if distribution is None:
        return
    from jax.experimental.multihost_utils import broadcast_one_to_all

    values = broadcast_one_to_all([keras.ops.convert_to_numpy(variable) for variable in variables])
    everywhere = keras.distribution.TensorLayout([], distribution.device_mesh)
    for variable, value in zip(variables, values, strict=True):
        variable.assign(keras.distribution.distribute_tensor(value, everywhere))


def predictor(model: keras.Model) -> Callable[[UInt8 | Float32], Float32]:
    """Returns a function that predicts images with all devices of the `scope`; every process gets all predictions."""
    distribution = keras.distribution.distribution()
    if distribution is None:
        return lambda images: model.predict(images, batch_size=PREDICTION_BATCH, verbose=0)
    import jax

    layout, mesh, own_shard = keras.distribution.TensorLayout, distribution.device_mesh, shard()
    everywhere, split = (layout(axes, mesh).backend_layout for axes in ([], [distribution.batch_dim_name]))

    def call(trainable: list[Any], others: list[Any], images: Any) -> Any:
        return model.stateless_call(trainable, others, images)[0]

    compiled = jax.jit(call, out_shardings=everywhere)

    def predict(images: UInt8 | Float32) -> Float32:
        weights = [[v.value for v in group] for group in (model.trainable_variables, model.non_trainable_variables)]
        size, predicted = PREDICTION_BATCH * own_shard.all_devices, []
        for start in range(0, len(images), size):
            batch = images[start : start + size]
            local_batch = jax.make_array_from_process_local_data(split, batch[own_shard.rows(len(batch))[0]])
            predicted.append(np.asarray(compiled(*weights, local_batch))[: len(batch)])
        return np.concatenate(predicted)

    return predict

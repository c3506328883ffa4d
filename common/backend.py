"""Starts Keras with the settings that its backend reads only once."""

import contextlib
import json
import os
from pathlib import Path

from common.environment import MATPLOTLIB_BACKEND, without_variable
from common.quiet import native_stderr_silenced
from facial_keypoints.errors import InputError, one_line
from facial_keypoints.telemetry import switch_off

DEBUGGING = ("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH")  # Keras cuts training and prediction short by them


def backend_name() -> str:
    """Returns the backend that Keras would start with here, without the seconds that importing it takes."""
    if name := os.environ.get("KERAS_BACKEND"):
        return name
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return str(json.loads(keras_json().read_bytes())["backend"])
    return "tensorflow"


def keras_json() -> Path:
    """Returns where Keras reads its settings."""
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "keras.json"


def start_backend() -> None:
    """Imports Keras and its backend without their notes; a stage's `main` calls it before anything imports Keras.

    No device is touched, so that `keras.distribution` can still be set up afterwards. Settings of the user stay, but
    for those of `keras.json` that would change what the project computes. A user who sets TF_CPP_MIN_LOG_LEVEL sees the
    notes, for instance why no GPU is found.

    Raises:
        InputError: the environment or `keras.json` names a backend that cannot be imported, or settings with which
            Keras cannot be.
    """
    for name in DEBUGGING:
        if os.environ.get(name):
            raise InputError(f"{name}={os.environ[name]}: Keras would stop early; leave it out, and choose --epochs")
    switch_off()
    # At 2, the default for errors only, a machine without a GPU reports a failed call to CUDA.
    notes_wanted = os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") in ("0", "1", "2")
    # TensorFlow leaves oneDNN off on processors without AVX-512. With it base trains 1.5 and v2 2.3 times as fast.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    # TensorFlow writes some notes before it reads that level.
    quiet = contextlib.nullcontext() if notes_wanted else native_stderr_silenced()
    try:
        with quiet, without_variable(MATPLOTLIB_BACKEND):
            import keras
    except (ImportError, ValueError, AttributeError) as error:
        raise (_not_started(error) or error) from None
    keras.config.set_image_data_format("channels_last")
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)


def check_device() -> None:
    """Raises InputError where the backend has nothing to compute on, as where JAX_PLATFORMS names what is not there."""
    import keras

    try:
        keras.ops.convert_to_numpy(keras.ops.zeros(()))
    except RuntimeError as error:
        raise InputError(f"{keras.backend.backend()} cannot start ({one_line(error)})") from None


def _not_started(error: Exception) -> InputError | None:
    """Returns what kept Keras from being imported, in one line; None where it was no setting of the user."""
    of_file = isinstance(error, AttributeError) or "configuration" in str(
        error
    )  # `keras.json` is not as Keras wants it
    name, file = os.environ.get("KERAS_BACKEND"), keras_json()
    if name and not of_file:
        return InputError(f"KERAS_BACKEND={name}: cannot be imported ({one_line(error)}); install it or leave it out")
    if not file.is_file():
        return None
    if of_file:
        return InputError(f"{file}: Keras cannot read its settings ({one_line(error)}); mend or delete it")
    return InputError(
        f"{file}: names the backend {backend_name()}, which cannot be imported ({one_line(error)}); install it, name "
        "another one there, or set KERAS_BACKEND=tensorflow"
    )

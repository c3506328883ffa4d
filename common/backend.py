"""Starts Keras with the settings that its backend reads only once, at import."""

import contextlib
import json
import os
from pathlib import Path

from common.process import MATPLOTLIB_BACKEND, native_stderr_silenced, without_variable
from facial_keypoints.errors import InputError, one_line
from facial_keypoints.telemetry import switch_off

DEBUG_VARIABLES = ("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH")  # these make Keras stop early


def backend_name() -> str:
    """Returns the backend that Keras would start with, without importing Keras, which takes seconds."""
    if name := os.environ.get("KERAS_BACKEND"):
        return name
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return str(json.loads(keras_json().read_bytes())["backend"])
    return "tensorflow"


def keras_json() -> Path:
    """Returns the file that Keras reads its settings from."""
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "keras.json"


def start_backend() -> None:
    """Imports Keras and its backend without their log messages; must be called before anything imports Keras.

    It initializes no device, so `keras.distribution` can still be set up afterwards. It keeps the user's settings,
    except those of `keras.json` that would change the results. To see the log messages, for instance why no GPU was
    found, set TF_CPP_MIN_LOG_LEVEL.

    Raises:
        InputError: Keras cannot be imported with the backend or settings of the environment or of `keras.json`.
    """
    for name in DEBUG_VARIABLES:
        if os.environ.get(name):
            raise InputError(f"{name}={os.environ[name]}: Keras would stop early; unset it and use --epochs")
    switch_off()
    # At level 2 (errors only), TensorFlow still reports a failed CUDA call on a machine without a GPU.
    show_messages = os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") in ("0", "1", "2")
    # TensorFlow disables oneDNN on processors without AVX-512. With it, base trains 1.5 and v2 2.3 times as fast.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    # TensorFlow writes some messages before it reads this level.
    silence = contextlib.nullcontext() if show_messages else native_stderr_silenced()
    try:
        with silence, without_variable(MATPLOTLIB_BACKEND):
            import keras
    except (ImportError, ValueError, AttributeError) as error:
        raise (_import_error(error) or error) from None
    keras.config.set_image_data_format("channels_last")
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)


def check_device() -> None:
    """Raises InputError if the backend has no device, for instance if JAX_PLATFORMS names one that does not exist."""
    import keras

    try:
        keras.ops.convert_to_numpy(keras.ops.zeros(()))
    except RuntimeError as error:
        raise InputError(f"{keras.backend.backend()} cannot start ({one_line(error)})") from None


def _import_error(error: Exception) -> InputError | None:
    """Returns why Keras could not be imported; None if no setting of the user is the cause."""
    file_is_bad = isinstance(error, AttributeError) or "configuration" in str(error)  # Keras cannot use `keras.json`
    name, file = os.environ.get("KERAS_BACKEND"), keras_json()
    if name and not file_is_bad:
        return InputError(
            f"KERAS_BACKEND={name}: cannot be imported ({one_line(error)}); install it or unset the variable"
        )
    if not file.is_file():
        return None
    if file_is_bad:
        return InputError(f"{file}: Keras cannot read its settings ({one_line(error)}); fix or delete the file")
    return InputError(
        f"{file}: names the backend {backend_name()}, which cannot be imported ({one_line(error)}); install it, "
        "name another one there, or set KERAS_BACKEND=tensorflow"
    )

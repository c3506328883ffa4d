"""Starts Keras with the settings that its backend reads only once."""

import contextlib
import json
import os
from pathlib import Path

from common.quiet import native_stderr_silenced
from facial_keypoints.errors import InputError
from facial_keypoints.telemetry import switch_off


def backend_name() -> str:
    """Returns the backend that Keras would start with here, without the seconds that importing it takes."""
    if name := os.environ.get("KERAS_BACKEND"):
        return name
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return str(json.loads((home / "keras.json").read_bytes())["backend"])
    return "tensorflow"


def start_backend() -> None:
    """Imports Keras and its backend without their notes; a stage's `main` calls it before anything imports Keras.

    No device is touched, so that `keras.distribution` can still be set up afterwards. Settings of the user stay; one
    who sets TF_CPP_MIN_LOG_LEVEL sees the notes, for instance why no GPU is found.

    Raises:
        InputError: KERAS_BACKEND names a backend that cannot be imported.
    """
    switch_off()
    # At 2, the default for errors only, a machine without a GPU reports a failed call to CUDA.
    notes_wanted = os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") in ("0", "1", "2")
    # TensorFlow leaves oneDNN off on processors without AVX-512. With it base trains 1.5 and v2 2.3 times as fast.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    try:
        # TensorFlow writes some notes before it reads that level.
        with contextlib.nullcontext() if notes_wanted else native_stderr_silenced():
            import keras  # noqa: F401
    except (ImportError, ValueError) as error:
        if backend := os.environ.get("KERAS_BACKEND"):
            raise InputError(
                f"KERAS_BACKEND={backend}: cannot be imported ({error}); install it or leave it out"
            ) from None
        raise

"""The only module that imports onnxruntime; everything else gets it here."""

from typing import Any

from facial_keypoints.telemetry import switch_off


def onnxruntime() -> Any:
    """Returns the module onnxruntime, imported with its telemetry off.

    A program that imported onnxruntime before has its telemetry on, unless it set ORT_DISABLE_TELEMETRY=1 itself:
    onnxruntime reads the variable on import, and its `disable_telemetry_events()` stops neither files nor look-ups.
    """
    switch_off("onnxruntime")
    import onnxruntime as module  # takes longer than all of this library

    return module

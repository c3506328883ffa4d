"""Facial keypoints: faces in pictures, their keypoints, and the error to expect of each.

from facial_keypoints import Predictor, read_picture

for face in Predictor().predict(read_picture("photo.jpg")):
    print(face.box, face.keypoints)
"""

import importlib
from typing import Any

from facial_keypoints.errors import InputError
from facial_keypoints.telemetry import switch_off

__all__ = ["Face", "InputError", "Predictor", "draw_faces", "read_picture", "write_picture"]

_FOUND_IN = {
    "Face": "face",
    "Predictor": "predictor",
    "draw_faces": "drawing",
    "read_picture": "pictures",
    "write_picture": "pictures",
}


def __getattr__(name: str) -> Any:
    """Imports what is asked for when it first is, and OpenCV with it; `__init__.pyi` gives the types."""
    if name in _FOUND_IN:
        switch_off("onnxruntime")  # now, for a program that imports onnxruntime before it makes a Predictor
        return getattr(importlib.import_module(f"facial_keypoints.{_FOUND_IN[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

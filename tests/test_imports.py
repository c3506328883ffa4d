"""Imports have no side effects on hooks, streams, settings or devices, and stages import Keras only in main."""

import os
import subprocess
import sys
from collections.abc import Sequence

from benchmarks import peers
from data_prep.arrays import PREPARE
from data_prep.pseudo_label import PSEUDO_LABEL
from detection.train import TRAIN_FINDER
from evaluation.stages import COMPARE, EVALUATE, INSPECT
from models.saved import TRAIN
from scale_out.sweep import SWEEP
from tests.common.devices import NO_DEVICE_YET
from tests.conftest import ROOT

PACKAGES = ("facial_keypoints", "common", "data_prep", "models", "training", "detection", "evaluation")
FOLDERS = (*PACKAGES, "benchmarks")
STAGES = (PREPARE, PSEUDO_LABEL, TRAIN, TRAIN_FINDER, EVALUATE, COMPARE, INSPECT, SWEEP, peers.STAGE)
STAGE_MODULES = [
    "pipeline",
    "training.export",
    "training.average",
    "detection.export",
    "scale_out.score",
    *(stage.module for stage in STAGES),
]
SLOW = ["keras", "tensorflow", "jax", "onnxruntime"]

IMPORT_ALL = """
import importlib, os, sys

def state():
    streams = [os.path.sameopenfile(now, was) for now, was in ((0, stdin), (1, stdout), (2, stderr))]
    return {{
        "excepthook": sys.excepthook,
        "streams": (sys.stdin, sys.stdout, sys.stderr, streams),
        "environ": dict(os.environ),
        "folder": os.getcwd(),
        "path": list(sys.path),
    }}

def open_files():
    return sorted(os.listdir("/dev/fd")) if os.path.isdir("/dev/fd") else None

stdin, stdout, stderr = os.dup(0), os.dup(1), os.dup(2)
before, files_before = state(), open_files()
for name in {modules}:
    importlib.import_module(name)
    now = state()
    assert not (changed := [what for what in before if before[what] != now[what]]), f"{{name}}: {{changed}}"
    assert open_files() == files_before, name
print(sorted(set({slow}) & set(sys.modules)))
"""


def all_modules() -> list[str]:
    paths = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    return [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths if path.stem != "__main__"]


def import_all(modules: Sequence[str], first: str = "", then: str = "") -> str:
    code = first + IMPORT_ALL.format(modules=list(modules), slow=SLOW) + then
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_stages_and_the_pipeline_import_neither_keras_nor_a_backend() -> None:
    assert import_all(STAGE_MODULES, first="import cv2\n") == "[]"  # OpenCV changes the environment itself


def test_importing_any_module_changes_no_global_state_and_starts_no_device() -> None:
    """Imports the libraries first, because they change the environment themselves."""
    libraries = "import keras, matplotlib.figure, sklearn.linear_model, onnxruntime, cv2\n"
    if "tensorflow" in os.environ.get("KERAS_BACKEND", "tensorflow"):
        libraries += "import tensorflow\n"
    import_all(all_modules(), first=libraries, then=NO_DEVICE_YET)

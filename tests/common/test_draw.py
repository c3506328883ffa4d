"""Figures need no display backend; in a grid of faces each dot lies on its keypoint."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from common.draw import CELL_INCHES, DPI, GAP_PX, KeypointLayer, face_grid
from tests.common.test_backend import run_python
from tests.conftest import ROOT, project_files

HEAD_PX = round(0.35 * DPI)  # the line with the legend
MAGENTA_BGR = (255, 0, 255)


def dots(path: Path) -> np.ndarray:
    """Returns the centers of the magenta dots below the legend, (n, 2) in px of the grid's pictures, by x."""
    image = np.asarray(cv2.imread(str(path)))[HEAD_PX:]
    near = (np.abs(image.astype(int) - MAGENTA_BGR).sum(axis=-1) < 60).astype(np.uint8)
    centers = cv2.connectedComponentsWithStats(near)[3][1:]
    scale = CELL_INCHES * DPI / (20 + GAP_PX)
    return np.sort((centers + 0.5) / scale - 0.5, axis=0)


def test_face_grid_draws_each_dot_on_its_keypoint(tmp_path: Path) -> None:
    images = np.full((2, 20, 20, 1), 128, np.uint8)
    keypoints = np.array([[[5, 12]], [[14, 12]]], np.float32)
    face_grid(tmp_path / "grid.png", images, [KeypointLayer(keypoints, "#ff00ff", "prediction")], columns=2)
    second_face = 20 + GAP_PX
    assert dots(tmp_path / "grid.png") == pytest.approx(np.array([[5, 12], [second_face + 14, 12]]), abs=0.3)


def test_hidden_unlabelled_and_outside_keypoints_are_not_drawn(tmp_path: Path) -> None:
    images = np.full((1, 20, 20, 1), 128, np.uint8)
    keypoints = np.array([[[5, 5], [10, 10], [30, 10], [np.nan, np.nan]]], np.float32)
    shown = np.array([[False, True, True, True]])
    face_grid(tmp_path / "grid.png", images, [KeypointLayer(keypoints, "#ff00ff", "label", shown)], columns=1)
    assert dots(tmp_path / "grid.png") == pytest.approx(np.array([[10, 10]]), abs=0.3)


@pytest.mark.parametrize("backend", ["module://matplotlib_inline.backend_inline", "module://nowhere", "nonsense"])
def test_figures_are_written_whatever_mplbackend_is_set(backend: str, tmp_path: Path) -> None:
    """The variable keeps its value for the commands that this process starts."""
    code = f"""
import os
from pathlib import Path
from common.draw import save, subplots
save(subplots()[0], Path({str(tmp_path / "figure.png")!r}))
assert os.environ["MPLBACKEND"] == {backend!r}
"""
    done = run_python(code, MPLBACKEND=backend)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "figure.png").is_file()


def test_only_common_draw_imports_matplotlib() -> None:
    own = [file for file in project_files() if "tests" not in file.relative_to(ROOT).parts]
    importing = [
        file for file in own if re.search(r"^\s*(import|from) matplotlib", file.read_text("utf-8"), re.MULTILINE)
    ]
    assert importing == [ROOT / "common" / "draw.py"]

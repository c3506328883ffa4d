"""The report says what is in the set; its figures are there."""

from pathlib import Path

import numpy as np
import pytest

from data_prep.faces import Faces
from data_prep.report import write_report
from facial_keypoints.keypoint_set import FACE15, KeypointSet

FIGURES = ("contact_sheet", "odd_faces", "mean_face", "keypoint_scatter", "visible_keypoints", "labelled_share")
FEW = (0, 1, 10, 14)
COUNT = 40


@pytest.fixture
def faces() -> Faces:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (COUNT, 24, 24, 1), np.uint8)
    images[39] = images[38]
    shape = rng.uniform(4, 20, (15, 2))
    keypoints = (shape + rng.normal(0, 0.3, (COUNT, 15, 2))).astype(np.float32)
    keypoints[20:, [k for k in range(15) if k not in FEW]] = np.nan
    keypoints[20:, 10, 1] += 5
    keypoints[39] = keypoints[38] + 0.5
    keypoints[3, 5] = (99, 3)
    return Faces(images, keypoints, np.arange(COUNT), np.arange(COUNT) // 2, FACE15)


def parts(*sizes: int) -> dict[str, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    edges = np.cumsum([0, *sizes])
    return {name: np.arange(a, b) for name, a, b in zip(("train", "val", "test"), edges, edges[1:], strict=False)}


def test_report_of_two_sources(tmp_path: Path, faces: Faces) -> None:
    sources = np.repeat([0, 1], 20)
    errors = {"mean": 3.18, "ridge": 1.87}
    write_report(tmp_path, faces, parts(32, 4, 4), sources, np.arange(COUNT) // 2, errors, "ridge", "grouped")
    text = (tmp_path / "report.md").read_text()
    assert "40 faces of 20 people, 24 x 24 px, grey" in text
    assert "Label noise: 0.35 px" in text  # 0.5 / √2
    assert "| train | 32 | 80.0 % | 16 | 16 |" in text
    assert "mark nose_tip (" in text
    assert "1 label in 1 face: row 3 " in text
    assert text.index("| **ridge** | 1.87 |") < text.index("| mean | 3.18 |")
    for name in FIGURES:
        assert (tmp_path / f"{name}.png").stat().st_size > 1000
        assert f"({name}.png)" in text


def test_report_of_a_few_colour_faces_with_one_source_and_other_keypoints(tmp_path: Path) -> None:
    names = tuple(f"point_{k}" for k in range(68))
    keypoint_set = KeypointSet("many", names, tuple(range(68)), (0, 1), ((0, 1, 2),))
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (3, 20, 30, 3), np.uint8)
    keypoints = rng.uniform(0, 19, (3, 68, 2)).astype(np.float32)
    few = Faces(images, keypoints, np.arange(3), None, keypoint_set)
    nothing = np.empty(0, np.int64)
    indexes = {"train": nothing, "val": nothing, "test": np.arange(3)}
    write_report(tmp_path, few, indexes, np.zeros(3, np.int64), np.arange(3), {}, "mean", "all-test")
    text = (tmp_path / "report.md").read_text()
    assert "3 faces, 30 x 20 px, colour, 68 keypoints" in text
    assert "None, pixel for pixel." in text
    assert all((tmp_path / f"{name}.png").is_file() for name in FIGURES)

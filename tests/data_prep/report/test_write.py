"""The report describes the set; its figures show the labels at their positions."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from common import draw
from data_prep.faces import Faces, labelled_mean
from data_prep.prepared import Prepared
from data_prep.readers.face_arrays import faces_of
from data_prep.report import figures
from data_prep.report.write import write_report
from facial_keypoints.array_types import Float64
from facial_keypoints.keypoint_set import FACE15, KeypointSet, LabelSource

FIGURES = ("contact_sheet", "outliers", "mean_face", "keypoint_scatter", "visible_keypoints", "labelled_share")
SPARSE = FACE15.label_sources[1].keypoints
COUNT = 40
SOURCES = np.repeat([0, 1], 20)
NOSE = FACE15.index("nose_tip")


@pytest.fixture
def faces() -> Faces:
    """20 faces of each of two sources, the second with the nose 5 px lower; two are one image; one label is outside."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (COUNT, 24, 24, 1), np.uint8)
    images[39] = images[38]
    shape = rng.uniform(4, 18, (15, 2))
    keypoints = (shape + rng.normal(0, 0.3, (COUNT, 15, 2))).astype(np.float32)
    keypoints[20:, [k for k in range(15) if k not in SPARSE]] = np.nan
    keypoints[20:, NOSE, 1] += 5
    keypoints[39] = keypoints[38] + 0.5
    keypoints[3, 5] = (99, 3)
    faces = faces_of("faces", images, keypoints, FACE15, (np.arange(COUNT) // 2).astype(np.str_))
    return replace(faces, label_sources=SOURCES)


def prepared(faces: Faces, sizes: tuple[int, int, int], **changes: Any) -> Prepared:
    edges = np.cumsum([0, *sizes])
    parts = {name: np.arange(a, b) for name, a, b in zip(("train", "val", "test"), edges, edges[1:], strict=False)}
    duplicates = np.arange(len(faces))
    duplicates[-1] -= bool((faces.images[-1] == faces.images[-2]).all())
    values: dict[str, Any] = {
        "keypoints": faces.keypoints,
        "duplicates": duplicates,
        "groups": np.arange(len(faces)) // 2,
        "indexes": parts,
        "fitted": np.ones(len(faces), bool),
        "imputer": "ridge",
        "hidden_errors": {"mean": 3.18, "ridge": 1.87},
        "split_method": "grouped",
    }
    return Prepared(faces=faces, **(values | changes))


def test_report_describes_two_label_sources(tmp_path: Path, faces: Faces) -> None:
    write_report(tmp_path, prepared(faces, (32, 4, 4)))
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "40 faces of 20 people, 24 x 24 px, gray" in text
    assert "Label noise: 0.35 px" in text  # 0.5 / √2
    assert "| train | 32 | 80.0 % | 16 | 16 |" in text
    assert "- `sparse` (20 faces, 50.0 %) labels 4.0 keypoints a face; never left_eye_inner_corner, " in text
    assert "**`complete` and `sparse` label nose_tip (" in text
    assert "1 label in 1 face: row 3 " in text
    assert "only the keypoints of `sparse` left visible" in text
    assert text.index("| **ridge** | 1.87 |") < text.index("| mean | 3.18 |")
    for name in FIGURES:
        assert (tmp_path / f"{name}.png").is_file()
        assert f"({name}.png)" in text


def test_report_describes_a_few_color_faces_with_custom_keypoints(tmp_path: Path) -> None:
    names = tuple(f"point_{k}" for k in range(68))
    everything = (LabelSource("everything", tuple(range(68))),)
    keypoint_set = KeypointSet("many", names, tuple(range(68)), (), (), ((0, 1, 2),), everything)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (3, 20, 30, 3), np.uint8)
    keypoints = rng.uniform(0, 19, (3, 68, 2)).astype(np.float32)
    keypoints[:, 7] = np.nan
    few = faces_of("few", images, keypoints, keypoint_set)
    write_report(tmp_path, prepared(few, (0, 0, 3), hidden_errors={}, split_method="all-test"))
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "3 faces, 30 x 20 px, color, 68 keypoints" in text
    assert "**No face has a label for point_7.**" in text
    assert "has a label for point_7: these are placed at the mean" in text
    assert "None, pixel for pixel." in text
    assert all((tmp_path / f"{name}.png").is_file() for name in FIGURES)


def points_in(panel: Any, color: str) -> Float64:
    """Returns where a panel shows dots of a color, (n, 2)."""
    dots = [line.get_xydata() for line in panel.lines if line.get_marker() == "o" and line.get_color() == color]
    return np.concatenate(dots)


def test_mean_face_figure_shows_the_mean_labels_of_each_source(faces: Faces) -> None:
    labelled = faces.labelled
    means = {s: labelled_mean(faces.keypoints[s == SOURCES], labelled[s == SOURCES]) for s in (0, 1)}
    figure = figures.mean_face(faces, SOURCES, means)
    assert [panel.get_title() for panel in figure.axes] == [
        "complete: 20 faces",
        "sparse: 20 faces",
        "all: where they differ",
    ]
    for source, mean in means.items():
        color = figures.FACE_COLORS[source]
        np.testing.assert_array_equal(points_in(figure.axes[source], color), mean)
        np.testing.assert_array_equal(points_in(figure.axes[2], color), mean)
        image = np.asarray(figure.axes[source].images[0].get_array())
        np.testing.assert_allclose(image, faces.images[source == SOURCES].mean(axis=0)[..., 0])
        left, right = figure.axes[source].get_xlim()
        assert (left, right) == (-0.5, 23.5)  # pixel centers lie at whole numbers
    distance = np.hypot(*(means[0][NOSE] - means[1][NOSE]))
    assert [text.get_text() for text in figure.axes[2].texts] == [f"{distance:.1f} px"]


def test_scatter_figure_shows_every_label(faces: Faces) -> None:
    panel = figures.keypoint_scatter(faces).axes[0]
    dots = panel.collections[::2]  # each keypoint has its dots and an entry of the legend
    assert len(dots) == 15
    for k, of_keypoint in enumerate(dots):
        shown: Float64 = np.ma.filled(np.ma.asarray(of_keypoint.get_offsets()), np.nan)
        np.testing.assert_array_equal(shown, faces.keypoints[:, k])


def test_bar_figures_count_faces_and_labels_of_each_source(faces: Faces) -> None:
    labelled = faces.labelled
    labelled[0, 2] = False
    first, second = figures.visible_keypoints(labelled, SOURCES, FACE15).axes[0].containers
    assert {i: bar.get_height() for i, bar in enumerate(first) if bar.get_height()} == {14: 1, 15: 19}
    assert {i: bar.get_height() for i, bar in enumerate(second) if bar.get_height()} == {4: 20}

    panel = figures.labelled_share(labelled, SOURCES, FACE15).axes[0]
    first, second = panel.containers
    assert [bar.get_width() for bar in first] == [95 if k == 2 else 100 for k in range(15)]
    assert [bar.get_width() for bar in second] == [100 if k in SPARSE else 0 for k in range(15)]
    assert [text.get_text() for text in panel.get_yticklabels()] == [name.replace("_", " ") for name in FACE15.names]


def test_contact_sheet_colors_the_labels_by_source(faces: Faces) -> None:
    first, second = figures.layers_by_source(faces.keypoints, SOURCES, FACE15)
    assert (first.label, second.label) == ("complete", "sparse")
    assert first.color != second.color
    assert first.shown is not None
    assert second.shown is not None
    np.testing.assert_array_equal(first.shown, faces.labelled & (SOURCES == 0)[:, None])
    np.testing.assert_array_equal(second.shown, faces.labelled & (SOURCES == 1)[:, None])
    np.testing.assert_array_equal(first.keypoints, faces.keypoints)


def test_outlier_figure_starts_with_the_most_unusual_face_and_its_labels(tmp_path: Path) -> None:
    """The outlier's image is gray, the others are black: it is at the upper left, with its label in the right place."""
    images = np.zeros((3, 20, 20, 1), np.uint8)
    images[1] = 128
    keypoints = np.array([[[3, 3]], [[5, 12]], [[9, 9]]], np.float32)
    one = KeypointSet("one", ("tip",), (0,), (), (), (), (LabelSource("all", (0,)),))
    faces = faces_of("three", images, keypoints, one)
    order = figures.save_outliers(tmp_path / "outliers.png", faces, np.array([1.0, 7.0, 3.0]))
    assert order.tolist() == [1, 2, 0]
    grid = cv2.cvtColor(np.asarray(cv2.imread(str(tmp_path / "outliers.png"))), cv2.COLOR_BGR2RGB).astype(int)
    cell_px = draw.CELL_INCHES * draw.DPI / (20 + draw.GAP_PX)  # px of the grid for one of the image
    top = grid.shape[0] - round((20 + draw.GAP_PX + round(0.16 * 20)) * cell_px)
    expected = np.array([int(draw.TRUTH[i : i + 2], 16) for i in (1, 3, 5)])
    y, x = np.nonzero(np.abs(grid[top:, : round(20 * cell_px)] - expected).sum(axis=-1) < 60)
    assert np.mean(x + 0.5) / cell_px - 0.5 == pytest.approx(5, abs=0.3)
    assert np.mean(y + 0.5) / cell_px - 0.5 == pytest.approx(12, abs=0.4)
    assert grid[top + 5, 5].tolist() == pytest.approx([128] * 3, abs=8)

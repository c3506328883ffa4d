"""Plots show the right data: the data of the axes, and the dots on faces."""

from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

from common.draw import CELL_INCHES, DPI, GAP_PX, PREDICTION, TRUTH
from data_prep.faces import Split
from evaluation.bootstrap import resampling_weights
from evaluation.plots.curves import Curve, cumulative_error, draw_comparison, draw_cumulative_error
from evaluation.plots.faces import draw_faces, worst
from evaluation.plots.keypoints import PointTables, draw_error_by_source, draw_keypoints
from evaluation.plots.pictures import draw_on_pictures, worst_median_best
from evaluation.plots.reliability import draw_reliability
from evaluation.tables import keypoint_table, region_table
from facial_keypoints.array_types import Float32, Float64
from facial_keypoints.keypoint_set import KeypointSet, LabelSource, Normalizer

EYES = Normalizer("eyes", (0,), (1,))
PAIR = KeypointSet(
    "pair",
    ("left", "right"),
    (1, 0),
    (EYES,),
    (("both", (0, 1)),),
    ((0, 1),),
    (LabelSource("both", (0, 1)), LabelSource("left_only", (0,))),
)
SIDE_PX = 24


def part(count: int) -> Split:
    """Returns faces with the left keypoint at (16, 8) and the right one at (6, 8); odd ones lack the right label."""
    keypoints = np.tile(np.array([[16, 8], [6, 8]], np.float32), (count, 1, 1))
    sources, rows = np.arange(count) % 2, np.arange(count)
    labelled = np.stack([np.ones(count, bool), sources == 0], axis=1)
    images = np.full((count, SIDE_PX, SIDE_PX, 1), 128, np.uint8)
    return Split(images, keypoints, labelled, rows, rows, sources)


def touching(figure: Figure) -> list[tuple[str, str]]:
    """Returns the pairs of texts of a figure that are less than 5 px apart; ignores tick labels."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    both = [axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)]
    ticks = {text for axis in both for text in axis.findobj(Text) if text is not axis.label}
    texts = [text for text in figure.findobj(Text) if text.get_text() and text not in ticks]
    boxes = [text.get_window_extent(canvas.get_renderer()).padded(2.5) for text in texts]
    pairs = combinations(range(len(texts)), 2)
    return [(texts[a].get_text(), texts[b].get_text()) for a, b in pairs if boxes[a].overlaps(boxes[b])]


def panels(figure: Figure) -> list[Any]:
    return list(figure.axes)


def test_cumulative_error_is_the_share_of_faces_within_each_error() -> None:
    nme = np.array([1.0, np.nan, 10, 2])
    assert cumulative_error(nme, np.array([0.5, 1, 5, 20])).tolist() == pytest.approx([0, 100 / 3, 200 / 3, 100])


def test_cumulative_error_curves_are_drawn_for_models_with_known_errors() -> None:
    curves = [Curve("model", np.array([1.0, 4, 9, 99]), "#0072b2"), Curve("unknown", np.full(4, np.nan), "#d55e00")]
    axes, other = panels(draw_cumulative_error({"eyes": curves, "pupils": curves[:1]}))
    assert "distance of the pupils" in other.get_xlabel()
    drawn = {line.get_label(): line for line in axes.lines}
    assert "unknown" not in drawn
    limits, shares = drawn["model"].get_data()
    assert [shares[np.searchsorted(limits, limit)] for limit in (0, 2, 5, 16)] == [0, 25, 50, 75]
    assert drawn["model"].get_color() == "#0072b2"


def test_texts_of_cumulative_error_plots_do_not_overlap() -> None:
    """Also in the narrow panel of a comparison."""
    curves = [Curve(f"a_model_of_long_name_{n}", np.array([1.0, 4, 9, 99]), "#0072b2") for n in range(5)]
    assert touching(draw_cumulative_error({"eyes": curves, "outer eye corners": curves})) == []
    table = pd.DataFrame([{"name": curve.name, "labels": "labelled", "mae_px": 3.0} for curve in curves])
    table = table.assign(mae_px_low=2.0, mae_px_high=4.0)
    assert touching(draw_comparison(table, {curve.name: curve for curve in curves}, "eyes")) == []


def test_comparison_plot_lists_models_with_intervals_best_first() -> None:
    table = pd.DataFrame(
        {"name": ["v1", "base", "v1"], "labels": ["labelled", "labelled", "all"], "mae_px": [1.0, 2.0, 3.0]}
    ).assign(mae_px_low=[0.8, 1.7, 2.9], mae_px_high=[1.2, 2.4, 3.1])
    curves = {name: Curve(name, np.array([1.0]), color) for name, color in (("v1", "#0072b2"), ("base", "#d55e00"))}
    forest, curve_axes = panels(draw_comparison(table, curves, "eyes"))
    assert [text.get_text() for text in forest.get_yticklabels()] == ["v1", "base"]
    assert [line.get_xydata().tolist() for line in forest.lines] == [[[1.0, 0]], [[2.0, 1]]]
    assert [line.get_color() for line in forest.lines] == ["#0072b2", "#d55e00"]
    assert [bar.get_segments()[0].tolist() for bar in forest.collections] == [
        [[0.8, 0], [1.2, 0]],
        [[1.7, 1], [2.4, 1]],
    ]
    assert [text.get_text() for text in forest.texts] == ["1.00 [0.80, 1.20]", "2.00 [1.70, 2.40]"]
    assert forest.get_ylim()[0] > forest.get_ylim()[1]  # position 0 is on top
    assert {line.get_label() for line in curve_axes.lines} >= {"v1", "base"}


def shifted(test: Split) -> Float32:
    """Returns predictions with left keypoints 3 px too far right and 4 px too low, right ones 2 px too high."""
    return test.keypoints + np.array([[3, 4], [0, -2]], np.float32)


def point_tables(predicted: Float32, test: Split) -> PointTables:
    weights = resampling_weights(test.groups, resamples=50)
    return PointTables(*(make(predicted, test, PAIR, weights) for make in (keypoint_table, region_table)))


def test_keypoint_circles_lie_on_the_mean_label_with_the_error_as_radius() -> None:
    test = part(8)
    reference = point_tables(test.keypoints + np.array([0, 7], np.float32), test)
    face, listing, groups = panels(draw_keypoints(point_tables(shifted(test), test), reference, test, "model"))[:3]
    assert [(circle.center, circle.radius) for circle in face.patches] == [((16, 8), 5), ((6, 8), 2)]
    mean_face, _, errors = listing.collections
    assert mean_face.get_offsets().tolist() == [[7, 0], [7, 1]]
    assert errors.get_offsets().tolist() == [[5, 0], [2, 1]]
    assert [text.get_text() for text in listing.get_yticklabels()] == ["left", "right"]
    assert groups.collections[-1].get_offsets().tolist() == [[4, 0]]  # eight errors of 5 px, four of 2 px
    assert [text.get_text() for text in groups.get_yticklabels()] == ["both"]


def test_error_numbers_do_not_cover_other_keypoints() -> None:
    """Where one keypoint lies above another, the number of the lower one is written below it."""
    test = part(8)
    above = np.tile(np.array([[6, 6.5], [6, 8]], np.float32), (8, 1, 1))
    test = replace(test, keypoints=above, labelled=np.ones((8, 2), bool))
    figure = draw_keypoints(point_tables(above + np.float32(0.5), test), None, test, "model")
    upper, lower = panels(figure)[0].texts
    assert upper.get_position()[1] < 6.5
    assert lower.get_position()[1] > 8
    assert touching(figure) == []


def test_many_keypoints_are_summarized_by_region() -> None:
    names = tuple(f"point_{k}" for k in range(40))
    many = KeypointSet(
        "many",
        names,
        tuple(range(40)),
        (EYES,),
        (("first", (0,)), ("rest", tuple(range(1, 40)))),
        (),
        PAIR.label_sources,
    )
    keypoints = np.random.default_rng(0).uniform(0, SIDE_PX, (6, 40, 2)).astype(np.float32)
    rows = np.arange(6)
    images = np.zeros((6, SIDE_PX, SIDE_PX, 1), np.uint8)
    test = Split(images, keypoints, np.ones((6, 40), bool), rows, rows, np.zeros(6, np.int64))
    predicted = keypoints + np.where(np.arange(40) == 0, 1, 3).astype(np.float32)[:, None]
    weights = resampling_weights(rows, resamples=50)
    x_below = panels(draw_error_by_source(predicted, test, many, weights, name="model"))[2]
    assert [text.get_text() for text in x_below.get_yticklabels()] == ["first", "rest"]
    assert x_below.collections[-1].get_offsets()[:, 0].tolist() == pytest.approx([1, 3], abs=1e-5)
    tables = PointTables(*(make(predicted, test, many, weights) for make in (keypoint_table, region_table)))
    face, listing, _ = panels(draw_keypoints(tables, None, test, "model"))[:3]
    assert len(face.patches) == len(listing.get_yticklabels()) == 40
    assert not face.texts  # they would cover each other


def test_bias_is_drawn_separately_for_each_label_source() -> None:
    test = part(8)
    predicted = test.keypoints + np.where(test.label_sources == 0, 2, -1)[:, None, None].astype(np.float32)
    weights = resampling_weights(test.groups, resamples=50)
    figure = draw_error_by_source(predicted, test, PAIR, weights, name="model")
    x_above, _, x_below, _ = panels(figure)
    first, second = (each.get_offsets() for each in x_above.collections)
    assert np.unique(first, axis=0).tolist() == [[6, 2], [16, 2]]  # true x, error
    assert np.unique(second, axis=0).tolist() == [[16, -1]]
    dots = [np.ma.filled(each.get_offsets(), np.nan)[:, 0].tolist() for each in x_below.collections[1::2]]
    assert dots == [[2, 2], [-1, pytest.approx(np.nan, nan_ok=True)]]  # the second source never labels the right one
    legend = [text.get_text() for text in x_above.get_legend().get_texts()]
    assert legend == ["source `both` (line: running mean)", "source `left_only` (line: running mean)"]


def test_running_mean_follows_the_error() -> None:
    test = part(96)
    test.keypoints[:, 0, 0] = np.arange(96)
    predicted = test.keypoints.copy()
    predicted[:, 0, 0] += np.arange(96) / 96  # the error grows to the right
    figure = draw_error_by_source(predicted, test, PAIR, resampling_weights(test.groups, resamples=50), name="model")
    line = next(line for line in panels(figure)[0].lines if "both" in str(line.get_label()))
    x, y = np.array(line.get_xdata(), float), np.array(line.get_ydata(), float)
    assert len(x) == 24  # of 48 + 48 labels of the first source
    beyond = x > 8  # further left are the 48 labels of the other keypoint, all at one position and without error
    np.testing.assert_allclose(y[beyond], x[beyond] / 96, atol=1e-3)


def test_reliability_plot_shows_measured_against_expected_error() -> None:
    columns = {"expected_error_px": [1.0, 2.0], "error_px": [1.1, 1.9], "error_px_low": [1.0, 1.5]}
    table = pd.DataFrame({**columns, "error_px_high": [1.2, 2.5], "points": [10, 10]})
    axes = panels(draw_reliability(table, "model"))[0]
    assert axes.collections[-1].get_offsets().tolist() == [[1.0, 1.1], [2.0, 1.9]]
    diagonal = axes.lines[0].get_xydata()
    assert (diagonal[:, 0] == diagonal[:, 1]).all()


def test_worst_faces_come_first_and_unlabelled_faces_last() -> None:
    test = part(4)
    test.labelled[2] = False
    predicted = test.keypoints.copy()
    predicted[:, 0, 0] += np.array([1, 9, 50, 3], np.float32)  # errors 0.5, 9, unknown, 3
    assert worst(predicted, test).tolist() == [1, 3, 0, 2]


def color_near(path: Path, xy: Float64) -> tuple[float, float, float]:
    """Returns the RGB at a point of the first row of faces, in px of the grid."""
    image = np.asarray(cv2.imread(str(path)))[..., ::-1] / 255
    head_px, scale = round(0.35 * DPI), CELL_INCHES * DPI / (SIDE_PX + GAP_PX)
    x, y = np.rint((xy + 0.5) * scale - 0.5).astype(int)
    red, green, blue = image[head_px + y, x]
    return red, green, blue


def test_face_grid_shows_labels_and_predictions(tmp_path: Path) -> None:
    test = part(4)
    predicted = shifted(test)
    draw_faces(tmp_path / "faces.png", predicted, test, np.array([2, 1]), "model")
    second = np.array([SIDE_PX + GAP_PX, 0])
    for face, corner in ((2, np.zeros(2)), (1, second)):
        assert color_near(tmp_path / "faces.png", predicted[face, 0] + corner) == pytest.approx(
            to_rgb(PREDICTION), abs=0.2
        )
        assert color_near(tmp_path / "faces.png", test.keypoints[face, 0] + corner) == pytest.approx(
            to_rgb(TRUTH), abs=0.2
        )
    # the right keypoint of face 1 is imputed: no dot of a label there
    assert color_near(tmp_path / "faces.png", test.keypoints[1, 1] + second) == pytest.approx((0.5, 0.5, 0.5), abs=0.05)


def test_worst_median_and_best_faces_exclude_faces_of_unknown_error() -> None:
    nme = np.array([np.nan, *range(1, 16)])
    assert [row.tolist() for row in worst_median_best(nme)] == [[15, 14, 13, 12], [10, 9, 8, 7], [4, 3, 2, 1]]
    assert [row.tolist() for row in worst_median_best(nme[:5])] == [[4], [3], [1]]
    assert [row.tolist() for row in worst_median_best(np.full(3, np.nan))] == [[], [], []]


def test_pictures_show_labels_and_predictions_around_the_face() -> None:
    test = part(4)
    pictures = [np.zeros((200, 300, 3), np.uint8)] * 3
    faces = [np.array([0]), np.array([2]), np.array([1])]
    figure = draw_on_pictures(pictures, faces, shifted(test), test, PAIR, title="model")
    first, _, third = panels(figure)
    truth, prediction = (dots.get_offsets().tolist() for dots in first.collections)
    assert (truth, prediction) == ([[16, 8], [6, 8]], [[19, 12], [6, 6]])
    assert third.collections[0].get_offsets().tolist() == [[16, 8]]  # the right keypoint of face 1 has no label
    assert first.lines[0].get_xydata().tolist() == [[16, 8], [6, 8]]  # the skeleton
    # the box of all points is 13 px wide around (12.5, 9); 0.6 of it on each side, within the picture
    assert first.get_xlim() == pytest.approx((-0.5, 12.5 + 1.1 * 13))
    assert first.get_ylim() == pytest.approx((9 + 1.1 * 13, -0.5))

    left, right, *_ = panels(draw_on_pictures(pictures, faces, shifted(test), test, PAIR, title="", side_by_side=True))
    assert [dots.get_offsets().tolist() for dots in left.collections] == [truth]
    assert [dots.get_offsets().tolist() for dots in right.collections] == [prediction]

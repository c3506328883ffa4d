"""The report of an evaluation: tables, plots and a summary."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from common.draw import PREDICTION, save
from data_prep.faces import Split, evenly_spread
from data_prep.split import few_faces
from evaluation.baselines import mean_face
from evaluation.bootstrap import MIN_GROUPS, RESAMPLES, resampling_weights
from evaluation.comparison import MEAN_FACE
from evaluation.inputs import EvaluationData, people_in_both
from evaluation.metrics import NME_LIMIT_PCT, PCK, PCK_THRESHOLDS, THRESHOLDS_PX, divisor_text, face_nme
from evaluation.original_pictures import labels_in_pictures, read_originals, transform_keypoints
from evaluation.plots.curves import Curve, draw_cumulative_error
from evaluation.plots.faces import GRID_FACES, draw_faces, worst
from evaluation.plots.keypoints import PointTables, draw_error_by_source, draw_keypoints
from evaluation.plots.pictures import draw_on_pictures, worst_median_best
from evaluation.plots.reliability import draw_reliability
from evaluation.plots.style import REFERENCE
from evaluation.predictions import write_predictions
from evaluation.reliability import reliability_table
from evaluation.tables import OCCLUDED, TABLES, VISIBLE, accuracy_table, subset_tables, with_interval
from facial_keypoints import geometry
from facial_keypoints.array_types import Float32, Float64
from facial_keypoints.codec import Keypoints
from facial_keypoints.errors import InputError


def write_report(folder: Path, name: str, keypoints: Keypoints, data: EvaluationData) -> tuple[dict[str, Any], str]:
    """Writes predictions, tables and plots to a folder; returns the metrics for the manifest and a summary.

    Args:
        keypoints: predicted for `data.test`.
    """
    test, keypoint_set = data.test, data.keypoint_set
    predicted, expected_error = keypoints
    weights = resampling_weights(test.groups)
    # `--split all-test` leaves no faces for a mean face
    reference = mean_face(data.train, test) if len(data.train) else None
    scored = {name: predicted} | ({} if reference is None else {MEAN_FACE: reference})
    tables = {each: make(predicted, test, keypoint_set, weights) for each, make in TABLES.items()}
    tables |= subset_tables(scored, data)
    write_predictions(folder / "predictions.csv", keypoints, test.rows, keypoint_set)
    for table_name, table in tables.items():
        table.to_csv(folder / f"{table_name}.csv", index=False)

    draw_plots(folder, name, scored, data, tables, weights)

    accuracy, groups = tables["accuracy"], weights.shape[1]
    metrics = accuracy.set_index("labels").replace({np.nan: None}).to_dict("index")
    nme_faces = int(tables["nme"]["faces"].iloc[0])
    metrics |= {"faces": len(test), "groups": groups, "nme_faces_labelled": nme_faces, "resamples": RESAMPLES}
    text = summary(name, accuracy.iloc[0], tables["nme"], len(test), groups)
    text += few_test_faces(test) + "".join(f"\n  {line}" for line in people_in_both(data))
    text += visibility_summary(accuracy) + subset_summary(tables["by_origin"]) + subset_summary(tables["by_condition"])
    if expected_error is not None and test.labelled.any():
        reliability = reliability_table(predicted, expected_error, test, weights)
        reliability.to_csv(folder / "reliability.csv", index=False)
        save(draw_reliability(reliability, name), folder / "reliability.png")
        lowest, highest = reliability["ratio"].min(), reliability["ratio"].max()
        metrics["expected_error"] = {"bins": len(reliability), "ratio_lowest": lowest, "ratio_highest": highest}
        text += f"\n  expected error: in {len(reliability)} bins, measured / expected {lowest:.2f} to {highest:.2f}"
    return metrics, text + write_on_pictures(folder, name, keypoints, data, weights)


def draw_plots(
    folder: Path,
    name: str,
    scored: Mapping[str, Float32],
    data: EvaluationData,
    tables: Mapping[str, pd.DataFrame],
    weights: Float64,
) -> None:
    """Draws all plots except those of the expected error and of the original pictures.

    Args:
        scored: the keypoints (N, K, 2) of the model by its name, and of MEAN_FACE if there is one.
        tables: `per_keypoint` and `per_region` of the model.
        weights: float64 (B, G) of `resampling_weights(test.groups)`.
    """
    test, keypoint_set = data.test, data.keypoint_set
    predicted, reference = scored[name], scored.get(MEAN_FACE)
    curves = {}
    for normalizer in keypoint_set.normalizers:
        nme = {each: face_nme(points, test.keypoints, test.labelled, normalizer) for each, points in scored.items()}
        colors = zip(nme.items(), (PREDICTION, REFERENCE), strict=False)
        curves[normalizer.name] = [Curve(each.replace("_", " "), values, color) for (each, values), color in colors]
    save(draw_cumulative_error(curves), folder / "cumulative_error.png")
    model_tables, reference_tables = PointTables(tables["per_keypoint"], tables["per_region"]), None
    if reference is not None:
        one_resample = weights[:1]  # its intervals are not drawn
        reference_tables = PointTables(
            *(TABLES[each](reference, test, keypoint_set, one_resample) for each in ("per_keypoint", "per_region"))
        )
    save(draw_keypoints(model_tables, reference_tables, test, name), folder / "per_keypoint.png")
    some, hardest, suffix = evenly_spread(len(test), GRID_FACES), worst(predicted, test), f"of {len(test):,} test faces"
    draw_faces(folder / "grid.png", predicted, test, some, f"{name}: {len(some)} {suffix}")
    draw_faces(folder / "worst.png", predicted, test, hardest, f"{name}: the {len(hardest)} worst {suffix}")
    save(draw_error_by_source(predicted, test, keypoint_set, weights, name=name), folder / "error_by_source.png")


def write_on_pictures(folder: Path, name: str, keypoints: Keypoints, data: EvaluationData, weights: Float64) -> str:
    """Writes tables and plots in px of the original pictures, if the faces were cropped from pictures.

    Returns:
        Lines for the summary, with the reason if no faces are drawn.
    """
    if data.test.crops is None:
        return ""
    test = labels_in_pictures(data.test, data.test.crops)
    in_pictures = transform_keypoints(keypoints, geometry.inverse(data.test.crops))
    accuracy = accuracy_table(in_pictures.coordinates, test, data.keypoint_set, weights)
    write_predictions(folder / "predictions_pictures.csv", in_pictures, test.rows, data.keypoint_set)
    accuracy.to_csv(folder / "accuracy_pictures.csv", index=False)
    labelled = accuracy.iloc[0]
    text = f"\n  on the original pictures: MAE {with_interval(labelled, 'mae_px')} px, within {_within(labelled)}"

    nme = face_nme(in_pictures.coordinates, test.keypoints, test.labelled, data.keypoint_set.normalizers[0])
    faces = worst_median_best(nme)
    if data.origins is None:
        return text
    if not len(faces[0]):
        return f"{text}\n  no faces drawn on their pictures: too few have an NME"
    try:
        pictures = read_originals(test, data.origins, np.concatenate(faces), data.exif)
    except InputError as error:
        return f"{text}\n  no faces drawn on their pictures: {error}"
    for file, side_by_side in (("pictures.png", False), ("pictures_side_by_side.png", True)):
        figure = draw_on_pictures(
            pictures,
            faces,
            in_pictures.coordinates,
            test,
            data.keypoint_set,
            title=f"{name}: test faces on the original pictures",
            side_by_side=side_by_side,
        )
        save(figure, folder / file)
    return text


def summary(name: str, labelled: Any, nme: pd.DataFrame, faces: int, groups: int) -> str:
    """Returns the metrics of the `labelled` rows of `accuracy.csv` and `nme.csv` as lines of text."""
    auc, failed = with_interval(labelled, "auc", 3), with_interval(labelled, "failure_rate_pct", 1)
    return "\n".join(
        [
            f"{name}: {labelled['coordinates']:,} real coordinates of {faces:,} test faces in {groups:,} groups "
            "[95 % interval]",
            f"  MAE     {with_interval(labelled, 'mae_px', 3)} px",
            f"  RMSE    {with_interval(labelled, 'rmse_px', 3)} px",
            f"  within  {_within(labelled)} of coordinates",
            *(
                f"  NME     {with_interval(row, 'nme_pct')} % of {divisor_text(row['normalizer'])} "
                f"({row['faces']:,} faces{_left_out(row['faces_left_out'])})"
                for _, row in nme[nme["labels"] == "labelled"].iterrows()
            ),
            f"  PCK     {' / '.join(map(str, PCK_THRESHOLDS))}: "
            f"{' / '.join(f'{labelled[name]:.2f}' for name in PCK)} % of points",
            f"  AUC     {auc}, failed {failed} % (the first NME over {NME_LIMIT_PCT:g} %)",
        ]
    )


def few_test_faces(test: Split) -> str:
    """Returns a warning if there are too few test faces for reliable figures, else an empty text."""
    if not (warning := few_faces("test", test.groups)):
        return ""
    has_intervals = len(np.unique(test.groups)) >= MIN_GROUPS
    intervals = "the intervals are too narrow" if has_intervals else f"an interval needs {MIN_GROUPS} groups"
    return f"\n  {warning}: too few for reliable figures, and {intervals}"


def _left_out(faces: int) -> str:
    return f"; {faces:,} left out, without that distance" if faces else ""


def _within(row: Any) -> str:
    shares = " / ".join(f"{row[f'within_{t}px_pct']:.2f}" for t in THRESHOLDS_PX)
    return f"{' / '.join(map(str, THRESHOLDS_PX))} px: {shares} %"


def visibility_summary(accuracy: pd.DataFrame) -> str:
    """Returns one line each for visible and occluded keypoints, if `accuracy.csv` has such rows."""
    rows = accuracy[accuracy["labels"].isin([VISIBLE, OCCLUDED])]
    return "".join(
        f"\n  {row['labels']} keypoints ({row['coordinates']:,} coordinates): NME {with_interval(row, 'nme_pct')} %"
        for _, row in rows.iterrows()
    )


def subset_summary(table: pd.DataFrame) -> str:
    """Returns a line for each label source, origin or condition in a table of `subset_tables`, if there are several."""
    text = ""
    labelled = table[table["labels"] == "labelled"]
    for by, rows in labelled.groupby("by", sort=False):
        if rows["which"].nunique() > 1:
            for which, entries in rows.groupby("which", sort=False):
                model, *others = (with_interval(row, "nme_pct") for _, row in entries.iterrows())
                mean_face_text = "".join(f", mean face {other}" for other in others)
                text += f"\n  {by} {which} ({entries['faces'].iloc[0]:,} faces): NME {model} %{mean_face_text}"
    return text

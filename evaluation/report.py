"""All that an evaluation says of predictions: tables, plots and a summary."""

from pathlib import Path
from typing import Any

import numpy as np

from common.draw import PREDICTION, save
from evaluation.baselines import mean_face
from evaluation.bootstrap import RESAMPLES, resampling_weights
from evaluation.inputs import EvaluationData
from evaluation.metrics import NME_LIMIT_PCT, THRESHOLDS_PX, face_nme
from evaluation.plot_curves import Curve, draw_cumulative_error
from evaluation.plot_faces import draw_faces, evenly_spread, worst
from evaluation.plot_keypoints import draw_error_by_source, draw_keypoints
from evaluation.plot_reliability import draw_reliability
from evaluation.plot_style import REFERENCE
from evaluation.predictions import write_predictions
from evaluation.reliability import reliability_table
from evaluation.tables import accuracy_table, keypoint_table, with_interval
from facial_keypoints.codec import Keypoints


def write_report(folder: Path, name: str, keypoints: Keypoints, data: EvaluationData) -> tuple[dict[str, Any], str]:
    """Writes predictions, tables and plots to a folder; returns the metrics for the manifest and a summary.

    Args:
        keypoints: predicted for `data.test`.
    """
    test, keypoint_set = data.test, data.keypoint_set
    predicted, expected_error = keypoints
    weights = resampling_weights(test.groups)
    accuracy = accuracy_table(predicted, test, keypoint_set, weights)
    per_keypoint = keypoint_table(predicted, test, keypoint_set, weights)
    write_predictions(folder / "predictions.csv", keypoints, test.rows, keypoint_set)
    accuracy.to_csv(folder / "accuracy.csv", index=False)
    per_keypoint.to_csv(folder / "per_keypoint.csv", index=False)

    nme = face_nme(predicted, test.keypoints, test.labelled, keypoint_set.normalisers[0])
    curves, reference = [Curve(name, nme, PREDICTION)], None
    if len(data.train):  # `--split all-test` leaves no faces for a mean face
        face = mean_face(data.train, test)
        reference = keypoint_table(face, test, keypoint_set, weights[:1])  # its intervals are not drawn
        reference_nme = face_nme(face, test.keypoints, test.labelled, keypoint_set.normalisers[0])
        curves.append(Curve("mean face", reference_nme, REFERENCE))
    some, hardest, of_all = evenly_spread(test), worst(predicted, test), f"of {len(test):,} test faces"
    draw_faces(folder / "grid.png", predicted, test, some, f"{name}: {len(some)} {of_all}")
    draw_faces(folder / "worst.png", predicted, test, hardest, f"{name}: the {len(hardest)} worst {of_all}")
    save(draw_cumulative_error(curves), folder / "cumulative_error.png")
    save(draw_keypoints(per_keypoint, reference, test, name), folder / "per_keypoint.png")
    save(draw_error_by_source(predicted, test, keypoint_set, weights, name=name), folder / "error_by_source.png")

    nme_faces, groups = int(np.isfinite(nme).sum()), weights.shape[1]
    metrics = accuracy.set_index("labels").replace({np.nan: None}).to_dict("index")
    metrics |= {"faces": len(test), "groups": groups, "nme_faces_labelled": nme_faces, "resamples": RESAMPLES}
    text = summary(name, accuracy.iloc[0], len(test), groups, nme_faces)
    if expected_error is not None and test.labelled.any():
        reliability = reliability_table(predicted, expected_error, test, weights)
        reliability.to_csv(folder / "reliability.csv", index=False)
        save(draw_reliability(reliability, name), folder / "reliability.png")
        lowest, highest = reliability["ratio"].min(), reliability["ratio"].max()
        metrics["expected_error"] = {"bins": len(reliability), "ratio_lowest": lowest, "ratio_highest": highest}
        text += f"\n  expected error: in {len(reliability)} bins, measured / expected {lowest:.2f} to {highest:.2f}"
    return metrics, text


def summary(name: str, labelled: Any, faces: int, groups: int, nme_faces: int) -> str:
    """Returns the metrics of the `labelled` row of `accuracy.csv` as a few lines of text."""
    within = " / ".join(f"{labelled[f'within_{t}px_pct']:.2f}" for t in THRESHOLDS_PX)
    nme, auc = with_interval(labelled, "nme_pct"), with_interval(labelled, "auc", 3)
    failed = with_interval(labelled, "failure_rate_pct", 1)
    return "\n".join(
        [
            f"{name}: {labelled['coordinates']:,} real coordinates of {faces:,} test faces in {groups:,} groups "
            "[95 % interval]",
            f"  MAE     {with_interval(labelled, 'mae_px', 3)} px",
            f"  RMSE    {with_interval(labelled, 'rmse_px', 3)} px",
            f"  within  {within} % of coordinates nearer than {' / '.join(map(str, THRESHOLDS_PX))} px",
            f"  NME     {nme} % of the eye distance, on the {nme_faces:,} faces with both eyes labelled",
            f"  AUC     {auc}, failed {failed} % (NME over {NME_LIMIT_PCT:g} %)",
        ]
    )

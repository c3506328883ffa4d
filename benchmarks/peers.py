"""Predicts the test faces of a data folder with dlib's 68-point predictor, as files that `evaluation.evaluate` scores.

    python -m benchmarks.peers --data artifacts/data --out artifacts/peers
    python -m evaluation.evaluate --predictions artifacts/peers/dlib.csv --name dlib

`dlib.csv` maps dlib's points by hand to what the face's label source means. `dlib_calibrated.csv` maps them by a ridge
regression for each keypoint and label source, fitted on the real labels of the training faces. Both are told the source
of a test face, which a picture does not say. How dlib gets its boxes is in `benchmarks.dlib68`; what
is chosen here (the fixed box, the relation, the ridge's alpha) is chosen on training faces.

dlib's predictor has learnt from the faces of iBUG 300-W, LFPW among them: where those are test faces, its figures
flatter it. The packages are optional: `pip install -r requirements-peers.txt`.
"""

import argparse
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.dlib68 import (
    Boxes,
    box_relation,
    call_seconds,
    detected_boxes,
    find_points,
    fixed_box,
    landmarks,
    load_predictor,
    next_face,
)
from common.stage import stage_folder, write_manifest
from data_prep.faces import Part
from evaluation.inputs import EvaluationData, load_data
from evaluation.metrics import mae_rmse
from evaluation.predictions import write_predictions
from facial_keypoints.array_types import Float32, Float64, Int64
from facial_keypoints.codec import Keypoints
from facial_keypoints.errors import InputError, run
from facial_keypoints.keypoint_set import FACE15, as_face15

SIDES = (0.75, 0.83, 0.92, 1.0)  # of the fixed boxes to try, of the picture's height
CENTRES = (0.5, 0.54, 0.58, 0.62)  # their rows, of the picture's height
SEARCH_FACES = 500  # training faces that choose the boxes
FOLDS = 5
ALPHAS = (10.0, 100.0, 1e3, 1e4)  # px^2; chosen for each keypoint and source by cross-validation over groups
TIMED_FACES, TIMED_CALLS = 100, 1000
MAPPED = (0, 1)  # the label sources whose keypoints `as_face15` finds among 68 points

Fits = dict[tuple[int, int], Any]  # a fitted regression for each (source, keypoint)


def by_hand(points: Float64, sources: Int64) -> Float32:
    """Returns the keypoints that the label source of each face means, float32 (N, 15, 2) in px; (N, 68, 2) in.

    Those of source 0 where it is not known which of the 68 points another source means.
    """
    predicted = np.empty((len(points), len(FACE15), 2), np.float32)
    for source in np.unique(sources).tolist():
        faces = sources == source
        predicted[faces] = as_face15(points[faces], source if source in MAPPED else 0)
    return predicted


def fit(points: Float64, part: Part) -> Fits:
    """Returns ridge regressions from the 68 points (N, 68, 2) to the real labels.

    Where a source labels a keypoint in fewer than `FOLDS` groups there is none. Runs on one thread: the matrices are
    small, and threads that wait for each other are slow on a busy machine.
    """
    from sklearn.linear_model import RidgeCV
    from sklearn.model_selection import GroupKFold
    from threadpoolctl import threadpool_limits

    fits = {}
    for source in np.unique(part.sources).tolist():
        for keypoint in range(part.labelled.shape[1]):
            faces = (part.sources == source) & part.labelled[:, keypoint]
            if len(np.unique(part.groups[faces])) >= FOLDS:
                x, y = _flat(points[faces]), part.keypoints[faces, keypoint].astype(np.float64)
                folds = list(GroupKFold(FOLDS).split(x, groups=part.groups[faces]))
                regression = RidgeCV(ALPHAS, cv=folds, scoring="neg_mean_squared_error")
                with threadpool_limits(1):
                    fits[source, keypoint] = regression.fit(x, y)
    return fits


def calibrated(fits: Mapping[tuple[int, int], Any], points: Float64, sources: Int64, otherwise: Float32) -> Float32:
    """Returns the keypoints by the regressions, float32 (N, K, 2) in px; (N, 68, 2) in.

    A keypoint that the face's source has no regression for takes the first other source's, or where there is none
    either that of `otherwise`, float32 (N, K, 2).
    """
    predicted, fitted = otherwise.copy(), sorted({source for source, _ in fits})
    for source in np.unique(sources).tolist():
        faces = sources == source
        for keypoint in range(predicted.shape[1]):
            regressions = [fits[s, keypoint] for s in (source, *fitted) if (s, keypoint) in fits]
            if regressions:
                predicted[faces, keypoint] = regressions[0].predict(_flat(points[faces]))
    return predicted


def _flat(points: Float64) -> Float64:
    return points.reshape(len(points), -1)


def choose_boxes(predictor: Any, part: Part) -> tuple[Boxes, dict[str, float]]:
    """Returns the boxes that fit these training faces, and their RMSE by hand in px after each step."""

    def rmse(points: Float64) -> float:
        return mae_rmse(by_hand(points, part.sources), part.keypoints, part.labelled)[1]

    tried = [fixed_box(part.images.shape[1:], side, centre) for side in SIDES for centre in CENTRES]
    error_of = [rmse(landmarks(predictor, part.images, np.tile(box, (len(part), 1)))) for box in tried]
    fixed = tried[int(np.argmin(error_of))]
    detected, _ = detected_boxes(part.images, fixed)
    first = landmarks(predictor, part.images, detected)
    boxes = Boxes(fixed, box_relation(first, detected))
    second, _ = find_points(predictor, part.images, boxes)
    return boxes, {"fixed box": min(error_of), "detector's box": rmse(first), "second prediction": rmse(second)}


def spread_out(part: Part, count: int) -> Part:
    """Returns at most so many faces, evenly from all of a part."""
    chosen = np.linspace(0, len(part) - 1, min(count, len(part))).round().astype(int)
    return part.only(chosen)


def predictor_ms(predictor: Any, part: Part, box: Float64) -> float:
    """Returns the median time of one call of the predictor on one face in ms; dlib uses one thread.

    Neither enlarging nor the detector nor the first prediction counts.
    """
    call = next_face(predictor, spread_out(part, TIMED_FACES).images, box)
    return 1e3 * float(np.median(call_seconds(call, TIMED_CALLS)))


def check(folder: Path, data: EvaluationData) -> None:
    """Raises InputError where dlib's points cannot be mapped to this data."""
    if data.keypoint_set != FACE15:
        raise InputError(f"{folder}: has the keypoint set {data.keypoint_set.name}; dlib is mapped to {FACE15.name}")
    if not data.train.labelled.any():
        raise InputError(f"{folder}: has no training labels to fit dlib to; prepare it again with another --split")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers", description=(__doc__ or "").split("\n", maxsplit=1)[0]
    )
    parser.add_argument("--data", type=Path, default=Path("artifacts/data"), metavar="DIR", help="(%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("artifacts/peers"), metavar="DIR", help="(%(default)s)")
    options = parser.parse_args(arguments)
    started = time.time()
    predictor, data = load_predictor(), load_data(options.data)
    check(options.data, data)
    train, test = data.train, data.test
    with stage_folder(options.out, "peers", [options.data]) as folder:
        boxes, steps = choose_boxes(predictor, spread_out(train, SEARCH_FACES))
        train_points, _ = find_points(predictor, train.images, boxes)
        test_points, found = find_points(predictor, test.images, boxes)
        hand = by_hand(test_points, test.sources)
        fits = fit(train_points, train)
        predicted = {"dlib": hand, "dlib_calibrated": calibrated(fits, test_points, test.sources, hand)}
        for name, keypoints in predicted.items():
            write_predictions(folder / f"{name}.csv", Keypoints(keypoints), test.rows, FACE15)
        scores = {name: mae_rmse(keypoints, test.keypoints, test.labelled) for name, keypoints in predicted.items()}
        milliseconds = predictor_ms(predictor, test, boxes.fixed)
        parameters = {"data": str(options.data), "fixed_box": boxes.fixed.tolist(), "relation": boxes.relation.tolist()}
        metrics = {"train_rmse_px": steps, "detected": found, "predictor_ms": milliseconds}
        metrics |= {name: {"mae_px": mae, "rmse_px": rmse} for name, (mae, rmse) in scores.items()}
        write_manifest(folder, "peers", parameters, {"data": data.hash}, metrics, started)

    left, top, right, bottom = boxes.fixed
    print(f"fixed box: columns {left:.1f} to {right:.1f}, rows {top:.1f} to {bottom:.1f}")
    print("RMSE on training faces, by hand: " + ", ".join(f"{step} {error:.3f} px" for step, error in steps.items()))
    print(f"ridge alphas: {', '.join(sorted({f'{fitted.alpha_:g}' for fitted in fits.values()}, key=float))}")
    print(f"dlib's detector finds {found:,} of {len(test):,} test faces")
    for name, (mae, rmse) in scores.items():
        print(f"{name:16} MAE {mae:.3f} px, RMSE {rmse:.3f} px on {2 * test.labelled.sum():,} real coordinates")
    print(
        f"predictor: {milliseconds:.2f} ms per face and call, one thread (the detector and the first call not counted)"
    )
    print(f"wrote {options.out}")


if __name__ == "__main__":
    run(main)

"""Estimates how much of a model's error is label noise.

python -m benchmarks.label_noise --data artifacts/data artifacts/evaluation/v2 artifacts/evaluation/dlib_calibrated

Three estimates. Pictures that occur twice, in any split: the difference of their labels. Two models with nothing in
common: the error that they share comes from the labels, or from faces that are difficult for both. Outliers: the error
without the faces whose shape differs most from the others.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from common.options import add_data_option, stage_parser
from data_prep.arrays import load_split
from data_prep.faces import Split
from data_prep.grouping import duplicate_groups
from data_prep.label_noise import LabelNoise, duplicate_label_noise
from data_prep.outliers import OUTLIER, outlyingness
from evaluation.inputs import listed_faces, load_data
from evaluation.metrics import mae_rmse
from evaluation.predictions import read_predictions
from facial_keypoints.array_types import Bool, Float32, Float64
from facial_keypoints.errors import run


def with_nan(split: Split) -> Float32:
    """Returns the labels of a split, float32 (N, K, 2) in px, NaN if unlabelled."""
    return np.where(split.labelled[..., None], split.keypoints, np.float32(np.nan))


def duplicate_noise(splits: Sequence[Split]) -> LabelNoise:
    """Returns the difference of the labels of pixel-identical pictures, in the same split or in different ones."""
    images, labels = (
        np.concatenate([split.images for split in splits]),
        np.concatenate([with_nan(split) for split in splits]),
    )
    return duplicate_label_noise(
        labels, duplicate_groups(images), np.concatenate([split.label_sources for split in splits])
    )


def shared_error(first: Float64, second: Float64) -> tuple[float, float]:
    """Returns the root of the covariance of two models' errors in px, and their correlation.

    If the models' own errors were independent, the first would be the standard deviation of the label noise.
    """
    covariance = np.cov(first.ravel(), second.ravel())
    correlation = covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])
    return float(np.sqrt(max(0.0, covariance[0, 1]))), float(correlation)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = stage_parser(
        "benchmarks.label_noise", __doc__, "artifacts/evaluation/v2 artifacts/evaluation/dlib_calibrated"
    )
    parser.add_argument(
        "evaluations", nargs=2, type=Path, metavar="EVALUATION", help="folders written by evaluation.evaluate"
    )
    add_data_option(parser)
    parser.add_argument("--rows", type=Path, metavar="FILE.csv", help="only the test faces listed in this file")
    options = parser.parse_args(arguments)

    data = load_data(options.data)
    noise = duplicate_noise([data.train, load_split(options.data, "val"), data.test])
    if noise.points:
        result = f"one coordinate of one label is off by {noise.one_label_px:.2f} px ({noise.points} points)"
    else:
        result = "none with labels to compare"
    print(f"pictures that occur twice: {result}")

    kept = listed_faces(options.rows, data.test.rows) if options.rows else np.ones(len(data.test), bool)
    test = data.only(kept).test
    predicted = [
        read_predictions(folder / "predictions.csv", data.test.rows, data.keypoint_set).coordinates[kept]
        for folder in options.evaluations
    ]
    scored: Bool = test.labelled
    errors = [(coordinates.astype(np.float64) - test.keypoints)[scored] for coordinates in predicted]
    shared_px, correlation = shared_error(*errors)
    names = [folder.name for folder in options.evaluations]
    print(f"shared by {names[0]} and {names[1]}: {shared_px:.2f} px, correlation {correlation:.2f}")

    usual = scored & (outlyingness(with_nan(test), test.label_sources) < OUTLIER)[:, None]
    outliers = len(usual) - int(usual.any(axis=1).sum())
    for name, coordinates in zip(names, predicted, strict=True):
        rmse_all, rmse_usual = (mae_rmse(coordinates, test.keypoints, mask)[1] for mask in (scored, usual))
        print(f"{name}: RMSE {rmse_all:.3f} px, {rmse_usual:.3f} px without {outliers} outliers")


if __name__ == "__main__":
    run(main)

"""Scores a trained model, or anyone's predictions, on the test part of a data folder.

python -m evaluation.evaluate artifacts/models/base
python -m evaluation.evaluate artifacts/models/base --flip
python -m evaluation.evaluate --predictions theirs.csv --name theirs
"""

import argparse
import importlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from common.draw import PREDICTION
from common.stage import COMMANDS, file_hash, read_manifest, stage_folder, write_manifest
from evaluation.baselines import BASELINES, mean_face
from evaluation.bootstrap import RESAMPLES, resampling_weights
from evaluation.inputs import Data, listed_faces, load_data
from evaluation.metrics import NME_LIMIT_PCT, THRESHOLDS_PX, face_nme
from evaluation.outputs import fits, mirrored_back, to_predictions
from evaluation.plots import (
    REFERENCE,
    Curve,
    plot_cumulative_error,
    plot_error_by_source,
    plot_grid,
    plot_keypoints,
    plot_reliability,
    plot_worst,
)
from evaluation.predictions import Predictions, read_predictions, write_predictions
from evaluation.reliability import reliability_table
from evaluation.tables import COST, accuracy_table, keypoint_table, with_interval
from facial_keypoints.errors import InputError, run

WEIGHTS = "model.keras"
BATCH = 128


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    started = time.time()
    model, name = options.model, options.name
    source = model or options.predictions
    data = load_data(options.data)
    rows_file = [options.rows] if options.rows else []
    with stage_folder(options.out, "evaluate", [options.data, source, *rows_file]) as folder:
        listed = listed_faces(options.rows, data.test.rows) if options.rows else None
        if model:
            predictions, cost = predict(model, data, options.flip)
            inputs = {"data": data.hash, "model": file_hash(model / WEIGHTS)}
        else:
            predictions = read_predictions(source, data.test.rows, data.keypoint_set)
            cost, inputs = {}, {"data": data.hash, "predictions": file_hash(source)}
        if listed is not None:
            data, predictions = data.only(listed), predictions.only(listed)
            inputs["rows"] = file_hash(options.rows)
            print(f"scored on {len(data.test):,} test faces, those of {len(listed):,} that {options.rows} lists")
        figures, text = write_evaluation(folder, name, predictions, data)
        parameters = {"name": name, "data": str(options.data), "model" if model else "predictions": str(source)}
        parameters |= {"flip": options.flip, "rows": str(options.rows) if options.rows else None}
        write_manifest(folder, "evaluate", parameters, inputs, figures | cost, started)
    print(f"{text}\nwrote {options.out}")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Returns the options with their defaults filled in."""
    parser = argparse.ArgumentParser(
        prog="python -m evaluation.evaluate", description="Scores a model, or anyone's predictions, on the test faces."
    )
    parser.add_argument("model", nargs="?", type=Path, metavar="MODEL_DIR", help="a folder that training wrote")
    parser.add_argument("--predictions", type=Path, metavar="FILE.csv", help="score these, not a model")
    parser.add_argument(
        "--name",
        help="name in tables and pictures (default: MODEL_DIR's own, then _flip and the name of the --rows file)",
    )
    parser.add_argument(
        "--flip", action="store_true", help="predict mirrored pictures too, and take the mean of both (twice the time)"
    )
    parser.add_argument(
        "--rows",
        type=Path,
        metavar="FILE.csv",
        help="score only the test faces whose number is in the column `row` of this file; predictions are still read "
        "for the whole test part, and `compare` leaves the evaluation out (it has --rows itself)",
    )
    parser.add_argument("--data", type=Path, default=Path("artifacts/data"), metavar="DIR", help="(%(default)s)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="(default: artifacts/evaluation/NAME)")
    options = parser.parse_args(arguments)
    if (options.model is None) == (options.predictions is None):
        parser.error("give either MODEL_DIR or --predictions FILE.csv")
    if options.predictions and not options.name:
        parser.error("--predictions needs --name NAME")
    if options.predictions and options.flip:
        parser.error("--flip needs MODEL_DIR: predictions cannot be mirrored without the model")
    options.name = options.name or default_name(options)
    if options.name in BASELINES or Path(options.name).name != options.name:
        parser.error(f"--name {options.name}: is a baseline's name or a path; choose a plain name")
    options.out = options.out or Path("artifacts/evaluation") / options.name
    return options


def default_name(options: argparse.Namespace) -> str:
    """Returns the model folder's name and what else sets these predictions apart, `v1_flip` or `v1_lfpw`."""
    words = [options.model.resolve().name]
    words += ["flip"] if options.flip else []
    words += [options.rows.stem] if options.rows else []
    return "_".join(words)


def predict(model_folder: Path, data: Data, flip: bool) -> tuple[Predictions, dict[str, Any]]:
    """Returns a trained model's predictions for the test faces, and what the model cost.

    Args:
        flip: take the mean with the predictions for the mirrored pictures, mirrored back.

    Raises:
        InputError: no whole model folder, or a model of other pictures or keypoints than the data's.
    """
    manifest = read_manifest(model_folder, "train")
    model = _load_model(model_folder / WEIGHTS)
    images, keypoint_set = data.test.images, data.keypoint_set
    if images.shape[-1] == 1 and model.input_shape[-1] == 3:
        images = np.repeat(images, 3, axis=-1)  # a grey picture in colour is three equal channels
    if not fits(model.output_shape[1:], keypoint_set):
        gives = "x".join(map(str, model.output_shape[1:]))
        raise InputError(
            f"{model_folder}: gives {gives} numbers for a face, the data has {len(keypoint_set)} keypoints "
            f"({keypoint_set.name}) of x and y; train a model on this data"
        )
    if model.input_shape[1:] != images.shape[1:]:
        takes, has = ("x".join(map(str, shape[1:])) for shape in (model.input_shape, images.shape))
        raise InputError(f"{model_folder}: takes pictures of {takes}, the data has {has}; train a model on this data")
    if manifest["inputs"].get("more") == data.hash:
        raise InputError(f"{model_folder}: was trained on these very faces (--more); evaluate it on other data")
    if manifest["inputs"].get("data") != data.hash:
        print("note: this model was trained on another data folder; its training faces may be among these test faces")
    output = model.predict(images, batch_size=BATCH, verbose=0).astype(np.float32)
    if flip:
        mirrored = model.predict(images[:, :, ::-1], batch_size=BATCH, verbose=0).astype(np.float32)
        output = (output + mirrored_back(mirrored, images.shape[2], keypoint_set)) / 2
    predictions = to_predictions(output, data.test.sources, keypoint_set)
    if not np.isfinite(output).all():
        raise InputError(f"{model_folder}: predicts values that are no numbers; train it again")
    if predictions.sigma is not None and not (predictions.sigma > 0).all():
        raise InputError(f"{model_folder}: predicts a sigma that is not above 0; train it again")
    cost = {key: manifest["figures"].get(key) for key in COST}
    return predictions, cost | {"file_mb": round((model_folder / WEIGHTS).stat().st_size / 1e6, 3)}


def _load_model(path: Path) -> Any:
    importlib.import_module("models")  # starts the backend without its notes; seconds that --predictions does without
    import keras

    try:
        return keras.saving.load_model(path, compile=False)
    except (OSError, ValueError, TypeError, KeyError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(f"{path}: cannot be loaded ({reason}); train it again with `{COMMANDS['train']}`") from None


def write_evaluation(folder: Path, name: str, predictions: Predictions, data: Data) -> tuple[dict[str, Any], str]:
    """Writes predictions, tables and pictures to a folder; returns the figures for the manifest and a summary.

    Args:
        predictions: for `data.test`.
    """
    test, keypoint_set = data.test, data.keypoint_set
    predicted, sigma = predictions
    weights = resampling_weights(test.groups)
    accuracy = accuracy_table(predicted, test, keypoint_set, weights)
    keypoints = keypoint_table(predicted, test, keypoint_set, weights)
    write_predictions(folder / "predictions.csv", predictions, test.rows, keypoint_set)
    accuracy.to_csv(folder / "accuracy.csv", index=False)
    keypoints.to_csv(folder / "per_keypoint.csv", index=False)

    nme = face_nme(predicted, test.keypoints, test.labelled, keypoint_set.normaliser)
    curves, reference = [Curve(name, nme, PREDICTION)], None
    if len(data.train):  # `--split all-test` leaves no faces for a mean face
        face = mean_face(data.train, test)
        reference = keypoint_table(face, test, keypoint_set, weights[:1])  # its intervals are not drawn
        reference_nme = face_nme(face, test.keypoints, test.labelled, keypoint_set.normaliser)
        curves.append(Curve("mean face", reference_nme, REFERENCE))
    plot_grid(folder / "grid.png", predicted, test, name)
    plot_worst(folder / "worst.png", predicted, test, name)
    plot_cumulative_error(folder / "cumulative_error.png", curves)
    plot_keypoints(folder / "per_keypoint.png", keypoints, reference, test, name)
    plot_error_by_source(folder / "error_by_source.png", predicted, test, keypoint_set, weights, name=name)

    nme_faces = int(np.isfinite(nme).sum())
    groups = weights.shape[1]
    figures = accuracy.set_index("labels").replace({np.nan: None}).to_dict("index")
    figures |= {"faces": len(test), "groups": groups, "nme_faces_labelled": nme_faces, "resamples": RESAMPLES}
    text = summary(name, accuracy.iloc[0], len(test), groups, nme_faces)
    if sigma is not None and test.labelled.any():
        reliability = reliability_table(predicted, sigma, test, weights)
        reliability.to_csv(folder / "reliability.csv", index=False)
        plot_reliability(folder / "reliability.png", reliability, name)
        lowest, highest = reliability["ratio"].min(), reliability["ratio"].max()
        figures["sigma"] = {"bins": len(reliability), "ratio_lowest": lowest, "ratio_highest": highest}
        text += f"\n  sigma   {len(reliability)} bins: error / predicted from {lowest:.2f} to {highest:.2f}"
    return figures, text


def summary(name: str, labelled: Any, faces: int, groups: int, nme_faces: int) -> str:
    """Returns the figures of the `labelled` row of `accuracy.csv` as a few lines of text."""
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


if __name__ == "__main__":
    run(main)

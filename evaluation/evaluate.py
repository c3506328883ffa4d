"""Stage 3: scores a trained model, or a file of predictions, on the test faces of a data folder."""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from common import tracking
from common.backend import start_backend
from common.hashes import file_hash
from common.options import add_data_option, stage_parser
from common.stage import stage_folder, write_manifest
from evaluation.baselines import BASELINES
from evaluation.inputs import listed_faces, load_data
from evaluation.original_pictures import transform_keypoints
from evaluation.predictions import only, read_predictions
from evaluation.report import write_report
from evaluation.stages import EVALUATE
from facial_keypoints.errors import InputError, run


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    tracking.check(options.mlflow)
    started = time.time()
    data = load_data(options.data)
    scored = options.models or [options.predictions]
    rows_file = [options.rows] if options.rows else []
    with stage_folder(options.out, EVALUATE, [options.data, *scored, *rows_file]) as folder:
        listed = listed_faces(options.rows, data.test.rows) if options.rows else None
        if options.models:
            start_backend()  # takes seconds, and --predictions does not need it
            from evaluation.model_predictions import predict_with_all

            keypoints, cost, notes, hashes, training = predict_with_all(options.models, data, options.flip)
            inputs = {"data": data.hash, **hashes}
        else:
            keypoints = read_predictions(options.predictions, data.test.rows, data.keypoint_set)
            cost, notes, training = {}, [], {}
            if options.in_pictures:
                if data.test.crops is None:
                    raise InputError(f"{options.data}: its faces were not cropped from pictures; omit --in-pictures")
                keypoints = transform_keypoints(keypoints, data.test.crops)
            inputs = {"data": data.hash, "predictions": file_hash(options.predictions)}
        if notes:
            print("note: " + "\n  ".join(notes))
        if listed is not None:
            data, keypoints = data.only(listed), only(keypoints, listed)
            inputs["rows"] = file_hash(options.rows)
            print(f"scored on {len(data.test):,} test faces, those of {len(listed):,} that {options.rows} lists")
        metrics, text = write_report(folder, options.name, keypoints, data)
        parameters = {"name": options.name, "data": str(options.data)}
        parameters |= {"model" if options.models else "predictions": " ".join(map(str, scored)), "flip": options.flip}
        parameters["in_pictures"] = options.in_pictures
        parameters["rows"] = str(options.rows) if options.rows else None
        extra = {"notes": notes, "training": training}
        write_manifest(folder, EVALUATE, parameters, inputs, metrics | cost, started, extra)
    print(f"{text}\nwrote {options.out}")
    tracking.log_folder(options.mlflow, options.out, EVALUATE)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Returns the options with their defaults filled in."""
    parser = stage_parser(
        "evaluation.evaluate", __doc__, "artifacts/models/base", "--predictions theirs.csv --name theirs"
    )
    parser.add_argument(
        "models",
        nargs="*",
        type=Path,
        metavar="MODEL",
        help="model folder, or a .keras file from elsewhere; several are scored as an ensemble: the mean of their "
        "predictions, weighted by their expected errors if all give them",
    )
    of_model = parser.add_argument_group("model")
    of_model.add_argument(
        "--flip",
        action="store_true",
        help="average the predictions for each image and its mirror image (twice the time)",
    )
    of_file = parser.add_argument_group("predictions")
    of_file.add_argument("--predictions", type=Path, metavar="FILE.csv", help="score this file instead of a model")
    of_file.add_argument(
        "--in-pictures",
        action="store_true",
        help="the file is in px of the original pictures, as predictions_pictures.csv is; this compares networks with "
        "different crops on one data folder",
    )
    both = parser.add_argument_group("evaluation")
    add_data_option(both)
    both.add_argument(
        "--rows",
        type=Path,
        metavar="FILE.csv",
        help="score only the test faces in the column `row` of this file; evaluation.compare, which has this option "
        "too, skips such evaluations",
    )
    both.add_argument(
        "--name",
        metavar="NAME",
        help="name in tables and plots (default: that of MODEL, with _flip and the name of the --rows file)",
    )
    tracking.add_mlflow_option(both)
    both.add_argument("--out", type=Path, metavar="DIR", help="folder to write (default: artifacts/evaluation/NAME)")
    options = parser.parse_args(arguments)
    if bool(options.models) == bool(options.predictions):
        parser.error("give either MODEL or --predictions FILE.csv")
    if options.predictions and not options.name:
        parser.error("--predictions needs --name NAME")
    if options.predictions and options.flip:
        parser.error("--flip needs MODEL: predictions cannot be mirrored without the model")
    if options.in_pictures and not options.predictions:
        parser.error("--in-pictures needs --predictions FILE.csv")
    options.name = options.name or default_name(options)
    if options.name in BASELINES or Path(options.name).name != options.name:
        parser.error(f"--name {options.name}: is a baseline's name or a path; choose a plain name")
    options.out = options.out or Path("artifacts/evaluation") / options.name
    return options


def default_name(options: argparse.Namespace) -> str:
    """Returns the name of the model (`ensemble` for several) with its options, such as `v1_flip` or `v1_lfpw`."""
    model, *others = options.models
    parts = ["ensemble" if others else model.resolve().name.removesuffix(".keras")]
    parts += ["flip"] if options.flip else []
    parts += [options.rows.stem] if options.rows else []
    return "_".join(parts)


if __name__ == "__main__":
    run(main)

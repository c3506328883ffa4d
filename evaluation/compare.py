"""Compares all evaluated models with each other and with the mean faces."""

import argparse
import itertools
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from common import tracking
from common.draw import save
from common.hashes import file_hash
from common.options import add_data_option, stage_parser
from common.stage import check_out, read_manifest, stage_folder, write_manifest
from data_prep.faces import Split
from evaluation.baselines import BASELINES
from evaluation.bootstrap import RESAMPLES, resampling_weights
from evaluation.comparison import Entry, comparison_table
from evaluation.comparison_text import markdown_text, terminal_text
from evaluation.ensembles import ensemble_lines
from evaluation.inputs import EvaluationData, listed_faces, load_data
from evaluation.metrics import face_nme
from evaluation.original_pictures import labels_in_pictures, transform_keypoints
from evaluation.plots.curves import Curve, draw_comparison, draw_cumulative_error
from evaluation.plots.style import BASELINE_STYLES, MODEL_STYLES
from evaluation.predictions import read_predictions
from evaluation.ratio_table import ratio_table
from evaluation.seeds import seed_lines, seeds_table
from evaluation.stages import COMPARE, EVALUATE
from evaluation.tables import TABLES, MakeTable, accuracy_table, known_cost, subset_tables
from facial_keypoints import geometry
from facial_keypoints.array_types import Float32
from facial_keypoints.codec import Keypoints
from facial_keypoints.errors import InputError, run
from facial_keypoints.keypoint_set import Normalizer
from facial_keypoints.pretrained import MANIFEST

BASE = "base"


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    tracking.check(options.mlflow)
    started = time.time()
    rows_file = [options.rows] if options.rows else []
    check_out(options.out, COMPARE, [options.data, options.evaluations, *rows_file])
    if options.out.resolve().parent == options.evaluations.resolve():
        raise InputError(f"{options.out}: lies among the evaluations to compare; choose another --out")
    data = load_data(options.data)
    evaluated, skipped = read_evaluations(options.evaluations, data)
    hint = f"evaluate it again with `{EVALUATE.command} --data {options.data}`"
    for name, reason in skipped.items():
        print(f"skipped: {options.evaluations / name} {reason}; {hint}")
    if not evaluated:
        raise InputError(
            f"{options.evaluations}: has no evaluation made on {options.data}; run `{EVALUATE.command}` first"
        )
    models, inputs, subset = list(evaluated.values()), {"data": data.hash}, ""
    if options.rows:
        listed = listed_faces(options.rows, data.test.rows)
        data = data.only(listed)
        models = [replace(model, predicted=model.predicted[listed]) for model in models]
        inputs["rows"] = file_hash(options.rows)
        subset = f"those of {len(listed):,} that {options.rows.name} lists"
        print(f"scored on {len(data.test):,} test faces, {subset}")
    if not data.test.labelled.any():
        raise InputError(f"{options.rows or options.data}: none of these test faces has a real label to compare on")
    entries = [*models, *baselines(data)]
    base = choose_base(options, entries)
    table, ratios = comparison_table(entries, data, base), ratio_table(entries, data, base)
    further, seeds, remarks = further_tables(entries, data), seeds_table(table, entries), seed_lines(table, entries)
    remarks += ensemble_lines(entries, data)
    with stage_folder(options.out, COMPARE) as folder:
        table.to_csv(folder / "comparison.csv", index=False)
        ratios.to_csv(folder / "ratios.csv", index=False)
        for name, rows in further.items():
            rows.to_csv(folder / f"{name}.csv", index=False)
        if len(seeds):
            seeds.to_csv(folder / "seeds.csv", index=False)
        text = markdown_text(table, ratios, further, data, base, subset, remarks)
        (folder / "comparison.md").write_text(text, encoding="utf-8")
        by_normalizer = {each.name: curves(entries, data, each) for each in data.keypoint_set.normalizers}
        standard, standard_curves = next(iter(by_normalizer.items()))
        save(draw_comparison(table, standard_curves, standard), folder / "comparison.png")
        best_first = table[table["labels"] == "labelled"]["name"]
        ordered = {each: [by_name[name] for name in best_first] for each, by_name in by_normalizer.items()}
        save(draw_cumulative_error(ordered), folder / "cumulative_error.png")
        inputs |= {f"evaluation/{name}": file_hash(options.evaluations / name / MANIFEST) for name in evaluated}
        parameters: dict[str, str | None] = {"data": str(options.data), "evaluations": str(options.evaluations)}
        parameters |= {"base": base, "rows": str(options.rows) if options.rows else None}
        metrics = {"models": len(models), "left_out": list(skipped), "resamples": RESAMPLES}
        write_manifest(folder, COMPARE, parameters, inputs, metrics, started)
    print(terminal_text(table, data, base, remarks))
    print(f"\nwrote {options.out}")
    tracking.log_folder(options.mlflow, options.out, COMPARE)


def choose_base(options: argparse.Namespace, entries: Sequence[Entry]) -> str:
    """Returns the name of the model to which others are compared; raises InputError if --reference names none."""
    names = sorted(entry.name for entry in entries)
    if options.reference and options.reference not in names:
        raise InputError(
            f"--reference {options.reference}: is not among the evaluations on {options.data}; give one of "
            f"{', '.join(names)}"
        )
    return options.reference or next((entry.name for entry in entries if entry.network == BASE), BASE)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = stage_parser("evaluation.compare", __doc__, "--rows some_faces.csv")
    parser.add_argument(
        "--evaluations",
        type=Path,
        default=Path("artifacts/evaluation"),
        metavar="DIR",
        help="folder of evaluations (default: %(default)s)",
    )
    add_data_option(parser)
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="folder to write (default: artifacts/comparison, with --rows artifacts/comparison_FILE)",
    )
    tracking.add_mlflow_option(parser)
    parser.add_argument("--reference", metavar="NAME", help=f"model that others are compared to (default: {BASE})")
    parser.add_argument(
        "--rows",
        type=Path,
        metavar="FILE.csv",
        help="compare only on the test faces in the column `row` of this file",
    )
    options = parser.parse_args(arguments)
    options.out = options.out or Path("artifacts") / ("comparison" + (f"_{options.rows.stem}" if options.rows else ""))
    return options


def read_evaluations(folder: Path, data: EvaluationData) -> tuple[dict[str, Entry], dict[str, str]]:
    """Returns the evaluations on all test faces of this data, and why others are skipped, by folder name.

    Raises:
        InputError: the folder is missing, an evaluation is damaged, or two share a name.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; make evaluations with `{EVALUATE.command}`")
    models: dict[str, Entry] = {}
    skipped = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not (path / MANIFEST).is_file():
            continue  # still being written, or the user's own
        manifest = read_manifest(path, EVALUATE)
        if path.name in BASELINES:
            raise InputError(f"{path}: has a baseline's name; evaluate again with another --out")
        name, inputs = manifest["parameters"].get("name"), manifest["inputs"]
        if not isinstance(name, str):
            raise InputError(f"{path / MANIFEST}: lacks the name of the model; evaluate it again")
        if inputs.get("data") != data.hash:
            skipped[path.name] = (
                "was made on other data than the data folder holds now; for the same faces with other crops use "
                "evaluate --in-pictures"
            )
        elif "rows" in inputs:
            skipped[path.name] = "was made with --rows, on some of the test faces"
        elif twin := next((other for other, model in models.items() if model.name == name), None):
            raise InputError(f"{path}: is named {name} like {folder / twin}; evaluate one again with another --name")
        else:
            keypoints = read_predictions(path / "predictions.csv", data.test.rows, data.keypoint_set)
            flip, training = manifest["parameters"].get("flip"), manifest.get("training") or {}
            trained = json.dumps({**training, "seed": None, "flip": flip}) if training else ""
            mirrored = " mirrored too" if flip else ""
            hashes = frozenset(value + mirrored for key, value in inputs.items() if key.startswith("model"))
            cost = known_cost(manifest["metrics"])
            seed = training.get("seed")
            models[path.name] = Entry(name, keypoints.coordinates, cost, False, hashes, seed, trained)
    return models, skipped


def baselines(data: EvaluationData) -> list[Entry]:
    """Returns the mean faces; an empty list without training faces."""
    if len(data.train) == 0:
        return []
    return [Entry(name, predict(data.train, data.test), {}, True) for name, predict in BASELINES.items()]


def further_tables(entries: Sequence[Entry], data: EvaluationData) -> dict[str, pd.DataFrame]:
    """Returns `TABLES` and `subset_tables` of all entries, with a column `name`; accuracy is in `comparison.csv`."""
    test, keypoint_set = data.test, data.keypoint_set
    weights = resampling_weights(test.groups)
    predictions = {entry.name: entry.predicted for entry in entries}

    def side_by_side(make: MakeTable, predictions: Mapping[str, Float32], test: Split) -> pd.DataFrame:
        tables = {name: make(predicted, test, keypoint_set, weights) for name, predicted in predictions.items()}
        return pd.concat(tables, names=["name"]).reset_index("name")

    tables = {each: side_by_side(make, predictions, test) for each, make in TABLES.items() if each != "accuracy"}
    tables |= subset_tables(predictions, data)
    if test.crops is not None:
        true = labels_in_pictures(test, test.crops)
        in_pictures = {
            name: transform_keypoints(Keypoints(predicted), geometry.inverse(test.crops)).coordinates
            for name, predicted in predictions.items()
        }
        tables["accuracy_pictures"] = side_by_side(accuracy_table, in_pictures, true)
    return tables


def curves(entries: Sequence[Entry], data: EvaluationData, normalizer: Normalizer) -> dict[str, Curve]:
    """Returns the cumulative error curve of each entry by name: models in color, baselines gray and dashed."""
    model_styles, baseline_styles = itertools.cycle(MODEL_STYLES), itertools.cycle(BASELINE_STYLES)
    by_name = {}
    for entry in entries:
        nme = face_nme(entry.predicted, data.test.keypoints, data.test.labelled, normalizer)
        by_name[entry.name] = Curve(entry.name, nme, *next(baseline_styles if entry.baseline else model_styles))
    return by_name


if __name__ == "__main__":
    run(main)

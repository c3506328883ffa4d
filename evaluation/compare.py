"""Puts every evaluated model beside the mean faces, with intervals and words.

python -m evaluation.compare
"""

import argparse
import itertools
import time
from collections.abc import Sequence
from pathlib import Path

from common.stage import (
    COMMANDS,
    MANIFEST,
    InputError,
    check_out,
    file_hash,
    read_manifest,
    run,
    whole_folder,
    write_manifest,
)
from evaluation.baselines import BASELINES
from evaluation.bootstrap import RESAMPLES
from evaluation.comparison import Entry, comparison_table
from evaluation.comparison_text import markdown, terminal_text
from evaluation.inputs import Data, load_data
from evaluation.metrics import face_nme
from evaluation.plots import BASELINE_LOOKS, MODEL_LOOKS, Curve, plot_comparison
from evaluation.predictions import read_predictions


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    started = time.time()
    check_out(options.out, "compare", [options.data, options.evaluations])
    if options.out.resolve().parent == options.evaluations.resolve():
        raise InputError(f"{options.out}: lies among the evaluations to compare; choose another --out")
    data = load_data(options.data)
    models, left_out = read_evaluations(options.evaluations, data)
    again = f"evaluate it again with `{COMMANDS['evaluate']} --data {options.data}`"
    for name in left_out:
        print(f"left out: {options.evaluations / name} was made on other data than {options.data} holds now; {again}")
    if not models:
        raise InputError(
            f"{options.evaluations}: has no evaluation made on {options.data}; run `{COMMANDS['evaluate']}` first"
        )
    entries = [*models, *baselines(data)]
    table = comparison_table(entries, data, options.base)
    with whole_folder(options.out, "compare") as folder:
        table.to_csv(folder / "comparison.csv", index=False)
        (folder / "comparison.md").write_text(markdown(table, data.test, options.base), encoding="utf-8")
        plot_comparison(folder / "comparison.png", table, curves(entries, data))
        hashes = {
            f"evaluation/{model.name}": file_hash(options.evaluations / model.name / MANIFEST) for model in models
        }
        parameters = {"data": str(options.data), "evaluations": str(options.evaluations), "base": options.base}
        figures = {"models": len(models), "left_out": left_out, "resamples": RESAMPLES}
        write_manifest(folder, "compare", parameters, {"data": data.hash, **hashes}, figures, started)
    print(terminal_text(table, data.test, options.base))
    print(f"\nwrote {options.out}")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m evaluation.compare",
        description="Compares all evaluated models with each other and a mean face.",
    )
    folders = {"--evaluations": "artifacts/evaluation", "--data": "artifacts/data", "--out": "artifacts/comparison"}
    for option, default in folders.items():
        parser.add_argument(option, type=Path, default=Path(default), metavar="DIR", help="(%(default)s)")
    parser.add_argument("--base", default="base", metavar="NAME", help="the model others are compared to (%(default)s)")
    return parser.parse_args(arguments)


def read_evaluations(folder: Path, data: Data) -> tuple[list[Entry], list[str]]:
    """Returns the evaluations made on this data, by name of their folder, and the folders of those made on other data.

    Raises:
        InputError: no such folder, or an evaluation in it that is not whole.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; make evaluations with `{COMMANDS['evaluate']}`")
    models, left_out = [], []
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not (path / MANIFEST).is_file():
            continue  # a run that is writing, or the user's own
        manifest = read_manifest(path, "evaluate")
        if path.name in BASELINES:
            raise InputError(f"{path}: has a baseline's name; evaluate again with another --out")
        if manifest["inputs"].get("data") != data.hash:
            left_out.append(path.name)
            continue
        predicted = read_predictions(path / "predictions.csv", data.test.rows, data.keypoint_set.columns)
        models.append(Entry(manifest["parameters"]["name"], predicted, manifest["figures"]))
    return models, left_out


def baselines(data: Data) -> list[Entry]:
    """Returns the mean faces; none where there are no training faces to take a mean of."""
    if len(data.train) == 0:
        return []
    return [Entry(name, predict(data.train, data.test), {}, True) for name, predict in BASELINES.items()]


def curves(entries: Sequence[Entry], data: Data) -> dict[str, Curve]:
    """Returns the cumulative error curve of each entry by name: models in colour, baselines in broken greys."""
    model_looks, baseline_looks = itertools.cycle(MODEL_LOOKS), itertools.cycle(BASELINE_LOOKS)
    by_name = {}
    for entry in entries:
        nme = face_nme(entry.predicted, data.test.keypoints, data.test.labelled, data.keypoint_set.normaliser)
        by_name[entry.name] = Curve(entry.name, nme, *next(baseline_looks if entry.baseline else model_looks))
    return by_name


if __name__ == "__main__":
    run(main)

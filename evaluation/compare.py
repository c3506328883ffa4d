"""Puts every evaluated model beside the mean faces, with intervals and words.

python -m evaluation.compare
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from common.draw import save
from common.stage import MANIFEST, InputError, file_hash, read_manifest, run, whole_folder, write_manifest
from data_prep.faces import Float32, Float64
from evaluation.baselines import BASELINES
from evaluation.bootstrap import RESAMPLES, Difference, paired_difference, resampling_weights
from evaluation.inputs import Data, load_data, refuse_overwriting
from evaluation.metrics import FIGURES, face_nme, face_sums
from evaluation.plots import draw_cumulative_error
from evaluation.predictions import read_predictions
from evaluation.tables import LABELS, accuracy_table, with_interval

EVALUATED_BY = "python -m evaluation.evaluate MODEL_DIR"
MEAN_FACE = "mean_face"
MODEL_COLORS = ("#ff00ff", "#0072b2", "#009e73", "#e69f00", "#56b4e9", "#d55e00")
BASELINE_COLORS = ("#555555", "#8a8a8a", "#bdbdbd")
NAME_WIDTH = 20
LABELS_TITLES = {"labelled": "Real labels only", "all": "All labels, imputed ones scored as if they were true"}


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    started = time.time()
    refuse_overwriting(options.out, [options.data, options.evaluations])
    data = load_data(options.data)
    models, left_out = read_evaluations(options.evaluations, data)
    for name in left_out:
        print(left_out_line(name, options))
    if not models:
        raise InputError(f"{options.evaluations}: holds no evaluation on {options.data}; make one with `{EVALUATED_BY}`")
    entries = [*models, *baselines(data)]
    table = comparison_table(entries, data, options.base)
    with whole_folder(options.out) as folder:
        table.to_csv(folder / "comparison.csv", index=False)
        (folder / "comparison.md").write_text(comparison_text(table, data, options.base), encoding="utf-8")
        plot_comparison(folder / "comparison.png", table, entries, data)
        hashes = {entry.name: file_hash(options.evaluations / entry.name / MANIFEST) for entry in models}
        parameters = {"data": str(options.data), "evaluations": str(options.evaluations), "base": options.base}
        figures = {"models": len(models), "left_out": left_out, "resamples": RESAMPLES}
        write_manifest(folder, parameters, {"data": data.hash, **hashes}, figures, started)
    print(terminal_text(table, data, options.base))
    print(f"\nwrote {options.out}")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m evaluation.compare", description="Compares all evaluated models with each other and the mean face."
    )
    default = Path("artifacts")
    parser.add_argument("--evaluations", type=Path, default=default / "evaluation", metavar="DIR", help="(%(default)s)")
    parser.add_argument("--data", type=Path, default=default / "data", metavar="DIR", help="(%(default)s)")
    parser.add_argument("--out", type=Path, default=default / "comparison", metavar="DIR", help="(%(default)s)")
    parser.add_argument("--base", default="base", metavar="NAME", help="the model that others are compared to (%(default)s)")
    return parser.parse_args(arguments)


def left_out_line(name: str, options: argparse.Namespace) -> str:
    return (
        f"left out: {options.evaluations / name} was made on other data than {options.data} holds now; "
        f"evaluate it again with `{EVALUATED_BY} --data {options.data}`"
    )


def read_evaluations(folder: Path, data: Data) -> tuple[list[Entry], list[str]]:
    """Returns the evaluations made on this data, by name of their folder, and the folders of those made on other data.

    Raises:
        InputError: no such folder, or an evaluation in it that is not whole.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; make evaluations with `{EVALUATED_BY}`")
    entries, left_out = [], []
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not (path / MANIFEST).is_file():  # a run is writing it, or it is the user's own
            continue
        manifest = read_manifest(path, EVALUATED_BY)
        if path.name in BASELINES:
            raise InputError(f"{path}: has a baseline's name; evaluate again with another --out")
        if manifest["inputs"].get("data") != data.hash:
            left_out.append(path.name)
            continue
        predicted = read_predictions(path / "predictions.csv", data.test.rows, data.keypoint_set.columns)
        entries.append(Entry(path.name, predicted, manifest["figures"]))
    return entries, left_out


def baselines(data: Data) -> list[Entry]:
    """Returns the mean faces; none where there are no training faces to take a mean of."""
    if len(data.train) == 0:
        return []
    return [Entry(name, predict(data.train, data.test), {}, True) for name, predict in BASELINES.items()]


def plot_comparison(path: Path, table: pd.DataFrame, entries: Sequence[Entry], data: Data) -> None:
    """Draws labelled MAE with intervals, best first, and the cumulative error curves in the same colours."""
    rows = table[table["labels"] == "labelled"].reset_index(drop=True)
    models, others = ([e.name for e in entries if e.baseline == baseline] for baseline in (False, True))
    colors = {name: MODEL_COLORS[i % len(MODEL_COLORS)] for i, name in enumerate(models)}
    colors |= {name: BASELINE_COLORS[i % len(BASELINE_COLORS)] for i, name in enumerate(others)}
    figure, (forest, curve) = plt.subplots(
        1, 2, figsize=(12, max(4.4, 1.6 + 0.42 * len(rows))), layout="constrained", width_ratios=(1.15, 1)
    )
    for place, row in rows.iterrows():
        color = colors[row["name"]]
        forest.hlines(place, row["mae_px_low"], row["mae_px_high"], color=color, linewidth=3)
        forest.plot(row["mae_px"], place, "o", color=color, markersize=7)
        text = with_interval(row, "mae_px")
        forest.annotate(text, (row["mae_px"], place), (0, 7), textcoords="offset points", ha="center", fontsize=8)
    forest.set_yticks(range(len(rows)), rows["name"])
    forest.set(xlabel="mean absolute error of a coordinate (px), with its 95 % interval")
    forest.set(ylim=(len(rows) - 0.4, -0.7), title="Error on the real labels")
    forest.set_xlim(0, 1.12 * np.nanmax(rows[["mae_px", "mae_px_high"]].to_numpy()))
    forest.grid(axis="x", color="#e6e6e6", linewidth=0.6)
    forest.spines[["top", "right"]].set_visible(False)
    by_name = {entry.name: entry for entry in entries}
    curves = [(name, _nme(by_name[name].predicted, data), colors[name]) for name in rows["name"]]
    draw_cumulative_error(curve, curves)
    save(figure, path)


def _nme(predicted: Float32, data: Data) -> Float64:
    test = data.test
    return face_nme(predicted, test.keypoints, test.labelled, data.keypoint_set.normaliser)


if __name__ == "__main__":
    run(main)

"""The comparison as text: for the terminal and as Markdown."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from common import markdown
from data_prep.faces import Split
from evaluation.comparison import BASELINE, MEAN_FACE
from evaluation.inputs import EvaluationData, people_in_both
from evaluation.metrics import NME_LIMIT_PCT, PCK, PCK_THRESHOLDS, THRESHOLDS_PX, divisor_text
from evaluation.ratio_table import ALL_KEYPOINTS
from evaluation.tables import LABELS, with_interval

FEW_GROUPS = 20
NAME_WIDTH = 20  # keeps the lines of the terminal's table within 100 columns
TITLES = {"labelled": "Real labels only", "all": "All labels, imputed ones scored as if they were true"}
SCORES = {"MAE px": ("mae_px", 2), "RMSE px": ("rmse_px", 2)}  # heading: metric, decimals
SCORES |= {f"within {t} px, %": (f"within_{t}px_pct", 1) for t in THRESHOLDS_PX}
SCORES |= {"NME %": ("nme_pct", 2), "AUC": ("auc", 3), "failed %": ("failure_rate_pct", 1)}
SCORES |= {f"PCK {t:g}, %": (metric, 1) for t, metric in zip(PCK_THRESHOLDS, PCK, strict=True)}
COSTS = {
    "parameters": ("parameters", 0),
    "epochs": ("epochs", 0),
    "training s": ("seconds", 0),
    "file MB": ("file_mb", 1),
}
HOW_TO_READ = (
    "`labelled` scores real labels only. `all` also scores imputed values as if they were labels; it is often "
    "published, and favors models that repeat these values. Rely on `labelled`.",
    f"A mean face predicts the same points for every face: `{MEAN_FACE}` the mean of the real training labels, "
    "`mean_face_imputed` the mean of all training values with the imputed ones, `mean_face_per_source` the mean of the "
    "face's own label source, which it gets as input. A model that is no better than the mean face of the real labels "
    "does not use the image.",
    "A model with several label sources (`v2`) also gets the label source of each test face. Others (`base`, `v1`) "
    "predict the same points for every label source.",
    "within: share of single coordinates with an error below that many px. NME: mean point error of a "
    "face divided by its true distance of the eyes, pupils or outer eye corners, or by the diagonal of its labelled "
    f"box. PCK: share of points with an error under {' or '.join(f'{t:g}' for t in PCK_THRESHOLDS)} of that distance. "
    "AUC: area under the cumulative error "
    f"curve up to an NME of {NME_LIMIT_PCT:g} %, where 1 is perfect. Failed: faces with an NME over "
    f"{NME_LIMIT_PCT:g} %. `nme.csv` has both at 10 % too. On the real labels, faces where that distance is not "
    "labelled are left out of these three.",
    "Intervals come from resampling whole groups of test faces, and the difference of two models from the same "
    "resamples for both. `better` and `worse` mean that the 95 % interval of the difference excludes 0. "
    "Intervals describe other test faces of this kind, not other training runs; for these, train with --seeds.",
)


def verdict_lines(table: pd.DataFrame) -> list[str]:
    """Returns a line with the verdict on each model, best first."""
    lines = []
    for _, row in table[(table["labels"] == "labelled") & (table["verdict"] != BASELINE)].iterrows():
        line = f"{row['name']}: {row['verdict']}"
        if np.isfinite(row["mae_minus_reference_px"]):
            low, high = row["mae_minus_reference_px_low"], row["mae_minus_reference_px_high"]
            ends = f" [{low:+.3f}, {high:+.3f}], p = {row['p_value']:.3f}" if np.isfinite(low) else ""
            line += f" (MAE {row['mae_minus_reference_px']:+.3f} px{ends})"
        lines.append(line)
    return lines


def ratio_list(ratios: pd.DataFrame, base: str) -> list[str]:
    """Returns a heading, and a list with the error of each model on all keypoints; empty without a base."""
    lines = [
        f"- {row['name']}: RMSE {with_interval(row, 'rmse_ratio', 3)}, MAE {with_interval(row, 'mae_ratio', 3)}"
        for _, row in ratios[ratios["keypoint"] == ALL_KEYPOINTS].sort_values("mae_ratio").iterrows()
    ]
    heading = f"As a multiple of the error of {base} (for each keypoint: `ratios.csv`):"
    return [heading, "\n".join(lines)] if lines else []


def missing_base_note(table: pd.DataFrame, base: str) -> list[str]:
    """Returns a note if there is no base to compare with, else an empty list."""
    if base in set(table["name"]):
        return []
    return [f"No model called {base} is evaluated on this data, so there are no differences to it."]


def few_groups_warning(test: Split) -> list[str]:
    """Returns a warning if there are too few groups for reliable percentile intervals, else an empty list."""
    groups = len(np.unique(test.groups))
    if groups >= FEW_GROUPS:
        return []
    return [f"Only {groups} groups of test faces: the intervals are narrower than they should be; treat them as rough."]


def terminal_text(table: pd.DataFrame, data: EvaluationData, base: str, remarks: Sequence[str] = ()) -> str:
    """Returns both tables, the verdicts and further remarks as plain text of at most 100 columns."""
    width = min(NAME_WIDTH, table["name"].str.len().max())
    within = f"within {'/'.join(map(str, THRESHOLDS_PX))} px"
    head = f"{'':{width}}  {'MAE px':<20}  {'RMSE px':<20}  {within:<17}  {'NME %':>6}  {'AUC':>5}"
    lines = []
    for labels in LABELS:
        rows = table[table["labels"] == labels]
        lines += ["", f"{TITLES[labels]}", f"({_scored(rows, data.test)}; [95 % interval])", head]
        for _, row in rows.iterrows():
            name = row["name"] if len(row["name"]) <= width else row["name"][: width - 1] + "…"
            shares = " ".join(f"{row[f'within_{t}px_pct']:5.1f}" for t in THRESHOLDS_PX)
            errors = f"{with_interval(row, 'mae_px'):<20}  {with_interval(row, 'rmse_px'):<20}"
            lines.append(f"{name:{width}}  {errors}  {shares:<17}  {row['nme_pct']:6.2f}  {row['auc']:5.3f}")
    warnings = [*missing_base_note(table, base), *few_groups_warning(data.test), *people_in_both(data)]
    return "\n".join([*lines, "", *verdict_lines(table), *remarks, *warnings])


def markdown_text(
    table: pd.DataFrame,
    ratios: pd.DataFrame,
    further: Mapping[str, pd.DataFrame],
    data: EvaluationData,
    base: str,
    subset: str = "",
    remarks: Sequence[str] = (),
) -> str:
    """Returns `comparison.md`.

    Args:
        table: `comparison.csv`.
        ratios: `ratios.csv`.
        further: `nme.csv`, `per_region.csv`, `by_origin.csv`, `by_condition.csv` and optionally
            `accuracy_pictures.csv`, by name.
        subset: which test faces are scored, if not all.
        remarks: sentences about seeds and ensembles.
    """
    test = data.test
    divisor = f"NME in % of {divisor_text(data.keypoint_set.normalizers[0].name)}"
    labelled, all_labels = (table[table["labels"] == labels] for labels in LABELS)
    sections = [
        "# Comparison",
        f"Scored on {len(test):,} test faces{subset and f' ({subset})'} in {len(np.unique(test.groups)):,} groups "
        "(a group is one person, or copies of one picture). In brackets: 95 % intervals.",
        f"## {TITLES['labelled']}",
        f"{_scored(labelled, test)}; {divisor}.",
        _markdown_table(labelled),
        "By MAE on the real labels:",
        "\n".join(f"- {line}" for line in [*verdict_lines(table), *remarks]),
        *ratio_list(ratios, base),
        *missing_base_note(table, base),
        *few_groups_warning(test),
        *people_in_both(data),
        *further_sections(further, list(labelled["name"])),
        f"## {TITLES['all']}",
        f"{_scored(all_labels, test)}; {divisor}.",
        _markdown_table(all_labels),
        "## How to read this",
        *HOW_TO_READ,
    ]
    return "\n\n".join(sections) + "\n"


def further_sections(further: Mapping[str, pd.DataFrame], names: Sequence[str]) -> list[str]:
    """Returns the sections of `comparison.md` by normalizer, region, label source and origin.

    Args:
        further: as in `markdown_text`.
        names: of the models and baselines, in order.
    """
    labelled = {name: rows[rows["labels"] == "labelled"] for name, rows in further.items()}
    sections = ["### NME by the distance that it is divided by, %", _pivot(labelled["nme"], "normalizer", names)]
    sections += ["### NME of each region, %", _pivot(labelled["per_region"], "region", names)]
    subsets = pd.concat([labelled["by_origin"], labelled["by_condition"]])
    for by, rows in subsets.groupby("by", sort=False):
        if rows["which"].nunique() > 1:
            faces = rows.assign(which=[f"{row['which']} ({row['faces']:,} faces)" for _, row in rows.iterrows()])
            sections += [f"### NME on the faces of each {by}, %", _pivot(faces, "which", names)]
    if "accuracy_pictures" in labelled:
        rows = labelled["accuracy_pictures"].set_index("name").loc[list(names)]
        columns = {heading: score for heading, score in SCORES.items() if score[0].endswith(("px", "px_pct"))}
        cells = [
            [f"`{name}`", *(with_interval(row, metric, decimals) for metric, decimals in columns.values())]
            for name, row in rows.iterrows()
        ]
        sections += ["### In px of the original pictures", markdown.table(["", *columns], cells)]
    return sections


def _pivot(rows: pd.DataFrame, column: str, names: Sequence[str]) -> str:
    """Returns a Markdown table of NME with a row for each name and a column for each value of `column`."""
    headings = list(dict.fromkeys(rows[column]))
    cells = {(row["name"], row[column]): with_interval(row, "nme_pct") for _, row in rows.iterrows()}
    return markdown.table(
        ["", *headings], [[f"`{name}`", *(cells[name, heading] for heading in headings)] for name in names]
    )


def _scored(rows: pd.DataFrame, test: Split) -> str:
    return f"{rows['coordinates'].iloc[0]:,} coordinates of {len(test):,} test faces"


def _markdown_table(rows: pd.DataFrame) -> str:
    lines = []
    for _, row in rows.iterrows():
        scores = [with_interval(row, metric, decimals) for metric, decimals in SCORES.values()]
        costs = ["" if pd.isna(row[key]) else f"{row[key]:,.{decimals}f}" for key, decimals in COSTS.values()]
        lines.append([f"`{row['name']}`", *scores, *costs])
    return markdown.table(["", *SCORES, *COSTS], lines)

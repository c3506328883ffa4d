"""The comparison in words: for the terminal and as Markdown."""

import numpy as np
import pandas as pd

from data_prep.faces import Part
from evaluation.comparison import COST, MEAN_FACE
from evaluation.metrics import NME_LIMIT_PCT, THRESHOLDS_PX
from evaluation.tables import LABELS, with_interval

NAME_WIDTH = 20  # keeps a line of the terminal's table within 100 columns
TITLES = {"labelled": "Real labels only", "all": "All labels, imputed ones scored as if they were true"}


def verdict_lines(table: pd.DataFrame) -> list[str]:
    """Returns a line of words for each model, best first."""
    lines = []
    for _, row in table[(table["labels"] == "labelled") & (table["verdict"] != "baseline")].iterrows():
        line = f"{row['name']}: {row['verdict']}"
        if np.isfinite(row["mae_minus_base_px"]):
            low, high = row["mae_minus_base_px_low"], row["mae_minus_base_px_high"]
            ends = f" [{low:+.3f}, {high:+.3f}], p = {row['p_value']:.3f}" if np.isfinite(low) else ""
            line += f" (MAE {row['mae_minus_base_px']:+.3f} px{ends})"
        lines.append(line)
    return lines


def base_absent(table: pd.DataFrame, base: str) -> str:
    """Returns what to say where there is no model to take differences to; nothing where there is."""
    if base in set(table["name"]):
        return ""
    return f"No model called {base} is evaluated on this data, so there are no differences to it."


def terminal_text(table: pd.DataFrame, data: Data, base: str) -> str:
    """Returns both tables and the verdicts as plain text of at most 100 columns."""
    width = min(NAME_WIDTH, table["name"].str.len().max())
    head = f"{'':{width}}  {'MAE px':<20}  {'RMSE px':<20}  {'within 5/10/15 px':<17}  {'NME %':>6}  {'AUC':>5}"
    lines = []
    for labels in LABELS:
        rows = table[table["labels"] == labels]
        count = f"{rows['coordinates'].iloc[0]:,} coordinates of {len(data.test):,} test faces"
        lines += ["", f"{LABELS_TITLES[labels]}: {count} [95 % interval]", head]
        for _, row in rows.iterrows():
            name = row["name"] if len(row["name"]) <= width else row["name"][: width - 1] + "…"
            within = " ".join(f"{row[f'within_{t}px_pct']:5.1f}" for t in (5, 10, 15))
            lines.append(
                f"{name:{width}}  {with_interval(row, 'mae_px'):<20}  {with_interval(row, 'rmse_px'):<20}  {within:<17}"
                f"  {row['nme_pct']:6.2f}  {row['auc']:5.3f}"
            )
    return "\n".join([*lines, "", *verdict_lines(table), *filter(None, [base_absent(table, base)])])


def comparison_text(table: pd.DataFrame, data: Data, base: str) -> str:
    """Returns `comparison.md`."""
    test = data.test
    groups = len(np.unique(test.groups))
    parts = [
        "# Comparison",
        f"Scored on {len(test):,} test faces ({groups:,} groups: a group is one person, or copies of one picture). "
        "In brackets: 95 % intervals.",
    ]
    for labels in LABELS:
        rows = table[table["labels"] == labels]
        parts += [f"## {LABELS_TITLES[labels]} ({rows['coordinates'].iloc[0]:,} coordinates)", _markdown(rows)]
        if labels == "labelled":
            parts.append("\n".join(["Verdicts, by MAE on the real labels:", "", *(f"- {v}" for v in verdict_lines(table))]))
            parts += filter(None, [base_absent(table, base)])
    parts += [
        "## How to read this",
        "`labelled` scores only the coordinates that a person marked. `all` scores the imputed ones too, as if a guess that "
        "filled a gap were the truth; it is the figure that is often published, and it flatters whatever repeats the guess. "
        "Trust `labelled`.",
        f"A mean face predicts the same points for everybody: `{MEAN_FACE}` the mean of the real training labels, "
        "`mean_face_imputed` the mean of all training values, imputed ones too, `mean_face_per_source` the mean of the "
        "face's own label source, which it has to be told. A model that is no better than the first has not learnt to look.",
        "within: share of single coordinates with an error strictly under that many px. NME: mean point error of a face "
        "divided by its true eye distance. AUC: area under the cumulative error curve up to an NME of 8 %, 1 is perfect. "
        "Failed: faces with an NME over 8 %.",
        "Intervals come from resampling whole groups of test faces, and the difference between two models from the same "
        "resamples for both; `better` and `worse` mean that the 95 % interval of the difference leaves out zero. They say how "
        "far other test faces of this kind would move a figure, not how far another training run would.",
    ]
    return "\n\n".join(parts) + "\n"


def _markdown(rows: pd.DataFrame) -> str:
    head = ["", "MAE px", "RMSE px", "within 5 px %", "10 px %", "15 px %", "NME %", "AUC", "failed %"]
    cost = ["parameters", "epochs", "trained s"]
    lines = [head + cost, ["---", *["---:"] * (len(head) + len(cost) - 1)]]
    for _, row in rows.iterrows():
        figures = [with_interval(row, "mae_px"), with_interval(row, "rmse_px")]
        figures += [with_interval(row, f"within_{t}px_pct", 1) for t in (5, 10, 15)]
        figures += [with_interval(row, "nme_pct"), with_interval(row, "auc", 3), with_interval(row, "failure_rate_pct", 1)]
        costs = ["" if pd.isna(row[key]) else f"{row[key]:,.0f}" for key in ("parameters", "epochs", "seconds")]
        lines.append([f"`{row['name']}`", *figures, *costs])
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)

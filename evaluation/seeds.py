"""Compares networks that were trained with several seeds."""

import itertools
from collections import defaultdict
from collections.abc import Sequence

import pandas as pd

from evaluation.comparison import Entry

METRICS = {"mae_px": 3, "rmse_px": 3, "nme_pct": 3, "within_5px_pct": 2}  # decimals


def seeds_table(table: pd.DataFrame, entries: Sequence[Entry]) -> pd.DataFrame:
    """Returns `seeds.csv`: for each network with several seeds the mean, lowest and highest value of each metric.

    Args:
        table: `comparison.csv`; only its rows of real labels are used.
        entries: the models and baselines in the table.
    """
    rows = []
    for network, runs in _by_network(table, entries):
        if len(runs) > 1:
            row = {"network": network, "seeds": len(runs)}
            for metric, decimals in METRICS.items():
                row[metric] = round(runs[metric].mean(), decimals)
                row[f"{metric}_lowest"], row[f"{metric}_highest"] = runs[metric].min(), runs[metric].max()
            rows.append(row)
    columns = [name for metric in METRICS for name in (metric, f"{metric}_lowest", f"{metric}_highest")]
    return pd.DataFrame(rows, columns=["network", "seeds", *columns]).sort_values("mae_px", ignore_index=True)


def seed_lines(table: pd.DataFrame, entries: Sequence[Entry]) -> list[str]:
    """Returns a sentence for each network with several seeds, and one for each pair whose difference seeds can explain.

    Seeds can explain the difference of two networks if it is smaller than the range over the seeds of either.
    """
    runs = {network: of_network["mae_px"] for network, of_network in _by_network(table, entries)}
    lines = [
        f"{row['network']}: MAE {row['mae_px']:.3f} px, mean of {row['seeds']} seeds from {row['mae_px_lowest']:.3f} "
        f"to {row['mae_px_highest']:.3f}"
        for _, row in seeds_table(table, entries).iterrows()
    ]
    for (first, first_mae), (second, second_mae) in itertools.combinations(runs.items(), 2):
        seed_range = max(first_mae.max() - first_mae.min(), second_mae.max() - second_mae.min())
        difference = abs(first_mae.mean() - second_mae.mean())
        if difference < seed_range:
            lines.append(
                f"{first} and {second} differ by {difference:.3f} px, less than the seeds of one network "
                f"({seed_range:.3f} px): this does not show which is better"
            )
    return lines


def _by_network(table: pd.DataFrame, entries: Sequence[Entry]) -> list[tuple[str, pd.DataFrame]]:
    """Returns the name and the rows of real labels of each network, without baselines.

    Runs that differ only in their seeds are one network.
    """
    labelled = table[table["labels"] == "labelled"].set_index("name")
    networks: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        if not entry.baseline:
            networks[entry.trained or entry.name].append(entry)
    return [(runs[0].network, labelled.loc[[run.name for run in runs]]) for runs in networks.values()]

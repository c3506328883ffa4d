"""Networks trained with several seeds: mean and range, and whether networks differ more than their seeds do."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data_prep.arrays import load_split
from evaluation.comparison import Entry
from evaluation.seeds import seed_lines, seeds_table
from tests.evaluation.test_compare import run_compare, save_evaluation

NOTHING = np.zeros(0, np.float32)


def comparison(errors: dict[str, float]) -> pd.DataFrame:
    """Returns a comparison in which each name has its given MAE on the real labels, and 99 px on all labels."""
    rows = [
        {"name": name, "labels": labels, "mae_px": mae, "rmse_px": 2 * mae, "nme_pct": 3 * mae, "within_5px_pct": 90.0,
         "verdict": "baseline" if name == "mean_face" else ""}
        for labels in ("labelled", "all")
        for name, mae in errors.items()
    ]  # fmt: skip
    frame = pd.DataFrame(rows)
    frame.loc[frame["labels"] == "all", "mae_px"] = 99.0
    return frame


def runs(table: pd.DataFrame) -> list[Entry]:
    """Returns the entries of a comparison; `NAME_seedN` was trained with seed N, else like the other runs of NAME."""
    found = []
    for name in table["name"].unique():
        network, _, rest = name.partition("_seed")
        seed, _, flip = rest.partition("_")
        trained = f"{network} {flip}" if seed else ""
        found.append(
            Entry(name, np.zeros(0, np.float32), {}, name == "mean_face", seed=int(seed or 0), trained=trained)
        )
    return found


def table_of(errors: dict[str, float]) -> pd.DataFrame:
    table = comparison(errors)
    return seeds_table(table, runs(table))


def lines_of(errors: dict[str, float]) -> list[str]:
    table = comparison(errors)
    return seed_lines(table, runs(table))


def test_runs_with_the_same_training_are_one_network_whatever_their_names() -> None:
    table = comparison({"first": 1.0, "second": 2.0, "other": 3.0})
    entries = [Entry(name, NOTHING, {}, seed=seed, trained="alike") for seed, name in enumerate(("first", "second"))]
    found = seeds_table(table, [*entries, Entry("other", NOTHING, {}, seed=2, trained="otherwise")])
    assert found[["network", "seeds", "mae_px"]].to_numpy().tolist() == [["first", 2, 1.5]]


def test_seeds_table_has_mean_and_range_over_the_seeds() -> None:
    table = table_of({"base_seed0": 1.0, "base_seed1": 1.5, "base_seed7": 2.0, "v1": 1.0})
    assert table["network"].tolist() == ["base"]
    row = table.iloc[0]
    assert (row["seeds"], row["mae_px"], row["mae_px_lowest"], row["mae_px_highest"]) == (3, 1.5, 1.0, 2.0)
    assert row["rmse_px"] == 3.0


def test_evaluations_with_and_without_flip_are_separate_networks() -> None:
    errors = {"base_seed0": 1.0, "base_seed1": 2.0, "base_seed0_flip": 0.5, "base_seed1_flip": 0.7}
    table = table_of(errors).set_index("network")
    assert table["mae_px"].to_dict() == {"base_flip": 0.6, "base": 1.5}


@pytest.mark.parametrize(("v1", "unclear"), [((1.1, 1.15), True), ((1.4, 1.45), False)])
def test_difference_smaller_than_the_range_of_seeds_is_reported(v1: tuple[float, float], unclear: bool) -> None:
    errors = {"base_seed0": 1.0, "base_seed1": 1.2, "v1_seed0": v1[0], "v1_seed1": v1[1], "mean_face": 1.1}
    lines = lines_of(errors)
    assert lines[0] == "base: MAE 1.100 px, mean of 2 seeds from 1.000 to 1.200"
    found = [line for line in lines if line.startswith("base and v1 differ by 0.025 px, less than the seeds")]
    assert len(found) == len(lines) - 2 == int(unclear)


def test_network_with_one_seed_is_compared_with_one_with_several() -> None:
    lines = lines_of({"base_seed0": 1.0, "base_seed1": 1.2, "v1": 1.15, "v2": 0.5})
    assert [line.partition(",")[0] for line in lines[1:]] == ["base and v1 differ by 0.050 px"]
    assert lines_of({"base": 1.0, "v1": 1.0}) == []


def test_compare_writes_seed_table_and_seed_lines(
    data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    true = load_split(data_folder, "test").keypoints
    for name, off_px in (("base_seed0", 1), ("base_seed1", 2), ("v1_seed0", 1), ("v1_seed1", 3)):
        network, _, seed = name.partition("_seed")
        save_evaluation(data_folder, name, true + off_px, training={"network": network, "seed": int(seed)})
    table = run_compare(tmp_path)
    assert table.loc[("labelled", "v1_seed1"), "verdict"].endswith("worse than base_seed0")
    seeds = pd.read_csv(tmp_path / "comparison" / "seeds.csv").set_index("network")
    assert seeds["mae_px"].round(3).to_dict() == {"base": 1.5, "v1": 2.0}
    message = "base and v1 differ by 0.500 px, less than the seeds of one network (2.000 px): this does not show which"
    assert message in capsys.readouterr().out
    assert message in (tmp_path / "comparison" / "comparison.md").read_text(encoding="utf-8")

"""The search space of a sweep: what a TOML file may contain, and which values a network allows."""

from pathlib import Path

import pytest

from facial_keypoints.errors import InputError
from scale_out.space import DEFAULT, Range, check_space, default_space, read_space
from training.recipes import resolve


def write(folder: Path, text: str) -> Path:
    path = folder / "space.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_lists_are_choices_and_tables_are_ranges(tmp_path: Path) -> None:
    text = 'loss = ["mse", "mae"]\nlearning_rate = {low = 1e-4, high = 1e-2, log = true}\nepochs = {low = 5, high = 10}'
    assert read_space(write(tmp_path, text)) == {
        "loss": ("mse", "mae"),
        "learning_rate": Range(1e-4, 1e-2, log=True),
        "epochs": Range(5, 10),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("loss = [", "is not a TOML file"),
        ("", "has no entries"),
        ('loss = "mse"', "neither a list of values nor a range"),
        ("loss = []", "neither a list of values nor a range"),
        ("learning_rate = {low = 1e-3}", "neither a list of values nor a range"),
        ("learning_rate = {low = 2, high = 1}", "neither a list of values nor a range"),
        ("learning_rate = {low = 0, high = 1, log = true}", "neither a list of values nor a range"),
        ("learning_rate = {low = 1, high = 2, step = 1}", "neither a list of values nor a range"),
    ],
)
def test_invalid_space_file_is_rejected(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        read_space(write(tmp_path, text))


def test_missing_space_file_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.toml: no such file"):
        read_space(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"learning_rat": (1e-3,)}, "learning_rat is not an option of v2; use epochs, batch_size, .*width"),
        ({"epochs": (1.5,)}, "epochs = 1.5 is not of the type int"),
        ({"learning_rate": ("high",)}, "learning_rate = 'high' is not of the type float"),
        ({"width": (True,)}, "width = True is not of the type float"),
        ({"loss": ("mse", "l3")}, "--loss l3: no such choice"),
        ({"learning_rate": Range(0, 1)}, "--learning-rate 0: give a positive number"),
        ({"batch_size": (16,)}, "batch_size is also an option of the command"),
    ],
)
def test_options_and_values_that_no_trial_can_have_are_rejected(
    space: dict[str, tuple[object, ...]], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        check_space(space, "v2", None, {"batch_size": 32}, "space.toml")


def test_network_options_and_integers_for_floats_are_allowed() -> None:
    check_space({"width": (0.5, 1), "learning_rate": Range(1, 2)}, "v2", None, {}, "space.toml")


@pytest.mark.parametrize("network", ["base", "v1", "v2", "cnn5"])
def test_default_space_is_allowed_for_every_network(network: str) -> None:
    space = default_space(resolve(network), {})
    check_space(space, network, None, {}, "default")
    assert ("loss" in space) == (network != "v2")


def test_options_given_for_all_trials_are_not_searched() -> None:
    assert set(default_space(resolve("base"), {"loss": "mae", "epochs": 3})) == set(DEFAULT) - {"loss"}

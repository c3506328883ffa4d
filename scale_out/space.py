"""The values that a sweep can try: ranges and lists for options of `training.train`."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facial_keypoints.errors import InputError, one_line
from models.networks import build_options, load_build, network_name
from training.recipes import Recipe, choice_fields, resolve
from training.train import option_type

ENTRY_HINT = "give NAME = [VALUE, ...] or NAME = {low = 1e-4, high = 1e-2, log = true}"


@dataclass(frozen=True)
class Range:
    """All numbers from `low` to `high`; whole numbers if both ends are whole.

    Attributes:
        log: whether equal ratios, not equal differences, are equally likely.
    """

    low: float
    high: float
    log: bool = False

    def __contains__(self, value: object) -> bool:
        return isinstance(value, (int, float)) and self.low <= value <= self.high


Space = Mapping[str, Range | tuple[Any, ...]]

DEFAULT: Space = {
    "learning_rate": Range(1e-4, 3e-3, log=True),
    "loss": ("mse", "mae", "huber"),
    "augment": ("none", "light", "strong"),
    "flip_epochs_fraction": Range(0.0, 1.0),
    "batch_size": (16, 32, 64),
}


def default_space(recipe: Recipe, shared: Mapping[str, Any]) -> Space:
    """Returns DEFAULT without the options that all trials share.

    A network that predicts an expected error has only one loss.
    """
    fixed = {*shared, "loss"} if recipe.loss == "laplace" else {*shared}
    return {name: values for name, values in DEFAULT.items() if name not in fixed}


def read_space(path: Path) -> Space:
    """Returns the space in a TOML file.

    Raises:
        InputError: the file is missing or not TOML, or an entry is neither a list nor a range.
    """
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise InputError(f"{path}: no such file; write one with lines like learning_rate = [1e-3, 3e-4]") from None
    except ValueError as error:
        raise InputError(f"{path}: is not a TOML file ({one_line(error)}); {ENTRY_HINT}") from None
    if not entries:
        raise InputError(f"{path}: has no entries; {ENTRY_HINT}")
    return {name: _values(path, name, value) for name, value in entries.items()}


def _values(path: Path, name: str, value: Any) -> Range | tuple[Any, ...]:
    if isinstance(value, list) and value and all(isinstance(each, (bool, int, float, str)) for each in value):
        return tuple(value)
    if isinstance(value, dict) and {"low", "high"} <= set(value) <= {"low", "high", "log"}:
        low, high, log = value["low"], value["high"], value.get("log", False)
        numbers = all(isinstance(each, (int, float)) and not isinstance(each, bool) for each in (low, high))
        if numbers and isinstance(log, bool) and low < high and (low > 0 or not log):
            return Range(low, high, log)
    raise InputError(f"{path}: {name} = {value} is neither a list of values nor a range from low to high; {ENTRY_HINT}")


def check_space(space: Space, network: str, recipe: str | None, shared: Mapping[str, Any], where: str) -> None:
    """Raises InputError unless each entry is an option of the recipe or of the network, with values that it can have.

    Args:
        space: to check.
        network: as in `training.train`.
        recipe: the name of the recipe that all trials start from; the network's own if None.
        shared: the values that all trials share.
        where: the beginning of the message.
    """
    of_recipe = {field.name: field.type for field in choice_fields()}
    network_options = build_options(load_build(network))
    for name, values in space.items():
        if name in shared:
            raise InputError(f"{where}: {name} is also an option of the command; give it only once")
        if name not in of_recipe and name not in network_options:
            names = ", ".join([*of_recipe, *network_options])
            raise InputError(f"{where}: {name} is not an option of {network}; use {names}")
        kind = of_recipe[name] if name in of_recipe else option_type(network_options[name])
        for value in (values.low, values.high) if isinstance(values, Range) else values:
            if type(value) is not kind and not (kind is float and type(value) is int):
                raise InputError(f"{where}: {name} = {value!r} is not of the type {getattr(kind, '__name__', kind)}")
            if name in of_recipe:
                resolve(network_name(network), recipe, {name: value})

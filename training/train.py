"""Stage 2: a data folder and a network in, a trained model folder out.

python -m training.train base
python -m training.train v1 --recipe published
python -m training.train my_network.py --filters 64
python -m training.train base --resume
python -m training.train v2 --extra-data artifacts/extra
"""

import argparse
import importlib.util
import inspect
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from common.backend import start_backend
from common.stage import seed
from facial_keypoints.errors import InputError, run
from models.networks import build_options, load_build, network_name, network_names
from training.recipes import CHOICES, IMAGENET, NONE, RECIPES, choice_fields, resolve

DEFAULT_DATA = Path("artifacts/data")
DEFAULT_OUT = Path("artifacts/models")
MAY_BE_ZERO = ("weight_decay", "warmup_epochs", "flip_epochs_fraction", "crop_px", "faces_per_group")
METAVARS = {"initial_weights": f"{NONE}|{IMAGENET}|FILE"}
OPTION_TYPES = (bool, int, float, str)  # of a network's own arguments


def parser() -> argparse.ArgumentParser:
    """Returns the options that every network has."""
    p = argparse.ArgumentParser(
        prog="python -m training.train",
        description=(__doc__ or "").partition("\n")[0],
        epilog="Arguments of the network's own `build` are options too: give NETWORK and --help to see them.",
        add_help=False,
        allow_abbrev=False,  # the first pass does not know the network's own options
    )
    p.add_argument(
        "network",
        nargs="?",  # so that --help needs none
        metavar="NETWORK",
        help=f"{', '.join(network_names())}, or a FILE.py that has a function `build`",
    )
    p.add_argument("-h", "--help", action="store_true", help="show this and the network's own options")
    p.add_argument("--data", type=Path, default=DEFAULT_DATA, help="data folder (default: %(default)s)")
    p.add_argument("--out", type=Path, help=f"model folder to write (default: {DEFAULT_OUT}/NETWORK)")
    p.add_argument(
        "--extra-data", type=Path, metavar="DIR", help="a second data folder: all its faces train, none validates"
    )
    p.add_argument("--recipe", choices=list(RECIPES), help="default: the network's own, where it has one")
    for field in choice_fields():
        values = ", ".join(f"{getattr(recipe, field.name)} ({name})" for name, recipe in RECIPES.items())
        p.add_argument(
            option_of(field.name),
            type=_number(field.type, field.name in MAY_BE_ZERO) if field.type in (int, float) else str,
            choices=CHOICES.get(field.name),
            metavar=METAVARS.get(field.name),
            help=f"in place of the recipe's: {values}",
        )
    p.add_argument("--seed", type=seed, default=0, help="of weights, shuffling and augmentation (default: 0)")
    p.add_argument("--tensorboard", type=Path, metavar="DIR", help="write TensorBoard logs here")
    p.add_argument("--resume", action="store_true", help="go on with the unfinished run of this --out")
    p.add_argument(
        "--restart",
        action="store_true",
        help="throw the unfinished run of this --out away; with --resume: only where it cannot be gone on with",
    )
    return p


def option_of(name: str) -> str:
    return "--" + name.replace("_", "-")


def _number(kind: type, or_zero: bool = False) -> Any:
    def number(text: str) -> Any:
        value = kind(text)
        if not (0 < value < float("inf") or (or_zero and value == 0)):
            raise argparse.ArgumentTypeError(f"{text} is not a positive number{' or 0' if or_zero else ''}")
        return value

    number.__name__ = kind.__name__
    return number


def add_network_options(
    p: argparse.ArgumentParser, own: Mapping[str, inspect.Parameter], taken: Iterable[str]
) -> list[str]:
    """Adds the arguments of a network's `build` as options and returns their names.

    The type is that of the annotation, else of the default. What no option can say, or what has the name of an option
    of every network, keeps its default.
    """
    group, added = p.add_argument_group("options of the network"), []
    for name, parameter in own.items():
        default, annotation = parameter.default, parameter.annotation
        kind = annotation if annotation in OPTION_TYPES else type(default)
        if name not in taken and kind in OPTION_TYPES:
            how: dict[str, Any] = {"action": argparse.BooleanOptionalAction} if kind is bool else {"type": kind}
            group.add_argument(option_of(name), default=argparse.SUPPRESS, help=f"default: {default}", **how)
            added.append(name)
    return added


def main(arguments: Sequence[str] | None = None) -> None:
    p = parser()
    known, _ = p.parse_known_args(arguments)
    if known.network is None:
        if known.help:
            p.print_help()
            return
        p.error(f"give a NETWORK: {', '.join(network_names())}, or a FILE.py")
    start_backend()
    build = load_build(known.network)
    own = add_network_options(p, build_options(build), taken=vars(known))
    if known.help:
        p.print_help()
        return
    options = p.parse_args(arguments)
    name = network_name(options.network)
    recipe = resolve(name, options.recipe, {field.name: getattr(options, field.name) for field in choice_fields()})

    import keras

    from training.core import TrainingConfig, train
    from training.inputs import load_data

    if options.tensorboard and importlib.util.find_spec("tensorflow") is None:
        raise InputError("--tensorboard: Keras writes its logs through TensorFlow, which is missing; leave it out")
    out = options.out or DEFAULT_OUT / name
    if options.tensorboard and options.tensorboard.resolve().is_relative_to(out.resolve()):
        raise InputError(
            f"--tensorboard {options.tensorboard}: lies in {out}, which is replaced at the end; move it out"
        )
    data = load_data(options.data, options.extra_data, recipe.labels)
    config = TrainingConfig(
        options.network,
        recipe,
        {name: getattr(options, name) for name in own if name in options},
        options.seed,
    )
    callbacks = [keras.callbacks.TensorBoard(options.tensorboard)] if options.tensorboard else []
    train(config, data, out, build, options.resume, options.restart, callbacks)
    print(f"{out}: model.keras, summary.txt, history.csv, loss_curves.png")


if __name__ == "__main__":
    run(main)

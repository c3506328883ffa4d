"""Stage 2: trains a network on a data folder and writes a model folder."""

import argparse
import importlib.util
import inspect
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common import tracking
from common.backend import start_backend
from common.options import DEFAULT_DATA, add_data_option, positive, seed
from facial_keypoints.errors import InputError, run
from models.networks import Build, build_options, load_build, network_name, network_names
from models.saved import TRAIN
from training.recipes import CHOICES, IMAGENET, NONE, RECIPES, Recipe, choice_fields, resolve

if TYPE_CHECKING:
    import keras

DEFAULT_OUT = Path("artifacts/models")
AUTO = "auto"  # address of process 0: JAX finds it
HELP = {  # of the values of a recipe
    "epochs": "maximum number of epochs",
    "batch_size": "faces per batch",
    "learning_rate": "highest learning rate of Adam",
    "schedule": "learning rate schedule",
    "patience": "epochs without improvement before training stops",
    "loss": "loss function",
    "labels": "masked: real labels only; imputed: imputed labels too; by_source: real labels, each label source apart",
    "augment": "strength of the augmentation",
    "crop_px": "side of the random crop in px; 0: the whole image",
    "faces_per_group": "maximum number of faces of one group (person) in an epoch; 0: all",
    "weight_decay": "decoupled weight decay",
    "warmup_epochs": "epochs in which the learning rate rises from 0",
    "flip_epochs_fraction": "fraction of the epochs in which half of the faces are mirrored",
    "keep": "epoch whose weights are saved; last: nothing stops the run early",
    "precision": "Keras dtype policy during training",
    "initial_weights": "weights to start from: a shipped model, a model folder, a .keras file or an .h5 file of VGG16",
}
METAVARS: dict[Any, str] = {int: "N", float: "X", str: f"{NONE}|{IMAGENET}|NAME|PATH"}
OPTION_TYPES = (bool, int, float, str)  # of a network's own arguments
EPILOG = """The defaults of a recipe's options are those of the network's own recipe, or of --recipe NAME.

examples:
  python -m training.train base
  python -m training.train v1 --recipe published --help
  python -m training.train my_network.py --filters 64
  python -m training.train base --seeds 3
  python -m training.train v2 --recipe finetune --initial-weights v2-68
"""


def train(
    network: str | Build,
    data: str | Path = DEFAULT_DATA,
    out: str | Path | None = None,
    *,
    extra_data: str | Path | None = None,
    recipe: str | None = None,
    seed: int = 0,
    resume: bool = False,
    restart: bool = False,
    cache_frozen: bool = False,
    callbacks: Sequence["keras.callbacks.Callback"] = (),
    **values: Any,
) -> Path:
    """Trains a network and returns the model folder that it writes.

    Args:
        network: `base`, `v1`, ..., the path of a FILE.py with a function `build`, or the function itself.
        data: the data folder.
        out: the model folder; `artifacts/models/NETWORK` by default.
        extra_data: a second data folder; all its faces are added to the training faces.
        recipe: a name in `training.recipes.RECIPES`; the network's own by default.
        seed: of weights, shuffling and augmentation.
        resume: continue the unfinished run of `out`.
        restart: discard it; with `resume`, only if it cannot be continued.
        cache_frozen: run frozen layers once, not in every epoch.
        callbacks: further Keras callbacks.
        values: values that replace those of the recipe (`epochs=10`), and options of the network (`filters=64`).

    Raises:
        InputError: a value is not allowed, the data folder cannot be used, or see `training.core.train`.
    """
    start_backend()
    from training import core

    name = network_name(network)
    fields = {field.name for field in choice_fields()}
    choices = {key: value for key, value in values.items() if key in fields}
    options = {key: value for key, value in values.items() if key not in fields}
    extra = None if extra_data is None else Path(extra_data)
    config = core.TrainingConfig(
        network, resolve(name, recipe, choices), Path(data), extra, options, seed, cache_frozen
    )
    folder = DEFAULT_OUT / name if out is None else Path(out)
    core.train(config, folder, resume, restart, callbacks)
    return folder


def parser(recipe: Recipe) -> argparse.ArgumentParser:
    """Returns the options that every network has; the help shows the values of this recipe."""
    p = argparse.ArgumentParser(
        prog="python -m training.train",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
        allow_abbrev=False,  # the first pass does not know the network's own options
    )
    p.add_argument(
        "network",
        nargs="?",  # not needed for --help
        metavar="NETWORK",
        help=f"{', '.join(network_names())}, or a FILE.py that defines a function `build`",
    )
    p.add_argument("-h", "--help", action="store_true", help="show this help and the options of NETWORK")
    files = p.add_argument_group("folders")
    add_data_option(files)
    files.add_argument(
        "--extra-data", type=Path, metavar="DIR", help="second data folder; all its faces are added to the training set"
    )
    files.add_argument(
        "--out", type=Path, metavar="DIR", help=f"model folder to write (default: {DEFAULT_OUT}/NETWORK)"
    )
    files.add_argument("--tensorboard", type=Path, metavar="DIR", help="write TensorBoard logs here")
    tracking.add_mlflow_option(files)
    values = p.add_argument_group("recipe")
    values.add_argument(
        "--recipe",
        choices=list(RECIPES),
        help=f"set of values for these options (default: the network's own, here {recipe.name})",
    )
    for field in choice_fields():
        choices = CHOICES.get(field.name)
        values.add_argument(
            option_of(field.name),
            type=field.type,
            choices=choices,
            metavar=None if choices else METAVARS[field.type],
            help=f"{HELP[field.name]} (default: {getattr(recipe, field.name)})",
        )
    runs = p.add_argument_group("run")
    runs.add_argument("--seed", type=seed, default=0, metavar="N", help="random seed (default: %(default)s)")
    runs.add_argument(
        "--seeds",
        type=positive(int),
        metavar="N",
        help="train N times, with the seeds from --seed on, and write OUT_seed0, OUT_seed1, ...",
    )
    runs.add_argument("--resume", action="store_true", help="continue the unfinished run of --out")
    runs.add_argument(
        "--restart",
        action="store_true",
        help="discard the unfinished run of --out; with --resume, only if it cannot be continued",
    )
    runs.add_argument(
        "--cache-frozen",
        action="store_true",
        help="run frozen layers once, not in every epoch; for runs without augmentation and random crops",
    )
    several = p.add_argument_group("several processes", "needs KERAS_BACKEND=jax; start the same command in each")
    several.add_argument(
        "--coordinator",
        type=address,
        metavar=f"HOST:PORT|{AUTO}",
        help=f"address of process 0; {AUTO}: Slurm, Kubernetes or Open MPI set this and the two other values",
    )
    several.add_argument("--processes", type=positive(int), metavar="N", help="number of processes")
    several.add_argument("--process-id", type=int, metavar="I", help="number of this process, from 0")
    return p


def address(text: str) -> str:
    """Returns an address of the command line; for `argparse`."""
    host, _, port = text.rpartition(":")
    if text != AUTO and not (host and port.isdecimal() and 0 < int(port) < 2**16):
        raise argparse.ArgumentTypeError(f"{text} is not HOST:PORT or {AUTO}")
    return text


def option_of(name: str) -> str:
    return "--" + name.replace("_", "-")


def add_network_options(
    p: argparse.ArgumentParser, parameters: Mapping[str, inspect.Parameter], reserved: Iterable[str]
) -> list[str]:
    """Adds the arguments of a network's `build` as options and returns their names.

    The type is that of the annotation, else of the default. An argument keeps its default if its type cannot be given
    on the command line, or if its name is that of an option of every network.
    """
    group, added = p.add_argument_group("network", "arguments of its build"), []
    for name, parameter in parameters.items():
        kind = option_type(parameter)
        if name not in reserved and kind in OPTION_TYPES:
            arguments: dict[str, Any] = {"action": argparse.BooleanOptionalAction} if kind is bool else {"type": kind}
            default = parameter.default
            group.add_argument(option_of(name), default=argparse.SUPPRESS, help=f"(default: {default})", **arguments)
            added.append(name)
    return added


def option_type(parameter: inspect.Parameter) -> Any:
    """Returns the type of a network's own argument."""
    return parameter.annotation if parameter.annotation in OPTION_TYPES else type(parameter.default)


def tensorboard(logs: Path, out: Path) -> "keras.callbacks.Callback":
    """Returns the callback that writes TensorBoard logs; raises InputError without TensorFlow or for logs in `out`."""
    import keras

    if importlib.util.find_spec("tensorflow") is None:
        raise InputError("--tensorboard: Keras needs TensorFlow to write these logs; install it or omit the option")
    if logs.resolve().is_relative_to(out.resolve()):
        raise InputError(f"--tensorboard {logs}: lies in {out}, which training replaces; choose another folder")
    return keras.callbacks.TensorBoard(logs)


def parse(arguments: Sequence[str] | None) -> tuple[argparse.Namespace, dict[str, Any]]:
    """Returns the options of a command line, and its values for the recipe and the network.

    With --help, it shows the help and ends the program.
    """
    first_pass, _ = parser(RECIPES["default"]).parse_known_args(arguments)
    name = network_name(first_pass.network or "base")
    p = parser(resolve(name, first_pass.recipe))
    if first_pass.network is None:
        if first_pass.help:
            p.print_help()
            p.exit()
        p.error(f"give a NETWORK: {', '.join(network_names())}, or a FILE.py")
    start_backend()
    network_options = add_network_options(p, build_options(load_build(first_pass.network)), reserved=vars(first_pass))
    if first_pass.help:
        p.print_help()
        p.exit()
    options = p.parse_args(arguments)
    if wrong := processes_error(options.coordinator, options.processes, options.process_id):
        p.error(wrong)
    values = {field.name: getattr(options, field.name) for field in choice_fields()}
    values |= {option: getattr(options, option) for option in network_options if option in options}
    return options, {name: value for name, value in values.items() if value is not None}


def processes_error(coordinator: str | None, processes: int | None, process: int | None) -> str:
    """Returns what is wrong with the options of several processes; "" if nothing is."""
    if coordinator in (None, AUTO):
        is_given = processes is not None or process is not None
        return "--processes and --process-id need --coordinator HOST:PORT" if is_given else ""
    if processes is None or process is None:
        return "--coordinator HOST:PORT needs --processes and --process-id"
    if not 0 <= process < processes:
        return f"--process-id {process}: is not between 0 and {processes - 1}, one less than --processes"
    return ""


def main(arguments: Sequence[str] | None = None) -> None:
    options, values = parse(arguments)
    if options.coordinator is None:
        train_all(options, values)
        return
    from training import distribution

    address = None if options.coordinator == AUTO else options.coordinator
    with distribution.joined(address, options.processes, options.process_id):
        with distribution.agreed() as facts:
            facts |= {f"--{name}": getattr(options, name) for name in ("seeds", "seed", "resume")}
        if not distribution.is_first():
            options.tensorboard = options.mlflow = None
        train_all(options, values)


def train_all(options: argparse.Namespace, values: Mapping[str, Any]) -> None:
    """Trains with the options of a command line, once for each of its seeds."""
    tracking.check(options.mlflow)
    out = options.out or DEFAULT_OUT / network_name(options.network)
    if options.seeds is None:
        train_one(options, values, out)
    for number in range(options.seed, options.seed + (options.seeds or 0)):
        train_seed(options, values, number, out.with_name(f"{out.name}_seed{number}"))


def train_seed(options: argparse.Namespace, values: Mapping[str, Any], number: int, out: Path) -> None:
    """Trains with one of several seeds; with `--resume`, skips it if it is finished and starts it if it is new."""
    import keras

    from training import distribution

    unfinished = distribution.from_first(out.with_name(f"{out.name}.unfinished").is_dir())
    if options.resume and distribution.from_first(out.is_dir()) and not unfinished:
        print(f"{out}: is finished")
        return
    keras.utils.clear_session()  # frees the network of the previous seed
    logs = options.tensorboard and options.tensorboard / out.name
    changes = {"seed": number, "resume": options.resume and unfinished, "tensorboard": logs}
    train_one(argparse.Namespace(**{**vars(options), **changes}), values, out)


def train_one(options: argparse.Namespace, values: Mapping[str, Any], out: Path) -> None:
    """Trains once with the options of a command line."""
    train(
        options.network,
        options.data,
        out,
        extra_data=options.extra_data,
        recipe=options.recipe,
        seed=options.seed,
        resume=options.resume,
        restart=options.restart,
        cache_frozen=options.cache_frozen,
        callbacks=[tensorboard(options.tensorboard, out)] if options.tensorboard else [],
        **values,
    )
    print(f"{out}: model.keras, summary.txt, history.csv, loss_curves.png")
    tracking.log_folder(options.mlflow, out, TRAIN)


if __name__ == "__main__":
    run(main)

"""Stage 2: a data folder and the name of a network in, a trained model folder out.

python -m training.train base
python -m training.train v1 --recipe documented
python -m training.train base --resume
python -m training.train v2 --more artifacts/more
"""

import argparse
import csv
import dataclasses
import importlib
import inspect
import shutil
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import models  # noqa: F401  isort: skip  (before keras: it silences the backend's start-up notes)
import keras

from common.stage import check_out, file_hash, locked, seconds_text, seed, write_manifest
from facial_keypoints.errors import InputError, run
from facial_keypoints.folders import atomic_folder
from models.drawing import draw
from models.v2 import HEADS
from training import checkpoint
from training.augment import LEVELS
from training.confidence import calibrate_on, predicts_sigma
from training.fit import best_epoch, compile_model, fit
from training.inputs import Data, load_data
from training.losses import LOSSES
from training.plots import loss_curves
from training.recipes import NETWORKS, PRECISIONS, RECIPES, SCHEDULES, Recipe, default_recipe
from training.targets import LABELS

DEFAULT_DATA = Path("artifacts/data")
DEFAULT_OUT = Path("artifacts/models")
STATE = "state.npz"
CHOICES = {"loss": tuple(LOSSES), "labels": LABELS, "augment": LEVELS, "schedule": SCHEDULES, "precision": PRECISIONS}
BUILD_OPTIONS = ("width", "head")  # arguments that only some networks' `build` has
MAY_BE_ZERO = ("weight_decay", "warmup_epochs", "unmirrored", "average")


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(prog="python -m training.train", description=(__doc__ or "").splitlines()[0])
    p.add_argument("model", choices=NETWORKS, help="the network to train")
    p.add_argument("--data", type=Path, default=DEFAULT_DATA, help="data folder (default: %(default)s)")
    p.add_argument("--out", type=Path, help=f"model folder to write (default: {DEFAULT_OUT}/MODEL)")
    p.add_argument(
        "--more", type=Path, metavar="DIR", help="a second data folder, all of whose faces train too (none validate)"
    )
    p.add_argument("--width", type=_number(float), help="of v2: multiplies the filters of every layer")
    p.add_argument("--head", choices=HEADS, help="of v2, to compare: how the keypoints come out of the features")
    p.add_argument("--recipe", choices=list(RECIPES), help="default: the network's own, where it has one")
    for field in dataclasses.fields(Recipe):
        values = ", ".join(f"{getattr(recipe, field.name)} ({name})" for name, recipe in RECIPES.items())
        p.add_argument(
            "--" + field.name.replace("_", "-"),
            type=_number(field.type, field.name in MAY_BE_ZERO) if field.type in (int, float) else str,
            choices=CHOICES.get(field.name),
            help=f"in place of the recipe's: {values}",
        )
    p.add_argument("--seed", type=seed, default=0, help="of weights, shuffling and augmentation (default: 0)")
    p.add_argument("--initial-weights", type=Path, metavar="FILE", help="a model.keras to start from")
    p.add_argument("--tensorboard", type=Path, metavar="DIR", help="write TensorBoard logs here")
    p.add_argument("--resume", action="store_true", help="go on with the unfinished run of this --out")
    p.add_argument(
        "--restart",
        action="store_true",
        help="throw the unfinished run of this --out away; with --resume: only where it cannot be gone on with",
    )
    return p


def _number(kind: type, or_zero: bool = False) -> Any:
    def number(text: str) -> Any:
        value = kind(text)
        if not (0 < value < float("inf") or (or_zero and value == 0)):
            raise argparse.ArgumentTypeError(f"{text} is not a positive number{' or 0' if or_zero else ''}")
        return value

    number.__name__ = kind.__name__
    return number


def chosen_recipe(options: argparse.Namespace) -> Recipe:
    """Returns the recipe that the options name, with the choices they put in its place.

    Raises:
        InputError: choices that do not go together.
    """
    own = {f.name: getattr(options, f.name) for f in dataclasses.fields(Recipe)}
    if own["schedule"] == "constant":
        if own["warmup_epochs"]:
            raise InputError("--warmup-epochs: a constant learning rate has none; use --schedule cosine")
        own["warmup_epochs"] = 0
    if (own["average"] or 0) >= 1:
        raise InputError("--average: the decay must be under 1")
    if (own["unmirrored"] or 0) > 1:
        raise InputError("--unmirrored: a share is at most 1")
    return dataclasses.replace(RECIPES[options.recipe], **{k: v for k, v in own.items() if v is not None})


def build(options: argparse.Namespace, data: Data, initial_weights: Path | None) -> keras.Model:
    """Returns the network for pictures and marks like those of `data`, untrained or with the weights of a file.

    Raises:
        InputError: the pictures are too small or too large for the network, it has no such choice as `--width`, or
            the file does not fit.
    """
    shape = data.train.images.shape[1:]
    name: str = options.model
    network = importlib.import_module(f"models.{name}").build
    choices = {key: getattr(options, key) for key in BUILD_OPTIONS if getattr(options, key) is not None}
    if unknown := [key for key in choices if key not in inspect.signature(network).parameters]:
        raise InputError(f"--{unknown[0]}: {name} has no such choice; leave it out")
    try:
        model = network(shape, data.train.points.shape[1], **choices)
    except ValueError as error:
        raise InputError(f"{name} cannot take pictures of {shape[1]} x {shape[0]} px ({error})") from None
    if initial_weights is not None:
        try:
            model.set_weights(keras.saving.load_model(initial_weights, compile=False).get_weights())
        except (OSError, ValueError, KeyError) as error:
            raise InputError(f"{initial_weights}: holds no weights that fit {name} ({error})") from None
    return model


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser().parse_args(arguments)
    options.recipe = options.recipe or default_recipe(options.model)
    recipe = chosen_recipe(options)
    out: Path = options.out or DEFAULT_OUT / options.model
    check_out(out, "train", [options.data, *([options.more] if options.more else [])])
    data = load_data(options.data, options.more, recipe.labels)
    if data.labels != recipe.labels:
        print("not every mark of the two label sources has a label: keypoints are learnt, whatever the source")
        recipe = dataclasses.replace(recipe, labels=data.labels)
    unfinished = out.with_name(out.name + ".unfinished")
    with locked(out):
        path = unfinished / STATE
        check_unfinished(path, options.resume, options.restart)
        try:
            model, state = train_network(path, options, recipe, data)
        except KeyboardInterrupt:
            if path.is_file():
                print(f"{checkpoint.epochs_done(path)} epochs are kept; the same command with --resume goes on")
            raise
        with atomic_folder(out) as folder:
            write_model(folder, finished_model(model, options, data), state, recipe)
        shutil.rmtree(unfinished)
    print(f"{out}: model.keras, summary.txt, network.png, history.csv, loss_curves.png")


def check_unfinished(path: Path, resume: bool, restart: bool) -> None:
    """Raises InputError where an unfinished run would be lost unasked, or where there is none to go on with."""
    if path.is_file() and not (resume or restart):
        raise InputError(
            f"{path.parent}: holds an unfinished run of {checkpoint.epochs_done(path)} epochs; "
            "go on with it by --resume, or throw it away by --restart"
        )
    if resume and not restart and not path.is_file():
        raise InputError(f"{path.parent}: holds no unfinished run; leave --resume out to start one")


def train_network(
    path: Path, options: argparse.Namespace, recipe: Recipe, data: Data
) -> tuple[keras.Model, checkpoint.State]:
    """Returns the trained network and the last state of the run, which every epoch leaves at `path`."""
    keras.utils.set_random_seed(options.seed)
    keras.mixed_precision.set_global_policy(recipe.precision)
    model = build(options, data, options.initial_weights)
    if recipe.loss == "laplace" and not predicts_sigma(model):
        raise InputError(f"--loss laplace needs a network that predicts sigma (v2); {options.model} does not")
    if recipe.loss != "laplace" and predicts_sigma(model):
        raise InputError(f"--loss {recipe.loss} leaves the sigma of {options.model} untaught; use --loss laplace")
    compile_model(model, recipe, len(data.train.images))
    settings = {
        "model": options.model,
        "recipe": options.recipe,
        **dataclasses.asdict(recipe),
        **{key: getattr(options, key) for key in BUILD_OPTIONS},
        "seed": options.seed,
        "initial_weights": file_hash(options.initial_weights) if options.initial_weights else None,
        **data.hashes,
    }
    state = resumed(path, model, settings, options.restart) if options.resume and path.is_file() else None
    if state is None:
        weights = model.get_weights()
        state = checkpoint.State(settings, [], weights, list(weights) if recipe.average else [], 0.0)
        checkpoint.save(path, model, state)
    print(
        f"{options.model}: {model.count_params():,} parameters, {len(data.train.images)} faces, recipe {options.recipe}"
    )
    if state.history:
        print(f"going on after epoch {len(state.history)}")
    watchers = [keras.callbacks.TensorBoard(options.tensorboard)] if options.tensorboard else []
    return model, fit(model, data.train, data.val, recipe, data.mirror, options.seed, state, path, watchers)


def finished_model(model: keras.Model, options: argparse.Namespace, data: Data) -> keras.Model:
    """Returns the trained network as it is kept: in float32, and with a sigma calibrated on the validation faces."""
    keras.mixed_precision.set_global_policy("float32")
    kept = build(options, data, None)
    kept.set_weights(model.get_weights())
    if predicts_sigma(kept):
        calibrate_on(kept, data.val)
    return kept


def resumed(path: Path, model: keras.Model, settings: dict[str, Any], restart: bool) -> checkpoint.State | None:
    """Returns the state of the unfinished run; None where it has other settings and may be thrown away."""
    try:
        return checkpoint.restore(path, model, settings)
    except InputError as error:
        if not restart:
            raise
        print(f"starting over: {error}")
        return None


def save_model(model: keras.Model, path: Path) -> None:
    """Writes a network to a `.keras` file, deflated, which Keras does not do."""
    plain = path.with_suffix(".plain.keras")
    model.save(plain)
    with zipfile.ZipFile(plain) as stored, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as deflated:
        for entry in stored.infolist():
            deflated.writestr(entry, stored.read(entry), zipfile.ZIP_DEFLATED)
    plain.unlink()


def write_model(folder: Path, model: keras.Model, state: checkpoint.State, recipe: Recipe) -> None:
    """Writes all that a model folder holds, and says on the terminal how training went."""
    settings, history = state.settings, state.history
    best = best_epoch(history, recipe.monitor)
    save_model(model, folder / "model.keras")
    with (folder / "summary.txt").open("w") as file:
        model.summary(line_length=100, print_fn=lambda line: print(line, file=file))
    draw(model, folder / "network.png")
    with (folder / "history.csv").open("w", newline="") as file:
        rows = csv.DictWriter(file, list(history[0]))
        rows.writeheader()
        rows.writerows(history)
    title = f"{settings['model']}, recipe {settings['recipe']}"
    loss_curves(folder / "loss_curves.png", history, best, settings["loss"], title)
    best_mae = history[best - 1]["val_mae"]
    write_manifest(
        folder,
        "train",
        parameters={**settings, "backend": keras.backend.backend()},
        inputs={name: settings[name] for name in ("data", "more") if name in settings},
        figures={
            "parameters": model.count_params(),
            "epochs": len(history),
            "best_epoch": best,
            "val_mae_px": round(best_mae, 4),
            "seconds": round(state.seconds, 1),
        },
        started=time.time() - state.seconds,
    )
    print(
        f"{len(history)} epochs in {seconds_text(state.seconds)}; best is epoch {best}: validation MAE "
        f"{best_mae:.3f} px ({'all labels' if settings['labels'] == 'imputed' else 'real labels'})"
    )


if __name__ == "__main__":
    run(main)

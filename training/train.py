"""Stage 2: a data folder and the name of a network in, a trained model folder out.

python -m training.train base
python -m training.train v1 --recipe documented
python -m training.train base --resume
"""

import argparse
import csv
import dataclasses
import importlib
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import models  # noqa: F401  isort: skip  (before keras: it silences the backend's start-up notes)
import keras

from common.stage import (
    InputError,
    check_out,
    file_hash,
    locked,
    run,
    seconds_text,
    seed,
    swapped,
    write_manifest,
)
from data_prep import arrays
from data_prep.faces import Part
from data_prep.keypoint_set import KeypointSet
from models.drawing import draw
from training import checkpoint
from training.augment import LEVELS
from training.fit import best_epoch, compile_model, fit
from training.losses import LOSSES
from training.plots import loss_curves
from training.recipes import LABELS, NETWORKS, RECIPES, SCHEDULES, Recipe

DEFAULT_DATA = Path("artifacts/data")
DEFAULT_OUT = Path("artifacts/models")
STATE = "state.npz"
CHOICES = {"loss": tuple(LOSSES), "labels": LABELS, "augment": LEVELS, "schedule": SCHEDULES}


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(prog="python -m training.train", description=(__doc__ or "").splitlines()[0])
    p.add_argument("model", choices=NETWORKS, help="the network to train")
    p.add_argument("--data", type=Path, default=DEFAULT_DATA, help="data folder (default: %(default)s)")
    p.add_argument("--out", type=Path, help=f"model folder to write (default: {DEFAULT_OUT}/MODEL)")
    p.add_argument("--recipe", choices=list(RECIPES), default="default", help="default: %(default)s")
    for field in dataclasses.fields(Recipe):
        values = ", ".join(f"{getattr(recipe, field.name)} ({name})" for name, recipe in RECIPES.items())
        p.add_argument(
            "--" + field.name.replace("_", "-"),
            type=_positive(field.type) if field.type in (int, float) else str,
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


def _positive(kind: type) -> Any:
    def number(text: str) -> Any:
        value = kind(text)
        if not 0 < value < float("inf"):
            raise argparse.ArgumentTypeError(f"{text} is not a positive number")
        return value

    number.__name__ = kind.__name__
    return number


def chosen_recipe(options: argparse.Namespace) -> Recipe:
    """Returns the recipe that the options name, with the choices they put in its place."""
    own = {f.name: getattr(options, f.name) for f in dataclasses.fields(Recipe)}
    return dataclasses.replace(RECIPES[options.recipe], **{k: v for k, v in own.items() if v is not None})


def load_data(folder: Path) -> tuple[str, KeypointSet, Part, Part]:
    """Returns the hash of a data folder's arrays, its mark-up, its training and its validation part.

    Raises:
        InputError: no data folder, or there is nothing in it to train or validate on.
    """
    manifest = arrays.load_data_manifest(folder)
    train, val = arrays.load_part(folder, "train"), arrays.load_part(folder, "val")
    if not len(train) or not len(val):
        raise InputError(f"{folder}: has no faces to train and validate on; prepare it with another --split")
    if not train.labelled.any(axis=0).all():
        raise InputError(f"{folder}: a keypoint is labelled in no training face; prepare it with another --seed")
    if not val.labelled.any():
        raise InputError(f"{folder}: no validation face has a real label; prepare it with another --seed")
    return arrays.data_hash(manifest), arrays.load_keypoint_set(manifest), train, val


def build(name: str, part: Part, initial_weights: Path | None) -> keras.Model:
    """Returns the network for pictures and keypoints like those of `part`, untrained or with the weights of a file.

    Raises:
        InputError: the pictures are too small for the network, or the file does not fit it.
    """
    shape = part.images.shape[1:]
    try:
        model = importlib.import_module(f"models.{name}").build(shape, part.keypoints.shape[1])
    except ValueError:
        raise InputError(f"{name} cannot take pictures of {shape[1]} x {shape[0]} px: they are too small") from None
    if initial_weights is not None:
        try:
            model.set_weights(keras.saving.load_model(initial_weights, compile=False).get_weights())
        except (OSError, ValueError, KeyError) as error:
            raise InputError(f"{initial_weights}: holds no weights that fit {name} ({error})") from None
    return model


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser().parse_args(arguments)
    recipe = chosen_recipe(options)
    out: Path = options.out or DEFAULT_OUT / options.model
    check_out(out, "train", [options.data])
    data = load_data(options.data)
    unfinished = out.with_name(out.name + ".unfinished")
    with locked(out):
        path = unfinished / STATE
        check_unfinished(path, options.resume, options.restart)
        try:
            model, state = train_network(path, options, recipe, *data)
        except KeyboardInterrupt:
            if path.is_file():
                print(f"{checkpoint.epochs_done(path)} epochs are kept; the same command with --resume goes on")
            raise
        with swapped(out) as folder:
            write_model(folder, model, state)
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
    path: Path,
    options: argparse.Namespace,
    recipe: Recipe,
    data_hash: str,
    keypoint_set: KeypointSet,
    train: Part,
    val: Part,
) -> tuple[keras.Model, checkpoint.State]:
    """Returns the trained network and the last state of the run, which every epoch leaves at `path`."""
    keras.utils.set_random_seed(options.seed)
    model = build(options.model, train, options.initial_weights)
    compile_model(model, recipe, len(train))
    settings = {
        "model": options.model,
        "recipe": options.recipe,
        **dataclasses.asdict(recipe),
        "seed": options.seed,
        "initial_weights": file_hash(options.initial_weights) if options.initial_weights else None,
        "data": data_hash,
    }
    state = resumed(path, model, settings, options.restart) if options.resume and path.is_file() else None
    if state is None:
        state = checkpoint.State(settings, [], model.get_weights(), 0.0)
        checkpoint.save(path, model, state)
    print(f"{options.model}: {model.count_params():,} parameters, {len(train)} faces, recipe {options.recipe}")
    if state.history:
        print(f"going on after epoch {len(state.history)}")
    watchers = [keras.callbacks.TensorBoard(options.tensorboard)] if options.tensorboard else []
    return model, fit(model, train, val, recipe, keypoint_set.mirror, options.seed, state, path, watchers)


def resumed(path: Path, model: keras.Model, settings: dict[str, Any], restart: bool) -> checkpoint.State | None:
    """Returns the state of the unfinished run; None where it has other settings and may be thrown away."""
    try:
        return checkpoint.restore(path, model, settings)
    except InputError as error:
        if not restart:
            raise
        print(f"starting over: {error}")
        return None


def write_model(folder: Path, model: keras.Model, state: checkpoint.State) -> None:
    """Writes all that a model folder holds, and says on the terminal how training went."""
    settings, history, best = state.settings, state.history, best_epoch(state.history)
    uncompiled = keras.Model(model.inputs, model.outputs, name=model.name)  # the optimiser is twice as large as it
    uncompiled.save(folder / "model.keras")
    with (folder / "summary.txt").open("w") as file:
        model.summary(line_length=100, print_fn=lambda line: print(line, file=file))
    draw(model, folder / "network.png")
    with (folder / "history.csv").open("w", newline="") as file:
        rows = csv.DictWriter(file, list(history[0]))
        rows.writeheader()
        rows.writerows(history)
    title = f"{settings['model']}, recipe {settings['recipe']}"
    loss_curves(folder / "loss_curves.png", history, settings["loss"], title)
    best_mae = history[best - 1]["val_mae"]
    write_manifest(
        folder,
        "train",
        parameters={**settings, "backend": keras.backend.backend()},
        inputs={"data": settings["data"]},
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

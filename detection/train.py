"""Trains `face-finder`, the network that finds faces, and writes a model folder."""

import argparse
import csv
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from common.backend import start_backend
from common.hashes import file_hash, path_hash
from common.options import seed as seed_option
from common.options import stage_parser
from common.process import one_opencv_thread
from common.stage import Stage, check_out, locked, read_manifest, seconds_text, stage_code, write_manifest
from detection.mine import with_hard_negatives
from detection.scenes import Scene, read_inputs
from facial_keypoints.detectors.finder import STRIDES_PX
from facial_keypoints.errors import InputError, one_line, run
from facial_keypoints.folders import atomic_folder
from facial_keypoints.pretrained import FINDER, KERAS_FILE
from training.recipes import PRECISIONS

if TYPE_CHECKING:
    import keras

    from training import checkpoint

DEFAULT_OUT = Path("artifacts/models") / FINDER
TRAIN_FINDER = Stage("train-finder", "detection.train", "INPUT... --out DIR")
METRICS = ("loss", "val_loss")  # of each epoch; columns of `history.csv`
WARMUP = 0.04  # share of all steps in which the learning rate rises from 0
MAX_GRADIENT_NORM = 10.0  # gradients with a larger norm are scaled down
SIDE_MULTIPLE_PX = STRIDES_PX[-1]  # of the coarsest grid


@dataclass(frozen=True)
class Recipe:
    """How the network is trained.

    Attributes:
        epochs, pictures: the number of epochs, and of composed pictures in each.
        val_pictures: composed pictures for validation.
        batch_size: pictures per step.
        side_px: of a picture, a multiple of 32.
        learning_rate: the highest one of Adam; it falls to 0 along a cosine.
        weight_decay: decoupled weight decay.
        precision: Keras dtype policy during training.
    """

    epochs: int = 40
    pictures: int = 2048
    val_pictures: int = 192
    batch_size: int = 8
    side_px: int = 256
    learning_rate: float = 0.002
    weight_decay: float = 0.0005
    precision: str = "float32"

    @property
    def steps(self) -> int:
        """The number of steps in an epoch."""
        return -(-self.pictures // self.batch_size)


HELP = {
    "epochs": "number of epochs",
    "pictures": "composed pictures in an epoch",
    "val_pictures": "composed pictures for validation",
    "batch_size": "pictures per step",
    "side_px": "side of a composed picture in px, a multiple of 32",
    "learning_rate": "learning rate of Adam, at its highest",
    "weight_decay": "decoupled weight decay",
    "precision": "Keras dtype policy during training",
}


def train(
    inputs: Sequence[str],
    out: Path = DEFAULT_OUT,
    recipe: Recipe | None = None,
    seed: int = 0,
    resume: bool = False,
    restart: bool = False,
    initial_weights: Path | None = None,
    mine: Path | None = None,
) -> "keras.Model":
    """Trains the network, writes its model folder and returns the saved model: the last epoch, in float32.

    The model is not that of the lowest validation loss: later epochs find more faces, although they are overconfident
    in their mistakes.

    Args:
        inputs: folders of pictures; eight tenths of their people and files are for training, one tenth for validation,
            and one tenth for tests.
        out: the model folder to write.
        recipe: how to train; None: with the default values.
        seed: for weights and composition.
        resume: continue the unfinished run of `out`.
        restart: discard it; with `resume`, only if it cannot be continued.
        initial_weights: the model folder of a face finder to start from.
        mine: the model folder of a face finder, with its ONNX file; its false faces in pictures without faces are shown
            more often.

    Raises:
        InputError: a value or an input is not valid, `out` must not be overwritten, there is an unfinished run without
            `resume` or `restart` or none to resume, or training diverges.
    """
    start_backend()
    from training import checkpoint, core

    recipe = recipe or Recipe()
    check(recipe)
    earlier = {"initial_weights": initial_weights, "mine": mine}
    reads = [*map(Path, inputs), *(folder for folder in earlier.values() if folder)]
    check_out(out, TRAIN_FINDER, reads)
    for folder in filter(None, earlier.values()):
        read_manifest(folder, TRAIN_FINDER)
    hashes = {name: path_hash(Path(name)) for name in inputs}
    scenes, val_scenes = (read_inputs(inputs, split) for split in ("train", "val"))
    if mine:
        scenes = with_hard_negatives(scenes, mine)
    earlier_hashes = {name: file_hash(folder / KERAS_FILE) if folder else None for name, folder in earlier.items()}
    settings = {**asdict(recipe), "seed": seed, **hashes, **earlier_hashes}
    path = out.with_name(out.name + ".unfinished") / checkpoint.STATE_FILE
    with locked(out):
        core.check_unfinished(path, resume, restart)
        code = stage_code(TRAIN_FINDER)  # hashed now, because files can change during a run of hours
        model = untrained(recipe, seed)
        if initial_weights:
            model.set_weights(load_finder(initial_weights).get_weights())
        state = core.begin(path, model, settings, code, resume, restart)
        faces = sum(int(scene.sure.sum()) for scene in scenes)
        print(f"{FINDER}: {model.count_params():,} parameters, {faces:,} faces in {len(scenes):,} pictures", flush=True)
        with core.kept_for_resuming(path, state):
            fit(model, scenes, val_scenes, recipe, seed, state, path)
        trained = inference_model(model)
        with atomic_folder(out) as folder:
            write_model(folder, trained, state, hashes)
        shutil.rmtree(path.parent)
    return trained


def check(recipe: Recipe) -> None:
    """Raises InputError if a value of the recipe is not allowed."""
    for name in ("epochs", "pictures", "val_pictures", "batch_size", "learning_rate"):
        if not getattr(recipe, name) > 0:
            raise InputError(f"--{name.replace('_', '-')} {getattr(recipe, name)}: give a value above 0")
    if recipe.side_px <= 0 or recipe.side_px % SIDE_MULTIPLE_PX:
        raise InputError(f"--side-px {recipe.side_px}: give a multiple of {SIDE_MULTIPLE_PX}")


def untrained(recipe: Recipe, seed: int) -> "keras.Model":
    """Returns the compiled network with its initial weights and one output."""
    import keras

    from detection.losses import finder_loss
    from detection.network import build, with_one_output
    from training.core import compile_with_adam, precision

    keras.utils.set_random_seed(seed)
    with precision(recipe.precision):
        model = with_one_output(build())
    steps = recipe.epochs * recipe.steps
    warmup = max(1, round(WARMUP * steps))
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, decay_steps=max(1, steps - warmup), warmup_target=recipe.learning_rate, warmup_steps=warmup
    )
    compile_with_adam(model, rate, recipe.weight_decay, global_clipnorm=MAX_GRADIENT_NORM, loss=finder_loss)
    return model


def fit(
    model: "keras.Model",
    scenes: Sequence[Scene],
    val_scenes: Sequence[Scene],
    recipe: Recipe,
    seed: int,
    state: "checkpoint.State",
    path: Path,
) -> None:
    """Trains the compiled model from `state` to the end."""
    from tqdm.keras import TqdmCallback

    from detection.batches import VALIDATION, Batches, composed_pictures
    from detection.mosaic import shares_of
    from training.callbacks import Checkpoint, EpochLine

    done = state.epochs
    if done >= recipe.epochs:  # the run was killed after its last epoch
        return
    count = (recipe.epochs - done) * recipe.steps
    batches = Batches(scenes, recipe.batch_size, recipe.side_px, count, seed, first=done * recipe.steps)
    terminal = sys.stdout.isatty() and sys.stderr.isatty()
    with one_opencv_thread():
        shares, numbers = shares_of(val_scenes), range(recipe.val_pictures)
        validation = composed_pictures(val_scenes, shares, numbers, recipe.side_px, seed, VALIDATION)
        model.fit(
            batches,
            initial_epoch=done,
            epochs=recipe.epochs,
            steps_per_epoch=recipe.steps,
            shuffle=False,
            verbose=0,
            validation_data=validation,
            validation_batch_size=recipe.batch_size,
            callbacks=[
                divergence_check(),
                Checkpoint(state, path, METRICS),
                TqdmCallback() if terminal else EpochLine(METRICS),
            ],
        )


def divergence_check() -> "keras.callbacks.Callback":
    """Returns the callback that raises InputError after an epoch whose loss is not finite."""
    import keras

    def check_epoch(epoch: int, logs: dict[str, float]) -> None:
        if not np.isfinite([logs[name] for name in METRICS]).all():
            raise InputError(f"training diverged in epoch {epoch + 1}: loss {logs['loss']}; lower --learning-rate")

    return keras.callbacks.LambdaCallback(on_epoch_end=check_epoch)


def load_finder(folder: Path) -> "keras.Model":
    """Returns the network of a model folder; raises InputError if its file cannot be loaded."""
    import keras

    try:
        return keras.saving.load_model(folder / KERAS_FILE, compile=False)
    except Exception as error:  # a damaged file raises errors of zip, JSON, HDF5 or Keras
        raise InputError(f"{folder / KERAS_FILE}: cannot be loaded ({one_line(error)}); train it again") from None


def inference_model(model: "keras.Model") -> "keras.Model":
    """Returns the trained network in float32, with its three grids."""
    from detection.network import build
    from training.core import precision

    with precision("float32"):
        network = build()
    network.set_weights(model.get_weights())
    return network


def write_model(folder: Path, model: "keras.Model", state: "checkpoint.State", hashes: dict[str, str]) -> None:
    """Writes the files of a model folder, and prints a summary of the training."""
    from models.summary import summary

    val_loss = state.history[-1]["val_loss"]
    model.save(folder / KERAS_FILE)
    (folder / "summary.txt").write_text(summary(model) + "\n", encoding="utf-8")
    with (folder / "history.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.DictWriter(file, ["epoch", *METRICS])
        rows.writeheader()
        rows.writerows(state.history)
    metrics: dict[str, Any] = {
        "parameters": model.count_params(),
        "epochs": state.epochs,
        "val_loss": round(val_loss, 4),
        "seconds": round(state.seconds, 1),
    }
    write_manifest(
        folder,
        TRAIN_FINDER,
        parameters=state.settings,
        inputs=hashes,
        metrics=metrics,
        started=time.time() - state.seconds,
        code=state.code,
    )
    print(f"{state.epochs} epochs in {seconds_text(state.seconds)}; validation loss {val_loss:.4g}")


def parser() -> argparse.ArgumentParser:
    """Returns the parser of the command line."""
    p = stage_parser("detection.train", __doc__, "scenes youtube68")
    p.add_argument("inputs", nargs="+", metavar="INPUT", help="folder with faces.csv, with video frames, or with .pts")
    files = p.add_argument_group("folders")
    files.add_argument("--out", type=Path, default=DEFAULT_OUT, metavar="DIR", help="(default: %(default)s)")
    files.add_argument(
        "--initial-weights", type=Path, metavar="DIR", help="model folder of a face finder to start from"
    )
    files.add_argument(
        "--mine",
        type=Path,
        metavar="DIR",
        help="show more often what this face finder takes for faces where there are none",
    )
    values = p.add_argument_group("recipe")
    for name, value in asdict(Recipe()).items():
        type_options: dict[str, Any] = (
            {"choices": PRECISIONS} if name == "precision" else {"type": type(value), "metavar": "N"}
        )
        values.add_argument(
            f"--{name.replace('_', '-')}", default=value, help=f"{HELP[name]} (default: {value})", **type_options
        )
    runs = p.add_argument_group("run")
    runs.add_argument("--seed", type=seed_option, default=0, metavar="N", help="random seed (default: %(default)s)")
    runs.add_argument("--resume", action="store_true", help="continue the unfinished run of --out")
    runs.add_argument("--restart", action="store_true", help="discard the unfinished run of --out")
    return p


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser().parse_args(arguments)
    recipe = Recipe(**{name: getattr(options, name) for name in asdict(Recipe())})
    train(
        options.inputs,
        options.out,
        recipe,
        options.seed,
        options.resume,
        options.restart,
        options.initial_weights,
        options.mine,
    )
    print(f"{options.out}: {KERAS_FILE}, summary.txt, history.csv")


if __name__ == "__main__":
    run(main)

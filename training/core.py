"""A training run: builds, trains, checkpoints, calibrates and saves a network."""

import contextlib
import csv
import functools
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
from tqdm.keras import TqdmCallback

from common.backend import check_device
from common.hashes import path_hash
from common.process import one_opencv_thread
from common.stage import check_out, locked, seconds_text, stage_code, write_manifest
from data_prep.split import few_faces
from facial_keypoints.errors import InputError, counted
from facial_keypoints.folders import atomic_folder
from facial_keypoints.pretrained import KERAS_FILE
from facial_keypoints.spec import to_json
from models.expected_error import calibration_of, with_calibration
from models.networks import (
    Build,
    build_model,
    build_options,
    file_of,
    is_file,
    load_build,
    network_name,
    predicts_error,
)
from models.saved import TRAIN
from models.summary import summary
from training import checkpoint, distribution
from training.batches import Batches, steps_per_epoch
from training.calibration import calibrate_on
from training.callbacks import METRICS, Checkpoint, EarlyStopping, EpochLine, Validation, validation
from training.frozen import split, with_features
from training.initial_weights import start_from
from training.inputs import TrainingData, load_data
from training.losses import masked_loss, masked_mae
from training.plots import loss_curves
from training.recipes import FINETUNE, IMAGENET, LAST, NONE, Recipe
from training.targets import Targets

CANNOT_TRAIN = ("numpy", "openvino")  # backends of Keras that only predict
COMPARED_FACES = 100  # at most, for which a network must predict the same as the one it starts from
START = 0  # the epoch before training


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that determines the result of a run.

    Attributes:
        network: the NAME of a network in `models`, a FILE.py with `build(input_shape, keypoints, ...)`, or the
            function itself.
        recipe: how to train it (`training.recipes.resolve`).
        data: the data folder.
        extra_data: a second data folder; all its faces are added to the training faces.
        options: further arguments of `build` by name.
        seed: of weights, shuffling and augmentation.
        cache_frozen: run frozen layers once, not in every epoch (`training.frozen`). The result differs by rounding.
    """

    network: str | Build
    recipe: Recipe
    data: Path
    extra_data: Path | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    cache_frozen: bool = False

    @property
    def name(self) -> str:
        """The network's name."""
        return network_name(self.network)

    @functools.cached_property
    def build(self) -> Build:
        """The function that makes the network."""
        return load_build(self.network) if isinstance(self.network, str) else self.network

    def files(self) -> list[Path]:
        """Returns the files and folders that the run reads."""
        start = self.recipe.initial_weights
        weights = None if start in (NONE, IMAGENET) else Path(start)
        return [path for path in (self.data, self.extra_data, weights, self.user_file) if path]

    @property
    def user_file(self) -> Path | None:
        """The user's FILE.py, if that is the network."""
        return Path(self.network) if isinstance(self.network, str) and is_file(self.network) else None

    def code(self) -> dict[str, str]:
        """Returns the hash of each project file that the run executes, and of the network's file."""
        build = self.build  # first, because it reports a missing file
        source = self.user_file or file_of(build)
        return stage_code(TRAIN, [source] if source else [])

    def settings(self, data: TrainingData) -> dict[str, Any]:
        """Returns the settings as JSON values; a run can only be resumed with the same ones."""
        start = self.recipe.initial_weights
        return {
            "network": self.network if isinstance(self.network, str) else self.name,
            **self.recipe.parameters(),
            "options": dict(self.options),
            "seed": self.seed,
            "cache_frozen": self.cache_frozen,
            "initial_weights": start if start in (NONE, IMAGENET) else path_hash(Path(start)),
            "backend": keras.backend.backend(),
            **data.hashes,
        }


def train(
    config: TrainingConfig,
    out: Path,
    resume: bool = False,
    restart: bool = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> keras.Model:
    """Trains a network, writes its model folder and returns the saved model: best or last epoch, float32, calibrated.

    The state of the unfinished run is kept in a folder next to `out`. A run that was killed at any moment and resumed
    gives the same model, bit for bit, as an uninterrupted run. Over several processes (`training.distribution`), all
    call this function with the same arguments; process 0 writes.

    Args:
        config: the network, the recipe and the data.
        out: the model folder to write.
        resume: continue the unfinished run of `out`.
        restart: discard it; with `resume`, only if it cannot be continued.
        callbacks: further Keras callbacks; they see every hook of one `keras.Model.fit`, with `val_loss` and `val_mae`.
            With `cache_frozen`, their model is the head.

    Raises:
        InputError: the backend cannot train; the network, the recipe and the data do not fit together; `out` must not
            be written; an unfinished run is in the way or missing; or training diverges.
    """
    check_can_train(config.recipe)
    first = distribution.is_first()
    path = out.with_name(out.name + ".unfinished") / checkpoint.STATE_FILE
    with contextlib.ExitStack() as lock:
        with distribution.agreed() as facts:
            code = config.code()  # hashed now, because files can change during a run of hours
            if first:
                check_out(out, TRAIN, config.files())
            data = load_data(config.data, config.extra_data, config.recipe.labels)
            if first:
                lock.enter_context(locked(out))
                check_unfinished(path, resume, restart)
            model = new_network(config, data)
            frozen, head = split(model, config.recipe, data.train.images) if config.cache_frozen else (None, model)
            settings = config.settings(data)
            facts |= {**settings, **code, "resume": resume, "restart": restart}
        with distribution.scope():
            compile_model(head, config.recipe, steps_per_epoch(data.train, config.recipe))
            state = begin(path, head, settings, code, resume, restart)
            print_start(config, model, data)
            with kept_for_resuming(path, state):
                started = time.monotonic()
                inputs = with_features(data, frozen, config.recipe.batch_size, path.parent) if frozen else data
                state.seconds += time.monotonic() - started
                fit(head, inputs, config, state, path, callbacks)
        kept = finished_model(model, config, data)
        if first:
            with atomic_folder(out) as folder:
                write_model(folder, kept, config, data, state)
            shutil.rmtree(path.parent)
    return kept


def check_can_train(recipe: Recipe) -> None:
    """Raises InputError if the backend or the device cannot train, or if the recipe lacks weights to start from."""
    if (backend := keras.backend.backend()) in CANNOT_TRAIN:
        raise InputError(f"KERAS_BACKEND={backend}: cannot train; use tensorflow, jax or torch")
    if recipe.name == FINETUNE and recipe.initial_weights == NONE:
        raise InputError("--recipe finetune: starts from a trained network; add --initial-weights NAME or DIR")
    check_device()


@contextlib.contextmanager
def kept_for_resuming(path: Path, state: checkpoint.State) -> Iterator[None]:
    """Prints how to continue the run if Ctrl-C ends the block; deletes the unfinished run if it has no epoch."""
    try:
        yield
    except KeyboardInterrupt:
        if state.epochs:
            print(f"kept {counted(state.epochs, 'epoch')}; run the same command with --resume to continue")
        raise
    finally:
        if distribution.is_first() and not state.epochs:  # nothing to resume
            shutil.rmtree(path.parent, ignore_errors=True)


def print_start(config: TrainingConfig, model: keras.Model, data: TrainingData) -> None:
    """Prints the network, the faces, the recipe, several devices, and what too few faces make unreliable."""
    faces, shard = len(data.train.images), distribution.shard()
    print(f"{config.name}: {model.count_params():,} parameters, {faces} faces, recipe {config.recipe.name}")
    if shard.all_devices > 1:
        print(f"on {shard.all_devices} devices of {counted(shard.processes, 'process', 'processes')}")
    height, width, _ = data.crop.shape
    if max(height, width) <= config.recipe.crop_px:
        print(f"images of {height} x {width} px are not cropped: they are no larger than {config.recipe.crop_px} px")
    if warning := few_faces("val", data.val.groups):
        unreliable = ["the best epoch"] if config.recipe.keep != LAST else []
        unreliable += ["the size of the expected errors"] if predicts_error(model) else []
        if unreliable:
            print(f"{warning}: too few to find {' and '.join(unreliable)} reliably")


def check_unfinished(path: Path, resume: bool, restart: bool) -> None:
    """Raises InputError if an unfinished run would be lost without `restart`, or if there is none to resume.

    A run without a finished epoch can be lost, because the same command repeats it.
    """
    if path.is_file() and not (resume or restart) and (done := checkpoint.epochs_done(path)):
        raise InputError(
            f"{path.parent}: holds an unfinished run of {counted(done, 'epoch')}; "
            "continue it with --resume, or discard it with --restart"
        )
    if resume and not restart and not path.is_file():
        raise InputError(f"{path.parent}: holds no unfinished run; omit --resume to start one")


def new_network(config: TrainingConfig, data: TrainingData) -> keras.Model:
    """Returns the network with its initial weights.

    Raises:
        InputError: the network cannot be built for these faces, or the recipe or the initial weights do not fit it.
    """
    recipe = config.recipe
    keras.utils.set_random_seed(config.seed)
    with precision(recipe.precision):
        model = build_network(config, data)
    if recipe.loss == "laplace" and not predicts_error(model):
        raise InputError(f"--loss laplace: {config.name} does not predict an expected error; use --loss mse or another")
    if recipe.loss != "laplace" and predicts_error(model):
        raise InputError(f"--loss {recipe.loss}: ignores the expected error of {config.name}; use --loss laplace")
    if config.network == "vgg16" and recipe.initial_weights == NONE and not config.options.get("fine_tune"):
        raise InputError("--initial-weights none: vgg16 would keep untrained convolutions; add --fine-tune")

    def build_for(points: int) -> keras.Model:
        with precision("float32"):
            return build_network(config, data, points)

    indexes = np.linspace(0, len(data.train.images) - 1, COMPARED_FACES).astype(int)
    faces = Targets(*(array[np.unique(indexes)] for array in data.train))
    return start_from(model, recipe.initial_weights, data.spec(predicts_error(model)), build_for, faces)


def build_network(config: TrainingConfig, data: TrainingData, points: int = 0) -> keras.Model:
    """Returns the network for these faces, or for another number of output points.

    Raises:
        InputError: the network cannot be built, or the recipe crops and the network cannot.
    """
    options, crop_px = dict(config.options), config.recipe.crop_px
    if crop_px:
        if "crop_px" not in build_options(config.build):
            raise InputError(f"--crop-px {crop_px}: {config.name} cannot crop; use --crop-px 0")
        options["crop_px"] = crop_px
    return build_model(config.build, data.crop.shape, points or data.train.points.shape[1], options)


@contextlib.contextmanager
def precision(policy: str) -> Iterator[None]:
    """Sets the dtype policy of layers that the block creates, and restores the previous one."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def compile_model(model: keras.Model, recipe: Recipe, steps: int) -> None:
    """Compiles the model with Adam, and with the loss and the metric of a recipe; `steps` is the length of an epoch."""
    rate: Any = recipe.learning_rate
    if recipe.schedule == "cosine":
        warmup = min(recipe.warmup_epochs, recipe.epochs // 2)
        rate = keras.optimizers.schedules.CosineDecay(
            0.0 if warmup else recipe.learning_rate,
            decay_steps=(recipe.epochs - warmup) * steps,
            warmup_target=recipe.learning_rate if warmup else None,
            warmup_steps=warmup * steps,
        )
    compile_with_adam(model, rate, recipe.weight_decay, loss=masked_loss(recipe.loss), weighted_metrics=[masked_mae()])
    model.optimizer.build(model.trainable_variables)  # in the scope of `training.distribution`


def compile_with_adam(
    model: keras.Model, rate: Any, weight_decay: float, global_clipnorm: float | None = None, **losses: Any
) -> None:
    """Compiles a model with Adam, whose weight decay leaves out biases and normalization.

    Args:
        model: to compile.
        rate: the learning rate, or a schedule.
        weight_decay: decoupled; 0: none.
        global_clipnorm: the largest norm of all gradients together; None: any.
        losses: the losses and metrics of `keras.Model.compile`.
    """
    optimizer = keras.optimizers.Adam(rate, weight_decay=weight_decay or None, global_clipnorm=global_clipnorm)
    if weight_decay:
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    # TensorFlow on a CPU takes twice as long for compiled steps.
    compiled = False if keras.backend.backend() == "tensorflow" else "auto"
    model.compile(optimizer, jit_compile=compiled, **losses)


def begin(
    path: Path, model: keras.Model, settings: dict[str, Any], code: dict[str, str], resume: bool, restart: bool
) -> checkpoint.State:
    """Returns the state of the unfinished run, or a new one, which it saves.

    If no epoch was finished, the run starts over, even with other settings.

    Raises:
        InputError: the unfinished run is damaged or has other settings or code, and `restart` is not set.
    """
    if resume and distribution.from_first(path.is_file()):
        try:
            if state := checkpoint.restore(path, model, settings, code):
                print(f"resuming after epoch {state.epochs}")
                return state
            print("starting over: no epoch was finished")
        except InputError as error:
            if not restart:
                raise
            print(f"starting over: {error}")
    state = checkpoint.State(settings, code)
    checkpoint.save(path, model, state)
    return state


def fit(
    model: keras.Model,
    data: TrainingData,
    config: TrainingConfig,
    state: checkpoint.State,
    path: Path,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> None:
    """Trains the compiled model from `state` to the end, and leaves it with the weights to keep."""
    recipe, done = config.recipe, state.epochs
    distribution.spread(checkpoint.variables(model))
    if not done:
        validate_start(model, data, config, state)
    if done >= recipe.epochs or state.early_stopping["wait"] >= recipe.patience:
        model.set_weights(state.best_weights)  # the run was killed after its last epoch
        return
    terminal = sys.stdout.isatty() and sys.stderr.isatty()
    mirror = data.spec(predicts_error(model)).output_points.mirror
    batches = Batches(data.train, recipe, mirror, config.seed, done, distribution.shard())
    with one_opencv_thread():
        model.fit(
            batches,
            initial_epoch=done,
            epochs=recipe.epochs,
            steps_per_epoch=batches.steps,
            shuffle=False,
            verbose=0,
            callbacks=[
                Validation(data.val, masked_loss(recipe.loss)),
                EarlyStopping(state, recipe.monitor, recipe.patience, recipe.keep == LAST),
                *callbacks,
                Checkpoint(state, path),
                TqdmCallback() if terminal else EpochLine(),
            ],
        )


def validate_start(model: keras.Model, data: TrainingData, config: TrainingConfig, state: checkpoint.State) -> None:
    """Validates a network before training, as the first candidate for the best epoch, and prints a line.

    Raises:
        InputError: its predictions are not finite.
    """
    recipe = config.recipe
    metrics = validation(distribution.predictor(model), data.val, masked_loss(recipe.loss))
    if not np.isfinite(list(metrics.values())).all():
        raise InputError(
            f"{config.name}: predicts values that are not finite before training; check its layers and initial weights"
        )
    figures = ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())
    print(f"epoch {START}/{recipe.epochs}: {figures} (before training)", flush=True)
    state.history = [{"epoch": START, **metrics}]
    state.best_weights = model.get_weights()
    state.early_stopping = {"best": metrics[recipe.monitor], "wait": 0, "best_epoch": START - 1}  # Keras counts from 0


def finished_model(model: keras.Model, config: TrainingConfig, data: TrainingData) -> keras.Model:
    """Returns the trained network in float32, with its expected error calibrated on the validation faces."""
    with precision("float32"):
        kept, calibration = build_network(config, data), calibration_of(model)
        if calibration is not None:
            kept = with_calibration(kept, *calibration)
        kept.set_weights(model.get_weights())
        return calibrate_on(kept, data.val) if predicts_error(kept) else kept


def write_model(
    folder: Path, model: keras.Model, config: TrainingConfig, data: TrainingData, state: checkpoint.State
) -> None:
    """Writes the files of a model folder, and prints a summary of the training."""
    history, recipe = state.history, config.recipe
    kept = 1 + int(state.early_stopping["best_epoch"])  # Keras counts from 0; `history` begins with epoch 0
    model.save(folder / KERAS_FILE)
    (folder / "summary.txt").write_text(summary(model) + "\n", encoding="utf-8")
    with (folder / "history.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.DictWriter(file, ["epoch", *METRICS])
        rows.writeheader()
        rows.writerows(history)
    title = f"{config.name}, recipe {config.recipe.name}"
    loss_curves(folder / "loss_curves.png", history, kept, recipe.loss, title)
    kept_mae = history[kept]["val_mae"]
    spec = data.spec(predicts_error(model))
    write_manifest(
        folder,
        TRAIN,
        parameters=state.settings,
        inputs=data.hashes,
        metrics={
            "parameters": model.count_params(),
            "epochs": state.epochs,
            "best_epoch": kept,
            "val_mae_px": round(kept_mae, 4),
            "seconds": round(state.seconds, 1),
        },
        started=time.time() - state.seconds,
        extra={"model": to_json(spec), "devices": distribution.shard().all_devices},
        code=state.code,
    )
    if recipe.keep == LAST:
        outcome = "the last is kept"
    elif kept != START:
        outcome = f"best is epoch {kept}"
    else:
        outcome = "no epoch was better than the start, which is kept"
    print(
        f"{counted(state.epochs, 'epoch')} in {seconds_text(state.seconds)}; {outcome}: "
        f"validation MAE {kept_mae:.3f} px ({'all labels' if recipe.labels == 'imputed' else 'real labels'})"
    )

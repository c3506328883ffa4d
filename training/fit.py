"""The training loop: epochs of `keras.Model.fit`, exact validation, early stopping that survives a kill."""

import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
from tqdm import tqdm

from facial_keypoints.array_types import Float32
from facial_keypoints.errors import InputError
from training import checkpoint
from training.batches import Batches
from training.losses import masked_loss, masked_mae, masked_value
from training.recipes import Recipe
from training.targets import Targets

PREDICTION_BATCH = 64


def compile_model(model: keras.Model, recipe: Recipe, faces: int) -> None:
    """Gives the model Adam, the loss and the metric of a recipe; `faces` train in each epoch."""
    steps = -(-faces // recipe.batch_size)
    rate: Any = recipe.learning_rate
    if recipe.schedule == "cosine":
        warmup = min(recipe.warmup_epochs, recipe.epochs // 2)
        rate = keras.optimizers.schedules.CosineDecay(
            0.0 if warmup else recipe.learning_rate,
            decay_steps=(recipe.epochs - warmup) * steps,
            warmup_target=recipe.learning_rate if warmup else None,
            warmup_steps=warmup * steps,
        )
    optimizer = keras.optimizers.Adam(rate, weight_decay=recipe.weight_decay or None)
    if recipe.weight_decay:
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    model.compile(optimizer, loss=masked_loss(recipe.loss), weighted_metrics=[masked_mae()], jit_compile=compiled())


def compiled() -> bool | str:
    """Says whether the backend should compile steps: not TensorFlow on a CPU, where that takes twice the time."""
    return False if keras.backend.backend() == "tensorflow" else "auto"


class WeightAverage(keras.callbacks.Callback):  # type: ignore[misc]
    """Keeps an exponential moving average of the weights in `average`, a list that it changes in place."""

    def __init__(self, average: list[Float32], decay: float, step: int) -> None:
        super().__init__()
        self.average, self.decay, self.step = average, decay, step

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.step += 1
        kept = min(self.decay, self.step / (self.step + 10))  # the first weights are soon forgotten
        for i, weights in enumerate(self.model.get_weights()):
            change = (1 - kept) * (weights - self.average[i])  # in this form, what is constant stays so to the bit
            self.average[i] = np.asarray(self.average[i] + change, np.float32)


def best_epoch(history: list[dict[str, float]], monitor: str) -> int:
    """Returns the epoch (from 1) with the lowest value of `Recipe.monitor`, the first of equals."""
    return 1 + int(np.argmin([epoch[monitor] for epoch in history]))


def mirrors(epoch: int, recipe: Recipe) -> bool:
    """Says whether faces are mirrored in an epoch, counted from 0."""
    return epoch < recipe.epochs - round(recipe.unmirrored * recipe.epochs)


def finished(history: list[dict[str, float]], recipe: Recipe) -> bool:
    """Says whether training ends here: all epochs are done, or none of the last `patience` was the best.

    Early stopping is a function of the history, so a resumed run stops where the unbroken run stops.
    """
    done = len(history)
    return done >= recipe.epochs or (done > 0 and done - best_epoch(history, recipe.monitor) >= recipe.patience)


def fit(
    model: keras.Model,
    train: Targets,
    val: Targets,
    recipe: Recipe,
    mirror: tuple[int, ...],
    seed: int,
    state: checkpoint.State,
    checkpoint_path: Path,
    watchers: list[keras.callbacks.Callback],
) -> checkpoint.State:
    """Trains the compiled model until `finished`, leaves it with the best weights and returns the last state.

    After each epoch the state is on disk at `checkpoint_path`. `watchers` see the figures of each epoch. `mirror`
    is the permutation of the M marks.

    Raises:
        InputError: loss or metric is no finite number any more.
    """
    loss, mae = masked_loss(recipe.loss), masked_mae()
    steps = -(-len(train.images) // recipe.batch_size)
    for watcher in watchers:
        watcher.set_model(model)
        watcher.on_train_begin()
    with tqdm(total=recipe.epochs * steps, initial=len(state.history) * steps, unit="step", disable=None) as bar:
        advance = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: bar.update())
        while not finished(state.history, recipe):
            started, epoch = time.time(), len(state.history)
            mirror_now = mirror if mirrors(epoch, recipe) else None
            batches = Batches(train, recipe.batch_size, recipe.augment, mirror_now, seed, epoch)
            callbacks = [advance]
            if recipe.average:
                callbacks.append(WeightAverage(state.average, recipe.average, epoch * steps))
            ran = model.fit(
                batches, initial_epoch=epoch, epochs=epoch + 1, shuffle=False, verbose=0, callbacks=callbacks
            )
            trained = model.get_weights()
            model.set_weights(state.average or trained)
            predicted = model.predict(val.images, batch_size=PREDICTION_BATCH, verbose=0)
            figures = {
                "epoch": epoch + 1,
                "loss": float(ran.history["loss"][0]),
                "mae": float(ran.history["mae"][0]),
                "val_loss": masked_value(loss, val.points, predicted, val.weights),
                "val_mae": masked_value(mae, val.points, predicted, val.weights),
            }
            if not np.isfinite(list(figures.values())).all():
                raise InputError(
                    f"training diverged in epoch {epoch + 1}: loss {figures['loss']}; lower --learning-rate"
                )
            state.history.append(figures)
            if best_epoch(state.history, recipe.monitor) == epoch + 1:
                state.best_weights = model.get_weights()
            model.set_weights(trained)
            state.seconds += time.time() - started
            checkpoint.save(checkpoint_path, model, state)
            bar.set_postfix({name: f"{figures[name]:.3f}" for name in ("mae", "val_mae")})
            for watcher in watchers:
                watcher.on_epoch_end(epoch, {name: figures[name] for name in figures if name != "epoch"})
    for watcher in watchers:
        watcher.on_train_end()
    model.set_weights(state.best_weights)
    return state

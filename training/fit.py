"""The training loop: epochs of `keras.Model.fit`, exact validation, early stopping that survives a kill."""

import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
from tqdm import tqdm

from common.array_types import Float32
from common.stage import InputError
from data_prep.faces import Part
from training import checkpoint
from training.batches import Batches
from training.losses import masked_loss, masked_mae, masked_value
from training.recipes import Recipe

PREDICTION_BATCH = 64


def label_weights(part: Part, labels: str) -> Float32:
    """Returns the weight of each keypoint in loss and metric, float32 (N, K): 1, or 0 where only labels count."""
    return np.ones(part.labelled.shape, np.float32) if labels == "imputed" else part.labelled.astype(np.float32)


def compile_model(model: keras.Model, recipe: Recipe, faces: int) -> None:
    """Gives the model Adam, the loss and the metric of a recipe; `faces` train in each epoch."""
    steps = recipe.epochs * -(-faces // recipe.batch_size)
    rate: Any = recipe.learning_rate
    if recipe.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(recipe.learning_rate, decay_steps=steps)
    model.compile(keras.optimizers.Adam(rate), loss=masked_loss(recipe.loss), weighted_metrics=[masked_mae()])


def best_epoch(history: list[dict[str, float]]) -> int:
    """Returns the epoch (from 1) with the lowest validation loss, the first of equals."""
    return 1 + int(np.argmin([epoch["val_loss"] for epoch in history]))


def finished(history: list[dict[str, float]], recipe: Recipe) -> bool:
    """Says whether training ends here: all epochs are done, or none of the last `patience` was the best.

    Early stopping is a function of the history, so a resumed run stops where the unbroken run stops.
    """
    done = len(history)
    return done >= recipe.epochs or (done > 0 and done - best_epoch(history) >= recipe.patience)


def fit(
    model: keras.Model,
    train: Part,
    val: Part,
    recipe: Recipe,
    mirror: tuple[int, ...],
    seed: int,
    state: checkpoint.State,
    checkpoint_path: Path,
    watchers: list[keras.callbacks.Callback],
) -> checkpoint.State:
    """Trains the compiled model until `finished`, leaves it with the best weights and returns the last state.

    After each epoch the state is on disk at `checkpoint_path`. `watchers` see the figures of each epoch.

    Raises:
        InputError: loss or metric is no finite number any more.
    """
    train_weights, val_weights = label_weights(train, recipe.labels), label_weights(val, recipe.labels)
    loss, mae = masked_loss(recipe.loss), masked_mae()
    steps = -(-len(train) // recipe.batch_size)
    for watcher in watchers:
        watcher.set_model(model)
        watcher.on_train_begin()
    with tqdm(total=recipe.epochs * steps, initial=len(state.history) * steps, unit="step", disable=None) as bar:
        advance = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: bar.update())
        while not finished(state.history, recipe):
            started, epoch = time.time(), len(state.history)
            batches = Batches(train, train_weights, recipe.batch_size, recipe.augment, mirror, seed, epoch)
            ran = model.fit(
                batches, initial_epoch=epoch, epochs=epoch + 1, shuffle=False, verbose=0, callbacks=[advance]
            )
            predicted = model.predict(val.images, batch_size=PREDICTION_BATCH, verbose=0)
            figures = {
                "epoch": epoch + 1,
                "loss": float(ran.history["loss"][0]),
                "mae": float(ran.history["mae"][0]),
                "val_loss": masked_value(loss, val.keypoints, predicted, val_weights),
                "val_mae": masked_value(mae, val.keypoints, predicted, val_weights),
            }
            if not np.isfinite(list(figures.values())).all():
                raise InputError(
                    f"training diverged in epoch {epoch + 1}: loss {figures['loss']}; lower --learning-rate"
                )
            state.history.append(figures)
            if best_epoch(state.history) == epoch + 1:
                state.best_weights = model.get_weights()
            state.seconds += time.time() - started
            checkpoint.save(checkpoint_path, model, state)
            bar.set_postfix({name: f"{figures[name]:.3f}" for name in ("mae", "val_mae")})
            for watcher in watchers:
                watcher.on_epoch_end(epoch, {name: figures[name] for name in figures if name != "epoch"})
    for watcher in watchers:
        watcher.on_train_end()
    model.set_weights(state.best_weights)
    return state

"""Early stopping is a function of the history; the running mean of the weights, worked by hand."""

import dataclasses

import keras
import numpy as np
import pytest

from training.fit import WeightAverage, best_epoch, compile_model, finished, mirrors
from training.recipes import RECIPES

RECIPE = dataclasses.replace(RECIPES["default"], epochs=6, patience=2)


def history(*losses: float) -> list[dict[str, float]]:
    return [{"val_loss": loss} for loss in losses]


def test_the_best_epoch_is_the_first_with_the_lowest_value_of_what_is_watched() -> None:
    assert best_epoch(history(5, 3, 4, 3), "val_loss") == 2
    both = [{"val_loss": 1.0, "val_mae": 9.0}, {"val_loss": 2.0, "val_mae": 8.0}]
    assert [best_epoch(both, RECIPES[name].monitor) for name in ("default", "v2")] == [1, 2]  # a likelihood is not


def test_training_ends_after_patience_epochs_without_a_better_one_or_after_all() -> None:
    assert not finished([], RECIPE)
    assert not finished(history(5, 3, 4), RECIPE)
    assert finished(history(5, 3, 4, 3), RECIPE)
    assert not finished(history(6, 5, 4, 3, 2), RECIPE)
    assert finished(history(6, 5, 4, 3, 2, 1), RECIPE)


def test_the_last_epochs_mirror_no_face() -> None:
    recipe = dataclasses.replace(RECIPE, unmirrored=1 / 3)
    assert [mirrors(epoch, recipe) for epoch in range(6)] == [True, True, True, True, False, False]
    assert all(mirrors(epoch, RECIPE) for epoch in range(6))


def one_weight_at(value: float) -> keras.Model:
    layer = keras.layers.Dense(1, use_bias=False)
    model = keras.Sequential([keras.Input((1,)), layer])
    layer.set_weights([np.array([[value]], np.float32)])
    return model


def test_the_running_mean_of_two_steps_by_hand() -> None:
    """Step n keeps n / (n + 10) of the mean, and never more than the decay: 1/11, 2/12, ..., here at most 0.15."""
    model = one_weight_at(11.0)
    average = [np.zeros((1, 1), np.float32)]
    watcher = WeightAverage(average, decay=0.15, step=0)
    watcher.set_model(model)
    watcher.on_train_batch_end(0)
    assert average[0].item() == pytest.approx(10 / 11 * 11)
    model.set_weights([np.array([[30.0]], np.float32)])
    watcher.on_train_batch_end(1)
    assert average[0].item() == pytest.approx(0.15 * 10 + 0.85 * 30)


def test_the_running_mean_of_a_weight_that_stays_is_that_weight_to_the_bit() -> None:
    """As rounding errors of thousands of steps would add up, and fixed weights, places in px, would drift."""
    stays = np.float32(93.1)
    average = [np.full((1, 1), stays)]
    watcher = WeightAverage(average, decay=0.998, step=0)
    watcher.set_model(one_weight_at(float(stays)))
    for batch in range(2000):
        watcher.on_train_batch_end(batch)
    assert average[0].item() == stays


@pytest.mark.parametrize(("epochs", "warm"), [(100, 2), (2, 1), (1, 0)])
def test_the_learning_rate_rises_from_0_and_falls_back_to_0(epochs: int, warm: int) -> None:
    """Over two epochs of the v2 recipe; fewer epochs leave at least half of them to train in."""
    recipe = dataclasses.replace(RECIPES["v2"], epochs=epochs, loss="mae")
    model, steps = one_weight_at(1.0), 10
    compile_model(model, recipe, faces=steps * recipe.batch_size)
    rates = [float(model.optimizer._learning_rate(step)) for step in range(epochs * steps + 1)]
    assert int(np.argmax(rates)) == warm * steps
    assert max(rates) == pytest.approx(recipe.learning_rate)
    assert rates[-1] == pytest.approx(0, abs=1e-9)
    assert warm == 0 or rates[0] == 0

"""Early stopping is a function of the history."""

import dataclasses

from training.fit import best_epoch, finished
from training.recipes import RECIPES

RECIPE = dataclasses.replace(RECIPES["default"], epochs=6, patience=2)


def history(*losses: float) -> list[dict[str, float]]:
    return [{"val_loss": loss} for loss in losses]


def test_the_best_epoch_is_the_first_with_the_lowest_validation_loss() -> None:
    assert best_epoch(history(5, 3, 4, 3)) == 2


def test_training_ends_after_patience_epochs_without_a_better_one_or_after_all() -> None:
    assert not finished([], RECIPE)
    assert not finished(history(5, 3, 4), RECIPE)
    assert finished(history(5, 3, 4, 3), RECIPE)
    assert not finished(history(6, 5, 4, 3, 2), RECIPE)
    assert finished(history(6, 5, 4, 3, 2, 1), RECIPE)

"""Recipes: the values of each, options that replace them, and the learning rate schedule."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from facial_keypoints.errors import InputError
from facial_keypoints.pretrained import shipped
from training import augment, losses
from training.core import TrainingConfig, compile_model, train
from training.recipes import CHOICES, RECIPES, resolve


def test_default_recipe_depends_on_the_network_and_options_replace_its_values() -> None:
    assert resolve("v2") == RECIPES["v2"]
    assert resolve("base") == resolve("my_own") == RECIPES["default"]
    changed = resolve("base", "published", {"epochs": 3, "loss": None})
    assert (changed.epochs, changed.loss, changed.learning_rate) == (3, "mse", 1e-5)
    assert resolve("v2", None, {"schedule": "constant"}).warmup_epochs == 0


def test_recipe_has_its_name_in_the_written_parameters() -> None:
    """Also if some of its values were replaced; `name` is not a key of its own."""
    assert [recipe.name for recipe in RECIPES.values()] == list(RECIPES)
    for name, recipe in (("v2", resolve("v2")), ("published", resolve("v1", "published", {"epochs": 3}))):
        parameters = recipe.parameters()
        assert parameters["recipe"] == name
        assert "name" not in parameters
        assert parameters["epochs"] == recipe.epochs


def test_published_recipes_have_the_names_of_their_networks() -> None:
    """Loss, learning rate, faces in a batch, epochs, and the side of the random crop."""
    published = {
        "vgg16": ("mae", 1e-4, 16, 10, 0),
        "naimishnet": ("mse", 1e-3, 16, 10, 224),
        "cnn5": ("mse", 1e-3, 10, 5, 224),
    }
    for name, values in published.items():
        recipe = resolve(name, name)
        assert (recipe.loss, recipe.learning_rate, recipe.batch_size, recipe.epochs, recipe.crop_px) == values
        assert (recipe.schedule, recipe.augment, recipe.labels) == ("constant", "none", "masked")
        assert recipe.patience >= recipe.epochs
    assert resolve("vgg16") == RECIPES["vgg16"]
    assert resolve("cnn5") == resolve("naimishnet") == replace(RECIPES["default"], learning_rate=1e-3)
    assert resolve("cnn5", "default", {"learning_rate": 8e-4}) == RECIPES["default"]


def test_fine_tuning_starts_from_the_name_of_a_shipped_model_or_a_path() -> None:
    recipe = resolve("v2", "finetune", {"initial_weights": "v2-68"})
    assert Path(recipe.initial_weights) == shipped()["v2-68"]
    assert (recipe.loss, recipe.monitor) == ("laplace", "val_mae")
    assert resolve("v2", "finetune", {"initial_weights": "./v2"}).initial_weights == "./v2"


def test_networks_without_expected_error_are_fine_tuned_with_mse() -> None:
    assert resolve("base", "finetune").loss == "mse"
    assert resolve("base", "finetune", {"loss": "mae"}).loss == "mae"


def test_fine_tuning_needs_initial_weights(tmp_path: Path) -> None:
    config = TrainingConfig("v2", resolve("v2", "finetune"), tmp_path)
    with pytest.raises(InputError, match=r"--recipe finetune: .* add --initial-weights NAME or DIR"):
        train(config, tmp_path / "out")


def test_choices_list_the_existing_losses_and_augmentations() -> None:
    assert set(CHOICES["loss"]) == set(losses.LOSSES)
    assert set(CHOICES["augment"]) == set(augment.LEVELS)
    with pytest.raises(InputError, match="--loss l0: no such choice; give one of mse, mae, huber, wing, laplace"):
        resolve("base", None, {"loss": "l0"})


def test_best_epoch_of_v2_is_chosen_by_validation_mae() -> None:
    assert [RECIPES[name].monitor for name in ("default", "v2")] == ["val_loss", "val_mae"]


@pytest.mark.parametrize(("epochs", "warm"), [(20, 2), (2, 1), (1, 0)])
def test_learning_rate_rises_from_0_and_falls_to_0(epochs: int, warm: int) -> None:
    """The v2 recipe warms up for two epochs; short runs warm up for at most half of their epochs."""
    recipe = resolve("v2", None, {"epochs": epochs, "loss": "mae"})
    model, steps = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]), 10
    compile_model(model, recipe, steps)
    rates = [float(model.optimizer._learning_rate(step)) for step in range(epochs * steps + 1)]
    assert int(np.argmax(rates)) == warm * steps
    assert max(rates) == pytest.approx(recipe.learning_rate)
    assert rates[-1] == pytest.approx(0, abs=1e-9)
    assert warm == 0 or rates[0] == 0

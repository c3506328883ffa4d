"""Recipes: all choices of a training run, with recommended and published values."""

from collections.abc import Mapping
from dataclasses import Field, dataclass, fields, replace
from typing import Any

from facial_keypoints.errors import InputError
from facial_keypoints.pretrained import shipped

SCHEDULES = ("constant", "cosine")
PRECISIONS = ("float32", "mixed_bfloat16")
LABELS = ("masked", "imputed", "by_source")
LOSSES = ("mse", "mae", "huber", "wing", "laplace")  # of `training.losses`
LEVELS = ("none", "light", "strong", "wide", "elastic")  # of `training.augment`
BEST, LAST = KEPT = ("best", "last")
NONE, IMAGENET = "none", "imagenet"  # initial weights other than a file
FINETUNE = "finetune"  # the recipe for networks that start from trained weights
CAN_BE_ZERO = ("weight_decay", "warmup_epochs", "flip_epochs_fraction", "crop_px", "faces_per_group")
CHOICES = {
    "schedule": SCHEDULES,
    "precision": PRECISIONS,
    "labels": LABELS,
    "loss": LOSSES,
    "augment": LEVELS,
    "keep": KEPT,
}


@dataclass(frozen=True)
class Recipe:
    """The choices of one training run.

    Attributes:
        name: of the entry of RECIPES that this recipe is based on, for titles and the manifest.
        epochs: largest number of epochs.
        batch_size: faces per step.
        learning_rate: highest learning rate of Adam.
        schedule: `constant`, or `cosine`: from learning_rate to 0 over all epochs.
        patience: epochs without a better `monitor` before training stops.
        loss: `mse` (px^2), `mae` (L1, px), `huber` (smooth L1, px; quadratic below 1 px), `wing` or `laplace` (see
            `training.losses`).
        labels: `masked`: only real labels count. `imputed`: imputed labels count as well. `by_source`: only real labels
            count, and each label source has its own output points where it labels other positions.
        augment: a level of `training.augment`.
        crop_px: side of the square that the network sees, a random crop in training and the center crop otherwise;
            images that are no larger are not cropped; 0: never crop. For networks whose `build` takes `crop_px`.
        faces_per_group: largest number of faces of one group (a person, or a photo) in an epoch, sampled again for each
            epoch; 0: all. For frames of a video, which are very similar.
        weight_decay: decoupled weight decay (Loshchilov & Hutter 2019) of convolutions and dense layers.
        warmup_epochs: epochs in which the learning rate rises from 0; at most half of all epochs.
        flip_epochs_fraction: fraction of the epochs, the first ones, in which half of the faces are mirrored. Mirroring
            hides a horizontal bias of the labels from the network; it can learn the bias in the last epochs
            (`docs/v2.md`).
        keep: the epoch whose weights are saved: `best`, with the lowest `monitor`, or `last`; then nothing stops the
            run early. For a run on labels that only prepare the next run, such as pseudo labels.
        precision: the Keras dtype policy of training; the saved model is float32.
        initial_weights: `none`, `imagenet` or a path, see `training.initial_weights`.
    """

    name: str
    epochs: int
    batch_size: int
    learning_rate: float
    schedule: str
    patience: int
    loss: str = "mse"
    labels: str = "masked"
    augment: str = "none"
    crop_px: int = 0
    faces_per_group: int = 0
    weight_decay: float = 0.0
    warmup_epochs: int = 0
    flip_epochs_fraction: float = 1.0
    keep: str = BEST
    precision: str = "float32"
    initial_weights: str = NONE

    def parameters(self) -> dict[str, Any]:
        """Returns all values under their names in a manifest, where the name of the recipe is `recipe`."""
        return {"recipe": self.name, **{choice.name: getattr(self, choice.name) for choice in choice_fields()}}

    @property
    def monitor(self) -> str:
        """The metric that is lowest in the best epoch.

        Not the Laplace loss, because it also depends on the expected error, which is calibrated only at the end.
        """
        return "val_mae" if self.loss == "laplace" else "val_loss"

    @property
    def flip_epochs(self) -> int:
        """The number of epochs, from the first, that mirror faces."""
        return round(self.flip_epochs_fraction * self.epochs)


def choice_fields() -> list[Field[Any]]:
    """Returns the fields of a recipe that can be set: all except its name."""
    return [field for field in fields(Recipe) if field.name != "name"]


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="default",
            epochs=40,
            batch_size=16,
            learning_rate=8e-4,
            schedule="cosine",
            patience=40,
            loss="mae",
            augment="light",
            flip_epochs_fraction=0.5,
        ),
        Recipe(
            name="published",
            epochs=200,
            batch_size=32,
            learning_rate=1e-5,
            schedule="constant",
            patience=10,
            labels="imputed",
        ),
        Recipe(
            name="v2",
            epochs=80,
            batch_size=64,
            learning_rate=2e-3,
            schedule="cosine",
            patience=80,
            loss="laplace",
            labels="by_source",
            augment="strong",
            weight_decay=0.05,
            warmup_epochs=2,
            flip_epochs_fraction=0.625,
        ),
        # For a user's few faces: a hundred take minutes. The best epoch can be the one before training.
        Recipe(
            name=FINETUNE,
            epochs=100,
            batch_size=8,
            learning_rate=5e-4,
            schedule="cosine",
            patience=25,
            loss="laplace",
            labels="by_source",
            augment="light",
            warmup_epochs=1,
        ),
        # As published for fully labelled faces of 68 keypoints; without early stopping.
        Recipe(
            name="vgg16",
            epochs=10,
            batch_size=16,
            learning_rate=1e-4,
            schedule="constant",
            patience=10,
            loss="mae",
            initial_weights=IMAGENET,
        ),
        Recipe(
            name="naimishnet",
            epochs=10,
            batch_size=16,
            learning_rate=1e-3,
            schedule="constant",
            patience=10,
            crop_px=224,
        ),
        Recipe(
            name="cnn5",
            epochs=5,
            batch_size=10,
            learning_rate=1e-3,
            schedule="constant",
            patience=5,
            crop_px=224,
        ),
    )
}
WITH_OWN_RECIPE = ("v2", "vgg16")  # networks whose default is the recipe of their name; for others it is `default`
# Learning rates that replace that of `default`: with mse, cnn5 reached 18.6 % NME at 3e-4,
# like the mean face, and 13.2 % at 1e-3.
DEFAULT_RATES = {"cnn5": 1e-3, "naimishnet": 1e-3}


def default_recipe(name: str) -> str:
    """Returns the name of the default recipe of a network."""
    return name if name in WITH_OWN_RECIPE else "default"


def resolve(name: str, recipe: str | None = None, choices: Mapping[str, Any] | None = None) -> Recipe:
    """Returns the recipe of a training run.

    The name of a shipped model in `initial_weights` becomes its path. Networks other than `v2` are fine-tuned with
    `mse`, since they predict no expected error.

    Args:
        name: of the network.
        recipe: a name in RECIPES; the default of the network if None.
        choices: values that replace those of the recipe; None keeps a value.

    Raises:
        InputError: the recipe is unknown, or choices are not allowed or contradict each other.
    """
    overrides = {field: value for field, value in (choices or {}).items() if value is not None}
    recipe = recipe or default_recipe(name)
    if recipe not in RECIPES:
        raise InputError(f"--recipe {recipe}: no such recipe; give one of {', '.join(RECIPES)}")
    for field, value in overrides.items():
        option = f"--{field.replace('_', '-')} {value}"
        if value not in CHOICES.get(field, (value,)):
            raise InputError(f"{option}: no such choice; give one of {', '.join(CHOICES[field])}")
        if not isinstance(value, str) and not (0 < value < float("inf") or (field in CAN_BE_ZERO and value == 0)):
            raise InputError(f"{option}: give a positive number{' or 0' if field in CAN_BE_ZERO else ''}")
    if overrides.get("schedule") == "constant":
        if overrides.get("warmup_epochs"):
            raise InputError("--warmup-epochs: a constant learning rate has no warmup; use --schedule cosine")
        overrides["warmup_epochs"] = 0
    if overrides.get("flip_epochs_fraction", 1) > 1:
        raise InputError(f"--flip-epochs-fraction {overrides['flip_epochs_fraction']}: give a fraction from 0 to 1")
    if recipe == "default" and name in DEFAULT_RATES:
        overrides = {"learning_rate": DEFAULT_RATES[name], **overrides}
    if recipe == FINETUNE and name != "v2":
        overrides = {"loss": "mse", **overrides}
    if (weights := overrides.get("initial_weights")) in shipped():
        overrides["initial_weights"] = str(shipped()[weights])
    return replace(RECIPES[recipe], **overrides)

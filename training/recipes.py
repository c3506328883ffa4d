"""How to train: every choice a training run depends on, and the sets of choices the project stands for."""

from dataclasses import dataclass

NETWORKS = ("base", "v1", "v2")  # files in models
SCHEDULES = ("constant", "cosine")
PRECISIONS = ("float32", "mixed_bfloat16")


@dataclass(frozen=True)
class Recipe:
    """The choices of one training run.

    Attributes:
        epochs: at the most.
        batch_size: faces in a step.
        learning_rate: of Adam, at its highest.
        schedule: `constant`, or `cosine`: from learning_rate to 0 over all epochs.
        patience: epochs without a better `monitor` before training stops.
        loss: `mse` (px^2), `mae`, `huber` (px; quadratic below 1 px), or `laplace` (see `training.losses`).
        labels: `masked`: only real labels count. `imputed`: imputed ones are taken for truth. `marks`: only real
            labels, the two label sources apart.
        augment: a level of `training.augment`.
        weight_decay: decoupled from the gradient (Loshchilov & Hutter 2019), of convolutions and dense layers.
        warmup_epochs: the learning rate rises from 0 over these; at the most over half of all epochs.
        unmirrored: share of the epochs, the last ones, that mirror no face, so that labels that lie to one side of what
            they mark are learnt as they are (`docs/v2.md`).
        average: decay of the running mean of the weights, which is then what is validated and kept; 0: none.
        precision: a Keras dtype policy for training; what is saved is float32.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    schedule: str
    patience: int
    loss: str
    labels: str
    augment: str
    weight_decay: float = 0.0
    warmup_epochs: int = 0
    unmirrored: float = 0.0
    average: float = 0.0
    precision: str = "float32"

    @property
    def monitor(self) -> str:
        """The figure whose lowest value marks the best epoch; a likelihood also falls with confidence, which is
        calibrated later."""
        return "val_mae" if self.loss == "laplace" else "val_loss"


RECIPES = {
    "default": Recipe(
        epochs=40,
        batch_size=32,
        learning_rate=3e-4,
        schedule="cosine",
        patience=40,
        loss="mse",
        labels="masked",
        augment="full",
    ),
    "documented": Recipe(
        epochs=200,
        batch_size=32,
        learning_rate=1e-5,
        schedule="constant",
        patience=10,
        loss="mse",
        labels="imputed",
        augment="none",
    ),
    "v2": Recipe(
        epochs=80,
        batch_size=64,
        learning_rate=2e-3,
        schedule="cosine",
        patience=80,
        loss="laplace",
        labels="marks",
        augment="strong",
        weight_decay=0.05,
        warmup_epochs=2,
        unmirrored=0.375,
        average=0.998,
    ),
}


def default_recipe(network: str) -> str:
    """Returns the name of the recipe that a network is trained with unless another one is asked for."""
    return network if network in RECIPES else "default"


def networks_for(recipe: str | None) -> tuple[str, ...]:
    """Returns the networks that a recipe is for; all of them where none is asked for."""
    kind = recipe if recipe in NETWORKS else "default"
    return tuple(name for name in NETWORKS if recipe is None or default_recipe(name) == kind)

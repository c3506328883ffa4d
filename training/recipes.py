"""How to train: every choice a training run depends on, and the two sets of choices the project stands for."""

from dataclasses import dataclass

NETWORKS = ("base", "v1")  # files in models
LABELS = ("masked", "imputed")
SCHEDULES = ("constant", "cosine")


@dataclass(frozen=True)
class Recipe:
    """The choices of one training run.

    Attributes:
        epochs: at the most.
        batch_size: faces in a step.
        learning_rate: of Adam, at its highest.
        schedule: `constant`, or `cosine`: from learning_rate to 0 over all epochs.
        patience: epochs without a better validation loss before training stops.
        loss: `mse` (px^2), `mae` or `huber` (px; quadratic below 1 px).
        labels: `masked`: only real labels count. `imputed`: imputed ones are taken for truth.
        augment: a level of `training.augment`.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    schedule: str
    patience: int
    loss: str
    labels: str
    augment: str


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
}

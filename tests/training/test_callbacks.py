"""Which epoch early stopping keeps, in a run that is killed and resumed."""

from pathlib import Path

import keras
import numpy as np
import pytest

from training import checkpoint
from training.callbacks import EarlyStopping

pytestmark = pytest.mark.any_backend

MONITOR = "val_mae"


def network() -> keras.Model:
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.compile(keras.optimizers.Adam(), loss="mse")
    return model


def weight(model: keras.Model) -> float:
    return float(model.get_weights()[0].item())


def run_epochs(model: keras.Model, stopping: EarlyStopping, errors: dict[int, float]) -> None:
    """Runs epochs, counted from 0, after each of which the only weight is the epoch's number plus 1."""
    model.stop_training = False
    stopping.set_model(model)
    stopping.on_train_begin()
    for epoch, error in errors.items():
        assert not model.stop_training
        model.set_weights([np.full((1, 1), epoch + 1, np.float32)])
        stopping.on_epoch_end(epoch, {MONITOR: error})
        stopping.state.history.append({"epoch": epoch + 1, MONITOR: error})


@pytest.mark.parametrize(
    ("keep_last", "errors_px", "kept"),
    [(True, {2: 5.0, 3: 6.0, 4: 7.0}, 5), (True, {2: 5.0, 3: 1.0, 4: 7.0}, 5), (False, {2: 5.0}, 1)],
    ids=["last, each epoch worse", "last, the middle one best", "best"],
)
def test_resumed_run_keeps_the_epoch_that_an_uninterrupted_run_would_keep(
    keep_last: bool, errors_px: dict[int, float], kept: int, tmp_path: Path
) -> None:
    """The run is killed after two epochs. Without `keep_last` it stops after two epochs without a better one."""
    path, model = tmp_path / "state.npz", network()
    state = checkpoint.State({}, best_weights=model.get_weights())
    state.early_stopping = {"best": 9.0, "wait": 0, "best_epoch": -1}
    run_epochs(model, EarlyStopping(state, MONITOR, 2, keep_last), {0: 3.0, 1: 4.0})
    checkpoint.save(path, model, state)

    resumed = network()
    restored = checkpoint.restore(path, resumed, {}, {})
    assert restored is not None
    stopping = EarlyStopping(restored, MONITOR, 2, keep_last)
    run_epochs(resumed, stopping, errors_px)
    assert resumed.stop_training == (not keep_last)
    stopping.on_train_end()
    assert weight(resumed) == kept
    assert restored.best_weights[0].item() == kept
    assert restored.early_stopping["best_epoch"] == kept - 1


def test_run_that_keeps_the_last_epoch_and_is_killed_after_it_has_its_weights(tmp_path: Path) -> None:
    """Resuming then trains no epoch: the weights to keep come from the file."""
    path, model = tmp_path / "state.npz", network()
    state = checkpoint.State({}, best_weights=model.get_weights())
    state.early_stopping = {"best": 1.0, "wait": 0, "best_epoch": -1}
    run_epochs(model, EarlyStopping(state, MONITOR, 1, keep_last=True), {0: 3.0, 1: 4.0})
    checkpoint.save(path, model, state)
    restored = checkpoint.restore(path, network(), {}, {})
    assert restored is not None
    assert restored.early_stopping == {"best": 4.0, "wait": 0, "best_epoch": 1}
    assert restored.best_weights[0].item() == 2

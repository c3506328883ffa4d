"""Model folders as training writes them, with untrained networks, for tests of code that reads them."""

import time
from pathlib import Path

import keras

from common.stage import stage_folder, write_manifest
from facial_keypoints.keypoint_set import FACE15
from facial_keypoints.pretrained import KERAS_FILE
from facial_keypoints.spec import Crop, ModelSpec, to_json
from models.networks import build_model, load_build, predicts_error
from models.saved import TRAIN

USER_NETWORK = """import keras


@keras.saving.register_keras_serializable()
class Doubled(keras.layers.Layer):
    def call(self, x):
        return 2 * x


def build(input_shape, keypoints, units: int = 8, *, with_error: bool = False):
    images = keras.Input(input_shape)
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(images))
    x = Doubled()(keras.layers.Dense(units, name="hidden")(x))
    numbers = 3 if with_error else 2
    x = keras.layers.Dense(numbers * keypoints, "softplus")(x)
    return keras.Model(images, keras.layers.Reshape((keypoints, numbers))(x))
"""


def write_model_folder(
    out: Path, network: str = "base", sources: tuple[int, ...] = (0,), shape: tuple[int, int, int] = (48, 48, 1)
) -> keras.Model:
    """Writes a model folder and returns the untrained network in it."""
    spec = ModelSpec(FACE15, sources, False, Crop(*shape, ((1.0, 2.0),) * len(FACE15)))
    keras.utils.set_random_seed(0)
    model = build_model(load_build(network), shape, len(spec.output_points))
    spec = ModelSpec(FACE15, sources, predicts_error(model), spec.crop)
    with stage_folder(out, TRAIN) as folder:
        model.save(folder / KERAS_FILE)
        write_manifest(folder, TRAIN, {"network": network}, {}, {}, time.time(), {"model": to_json(spec)})
    return model

"""Model folders like those of training, of networks that learnt nothing: for tests of what reads them."""

import time
from pathlib import Path

import keras

from common.stage import stage_folder, write_manifest
from facial_keypoints.keypoint_set import FACE15
from facial_keypoints.spec import Crop, ModelSpec, to_json
from models.loader import KERAS_FILE, build_model, load_build, predicts_error


def write_model_folder(
    out: Path, network: str = "base", sources: tuple[int, ...] = (0,), shape: tuple[int, int, int] = (48, 48, 1)
) -> keras.Model:
    """Writes a model folder and returns the untrained network in it."""
    spec = ModelSpec(FACE15, sources, False, Crop(*shape, ((1.0, 2.0),) * len(FACE15)))
    keras.utils.set_random_seed(0)
    model = build_model(load_build(network), shape, len(spec.landmarks))
    spec = ModelSpec(FACE15, sources, predicts_error(model), spec.crop)
    with stage_folder(out, "train") as folder:
        model.save(folder / KERAS_FILE)
        write_manifest(folder, "train", {"network": network}, {}, {}, time.time(), {"model": to_json(spec)})
    return model

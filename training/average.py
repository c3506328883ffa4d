"""Averages the weights of trained models of one network (a model soup, Wortsman et al. 2022).

    python -m training.average artifacts/models/a artifacts/models/b --out artifacts/models/average

The models must come from the same initial weights, for example a model and its fine-tuned form; then their mean is
often better than each of them. The mean of unrelated models predicts nothing useful: compare the printed errors. The
expected error is calibrated again on the validation faces.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from common.backend import start_backend
from common.hashes import path_hash
from common.options import add_data_option, stage_parser
from common.stage import Stage, stage_folder, write_manifest
from data_prep.arrays import load_data_manifest, load_keypoint_set, load_split
from data_prep.faces import Split
from facial_keypoints.codec import decode
from facial_keypoints.crops import with_channels
from facial_keypoints.errors import InputError, run
from facial_keypoints.keypoint_set import difference
from facial_keypoints.pretrained import KERAS_FILE, shipped
from facial_keypoints.spec import ModelSpec, to_json
from models.saved import LoadedModel, load_model
from models.summary import summary
from training.targets import targets

if TYPE_CHECKING:
    import keras

AVERAGE = Stage("train", "training.average", "MODEL MODEL --out DIR")  # its folder is one that training could write


def main(arguments: Sequence[str] | None = None) -> None:
    parser = stage_parser("training.average", __doc__, "v2 artifacts/models/v2 --out artifacts/models/average")
    parser.add_argument(
        "models", nargs="+", metavar="MODEL", help="shipped models or model folders that training wrote, two or more"
    )
    add_data_option(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="model folder to write")
    options = parser.parse_args(arguments)
    start_backend()
    average(options.models, options.data, options.out)


def average(names: Sequence[str | Path], data: Path, out: Path) -> None:
    """Writes a model folder with the mean weights of models of one network, and prints validation errors.

    Args:
        names: shipped models or model folders, two or more.
        data: the data folder whose validation faces calibrate the expected error.
        out: the model folder to write.

    Raises:
        InputError: fewer than two models; models that differ in anything but their weights; or a data folder for
            another network.
    """
    from training.calibration import calibrate_on

    started = time.time()
    if len(names) < 2:
        raise InputError("MODEL: give two or more")
    paths = [shipped().get(str(name), Path(name)) for name in names]
    models = [load_model(path) for path in paths]
    spec, parameters = same_network(models)
    val = validation_faces(data, spec)
    for name, loaded in zip(names, models, strict=True):
        print(f"{name}: validation MAE {mae_px(loaded.model, spec, val):.3f} px")
    weights = [np.mean(several, axis=0) for several in zip(*(m.model.get_weights() for m in models), strict=True)]
    model = models[0].model
    model.set_weights(weights)
    if spec.expected_error:
        labels = parameters.get("labels", "masked")
        model = calibrate_on(model, targets(val, labels, spec.output_points, spec.keypoint_set))
    error_px = mae_px(model, spec, val)
    with stage_folder(out, AVERAGE, paths) as folder:
        model.save(folder / KERAS_FILE)
        (folder / "summary.txt").write_text(summary(model) + "\n", encoding="utf-8")
        write_manifest(
            folder,
            AVERAGE,
            {"network": parameters.get("network"), "labels": parameters.get("labels"), "models": [*map(str, names)]},
            {"data": path_hash(data), **{str(name): path_hash(path) for name, path in zip(names, paths, strict=True)}},
            {"parameters": model.count_params(), "val_mae_px": round(error_px, 4)},
            started,
            {"model": to_json(spec)},
        )
    print(f"{out}: {KERAS_FILE}, summary.txt; validation MAE {error_px:.3f} px")


def same_network(models: Sequence[LoadedModel]) -> tuple[ModelSpec, dict[str, Any]]:
    """Returns what all models predict, and the training parameters of the first.

    Raises:
        InputError: they are not of one network, or one does not say what it predicts.
    """
    found: list[tuple[ModelSpec, dict[str, Any], list[tuple[int, ...]]]] = []
    for loaded in models:
        spec, manifest = loaded.spec, loaded.manifest
        if spec is None or manifest is None:
            raise InputError(f"{loaded.path}: does not say what it predicts; give a folder that training wrote")
        found.append((spec, manifest["parameters"], [tuple(weight.shape) for weight in loaded.model.weights]))
        first, parameters, shapes = found[0]
        if found[-1][2] != shapes or replace(spec, crop=first.crop) != first:
            raise InputError(f"{loaded.path}: is another network than {models[0].path}; give models of one network")
    return first, parameters


def validation_faces(folder: Path, spec: ModelSpec) -> Split:
    """Returns the labelled validation faces of a data folder; raises InputError if the network is for others."""
    keypoint_set = load_keypoint_set(load_data_manifest(folder), folder)
    val = load_split(folder, "val", keypoint_set)
    if difference(keypoint_set, spec.keypoint_set) or val.images.shape[1:3] != spec.crop.shape[:2]:
        raise InputError(f"{folder}: has other keypoints or image sizes than the models; give their data folder")
    if not val.labelled.any():
        raise InputError(f"{folder}: no validation face has a label; give another data folder")
    return replace(val, images=with_channels(val.images, spec.crop.channels))


def mae_px(model: "keras.Model", spec: ModelSpec, val: Split) -> float:
    """Returns the mean absolute error of x and y over the labels, in px."""
    found = decode(model.predict(val.images, verbose=0), val.label_sources, spec.output_points).coordinates
    return float(np.abs(found - val.keypoints)[val.labelled].mean())


if __name__ == "__main__":
    run(main)

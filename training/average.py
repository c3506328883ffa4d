"""Averages the weights of trained models of one network (a model soup, Wortsman et al. 2022).

    python -m training.average artifacts/models/a artifacts/models/b --out artifacts/models/average

The models must come from the same initial weights, for example a model and its fine-tuned form; then the mean can be
nearly as accurate as each of them on its own kind of faces. The mean of unrelated models predicts nothing useful:
compare the printed errors. The expected error is calibrated again on the validation faces.
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
from data_prep.faces import Split
from facial_keypoints.array_types import UInt8
from facial_keypoints.codec import decode
from facial_keypoints.crops import with_channels
from facial_keypoints.errors import InputError, run
from facial_keypoints.pretrained import KERAS_FILE, shipped
from facial_keypoints.spec import ModelSpec, to_json
from models.saved import LoadedModel, load_model, predict
from training.export import load_faces
from training.targets import targets

if TYPE_CHECKING:
    import keras

COMPARED_FACES = 4  # on which models with the same weights must predict the same
SAME_PX = 1e-3
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
        InputError: fewer than two models; models with other layers, images or keypoints than the first; a model that
            predicts values that are not finite; or a data folder for another network.
    """
    from models.summary import summary
    from training.calibration import calibrate_on

    started = time.time()
    if len(names) < 2:
        raise InputError("MODEL: give two or more")
    paths = [shipped().get(str(name), Path(name)) for name in names]
    models = [load_model(path) for path in paths]
    spec, manifests = common_spec(models)
    _, val, hash_of_data = load_faces(data, spec)
    val = replace(val, images=with_channels(val.images, spec.crop.channels))
    for path, loaded in zip(paths[1:], models[1:], strict=True):
        if not same_network(models[0].model, loaded.model, val.images[:COMPARED_FACES]):
            raise InputError(f"{path}: is another network than {paths[0]}; give models of one network")
    for name, loaded in zip(names, models, strict=True):
        print(f"{name}: validation MAE {mae_px(loaded, spec, val):.3f} px")
    weights = [np.mean(arrays, axis=0) for arrays in zip(*(m.model.get_weights() for m in models), strict=True)]
    model, parameters = models[0].model, manifests[0]["parameters"]
    model.set_weights(weights)
    if spec.expected_error:
        labels = parameters.get("labels", "masked")
        model = calibrate_on(model, targets(val, labels, spec.output_points, spec.keypoint_set))
    error_px = mae_px(replace(models[0], model=model), spec, val)
    with stage_folder(out, AVERAGE, paths) as folder:
        model.save(folder / KERAS_FILE)
        (folder / "summary.txt").write_text(summary(model) + "\n", encoding="utf-8")
        write_manifest(
            folder,
            AVERAGE,
            {"network": parameters.get("network"), "labels": parameters.get("labels"), "models": [*map(str, names)]},
            inputs(hash_of_data, paths, manifests),
            {"parameters": model.count_params(), "val_mae_px": round(error_px, 4)},
            started,
            {"model": to_json(spec)},
        )
    print(f"{out}: {KERAS_FILE}, summary.txt; validation MAE {error_px:.3f} px")


def common_spec(models: Sequence[LoadedModel]) -> tuple[ModelSpec, list[dict[str, Any]]]:
    """Returns the spec that all models share, and their manifests.

    Raises:
        InputError: a model has other layers, images or keypoints than the first, or has no spec.
    """
    first, manifests = models[0], []
    for loaded in models:
        spec = loaded.spec
        if spec is None or loaded.manifest is None or first.spec is None:
            raise InputError(f"{loaded.path}: does not say what it predicts; give a folder that training wrote")
        same_spec = spec.crop.shape == first.spec.crop.shape and replace(spec, crop=first.spec.crop) == first.spec
        if not same_spec:
            raise InputError(f"{loaded.path}: is another network than {first.path}; give models of one network")
        manifests.append(loaded.manifest)
    assert first.spec is not None  # checked above
    return first.spec, manifests


def same_network(model: "keras.Model", other: "keras.Model", images: UInt8) -> bool:
    """Returns whether two models predict the same coordinates for images once they have the same weights.

    This compares everything that is not a weight, such as connections and constants, but not the calibration of the
    expected error.
    """
    weights = other.get_weights()
    try:
        other.set_weights(model.get_weights())
    except ValueError:  # other shapes
        return False
    first, second = (np.asarray(each.predict_on_batch(images))[..., :2] for each in (model, other))
    other.set_weights(weights)
    return np.allclose(first, second, atol=SAME_PX)


def inputs(data: str, paths: Sequence[Path], manifests: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Returns the hashes of the data folder, of the models, and of the models' training inputs, by name."""
    hashes = {"data": data}
    for number, (path, manifest) in enumerate(zip(paths, manifests, strict=True), start=1):
        hashes[f"model {number}"] = path_hash(path)
        of_model = {name: value for name, value in manifest["inputs"].items() if value != data}
        hashes |= {f"{name} of model {number}": value for name, value in of_model.items()}
    return hashes


def mae_px(loaded: LoadedModel, spec: ModelSpec, val: Split) -> float:
    """Returns the mean absolute error of x and y over the labels, in px.

    Raises:
        InputError: a prediction is not finite.
    """
    output = predict(loaded, val.images, spec.keypoint_set)
    predicted = decode(output, val.label_sources, spec.output_points).coordinates
    return float(np.abs(predicted - val.keypoints)[val.labelled].mean())


if __name__ == "__main__":
    run(main)

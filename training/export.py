"""Adds a network to its model folder in formats for runtimes without Keras.

python -m training.export artifacts/models/v2
python -m training.export artifacts/models/v2 --int8 artifacts/data --litert --savedmodel
"""

import json
import shutil
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from common.backend import start_backend
from common.hashes import file_hash
from common.options import stage_parser
from common.process import native_stderr_silenced
from common.stage import locked
from data_prep.arrays import data_hash, load_data_manifest, load_keypoint_set, load_split
from data_prep.faces import Split
from facial_keypoints.array_types import Float32, UInt8
from facial_keypoints.codec import decode
from facial_keypoints.crops import with_channels
from facial_keypoints.errors import InputError, one_line, run
from facial_keypoints.folders import atomic_folder
from facial_keypoints.keypoint_set import difference
from facial_keypoints.pretrained import INT8_FILE, KERAS_FILE, MANIFEST, ONNX_FILE
from facial_keypoints.spec import METADATA_KEY, ModelSpec, to_json
from models.saved import load_model

if TYPE_CHECKING:
    import keras

Call = Callable[[UInt8], Float32]  # of a written network, for images (N, H, W, C)
Write = Callable[["keras.Model", ModelSpec, Path], Call]

LITERT_FILE, SAVED_MODEL = "model.tflite", "saved_model"
MAPS_PER_POINT = "nmf,mfd->nmd"  # N images, M output points, F features, D values
CHECKED_IMAGES = 16
LARGEST_DIFFERENCE_PX = 0.01
LARGEST_OUTPUT_PX = 1e5  # a network that learned little can expect errors of 1e35 px, which no format keeps to 0.01 px
LARGEST_INT8_LOSS_PX = 0.02


def main(arguments: Sequence[str] | None = None) -> None:
    parser = stage_parser(
        "training.export",
        f"Adds {ONNX_FILE} to a model folder; options add further formats.",
        "artifacts/models/v2 --int8 artifacts/data",
    )
    parser.add_argument("model", type=Path, metavar="MODEL_DIR", help="folder that training wrote")
    parser.add_argument(
        "--int8",
        type=Path,
        metavar="DIR",
        help=f"add {INT8_FILE}, with 8-bit integers, calibrated on the training faces of this data folder",
    )
    parser.add_argument("--litert", action="store_true", help=f"add {LITERT_FILE}, for LiteRT (TensorFlow Lite)")
    parser.add_argument("--savedmodel", action="store_true", help=f"add {SAVED_MODEL}/, for TensorFlow")
    options = parser.parse_args(arguments)
    start_backend()
    for line in export(options.model, options.int8, litert=options.litert, savedmodel=options.savedmodel):
        print(line)


def export(folder: Path, int8: Path | None = None, *, litert: bool = False, savedmodel: bool = False) -> list[str]:
    """Adds further formats of a network to its model folder; returns a line for each.

    Args:
        folder: a folder that training wrote.
        int8: a data folder; adds `model_int8.onnx`.
        litert: adds `model.tflite`.
        savedmodel: adds the folder `saved_model`, which the manifest does not list.

    Raises:
        InputError: the model folder is not valid, the backend is not TensorFlow, or the network cannot be written.
    """
    import keras

    if (backend := keras.backend.backend()) != "tensorflow":
        raise InputError(f"KERAS_BACKEND={backend}: cannot write ONNX, LiteRT and SavedModel files; unset it here")
    folder = folder.resolve()  # replaces the folder, not a link to it
    with locked(folder):
        loaded = load_model(folder)
        model, spec, manifest = loaded.model, loaded.spec, loaded.manifest
        if spec is None or manifest is None:
            raise InputError(f"{folder}: does not say what the network predicts; give a folder that training wrote")
        faces = load_faces(int8, spec) if int8 else None
        onnx = not (int8 or litert or savedmodel) or ONNX_FILE not in manifest["files"]
        requested = {ONNX_FILE: onnx, LITERT_FILE: litert, SAVED_MODEL: savedmodel}
        metrics, written = manifest["metrics"], {}
        with atomic_folder(folder) as new:
            shutil.copytree(folder, new, dirs_exist_ok=True)
            for name in (name for name in FORMATS if requested[name]):
                kind, metric, write = FORMATS[name]
                metrics[metric] = difference_px(model, spec, new / name, kind, write)
                written[name] = f"within {metrics[metric]:.0e} px of {KERAS_FILE}"
            if faces:
                metrics["int8"] = write_int8(new / ONNX_FILE, new / INT8_FILE, spec, *faces)
                written[INT8_FILE] = "MAE {val_mae_loss_px:+.4f} px on validation faces".format(**metrics["int8"])
            manifest["files"] |= {name: file_hash(new / name) for name in written if name != SAVED_MODEL}
            (new / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return [f"{folder / name}: {megabytes(folder / name):.1f} MB, {text}" for name, text in written.items()]


def megabytes(path: Path) -> float:
    """Returns the size of a file, or of all files in a folder, in MB."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e6


def load_faces(folder: Path, spec: ModelSpec) -> tuple[Split, Split, str]:
    """Returns the training and validation faces of a data folder, and the hash of its arrays.

    Raises:
        InputError: the data folder is invalid, lacks one of the two, or does not fit the network.
    """
    manifest = load_data_manifest(folder)
    keypoint_set = load_keypoint_set(manifest, folder)
    train, val = (load_split(folder, split, keypoint_set) for split in ("train", "val"))
    if not len(train) or not val.labelled.any():
        raise InputError(f"{folder}: has no training faces or no labelled validation faces; give another data folder")
    (height, width), (wanted_height, wanted_width) = train.images.shape[1:3], spec.crop.shape[:2]
    differs = difference(keypoint_set, spec.keypoint_set)
    if differs or (height, width) != (wanted_height, wanted_width):
        raise InputError(
            f"{folder}: has {keypoint_set.name} in {height} x {width} px, the network is for {spec.keypoint_set.name} "
            f"in {wanted_height} x {wanted_width} px{differs and f' ({differs})'}; give the data folder that it was "
            "trained on"
        )
    return train, val, data_hash(manifest)


def write_onnx(model: "keras.Model", spec: ModelSpec, path: Path) -> Call:
    """Writes a network as an ONNX file whose metadata hold the spec as JSON; returns its call.

    The file has one input, images float32 (N, H, W, C) with values 0..255 and N open, and one output, float32 (N, M, 2)
    or (N, M, 3).
    """
    import onnx

    from training.int8 import run_onnx

    without_small_products(model).export(path, format="onnx", verbose=False, input_signature=signature(spec))
    file = onnx.load(path)
    onnx.helper.set_model_props(file, {METADATA_KEY: json.dumps(to_json(spec))})
    onnx.save(file, path)
    return lambda images: run_onnx(path, images)


def without_small_products(model: "keras.Model") -> "keras.Model":
    """Returns a network of the same layers and function, in which maps per output point are a product and a sum.

    An ONNX file holds such a layer (`EinsumDense`, "nmf,mfd->nmd") as one small matrix product per output point, which
    takes three times as long.
    """
    import keras

    small = [
        layer
        for layer in model.layers
        if isinstance(layer, keras.layers.EinsumDense) and layer.equation == MAPS_PER_POINT
    ]
    if not small:
        return model

    def call(layer: Any, *inputs: Any, **options: Any) -> Any:
        if layer not in small:
            return layer(*inputs, **options)
        maps = keras.ops.convert_to_numpy(layer.kernel).transpose(0, 2, 1)
        values = keras.ops.sum(keras.ops.expand_dims(inputs[0], 2) * maps, axis=-1)
        if layer.bias is not None:
            values = values + keras.ops.convert_to_numpy(layer.bias)
        return layer.activation(values)

    return keras.models.clone_model(model, clone_function=lambda layer: layer, call_function=call)


def write_litert(model: "keras.Model", spec: ModelSpec, path: Path) -> Call:
    """Writes a network for LiteRT, with the input and output of `write_onnx`; returns its call."""
    import tensorflow as tf

    model.export(path, format="litert", verbose=False, input_signature=signature(spec))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow announces that its interpreter will move to another package
        call: Any = tf.lite.Interpreter(str(path)).get_signature_runner()
    return lambda images: next(iter(call(images=images.astype(np.float32)).values()))


def write_savedmodel(model: "keras.Model", spec: ModelSpec, path: Path) -> Call:
    """Writes a network as a SavedModel folder, with the input and output of `write_onnx`; returns its call."""
    import tensorflow as tf

    shutil.rmtree(path, ignore_errors=True)
    model.export(path, format="tf_saved_model", verbose=False, input_signature=signature(spec))
    served: Any = tf.saved_model.load(str(path))
    return lambda images: np.asarray(served.serve(images.astype(np.float32)))


FORMATS: dict[str, tuple[str, str, Write]] = {  # by file: format for messages, metric, writer
    ONNX_FILE: ("ONNX", "onnx_difference_px", write_onnx),
    LITERT_FILE: ("LiteRT", "litert_difference_px", write_litert),
    SAVED_MODEL: ("a SavedModel", "savedmodel_difference_px", write_savedmodel),
}


def signature(spec: ModelSpec) -> list[Any]:
    """Returns the input of an exported network: images float32 (N, H, W, C) with any N."""
    import keras

    return [keras.InputSpec(shape=(None, *spec.crop.shape), dtype="float32", name="images")]


def difference_px(model: "keras.Model", spec: ModelSpec, path: Path, kind: str, write: Write) -> float:
    """Writes a network; returns the largest difference in px between it and the one in Keras, on images of noise.

    Args:
        path: the file or folder to write.
        kind: the format, for messages.
        write: a function of FORMATS.

    Raises:
        InputError: it cannot be written or called, differs by more than `LARGEST_DIFFERENCE_PX`, or predicts values
            that are too large to compare.
    """
    images = np.random.default_rng(0).integers(0, 256, (CHECKED_IMAGES, *spec.crop.shape)).astype(np.uint8)
    expected = model.predict(images, verbose=0)
    if not (largest := float(np.abs(expected).max())) < LARGEST_OUTPUT_PX:
        raise InputError(
            f"{KERAS_FILE}: predicts {largest:.3g} px for images of noise, so it cannot be compared with {path.name}; "
            "train it longer, or on more faces"
        )
    try:
        with native_stderr_silenced():  # the converters' libraries print warnings
            call = write(model, spec, path)
            predicted = np.concatenate([call(images[:1]), call(images[1:])])  # any N
    except Exception as error:  # converters and runtimes raise errors of many kinds
        raise InputError(
            f"{path.name}: this network cannot be written as {kind} ({one_line(error)}); nothing is written"
        ) from None
    largest = float(np.abs(predicted - expected).max())
    if not largest < LARGEST_DIFFERENCE_PX:
        raise InputError(f"{path.name}: differs from {KERAS_FILE} by {largest:.3g} px; nothing is written")
    return largest


def write_int8(
    onnx_file: Path, path: Path, spec: ModelSpec, train: Split, val: Split, hash_of_data: str
) -> dict[str, Any]:
    """Writes an ONNX file with 8-bit integers (`training.int8`); returns its data and its loss of accuracy.

    Args:
        onnx_file: the float file.
        path: the file to write.
        train: to measure the range of the values of each layer.
        val: to measure the loss of accuracy.

    Raises:
        InputError: it cannot be written, or its MAE on the validation faces is larger by `LARGEST_INT8_LOSS_PX`.
    """
    from training.int8 import CALIBRATION_FACES, quantize, run_onnx

    channels = spec.crop.channels
    try:
        with native_stderr_silenced():
            quantize(onnx_file, with_channels(train.images, channels), path)
            outputs = [run_onnx(file, with_channels(val.images, channels)) for file in (onnx_file, path)]
    except InputError:
        raise
    except Exception as error:  # the error classes of onnxruntime have no common base
        raise InputError(
            f"{path.name}: this network cannot be quantized ({one_line(error)}); nothing is written"
        ) from None
    before, after = (decode(output, val.label_sources, spec.output_points).coordinates for output in outputs)
    labelled, true = val.labelled, val.keypoints
    loss = float(np.abs(after - true)[labelled].mean() - np.abs(before - true)[labelled].mean())
    if not loss < LARGEST_INT8_LOSS_PX:
        raise InputError(f"{path.name}: loses {loss:.3g} px of MAE on the validation faces; nothing is written")
    return {
        "data": hash_of_data,
        "calibration_faces": min(len(train), CALIBRATION_FACES),
        "val_mae_loss_px": loss,
        "val_mean_difference_px": float(np.abs(after - before).mean()),
    }


if __name__ == "__main__":
    run(main)

"""Finds the shipped models in a checkout, an editable install or an installed wheel."""

from pathlib import Path

from facial_keypoints.errors import InputError

ONNX_FILE, INT8_FILE, MANIFEST = "model.onnx", "model_int8.onnx", "manifest.json"  # in a model folder
KERAS_SUFFIX = ".keras"
KERAS_FILE = "model.keras"  # the network that the ONNX files were exported from; not in the wheel
FINDER = "face-finder"  # the shipped model that finds faces; all others predict keypoints
IN_WHEEL = Path(__file__).parent / "pretrained"  # pyproject.toml puts them there
IN_CHECKOUT = Path(__file__).parents[1] / "artifacts" / "pretrained"


def shipped() -> dict[str, Path]:
    """Returns the folders of the shipped keypoint models by name.

    Each holds model.onnx, manifest.json and a model card.
    """
    folders = {path.parent.name: path.parent for path in sorted(_root().glob(f"*/{ONNX_FILE}"))}
    return {name: folder for name, folder in folders.items() if name != FINDER}


def shipped_finder() -> Path:
    """Returns the folder of the shipped model that finds faces; it holds the same files."""
    return _root() / FINDER


def _root() -> Path:
    return IN_WHEEL if IN_WHEEL.is_dir() else IN_CHECKOUT


def find(model: str | Path) -> Path:
    """Returns the path of a model folder or an `.onnx` file.

    Args:
        model: the name of a shipped model, or a path; write `./v2` for a folder that has the name of a shipped model.

    Raises:
        InputError: there is no such model.
    """
    models = shipped()
    if isinstance(model, str) and model in models:
        return models[model]
    path = Path(model)
    if path.suffix == KERAS_SUFFIX and path.is_file():
        raise InputError(
            f"{model}: is a Keras file; run `python -m training.export {path.parent}`, and give that folder"
        )
    if path.is_dir() or path.is_file():
        return path
    raise InputError(f"{model}: no such model; give one of {', '.join(models)}, a model folder or an .onnx file")

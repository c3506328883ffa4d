"""Finds, builds and checks networks, by name or from a user's file.

A network is a function `build(input_shape, keypoints, ...) -> keras.Model` in a file of `models` or of the user. It
takes images (N, H, W, C) with values 0..255 and returns the keypoints (N, M, 2) in px, or (N, M, 3) with the expected
error. `keypoints` is the number M of output points (`facial_keypoints.codec`).

Keras is imported only when it is needed, because the pipeline needs only the names.
"""

import ast
import functools
import importlib
import importlib.util
import inspect
import re
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from common.backend import check_device
from facial_keypoints.codec import WITH_ERROR
from facial_keypoints.errors import InputError, one_line

if TYPE_CHECKING:
    import keras

Build = Callable[..., "keras.Model"]

HERE = Path(__file__).parent
REQUIRED_ARGUMENTS = ("input_shape", "keypoints")  # the arguments that every `build` has
CONTRACT = "a network's file has a function build(input_shape, keypoints, ...) that returns a keras.Model"


def network_names() -> tuple[str, ...]:
    """Returns the names of the networks in `models`: the files that have a function `build`."""
    return tuple(sorted(path.stem for path in HERE.glob("*.py") if _has_build(path)))


def _has_build(path: Path) -> bool:
    nodes = ast.parse(path.read_text(encoding="utf-8")).body
    return any(isinstance(node, ast.FunctionDef) and node.name == "build" for node in nodes)


def is_file(network: str) -> bool:
    """Returns whether a network is given as a user's file, not by name."""
    return network.endswith(".py")


def network_name(network: str | Build) -> str:
    """Returns the name of a network: that of a user's file without `.py`, or that of a function."""
    if not isinstance(network, str):
        return getattr(network, "__name__", "build")  # a `functools.partial` has no name
    return Path(network).stem if is_file(network) else network


def network_file(network: str) -> Path:
    """Returns the file of a network.

    Args:
        network: the NAME of one in `models`, or the path of a FILE.py.

    Raises:
        InputError: there is no such network.
    """
    if is_file(network):
        if not Path(network).is_file():
            raise InputError(f"{network}: no such file; {CONTRACT}")
        return Path(network)
    if network not in (names := network_names()):
        raise InputError(f"{network}: no such network; give one of {', '.join(names)}, or a file that ends in .py")
    return HERE / f"{network}.py"


def load_build(network: str) -> Build:
    """Returns the function `build` of a network.

    Args:
        network: the NAME of one in `models`, or the path of a FILE.py, which this runs.

    Raises:
        InputError: there is no such network, its file cannot be run, or its `build` takes other arguments.
    """
    path = network_file(network)
    if is_file(network):
        module = _run_file(path, path.stat().st_mtime_ns)
    else:
        module = importlib.import_module(f"models.{network}")
    build = getattr(module, "build", None)
    if not inspect.isfunction(build) and not isinstance(build, functools.partial):
        raise InputError(f"{path}: has no function `build`; {CONTRACT}")
    parameters = _parameters(build)
    if missing := [name for name in REQUIRED_ARGUMENTS if name not in parameters]:
        raise InputError(f"{path}: its build takes no {' and no '.join(missing)}; {CONTRACT}")
    if without_default := [p.name for p in build_options(build).values() if p.default is inspect.Parameter.empty]:
        raise InputError(f"{path}: the argument {without_default[0]} of its build has no default; give it one")
    return build


@functools.cache
def _run_file(path: Path, changed_ns: int) -> ModuleType:
    """Returns a user's file as a module; runs it again only if it has changed (`changed_ns`: when it last changed)."""
    spec = importlib.util.spec_from_file_location(f"network_file_{path.stem}", path.resolve())
    if spec is None or spec.loader is None:
        raise InputError(f"{path}: is not a Python file; {CONTRACT}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and Keras look a class up by the name of its module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[spec.name]
        raise InputError(f"{_location(error, path)}: cannot be run ({reason(error)})") from None
    return module


def _location(error: BaseException, path: Path) -> str:
    """Returns the path of a file, with its line that raised an error."""
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename) == path.resolve():
        line = error.lineno
    else:
        frames = traceback.extract_tb(error.__traceback__)
        line = next((frame.lineno for frame in reversed(frames) if Path(frame.filename) == path.resolve()), None)
    return f"{path}, line {line}" if line else str(path)


def reason(error: BaseException) -> str:
    """Returns an error as one short line; errors of Keras have many lines, some in bold."""
    text = error.msg if isinstance(error, SyntaxError) else re.sub(r"\x1b\[\d*m", "", str(error))
    if missing := re.search(r"Could not locate (class|function) '[^']+'", text):  # the useful part of a long text
        text = missing[0]
    kind = "" if isinstance(error, ValueError) and text else f"{type(error).__name__}: "
    return one_line(kind + text).removesuffix(":")


def build_options(build: Build) -> dict[str, inspect.Parameter]:
    """Returns the arguments of a `build` by name, except `input_shape` and `keypoints`.

    Raises:
        InputError: an annotation is a string that cannot be evaluated.
    """
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {name: p for name, p in _parameters(build).items() if name not in REQUIRED_ARGUMENTS and p.kind in kinds}


def _parameters(build: Build) -> Mapping[str, inspect.Parameter]:
    """Returns the arguments of a `build`; annotations that are strings are evaluated."""
    try:
        return inspect.signature(build, eval_str=True).parameters
    except Exception as error:  # a string can hold anything
        raise InputError(
            f"{_short_path(build)}: an annotation of its build cannot be evaluated ({reason(error)}); import what it "
            "names, or remove it"
        ) from None


def build_model(
    build: Build, input_shape: tuple[int, int, int], output_points: int, options: Mapping[str, Any] | None = None
) -> "keras.Model":
    """Returns the untrained network of `build`, after checks.

    Args:
        input_shape: (H, W, C) of the images.
        output_points: M.
        options: further arguments by name.

    Raises:
        InputError: `build` fails or lacks an option, or its network has another input or output shape, or cannot be
            loaded after saving.
    """
    import keras

    path = _short_path(build)
    check_device()
    if (order := keras.config.image_data_format()) != "channels_last":  # set in a notebook; stages set it themselves
        raise InputError(f"Keras is set to {order}; call keras.config.set_image_data_format('channels_last') first")
    options = options or {}
    if unknown := [name for name in options if name not in build_options(build)]:
        known = ", ".join(build_options(build)) or "none"
        raise InputError(f"{path}: its build has no option {unknown[0]}; its options: {known}")
    try:
        model = build(input_shape=input_shape, keypoints=output_points, **options)
    except Exception as error:
        task = f"{output_points} keypoints on images of {_size_text(input_shape)}"
        raise InputError(f"{_location(error, path)}: no network for {task} ({reason(error)})") from None
    if not isinstance(model, keras.Model):
        raise InputError(f"{path}: its build returns {type(model).__name__}; it must return a keras.Model")
    if (actual_input := shape_of(model, "input_shape")) != (None, *input_shape):
        raise InputError(
            f"{path}: its network takes {shape_text(actual_input)}; it must begin with keras.Input(input_shape)"
        )
    if (actual_output := shape_of(model, "output_shape")) not in [
        (None, output_points, numbers) for numbers in (2, WITH_ERROR)
    ]:
        raise InputError(
            f"{path}: its network gives {shape_text(actual_output)}; it must give (N, {output_points}, 2), the "
            f"keypoints in px, or (N, {output_points}, 3) with the expected error"
        )
    try:
        keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(model))
    except Exception as error:
        raise InputError(
            f"{path}: Keras cannot load this network after saving ({reason(error)}); use Keras' own "
            "layers, or give a class of your own @keras.saving.register_keras_serializable()"
        ) from None
    return model


def file_of(build: Build) -> Path | None:
    """Returns the file that defines a `build`, even if it is decorated or partial; None if no file defines it."""
    function: Any = build
    while isinstance(function, functools.partial) or hasattr(function, "__wrapped__"):
        function = function.func if isinstance(function, functools.partial) else function.__wrapped__
    try:
        path = Path(inspect.getfile(function))
    except TypeError:  # a callable object
        return None
    return path if path.is_file() else None  # the cells of a notebook are not files


def _short_path(build: Build) -> Path:
    """Returns the file of a `build`, relative to the working folder if possible; `build` if no file defines it."""
    path = file_of(build) or Path("build")
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def shape_of(model: "keras.Model", side: str) -> Any:
    """Returns the `input_shape` or `output_shape` of a network; None if it has none."""
    try:
        return getattr(model, side)
    except (AttributeError, ValueError):  # a subclass that was never called
        return None


def _size_text(shape: tuple[int | None, ...]) -> str:
    return " x ".join("any" if side is None else str(side) for side in shape)


def shape_text(shape: Any) -> str:
    if isinstance(shape, tuple) and shape and all(side is None or isinstance(side, int) for side in shape):
        return f"({', '.join(['N', *map(str, shape[1:])])})"
    return "nothing known" if shape is None else "several arrays"


def predicts_error(model: "keras.Model") -> bool:
    """Returns whether a network predicts (N, M, 3), with an expected error."""
    return bool(model.output_shape[-1] == WITH_ERROR)

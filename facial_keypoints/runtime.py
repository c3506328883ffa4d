"""The only module that imports onnxruntime; all others call it."""

from collections.abc import Sequence
from typing import Any

from facial_keypoints.errors import InputError
from facial_keypoints.telemetry import switch_off

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
SILENT = 4  # onnxruntime's log level; its errors are raised as well

Provider = str | tuple[str, dict[str, Any]]  # a name, or a name and its options, as onnxruntime takes them


def onnxruntime() -> Any:
    """Returns the module onnxruntime, imported with its telemetry off.

    If the program imported it before, telemetry is on unless the program set ORT_DISABLE_TELEMETRY=1 itself:
    onnxruntime reads the variable on import, and its `disable_telemetry_events()` stops neither files nor requests.
    """
    switch_off("onnxruntime")
    import onnxruntime as module  # takes longer than importing this library

    return module


def session(content: bytes, threads: int = 0, providers: Sequence[Provider] = (CPU,)) -> Any:
    """Returns an `InferenceSession` that uses all of these execution providers.

    Args:
        content: an ONNX file's bytes.
        threads: the number of threads within an operation; 0: one per core.
        providers: in order of preference. Operations that none of them supports run on the CPU.

    Raises:
        InputError: a provider is not installed, or does not start.
        Exception: onnxruntime cannot load the file; its errors have no common base class.
    """
    module = onnxruntime()
    names = [provider if isinstance(provider, str) else provider[0] for provider in providers]
    installed = f"onnxruntime {module.__version__} with {', '.join(module.get_available_providers())}"
    if missing := [name for name in names if name not in module.get_available_providers()]:
        raise InputError(
            f"providers: {missing[0]} is not installed; here is {installed}. {_how_to_install(missing[0])}"
        )
    if CUDA in names and hasattr(module, "preload_dlls"):
        module.preload_dlls()  # finds CUDA and cuDNN where pip installed them
    options = module.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = SILENT
    options.add_session_config_entry("session.force_spinning_stop", "1")  # idle threads leave the cores
    created = module.InferenceSession(content, options, providers=list(providers), enable_fallback=0)
    if idle := [name for name in names if name not in created.get_providers()]:
        raise InputError(
            f"providers: {idle[0]} does not start and onnxruntime would use {', '.join(created.get_providers())}; "
            f"check the driver and the libraries it needs. {_how_to_install(idle[0])}"
        )
    return created


def _how_to_install(provider: str) -> str:
    if provider == CUDA:
        return 'Install it with: pip uninstall onnxruntime; pip install "onnxruntime-gpu[cuda,cudnn]"'
    return "The documentation of onnxruntime names the package to install"

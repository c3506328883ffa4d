"""Switches off the telemetry of other packages before they are imported."""

import os

# For each package: the environment variables that stop its reports, its checks for a newer version, and the ids that it
# stores in the home folder. Add a line for a new package.
OFF = {
    "onnxruntime": {"ORT_DISABLE_TELEMETRY": "1"},  # wheels from 1.29 report; they read this only on import
    "gradio": {"GRADIO_ANALYTICS_ENABLED": "False"},  # also stops its check for a newer version
    "huggingface_hub": {"HF_HUB_DISABLE_TELEMETRY": "1"},  # Gradio imports it
    "mlflow": {"MLFLOW_DISABLE_TELEMETRY": "true"},
    "ray": {"RAY_USAGE_STATS_ENABLED": "0"},
}


def switch_off(*packages: str) -> None:
    """Sets the variables of OFF for these packages, or for all, unless the user has set them."""
    for package in packages or OFF:
        for name, value in OFF[package].items():
            os.environ.setdefault(name, value)

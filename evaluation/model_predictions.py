"""Predictions of a trained model for the test faces. Needs a started backend (`common.backend`)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from common.hashes import file_hash
from evaluation.ensembles import mean_keypoints, total_cost
from evaluation.inputs import EvaluationData
from evaluation.tables import known_cost
from facial_keypoints.codec import WITH_ERROR, Keypoints, decode, flipped_back
from facial_keypoints.errors import InputError
from models.saved import LoadedModel, load_model, notes, predict


class ModelResult(NamedTuple):
    """The predictions of a model for the test faces, and facts about the model.

    Attributes:
        keypoints: of the N test faces.
        cost: the values of `COST`, None where unknown.
        notes: sentences about facts that are unknown.
        hashes: of the weights of each model, by `model`, or `model_1`, `model_2`, ...
        training: the parameters of its training; empty for several models and for a bare file.
    """

    keypoints: Keypoints
    cost: dict[str, float | None]
    notes: list[str]
    hashes: dict[str, str]
    training: dict[str, Any]


def predict_with_all(paths: Sequence[Path], data: EvaluationData, flip: bool) -> ModelResult:
    """Returns the result of one model or an ensemble.

    Raises:
        InputError: a model is given twice, or as in `predict_test_faces`.
    """
    results = [predict_test_faces(path, data, flip) for path in paths]
    if len(paths) == 1:
        return results[0]
    hashes = [result.hashes["model"] for result in results]
    for number, path in enumerate(paths):
        if hashes[number] in hashes[:number]:
            raise InputError(f"{path}: is the same model as {paths[hashes.index(hashes[number])]}; give each once")
    notes = [f"{path}: {note}" for path, result in zip(paths, results, strict=True) for note in result.notes]
    by_name = {f"model_{number}": value for number, value in enumerate(hashes, start=1)}
    keypoints = mean_keypoints([result.keypoints for result in results])
    return ModelResult(keypoints, total_cost([result.cost for result in results]), notes, by_name, {})


def predict_test_faces(path: Path, data: EvaluationData, flip: bool) -> ModelResult:
    """Returns the predictions of a model for the test faces, each as its label source would label it.

    Args:
        path: a model folder, or a bare `.keras` file.
        flip: average with the predictions for the mirrored images, mirrored back; except for faces of a label source
            with a horizontal bias, which the average would cancel.

    Raises:
        InputError: the model is damaged, does not fit the data's images or keypoints, or was trained on these faces.
    """
    loaded = load_model(path)
    all_notes = notes(loaded) + training_notes(loaded, data)
    images, output_points = data.test.images, loaded.output_points(data.keypoint_set)
    output = predict(loaded, images, data.keypoint_set)
    if flip:
        mirrored = predict(loaded, images[:, :, ::-1], data.keypoint_set)
        averaged = np.mean([output, flipped_back(mirrored, images.shape[2], output_points)], axis=0)
        output = np.where(
            np.isin(data.test.label_sources, data.keypoint_set.biased_label_sources)[:, None, None], output, averaged
        )
    if loaded.spec is None and output.shape[-1] == WITH_ERROR:
        all_notes.append("the third output of each keypoint, used as its expected error in px")
    keypoints, hashes = decode(output, data.test.label_sources, output_points), {"model": file_hash(loaded.file)}
    training = loaded.manifest["parameters"] if loaded.manifest else {}
    return ModelResult(keypoints, cost_of(loaded), all_notes, hashes, training)


def training_notes(loaded: LoadedModel, data: EvaluationData) -> list[str]:
    """Returns a warning if a model may have been trained on some of these test faces; none for a bare file.

    Raises:
        InputError: the model was trained on all of them.
    """
    if loaded.manifest is None:
        return []
    inputs = dict(loaded.manifest["inputs"])
    if inputs.pop("data", None) == data.hash:
        return []
    if data.hash in inputs.values():
        raise InputError(f"{loaded.path}: was trained on these faces (--extra-data); evaluate it on other data")
    return ["this model was trained on another data folder; its training faces may be among these test faces"]


def cost_of(loaded: LoadedModel) -> dict[str, float | None]:
    """Returns the values of `COST`; for a bare file only the parameters and the size."""
    metrics = loaded.manifest["metrics"] if loaded.manifest else {"parameters": loaded.model.count_params()}
    return known_cost(metrics) | {"file_mb": round(loaded.file.stat().st_size / 1e6, 3)}

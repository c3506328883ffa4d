"""Inspects a network and returns figures. Needs a started backend (`common.backend`)."""

from pathlib import Path
from typing import Any

from common.draw import Figure
from common.hashes import file_hash
from evaluation.inspection.inside import color_order, convolutions, stages, steps
from evaluation.inspection.inspected_face import inspected_face, keypoint_set_of
from evaluation.inspection.plots import draw_convolutions, draw_feature_maps, draw_kernels, draw_sensitivity
from evaluation.inspection.sensitivity import occlusion, saliency
from facial_keypoints.array_types import Float32, UInt8
from models.saved import load_model, predict


def inspect(path: Path, picture: Path | None, detect: bool) -> tuple[dict[str, Figure], dict[str, Any], list[str], str]:
    """Returns figures of a network and a face by file name, metrics, notes on missing figures, and the weights' hash.

    Args:
        path: a model folder, or a bare `.keras` file.
        picture, detect: see `inspected_face`.

    Raises:
        InputError: the model or the picture is missing, or has no face.
    """
    loaded = load_model(path)
    model, name = loaded.model, path.resolve().name.removesuffix(".keras")
    notes: list[str] = []
    keypoint_set = keypoint_set_of(loaded)
    face = inspected_face(loaded, picture, detect)

    def output_points(images: UInt8) -> Float32:
        return predict(loaded, images, keypoint_set)

    output = output_points(face[None])[0]
    points = output[: len(keypoint_set), :2]
    if loaded.spec is None:
        notes.append(f"{path} does not describe its crop; the whole picture is resized")
    figures: dict[str, Figure] = {}
    recorded = steps(model, face[None])
    layers, network_stages = convolutions(recorded), stages(recorded, face.shape)
    if layers:
        takes_colors = layers[0].kernels.shape[2] == face.shape[2]  # not for depthwise or grouped convolutions
        colors = color_order(model, face.shape) if takes_colors else None
        figures["kernels.png"] = draw_kernels(layers[0], colors, name)
        figures["convolutions.png"] = draw_convolutions(layers, name)
        figures["feature_maps.png"] = draw_feature_maps(face, points, network_stages, name)
    else:
        notes.append(f"{path} has no convolution: there are no kernels and no feature maps to show")
    members = [group for _, group in keypoint_set.regions]
    saliency_maps = saliency(model, face, members, len(output))
    if not saliency_maps.any():
        notes.append(f"no gradient reaches the picture in {path}: there is no saliency to show")
    occlusion_maps = occlusion(output_points, face, members)
    drawn_saliency = saliency_maps if saliency_maps.any() else None
    figures["saliency.png"] = draw_sensitivity(face, points, keypoint_set.regions, drawn_saliency, occlusion_maps, name)
    metrics = {"convolutions": len(layers), "stages": {stage.layer: stage.maps.shape for stage in network_stages}}
    return figures, metrics, notes, file_hash(loaded.file)

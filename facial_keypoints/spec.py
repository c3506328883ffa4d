"""The inputs and outputs of a trained network, stored in its manifest and in the metadata of its ONNX file."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from facial_keypoints.codec import OutputPoints, output_points
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import KEYPOINT_SETS, KeypointSet, from_dict, to_dict

FORMAT_VERSION = 2  # of the JSON values; version 1 names a built-in keypoint set, and calls output points `landmarks`
METADATA_KEY = "facial_keypoints"  # of an ONNX file; its value is `to_json` as text
CHANNELS = GRAY, RGB = 1, 3


@dataclass(frozen=True)
class Crop:
    """The crops that a network takes.

    Attributes:
        height_px, width_px: the size of a crop.
        channels: 1 (gray) or 3 (RGB).
        mean_keypoints: K pairs (x, y) in px, the mean keypoints of the training faces.
    """

    height_px: int
    width_px: int
    channels: int
    mean_keypoints: tuple[tuple[float, float], ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C)."""
        return self.height_px, self.width_px, self.channels


@dataclass(frozen=True)
class ModelSpec:
    """What a network predicts, and what it was trained on.

    Attributes:
        keypoint_set: K keypoints.
        label_sources: the label sources that have their own output points, as indexes into
            `keypoint_set.label_sources`.
        expected_error: whether the network also predicts the expected error of each output point.
        crop: the crops of its training pictures.
    """

    keypoint_set: KeypointSet
    label_sources: tuple[int, ...]
    expected_error: bool
    crop: Crop

    @property
    def output_points(self) -> OutputPoints:
        """The M output points that it predicts."""
        return output_points(self.keypoint_set, self.label_sources)

    @property
    def point_names(self) -> tuple[tuple[str, str], ...]:
        """The names of the keypoint and of the label source of each output point."""
        names: dict[int, tuple[str, str]] = {}
        for label_source, row in zip(self.keypoint_set.label_sources, self.output_points.of_label_source, strict=True):
            for keypoint, output_point in zip(self.keypoint_set.names, row, strict=True):
                names.setdefault(output_point, (keypoint, label_source.name))  # the first label source of the point
        return tuple(names[output_point] for output_point in range(len(self.output_points)))


def to_json(spec: ModelSpec) -> dict[str, Any]:
    """Returns JSON values that readers without this project can understand on their own."""
    of_label_source = spec.output_points.of_label_source
    return {
        "format_version": FORMAT_VERSION,
        "keypoint_set": to_dict(spec.keypoint_set),
        "output_points": {
            spec.keypoint_set.label_sources[s].name: list(of_label_source[s]) for s in spec.label_sources
        },
        "expected_error": spec.expected_error,
        "crop": {**asdict(spec.crop), "mean_keypoints": [list(point) for point in spec.crop.mean_keypoints]},
    }


def from_json(values: Any, where: str) -> ModelSpec:
    """Returns the spec from the values of `to_json`.

    Args:
        values: JSON values.
        where: the file, for messages.

    Raises:
        InputError: the values are incomplete, or the keypoint set contradicts itself.
    """
    try:
        if "landmarks" in values:
            values = _of_version_1(values, where)
        keypoint_set, crop = from_dict(values["keypoint_set"], where), dict(values["crop"])
        names = [label_source.name for label_source in keypoint_set.label_sources]
        label_sources = tuple(names.index(label_source) for label_source in values["output_points"])
        means = tuple((float(x), float(y)) for x, y in crop["mean_keypoints"])
        size = (int(crop["height_px"]), int(crop["width_px"]), int(crop["channels"]))
        spec = ModelSpec(keypoint_set, label_sources, bool(values["expected_error"]), Crop(*size, means))
        valid = {**values, **to_json(spec)} == values  # a later version may add keys
        valid = valid and min(size) > 0 and size[2] in CHANNELS
        valid = valid and len(means) == len(keypoint_set) and all(math.isfinite(x + y) for x, y in means)
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        valid = False
    if not valid:
        raise InputError(f"{where}: does not say what the network predicts; train and export it again")
    return spec


def _of_version_1(values: dict[str, Any], where: str) -> dict[str, Any]:
    """Returns the values of format version 1 converted to version 2."""
    name = values["keypoint_set"]
    keypoint_set = KEYPOINT_SETS.get(name)
    if keypoint_set is None or list(keypoint_set.names) != values["keypoints"]:
        raise InputError(f"{where}: has the unknown keypoint set {name!r}; known: {', '.join(KEYPOINT_SETS)}")
    changes = {"format_version": FORMAT_VERSION, "keypoint_set": to_dict(keypoint_set)}
    return {**values, **changes, "output_points": values["landmarks"]}

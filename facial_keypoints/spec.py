"""What a trained network takes and gives, stored with it: in its manifest and as metadata of its ONNX file."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from facial_keypoints.codec import Landmarks, landmarks
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import KEYPOINT_SETS, KeypointSet

METADATA_KEY = "facial_keypoints"  # of an ONNX file; its value is `to_json` as text
CHANNELS = GREY, RGB = 1, 3


@dataclass(frozen=True)
class Crop:
    """The pictures that a network takes.

    Attributes:
        height_px, width_px: of the picture.
        channels: 1 (grey) or 3 (RGB).
        mean_keypoints: K pairs (x, y) in px, where the training faces have their keypoints on average.
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
    """What a network predicts, and on what it was trained.

    Attributes:
        keypoint_set: K keypoints.
        sources: the label sources (indexes into `keypoint_set.sources`) whose places it tells apart.
        expected_error: whether it says the error to expect of each landmark beside x and y.
        crop: of its training pictures.
    """

    keypoint_set: KeypointSet
    sources: tuple[int, ...]
    expected_error: bool
    crop: Crop

    @property
    def landmarks(self) -> Landmarks:
        """The M landmarks that it predicts."""
        return landmarks(self.keypoint_set, self.sources)

    @property
    def point_names(self) -> tuple[tuple[str, str], ...]:
        """The names of the keypoint and of the label source of each landmark."""
        names: dict[int, tuple[str, str]] = {}
        for source, row in zip(self.keypoint_set.sources, self.landmarks.of_source, strict=True):
            for keypoint, landmark in zip(self.keypoint_set.names, row, strict=True):
                names.setdefault(landmark, (keypoint, source.name))  # the first source that means it
        return tuple(names[landmark] for landmark in range(len(self.landmarks)))


def to_json(spec: ModelSpec) -> dict[str, Any]:
    """Returns JSON values that say it all to a reader who has nothing of this project."""
    of_source = spec.landmarks.of_source
    return {
        "keypoint_set": spec.keypoint_set.name,
        "keypoints": list(spec.keypoint_set.names),
        "landmarks": {spec.keypoint_set.sources[s].name: list(of_source[s]) for s in spec.sources},
        "expected_error": spec.expected_error,
        "crop": {**asdict(spec.crop), "mean_keypoints": [list(point) for point in spec.crop.mean_keypoints]},
    }


def from_json(values: Any, where: str) -> ModelSpec:
    """Returns the spec that `to_json` wrote.

    Args:
        values: JSON values.
        where: the file, for the message.

    Raises:
        InputError: no such values, or a keypoint set or label source that this project does not know.
    """
    try:
        name, crop = values["keypoint_set"], dict(values["crop"])
        keypoint_set = KEYPOINT_SETS.get(name)
        if keypoint_set is None or list(keypoint_set.names) != values["keypoints"]:
            raise InputError(f"{where}: has the unknown keypoint set {name!r}; known: {', '.join(KEYPOINT_SETS)}")
        names = [source.name for source in keypoint_set.sources]
        sources = tuple(names.index(source) for source in values["landmarks"])
        means = tuple((float(x), float(y)) for x, y in crop["mean_keypoints"])
        size = (int(crop["height_px"]), int(crop["width_px"]), int(crop["channels"]))
        spec = ModelSpec(keypoint_set, sources, bool(values["expected_error"]), Crop(*size, means))
        known = {**values, **to_json(spec)} == values  # a later version may say more
        known = known and min(size) > 0 and size[2] in CHANNELS
        known = known and len(means) == len(keypoint_set) and all(math.isfinite(x + y) for x, y in means)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        known = False
    if not known:
        raise InputError(f"{where}: does not say what the network predicts; train and export it again")
    return spec

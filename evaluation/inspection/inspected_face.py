"""The face for an inspection: cropped from a picture, or drawn."""

from pathlib import Path

import cv2
import numpy as np

from data_prep.readers.keypoint_sets import set_of_count
from data_prep.synthetic.dataset import face as drawn_face
from facial_keypoints import crops, geometry
from facial_keypoints.array_types import Float64, UInt8
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15, KEYPOINT_SETS, KeypointSet
from facial_keypoints.pictures import read_picture
from facial_keypoints.predictor import Predictor
from facial_keypoints.spec import RGB
from models.networks import shape_of, shape_text
from models.saved import LoadedModel, predict

DRAWN = {"seed": 0, "person": 3, "row": 5}  # selects one of the faces that the project draws
FINDER = "v2"  # the shipped network that recognizes false detections
DEFAULT_PX = 96  # for networks of any input size


def keypoint_set_of(loaded: LoadedModel) -> KeypointSet:
    """Returns the keypoint set of a network; for a bare file, a built-in or a numbered set of as many keypoints.

    Raises:
        InputError: a bare file does not output keypoints.
    """
    if loaded.spec:
        return loaded.spec.keypoint_set
    match shape_of(loaded.model, "output_shape"):
        case (None, int(count), 2 | 3):
            pass
        case (None, int(numbers)) if numbers and numbers % 2 == 0:
            count = numbers // 2
        case shape:
            raise InputError(
                f"{loaded.path}: gives {shape_text(shape)}, not x and y of keypoints; give the model folder where the "
                "file is from one"
            )
    built_in = [keypoint_set for keypoint_set in KEYPOINT_SETS.values() if len(keypoint_set) == count]
    return built_in[0] if built_in else set_of_count(count, str(loaded.path), None)


def inspected_face(loaded: LoadedModel, picture: Path | None, detect: bool) -> UInt8:
    """Returns the input of a network, uint8 (H, W, C): the most certain face of a picture, cropped as in training.

    A bare file does not describe its crop, so the whole picture is resized for it.

    Args:
        picture: a picture; None for a face that the project draws.
        detect: find the face; otherwise the whole picture is the face.

    Raises:
        InputError: the picture cannot be read, no face is found, the network takes no pictures, or the
            keypoint set has no eyes, which finding a face needs.
    """
    height, width, channels = _input_shape(loaded)
    if loaded.spec and loaded.spec.keypoint_set.eyes is None and (detect or not picture):
        raise InputError(
            f"{loaded.path}: its keypoint set has no eyes, by which a face would be found; give a PICTURE that is "
            "cropped as for training, and --no-detect"
        )
    if picture:
        pixels = read_picture(picture)
    else:
        gray, points = drawn_face(**DRAWN)
        pixels = np.repeat(gray[..., None], RGB, axis=-1)
    image = pixels if channels == RGB else np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)[..., None]
    if loaded.spec is None:
        shrunk = image.shape[0] > height or image.shape[1] > width
        interpolation = cv2.INTER_AREA if shrunk else cv2.INTER_LINEAR
        return cv2.resize(image, (width, height), interpolation=interpolation).reshape(height, width, -1)
    if not picture:
        eyes = (crops.eye_centers(points[: len(FACE15)], FACE15), _mean_eyes(loaded))
        crop = geometry.fit_similarity(*eyes)
    elif not detect:
        crop = crops.crop_of_whole(image, loaded.spec)[None]
    else:
        crop = _refined_crop(loaded, image, _crop_of_most_certain(loaded, pixels, picture))
    return crops.crop_faces(image, crop, loaded.spec)[0]


def _input_shape(loaded: LoadedModel) -> tuple[int, int, int]:
    shape = shape_of(loaded.model, "input_shape")
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[3] not in (None, 1, RGB):
        raise InputError(f"{loaded.path}: takes {shape_text(shape)}; give a network of pictures (N, H, W, 1 or 3)")
    height, width, channels = shape[1:]
    return height or DEFAULT_PX, width or DEFAULT_PX, channels or 1


def _mean_eyes(loaded: LoadedModel) -> Float64:
    assert loaded.spec
    return crops.eye_centers(loaded.spec.crop.mean_keypoints, loaded.spec.keypoint_set)


def _crop_of_most_certain(loaded: LoadedModel, pixels: UInt8, path: Path) -> Float64:
    """Returns the crop (1, 2, 3) of the face with the most certain keypoints, which places its eyes as in training."""
    faces = Predictor(FINDER).predict(pixels)
    if not faces:
        raise InputError(f"{path}: no face is found in it; if the whole picture is a face, use --no-detect")
    return geometry.fit_similarity(crops.eye_centers(faces[0].keypoints, FACE15), _mean_eyes(loaded))


def _refined_crop(loaded: LoadedModel, image: UInt8, crop: Float64) -> Float64:
    """Returns the crop (1, 2, 3) that fits the keypoints predicted in a first one."""
    assert loaded.spec
    output = predict(loaded, crops.crop_faces(image, crop, loaded.spec), loaded.spec.keypoint_set)
    keypoints = output[:, : len(loaded.spec.keypoint_set), :2]
    return crops.crop_of(geometry.transform(keypoints, geometry.inverse(crop)), loaded.spec)

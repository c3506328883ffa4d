"""Measures which parts of a face keypoints depend on, by gradients and by occlusion.

G regions of keypoints, M output points. Needs a started backend (`common.backend`).
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tqdm

from facial_keypoints.array_types import Float32, Float64, UInt8
from facial_keypoints.errors import InputError

Group = Sequence[int]  # indexes of keypoints and of their output points of the first label source

SAMPLES = 16  # noisy copies of the face
PIXELS_AT_ONCE = 600_000  # of all images in one gradient; their feature maps are in memory together
NOISE = 0.1  # standard deviation of their noise, as a fraction of the range of the face's values
COVERS = 16  # positions of the cover along each side of the face
COVER = 1 / 8  # side of the cover, as a fraction of the face's


def saliency(model: keras.Model, face: UInt8, groups: Sequence[Group], output_points: int) -> Float64:
    """Returns how far the keypoints of each region move with each pixel: float64 (G, H, W), px per gray level.

    That is the root mean square, over the group's keypoints, of the length of the derivative of x and y by the pixel's
    values. The squared gradient of the coordinates' sum with random signs has the sum of their squared derivatives as
    its mean (Hutchinson 1990), so the cost does not grow with the keypoints. Squares are averaged over noisy copies of
    the face, each with its own signs: SmoothGrad (Smilkov et al. 2017, arXiv 1706.03825), squared (Hooker et al. 2019,
    arXiv 1806.10758).

    Args:
        face: uint8 (H, W, C), an input of the network.
        output_points: M.
    """
    gradient, rng = input_gradient(model), np.random.default_rng(0)
    deviation = NOISE * (float(face.max()) - float(face.min()))
    squares = np.zeros((len(groups), *face.shape[:2]))
    at_once = max(1, PIXELS_AT_ONCE // (len(groups) * face.shape[0] * face.shape[1]))
    for start in tqdm.trange(0, SAMPLES, at_once, desc="saliency", leave=False, disable=None):
        count = min(at_once, SAMPLES - start)
        noisy = (face + rng.normal(0, deviation, (count, 1, *face.shape))).repeat(len(groups), axis=1)
        signs = np.zeros((count, len(groups), output_points, 2), np.float32)
        for number, group in enumerate(groups):
            signs[:, number, list(group)] = rng.choice((-1, 1), (count, len(group), 2))
        images = noisy.reshape(-1, *face.shape).astype(np.float32)
        gradients = gradient(images, signs.reshape(-1, output_points, 2)).reshape(noisy.shape)
        squares += (gradients.astype(np.float64) ** 2).sum(axis=(0, -1))
    sizes = np.array([len(group) for group in groups])
    return np.sqrt(squares / (SAMPLES * sizes[:, None, None]))


def input_gradient(model: keras.Model) -> Callable[[Float32, Float32], Float32]:
    """Returns a function for the gradient of weighted sums of a network's coordinates with respect to its images.

    It takes images float32 (N, H, W, C) and weights float32 (N, M, 2) of x and y and returns float32 (N, H, W, C), 0
    if the network ignores or rounds the pixel. It depends on the backend, because Keras has no gradient.

    Raises:
        InputError: the backend is neither TensorFlow nor JAX.
    """

    def weighted_sum(images: Any, weights: Any) -> Any:
        points = keras.ops.reshape(model(images, training=False), (*weights.shape[:2], -1))[..., :2]
        return keras.ops.sum(keras.ops.cast(points, "float32") * weights)

    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        def gradient(images: Float32, weights: Float32) -> Float32:
            tensor = tf.constant(images)
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(tensor)
                total = weighted_sum(tensor, weights)
            return np.asarray(tape.gradient(total, tensor, unconnected_gradients=tf.UnconnectedGradients.ZERO))

    elif backend == "jax":
        import jax

        compiled = jax.jit(jax.grad(weighted_sum))

        def gradient(images: Float32, weights: Float32) -> Float32:
            return np.asarray(compiled(images, weights))

    else:
        raise InputError(f"KERAS_BACKEND={backend}: gradients need TensorFlow or JAX; use one of them")
    return gradient


def occlusion(predict: Callable[[UInt8], Float32], face: UInt8, groups: Sequence[Group]) -> Float64:
    """Returns how far each region moves on average if a square is covered: float64 (G, COVERS, COVERS), px.

    The cover has the mean value of the face (Zeiler and Fergus 2014); its center moves row by row from edge to edge.

    Args:
        predict: images (N, H, W, C) to output points (N, M, 2 or more).
        face: uint8 (H, W, C).
    """
    height, width, _ = face.shape
    mean = face.mean(axis=(0, 1)).round().astype(np.uint8)
    covered = np.repeat(face[None], COVERS**2, axis=0)
    centers = [(y, x) for y in cover_middles(height) for x in cover_middles(width)]
    half_h, half_w = COVER * height / 2, COVER * width / 2
    for image, (y, x) in zip(covered, centers, strict=True):
        rows, columns = slice(*_edges(y, half_h)), slice(*_edges(x, half_w))
        image[rows, columns] = mean
    distances = np.linalg.norm(predict(covered)[..., :2] - predict(face[None])[..., :2], axis=-1)
    means = [distances[:, list(group)].mean(axis=1) for group in groups]
    return np.array(means, np.float64).reshape(len(groups), COVERS, COVERS)


def cover_middles(side_px: int) -> Float64:
    """Returns the centers of the covers along a side, float64 (COVERS,), px from its edge."""
    return (np.arange(COVERS) + 0.5) * side_px / COVERS


def _edges(middle: float, half: float) -> tuple[int, int]:
    return max(0, round(middle - half)), round(middle + half)

"""Rotated, scaled, shifted and mirrored views of a face, whose predictions are averaged. V views."""

from collections.abc import Callable

import numpy as np

from facial_keypoints import crops, geometry
from facial_keypoints.array_types import Bool, Float32, Float64, UInt8
from facial_keypoints.codec import WITH_ERROR, OutputPoints, flipped_back
from facial_keypoints.spec import ModelSpec

# Arguments of `geometry.about_middle`: rotation in degrees, scale, px to the right, px down.
PLAIN_VIEWS = ((0, 1.0, 0, 0), (-12, 1.0, 3, 0), (12, 1.0, -3, 0), (0, 0.9, 0, 3), (0, 1.08, 0, -3))


def max_views(mirror: bool) -> int:
    """Returns the number of views; `mirror`: whether to count mirrored ones."""
    return len(PLAIN_VIEWS) * (2 if mirror else 1)


def views(count: int, side_px: int, mirror: bool) -> tuple[Float64, Bool]:
    """Returns the first views: matrices (V, 2, 3), crop to view, and which to mirror afterwards, bool (V,).

    The first view is the crop itself. With `mirror`, the mirrored views follow the plain ones.
    """
    plain = np.stack([geometry.about_middle(side_px, *arguments) for arguments in PLAIN_VIEWS])
    matrices = np.concatenate([plain, plain] if mirror else [plain])
    return matrices[:count], (np.arange(len(matrices)) >= len(plain))[:count]


def outputs_of_views(
    run: Callable[[UInt8], Float32],
    picture: UInt8,
    crop: Float64,
    spec: ModelSpec,
    points: OutputPoints,
    matrices_and_mirrored: tuple[Float64, Bool],
) -> Float64:
    """Returns the output for each view of a face, (V, M, 2 or 3) in px of the crop.

    Args:
        run: returns the output for images, (N, M, 2 or 3) in px of each image.
        picture: uint8 (H, W, 1 or 3).
        crop: (2, 3), picture to crop.
        spec: the spec of the network.
        points: the output points of `run`.
        matrices_and_mirrored: see `views`.
    """
    matrices, mirrored = matrices_and_mirrored
    images = crops.crop_faces(picture, geometry.chained(crop, matrices), spec)
    images[mirrored] = images[mirrored, :, ::-1]
    in_views = run(images)
    if mirrored.any():
        in_views[mirrored] = flipped_back(in_views[mirrored], spec.crop.width_px, points)
    output = in_views.astype(np.float64)
    back = geometry.inverse(matrices)
    output[..., :2] = geometry.transform(output[..., :2], back)
    if output.shape[-1] == WITH_ERROR:
        output[..., 2] *= np.sqrt(np.abs(np.linalg.det(back[:, :, :2])))[:, None]
    return output

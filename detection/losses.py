"""The loss of a face finder. N pictures, A cells."""

from typing import Any

from keras import ops

from detection.targets import COUNTS, IS_FACE, PER_SIDE

FOCAL_EXPONENT = 2.0  # Lin et al. 2017, arXiv 1708.02002
FACE_WEIGHT = 0.5  # of cells with a face; cells without one have the rest of 1
SMOOTH = 0.02  # in sides of the box: the loss of smaller errors of a coordinate is quadratic
POINTS_WEIGHT = 0.25


def finder_loss(targets: Any, outputs: Any) -> Any:
    """Returns the loss (N,), whose mean is the sum over all cells divided by the number of cells with a face.

    It is the focal loss of a face in a cell, plus the mean smooth L1 loss of its points in sides of its box.

    Args:
        targets: (N, A, 13), see `targets.targets_of`.
        outputs: (N, A, 11), see `network.build`.
    """
    outputs = ops.cast(outputs, "float32")
    targets = ops.cast(targets, "float32")
    logit, is_face = outputs[..., 0], targets[..., IS_FACE]
    # log(1 + exp(x)) of the logit that should be negative
    wrong_logit = ops.where(is_face > 0, -logit, logit)
    focal = ops.sigmoid(wrong_logit) ** FOCAL_EXPONENT * ops.softplus(wrong_logit)
    weight = ops.where(is_face > 0, FACE_WEIGHT, 1 - FACE_WEIGHT) * targets[..., COUNTS]
    error = ops.abs(outputs[..., 1:] - targets[..., PER_SIDE + 1 :]) * targets[..., PER_SIDE, None]
    smooth = ops.where(error < SMOOTH, error**2 / (2 * SMOOTH), error - SMOOTH / 2) / SMOOTH
    cell_losses = weight * focal + POINTS_WEIGHT * is_face * ops.mean(smooth, axis=-1)
    faces = ops.maximum(ops.mean(ops.sum(is_face, axis=-1)), 1.0)  # mean per picture of the batch
    return ops.sum(cell_losses, axis=-1) / faces

"""The loss of a face finder. N pictures, A cells."""

from typing import Any

from keras import ops

from detection.targets import COUNTS, IS_FACE, PER_SIDE

FOCUS = 2.0  # exponent of the focal loss (Lin et al. 2017, arXiv 1708.02002)
FACE_WEIGHT = 0.5  # of cells with a face; the rest of 1 is for cells without
SMOOTH = 0.02  # in sides of the box: smaller errors of a coordinate count by their square
POINTS_WEIGHT = 0.25


def finder_loss(targets: Any, outputs: Any) -> Any:
    """Returns the loss (N,), whose mean is the sum over all cells divided by the number of cells with a face.

    The focal loss of whether a cell has a face, plus the mean smooth L1 loss of its points in sides of its box.

    Args:
        targets: (N, A, 13), see `targets.targets_of`.
        outputs: (N, A, 11), see `network.build`.
    """
    outputs = ops.cast(outputs, "float32")
    targets = ops.cast(targets, "float32")
    logit, is_face = outputs[..., 0], targets[..., IS_FACE]
    # log(1 + exp(x)) of the logit that should be negative
    wrong = ops.where(is_face > 0, -logit, logit)
    focal = ops.sigmoid(wrong) ** FOCUS * ops.softplus(wrong)
    weight = ops.where(is_face > 0, FACE_WEIGHT, 1 - FACE_WEIGHT) * targets[..., COUNTS]
    error = ops.abs(outputs[..., 1:] - targets[..., PER_SIDE + 1 :]) * targets[..., PER_SIDE, None]
    smooth = ops.where(error < SMOOTH, error**2 / (2 * SMOOTH), error - SMOOTH / 2) / SMOOTH
    of_cells = weight * focal + POINTS_WEIGHT * is_face * ops.mean(smooth, axis=-1)
    faces = ops.maximum(ops.mean(ops.sum(is_face, axis=-1)), 1.0)  # of a picture of the batch, on average
    return ops.sum(of_cells, axis=-1) / faces

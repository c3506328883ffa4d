"""Builds `face-finder`, a small fully convolutional network that finds faces and their five points.

An encoder to 1/8, 1/16 and 1/32 of the picture's side, and a path back that adds the features of the coarser grids to
the finer ones (feature pyramid, Lin et al. 2017, arXiv 1612.03144). It has no anchors: each cell of each grid predicts
whether a face's middle is near its center, and where the five points are. Plain convolutions of few channels train much
faster on a CPU than separable ones.
"""

import keras
import numpy as np

from facial_keypoints.detectors.finder import OUTPUTS, STRIDES_PX
from models.v2 import convolution, residual

STEM_FILTERS = (8, 16)  # at 1/2 and 1/4 of the picture's side
FILTERS = (32, 56, 56)  # at 1/8, 1/16, 1/32
BLOCKS = (1, 1, 0)  # residual blocks at these sizes; 1/32 has another convolution instead
PYRAMID_FILTERS = 32
FACE_PRIOR = 0.01  # the predicted share of cells with a face, before training


def build() -> keras.Model:
    """Returns the untrained network, from pictures (N, H, W, 1), 0..255, to three grids.

    H and W are multiples of 32. The grids are float32 (N, H/8, W/8, 11), (N, H/16, W/16, 11), (N, H/32, W/32, 11): the
    logit that a face's middle is near the cell's center, and x, y of the five points, in cells from the cell's center.

    The values that scale the pictures have four axes. With plain numbers, onnxruntime takes 24 ns per pixel, half of
    the network's time, because it works along the last axis, which has length 1.
    """
    pictures = keras.Input((None, None, 1), name="pictures")
    x = keras.layers.Rescaling([[[[1 / 127.5]]]], [[[[-1.0]]]], name="scaled_pictures")(pictures)  # see the docstring
    for number, filters in enumerate(STEM_FILTERS, start=1):
        x = convolution(x, filters, f"stem_{number}", strides=2)
    x = convolution(x, STEM_FILTERS[-1], "stem_3")
    encoded = []
    for stride, filters, blocks in zip(STRIDES_PX, FILTERS, BLOCKS, strict=True):
        x = convolution(x, filters, f"encoder_{stride}", strides=2)
        for block in range(1, blocks + 1):
            x = residual(x, filters, f"encoder_{stride}_{block}", strides=1)
        x = x if blocks else convolution(x, filters, f"encoder_{stride}_last")
        encoded.append(x)
    grids, coarser = [], None
    for stride, features in zip(reversed(STRIDES_PX), reversed(encoded), strict=True):
        joined = convolution(features, PYRAMID_FILTERS, f"lateral_{stride}", size=1, relu=False)
        if coarser is not None:
            up = keras.layers.UpSampling2D(2, name=f"up_{stride}")(coarser)
            joined = keras.layers.Add(name=f"join_{stride}")([joined, up])
        coarser = keras.layers.ReLU(name=f"joined_{stride}")(joined)
        grid = keras.layers.Conv2D(OUTPUTS, 1, name=f"grid_{stride}", dtype="float32")
        grids.append(grid(convolution(coarser, PYRAMID_FILTERS, f"pyramid_{stride}")))
        set_prior(grid)
    return keras.Model(pictures, grids[::-1], name="face_finder")


def set_prior(grid: keras.layers.Layer) -> None:
    """Sets the bias of an untrained grid so that it predicts a face in one of a hundred cells (Lin et al. 2017)."""
    kernel, bias = grid.get_weights()
    bias[0] = np.log(FACE_PRIOR / (1 - FACE_PRIOR))
    grid.set_weights([kernel, bias])


def with_one_output(model: keras.Model) -> keras.Model:
    """Returns the same network with the cells of all grids in one output, (N, A, 11), for training."""
    cells = [keras.layers.Reshape((-1, OUTPUTS), name=f"cells_{grid.name}")(grid) for grid in model.outputs]
    return keras.Model(model.input, keras.layers.Concatenate(axis=1, dtype="float32", name="cells")(cells))

"""`v2`: a small residual network that predicts output points by soft-argmax over a grid, with expected errors.

The encoder reduces the image to 1/16, the decoder enlarges it to 1/8. There each output point has an attention map, a
softmax over the cells. Its position is the mean of the cells' centers, weighted by the attention (soft-argmax, Nibali
et al. 2018, arXiv 1801.07372). The weighted mean of the cells' features gives an offset and the logarithm of the
expected error. `docs/v2.md` shows what each part gains.
"""

import keras
import numpy as np

from facial_keypoints.array_types import Float32
from models.expected_error import with_expected_error
from models.scaling import scaled_images

STEM_FILTERS = 16
FILTERS = (32, 64, 128)  # at 1/4, 1/8 and 1/16 of the image's side
BLOCKS = (1, 2, 2)
DECODER_FILTERS = 64
CELL_PX = 8
STRIDE_PX = 16


def build(input_shape: tuple[int, int, int] = (96, 96, 1), keypoints: int = 17, width: float = 1.0) -> keras.Model:
    """Returns the untrained network, from images (N, H, W, C), 0..255, to float32 (N, M, 3).

    The output is x, y and the expected absolute error of both, in px. 737,460 parameters on 96 x 96 x 1 images with 17
    output points. Sides from 48 to 256 px.

    Args:
        keypoints: M.
        width: multiplies the filters of every layer, rounded to multiples of 8.

    Raises:
        ValueError: a side is too short or too long.
    """
    height_px, width_px, _ = input_shape
    if not all(48 <= side <= 256 for side in (height_px, width_px)):
        raise ValueError("it takes sides from 48 to 256 px")
    stem, *filters, decoder = (8 * max(1, round(width * f / 8)) for f in (STEM_FILTERS, *FILTERS, DECODER_FILTERS))
    images, x = scaled_images(input_shape, scale=1 / 127.5, offset=-1.0)
    bottom, right = -height_px % STRIDE_PX, -width_px % STRIDE_PX
    if bottom or right:
        x = keras.layers.ZeroPadding2D(((0, bottom), (0, right)), name="padding")(x)
    x = convolution(x, stem, "stem_1", strides=2)
    x = convolution(x, filters[0], "stem_2", strides=2)
    for stage, (stage_filters, blocks) in enumerate(zip(filters, BLOCKS, strict=True), start=1):
        skipped = x
        for block in range(1, blocks + 1):
            x = residual(x, stage_filters, f"encoder_{stage}_{block}", strides=2 if stage > 1 and block == 1 else 1)
    x = convolution(x, decoder, "decoder_1", size=1)
    x = keras.layers.UpSampling2D(2, interpolation="bilinear", name="up")(x)
    x = keras.layers.Add(name="join")([x, convolution(skipped, decoder, "skip", size=1, relu=False)])
    x = convolution(keras.layers.ReLU(name="joined")(x), decoder, "decoder_2")
    return keras.Model(images, soft_argmax_with_offsets(x, keypoints), name="v2")


def convolution(
    x: keras.KerasTensor, filters: int, name: str, size: int = 3, strides: int = 1, relu: bool = True
) -> keras.KerasTensor:
    """Applies a convolution, batch normalization and, by default, ReLU to x."""
    x = keras.layers.Conv2D(filters, size, strides, "same", use_bias=False, name=name)(x)
    x = keras.layers.BatchNormalization(momentum=0.97, name=f"{name}_normalised")(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x) if relu else x


def residual(x: keras.KerasTensor, filters: int, name: str, strides: int) -> keras.KerasTensor:
    """Returns x plus two convolutions of it (He et al. 2015); if the size changes, x is averaged and projected."""
    y = convolution(x, filters, f"{name}_1", strides=strides)
    y = convolution(y, filters, f"{name}_2", relu=False)
    if strides > 1:
        x = keras.layers.AveragePooling2D(strides, name=f"{name}_pool")(x)
    if x.shape[-1] != filters:
        x = convolution(x, filters, f"{name}_project", size=1, relu=False)
    return keras.layers.ReLU(name=name)(keras.layers.Add(name=f"{name}_add")([x, y]))


def soft_argmax_with_offsets(features: keras.KerasTensor, output_points: int) -> keras.KerasTensor:
    """Returns (N, M, 3), x, y and the expected error in px, from features (N, H/8, W/8, F) of the cells.

    Each output point attends to the cells. Its position is the mean of their centers, weighted by the attention. A
    linear map of the weighted mean of their features gives an offset in x and y, in cells, and the logarithm of the
    expected error. Mapping each cell and then averaging would be equal, but cost four times as much.
    """
    rows, columns, channels = features.shape[1:]
    f32 = {"dtype": "float32"}  # half precision would round coordinates
    logits = keras.layers.Conv2D(output_points, 1, name="attention_logits", **f32)(features)
    # Convolutions in ONNX files return (N, M, H, W), so this order costs no transposition there. Operations have
    # constant shapes in ONNX files; the layers of the same names would compute them at each call.
    logits = keras.ops.reshape(keras.ops.transpose(logits, (0, 3, 1, 2)), (-1, output_points, rows * columns))
    attention = keras.layers.Softmax(axis=-1, name="attention", **f32)(logits)  # (N, M, cells)
    features = keras.ops.cast(keras.ops.reshape(features, (-1, rows * columns, channels)), "float32")
    mean_features = keras.ops.matmul(attention, features)  # (N, M, F)
    offsets_and_log_errors = keras.layers.EinsumDense(
        "nmf,mfd->nmd",
        (output_points, 3),
        bias_axes="md",
        kernel_initializer="zeros",  # no offset at first
        name="offsets_and_log_error",
        **f32,
    )(mean_features)
    centers = keras.layers.EinsumDense(
        "nmc,cd->nmd", (output_points, 2), trainable=False, name="cell_centres_px", **f32
    )
    points = centers(attention)
    centers.set_weights([cell_centers_px(rows, columns)])
    offsets = keras.layers.Rescaling(CELL_PX, name="offsets_px", **f32)(offsets_and_log_errors[..., :2])
    points = keras.layers.Add(name="points_px", **f32)([points, offsets])
    return with_expected_error(points, offsets_and_log_errors[..., 2:])


def cell_centers_px(rows: int, columns: int) -> Float32:
    """Returns x and y of the centers of the cells in px, row by row: float32 (rows * columns, 2)."""
    y, x = np.mgrid[:rows, :columns].reshape(2, -1)
    return (CELL_PX * np.stack([x, y], axis=1) + (CELL_PX - 1) / 2).astype(np.float32)

"""`v2`: a small residual network in which every cell of a grid votes for each mark, with a confidence in px.

Encoder to 1/16 of the picture, decoder back to 1/8. There each mark has a map of attention (a softmax over the cells,
as in the soft-argmax of Nibali et al. 2018, arXiv 1801.07372), and each cell says where it believes the mark to be and
the logarithm of the error it expects. The attention-weighted means are what the network says of the mark. `docs/v2.md`
tells what each part gains.
"""

import keras
import numpy as np

from facial_keypoints.array_types import Float32

STEM_FILTERS = 16
FILTERS = (32, 64, 128)  # at 1/4, 1/8 and 1/16 of the picture's side
BLOCKS = (1, 2, 2)
DECODER_FILTERS = 64
CELL_PX = 8
STRIDE_PX = 16
FIRST_LOG_SIGMA = 1.0  # an untrained network expects errors of e px
HEADS = ("votes", "heatmap", "dense")


def build(
    input_shape: tuple[int, int, int] = (96, 96, 1), keypoints: int = 17, width: float = 1.0, head: str = "votes"
) -> keras.Model:
    """Returns the untrained network: uint8 pictures (N, H, W, C) in, float32 (N, M, 3) out: x, y, sigma in px.

    Sigma is the expected absolute error of x and of y. The marks M are the keypoints of the first label source, then
    those that the second one marks elsewhere (`KeypointSet.marks`). Any sides from 48 to 256 px.

    Args:
        keypoints: M.
        width: multiplies the filters of every layer, rounded to multiples of 8.
        head: `votes`, or to compare with it: `heatmap`, votes that all say the middle of their cell; `dense`, a dense
            layer on the encoder's last maps.

    Raises:
        ValueError: other sides, or no such head.
    """
    height, wide, _ = input_shape
    if not all(48 <= side <= 256 for side in (height, wide)):
        raise ValueError("it takes sides from 48 to 256 px")
    if head not in HEADS:
        raise ValueError(f"its heads are {', '.join(HEADS)}")
    stem, *filters, decoder = (8 * max(1, round(width * f / 8)) for f in (STEM_FILTERS, *FILTERS, DECODER_FILTERS))
    pictures = keras.Input(input_shape, name="pictures")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="pixels_to_unit")(pictures)
    below, beside = -height % STRIDE_PX, -wide % STRIDE_PX
    if below or beside:
        x = keras.layers.ZeroPadding2D(((0, below), (0, beside)), name="padding")(x)
    x = convolution(x, stem, "stem_1", strides=2)
    x = convolution(x, filters[0], "stem_2", strides=2)
    for stage, (f, blocks) in enumerate(zip(filters, BLOCKS, strict=True), start=1):
        finer = x
        for block in range(1, blocks + 1):
            x = residual(x, f, f"encoder_{stage}_{block}", strides=2 if stage > 1 and block == 1 else 1)
    if head == "dense":
        x = keras.layers.Flatten(name="flatten")(x)
        x = keras.layers.Dense(3 * keypoints, dtype="float32", name="dense")(x)
        x = keras.layers.Reshape((keypoints, 3), dtype="float32", name="numbers_of_marks")(x)
        half_px = keras.layers.Rescaling(
            [wide / 2, height / 2], [wide / 2 - 0.5, height / 2 - 0.5], dtype="float32", name="points_px"
        )
        return keras.Model(pictures, with_sigma(half_px(x[..., :2]), x[..., 2:]), name="v2")
    x = convolution(x, decoder, "decoder_1", size=1)
    x = keras.layers.UpSampling2D(2, interpolation="bilinear", name="up")(x)
    x = keras.layers.Add(name="join")([x, convolution(finer, decoder, "skip", size=1, relu=False)])
    x = convolution(keras.layers.ReLU(name="joined")(x), decoder, "decoder_2")
    return keras.Model(pictures, votes(x, keypoints, with_offsets=head == "votes"), name="v2")


def convolution(
    x: keras.KerasTensor, filters: int, name: str, size: int = 3, strides: int = 1, relu: bool = True
) -> keras.KerasTensor:
    """Returns x through a convolution, batch normalisation and, by default, ReLU."""
    x = keras.layers.Conv2D(filters, size, strides, "same", use_bias=False, name=name)(x)
    x = keras.layers.BatchNormalization(momentum=0.97, name=f"{name}_normalised")(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x) if relu else x


def residual(x: keras.KerasTensor, filters: int, name: str, strides: int) -> keras.KerasTensor:
    """Returns x plus two convolutions of it (He et al. 2015); where the size changes, x is averaged and projected."""
    y = convolution(x, filters, f"{name}_1", strides=strides)
    y = convolution(y, filters, f"{name}_2", relu=False)
    if strides > 1:
        x = keras.layers.AveragePooling2D(strides, name=f"{name}_pool")(x)
    if x.shape[-1] != filters:
        x = convolution(x, filters, f"{name}_project", size=1, relu=False)
    return keras.layers.ReLU(name=name)(keras.layers.Add(name=f"{name}_add")([x, y]))


def votes(features: keras.KerasTensor, marks: int, with_offsets: bool) -> keras.KerasTensor:
    """Returns (N, M, 3): the attention-weighted means over the cells of features (N, H/8, W/8, F)."""
    rows, columns = features.shape[1:3]
    cells = rows * columns
    f32 = {"dtype": "float32"}  # half precision would round the places
    x = keras.layers.Conv2D(4 * marks, 1, name="votes", **f32)(features)
    x = keras.layers.Reshape((cells, 4, marks), name="vote_maps", **f32)(x)
    x = keras.layers.Permute((2, 3, 1), name="maps_first", **f32)(x)  # (N, 4, M, cells)
    attention = keras.layers.Softmax(axis=-1, name="attention", **f32)(x[:, :1])
    says = keras.layers.Multiply(name="weighted_votes", **f32)([x[:, 1:], attention])
    says = keras.ops.sum(says, axis=-1)  # (N, 3, M)
    says = keras.layers.Permute((2, 1), name="votes_of_marks", **f32)(says)
    place = keras.layers.Dense(2, use_bias=False, trainable=False, name="cell_places_px", **f32)
    at = place(keras.layers.Reshape((marks, cells), name="attention_of_marks", **f32)(attention))
    place.set_weights([cell_places_px(rows, columns)])
    if with_offsets:
        offsets = keras.layers.Rescaling(CELL_PX, name="offsets_px", **f32)(says[..., :2])
        at = keras.layers.Add(name="points_px", **f32)([at, offsets])
    return with_sigma(at, says[..., 2:])


def with_sigma(points: keras.KerasTensor, confidence: keras.KerasTensor) -> keras.KerasTensor:
    """Returns (N, M, 3): points (N, M, 2) in px and sigma in px, from any number (N, M, 1) for each mark.

    Sigma is calibrated in the layer `log_sigma` (`training.confidence`).
    """
    log_sigma = keras.layers.Rescaling(1.0, offset=FIRST_LOG_SIGMA, dtype="float32", name="log_sigma")(confidence)
    sigma = keras.layers.Activation("exponential", dtype="float32", name="sigma_px")(log_sigma)
    return keras.layers.Concatenate(dtype="float32", name="marks_px")([points, sigma])


def cell_places_px(rows: int, columns: int) -> Float32:
    """Returns x and y of the centres of the cells in px, row by row: float32 (rows * columns, 2)."""
    y, x = np.mgrid[:rows, :columns].reshape(2, -1)
    return (CELL_PX * np.stack([x, y], axis=1) + (CELL_PX - 1) / 2).astype(np.float32)

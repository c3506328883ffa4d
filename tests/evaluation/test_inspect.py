"""Inspection: kernels, feature maps and gradients of handmade networks, and the stage on networks of all kinds."""

import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from common.stage import read_manifest, stage_folder, write_manifest
from data_prep.synthetic.dataset import face as drawn_face
from evaluation import inspect
from evaluation.inspection.inside import color_order, convolutions, stages, steps
from evaluation.inspection.inspected_face import DRAWN, inspected_face
from evaluation.inspection.sensitivity import COVERS, cover_middles, input_gradient, occlusion, saliency
from evaluation.stages import INSPECT
from facial_keypoints import FaceFinder, crops
from facial_keypoints.array_types import Float32, Float64, UInt8
from facial_keypoints.boxes import Boxes
from facial_keypoints.detectors.haar import EYES
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15
from facial_keypoints.pictures import read_picture, write_picture
from facial_keypoints.predictor import Predictor
from facial_keypoints.spec import Crop, ModelSpec, to_json
from models.networks import build_model, load_build, network_names
from models.saved import TRAIN, load_model
from tests.conftest import ROOT
from tests.facial_keypoints.drawn import drawn_faces

V2 = ROOT / "artifacts" / "pretrained" / "v2"
FIGURES = {"kernels.png", "convolutions.png", "feature_maps.png", "saliency.png"}


def points(x: keras.KerasTensor, keypoints: int = 15) -> keras.KerasTensor:
    return keras.layers.Reshape((keypoints, 2))(keras.layers.Dense(2 * keypoints)(keras.layers.Flatten()(x)))


def conv(filters: int, size: int, name: str, **options: object) -> keras.layers.Layer:
    return keras.layers.Conv2D(filters, size, name=name, **options)


def random_image(shape: tuple[int, int, int] = (32, 32, 1)) -> UInt8:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def inner() -> keras.Model:
    images = keras.Input((16, 16, 2))
    x = conv(3, 3, "inside_1", padding="same")(images)
    return keras.Model(images, conv(4, 3, "inside_2", padding="same", strides=2)(x), name="inner")


def nested() -> keras.Model:
    """A model nested in a Sequential in a model; an operation that is not a layer ends the first resolution."""
    images = keras.Input((32, 32, 1))
    x = keras.ops.relu(conv(2, 3, "first")(images))  # 30 x 30
    x = keras.layers.MaxPooling2D(2, padding="same", name="halved")(keras.layers.ZeroPadding2D(1)(x))
    x = keras.Sequential([inner(), conv(5, 1, "last")], name="outer")(x)
    return keras.Model(images, points(x))


@keras.saving.register_keras_serializable("tests")
class CustomBlock(keras.layers.Layer):  # type: ignore[misc]  # mypy does not follow Keras
    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self.convolution = conv(3, 3, "own_convolution", padding="same")

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        return x[..., :1] + self.convolution(x)


def test_kernels_have_axes_height_width_channels_filters() -> None:
    kernel = np.arange(3 * 3 * 2 * 4, dtype=np.float32).reshape(3, 3, 2, 4)
    layer = {
        "plain": keras.layers.Conv2D(4, 3, use_bias=False, name="plain"),
        "transpose": keras.layers.Conv2DTranspose(4, 3, use_bias=False, name="transpose"),
        "depthwise": keras.layers.DepthwiseConv2D(3, depth_multiplier=4, use_bias=False, name="depthwise"),
    }
    images = keras.Input((8, 8, 2))
    model = keras.Model(images, [one(images) for one in layer.values()])
    layer["plain"].set_weights([kernel])
    layer["transpose"].set_weights([kernel.swapaxes(2, 3)])
    layer["depthwise"].set_weights([kernel])
    found = {one.name: one.kernels for one in convolutions(steps(model, random_image((8, 8, 2))[None]))}
    np.testing.assert_array_equal(found["plain"], kernel)
    np.testing.assert_array_equal(found["transpose"], kernel)
    np.testing.assert_array_equal(found["depthwise"], kernel.reshape(3, 3, 1, 8))


def test_separable_convolution_kernels_reproduce_its_output() -> None:
    images = keras.Input((8, 8, 2))
    layer = keras.layers.SeparableConv2D(5, 3, depth_multiplier=3, use_bias=False)
    model = keras.Model(images, layer(images))
    image = random_image((8, 8, 2))[None]
    kernel = convolutions(steps(model, image))[0].kernels
    assert kernel.shape == (3, 3, 2, 5)
    plain = keras.ops.conv(image.astype(np.float32), kernel)
    np.testing.assert_allclose(plain, model(image.astype(np.float32)), rtol=1e-4, atol=1e-2)


def test_stages_are_the_last_maps_at_each_resolution_even_in_nested_models() -> None:
    """30 x 30 counts as 32 x 32 without its border; the layers after the pooling to 16 are in the nested model."""
    keras.utils.set_random_seed(0)  # with these weights the operation outputs zeros
    taken = steps(nested(), random_image()[None])
    found = stages(taken, (32, 32, 1))
    assert [(stage.reduction, stage.maps.shape) for stage in found] == [
        (1, (30, 30, 2)),
        (2, (16, 16, 3)),
        (4, (8, 8, 5)),
    ]
    assert found[0].maps.min() == 0  # after the operation, not after the convolution before it
    assert [stage.layer for stage in found[1:]] == ["inside_1", "last"]
    assert [one.name for one in convolutions(taken)] == ["first", "inside_1", "inside_2", "last"]


def test_a_resolution_reached_twice_has_two_stages() -> None:
    images = keras.Input((32, 32, 1))
    same = {"padding": "same"}
    fine = conv(2, 3, "down", **same)(images)
    coarse = conv(3, 3, "coarse", strides=2, **same)(fine)
    up = keras.layers.UpSampling2D(2)(coarse)
    joined = keras.layers.Concatenate()([up, conv(1, 1, "skip")(fine)])
    gate = keras.layers.GlobalAveragePooling2D(keepdims=True)(joined)  # one value per channel is not a map
    model = keras.Model(
        images, points(keras.layers.Multiply()([conv(4, 3, "up", **same)(joined), conv(4, 1, "g")(gate)]))
    )
    found = stages(steps(model, random_image()[None]), (32, 32, 1))
    assert [(stage.reduction, stage.maps.shape[2]) for stage in found] == [(1, 2), (2, 3), (1, 4)]


def test_convolutions_in_a_custom_layer_are_found_and_the_layer_is_unchanged() -> None:
    images = keras.Input((32, 32, 1))
    model = keras.Model(images, points(CustomBlock(name="own")(images)))
    before = model(random_image()[None].astype(np.float32))
    taken = steps(model, random_image()[None])
    assert [one.name for one in convolutions(taken)] == ["own_convolution"]
    assert [stage.layer for stage in stages(taken, (32, 32, 1))] == ["own"]
    assert not any("call" in vars(layer) for layer in model.layers)
    count = len(taken)
    np.testing.assert_array_equal(model(random_image()[None].astype(np.float32)), before)
    assert len(taken) == count


@pytest.mark.parametrize(
    ("mixture", "order"),
    [
        ([[1, 0, 0], [0, 1, 0], [0, 0, 1]], (0, 1, 2)),
        ([[0, 0, 2], [0, 1, 0], [1, 0, 0]], (2, 1, 0)),  # red comes out last: blue, green, red
        ([[0, 1, 0], [0, 0, 1], [1, 0, 0]], (1, 2, 0)),
        ([[1, 1, 0], [0, 1, 0], [0, 0, 1]], None),  # red is in two channels
        ([[-1, 0, 0], [0, 1, 0], [0, 0, 1]], None),
        ([[1], [1], [1]], None),
    ],
)
def test_color_order_before_the_first_convolution(mixture: list[list[int]], order: object) -> None:
    images = keras.Input((8, 8, 3))
    mixed = keras.layers.Dense(len(mixture[0]), name="mixed")  # of each pixel's colors
    model = keras.Model(images, points(conv(2, 3, "first")(mixed(images))))
    mixed.set_weights([np.array(mixture, np.float32), np.full(len(mixture[0]), -7.0)])
    assert color_order(model, (8, 8, 3)) == order


def linear(weights: Float32) -> keras.Model:
    """Returns a network whose M points are sums of the pixels with weights (H, W, C, M, 2)."""
    images = keras.Input(weights.shape[:3])
    dense = keras.layers.Dense(int(np.prod(weights.shape[3:])), use_bias=False)
    model = keras.Model(images, keras.layers.Reshape(weights.shape[3:])(dense(keras.layers.Flatten()(images))))
    dense.set_weights([weights.reshape(int(np.prod(weights.shape[:3])), -1)])
    return model


def test_saliency_of_a_linear_network_is_its_absolute_weights() -> None:
    """The two coordinates of a keypoint depend on different pixels: signs and noise change nothing."""
    weights = np.zeros((4, 4, 1, 3, 2), np.float32)
    weights[0, 1, 0, 0, 0], weights[2, 3, 0, 0, 1] = 0.5, -0.25
    weights[3, 0, 0, 1, 0] = weights[3, 0, 0, 2, 0] = 4.0
    found = saliency(linear(weights), random_image((4, 4, 1)), [(0,), (1,)], 3)
    expected = np.zeros((2, 4, 4))
    expected[0, 0, 1], expected[0, 2, 3], expected[1, 3, 0] = 0.5, 0.25, 4.0
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_saliency_does_not_cancel_between_keypoints_or_grow_with_their_number() -> None:
    """The sum of these coordinates has no gradient; the root mean square over 40 keypoints is 1 at each pixel."""
    weights = np.zeros((6, 6, 1, 40, 2), np.float32)
    weights[..., ::2, 0], weights[..., 1::2, 0] = 1.0, -1.0
    group = tuple(range(40))
    many = [saliency(linear(weights), random_image((6, 6, 1)), [group] * 8, 40)]
    assert np.mean(np.square(many)) == pytest.approx(1.0, rel=0.35)  # 128 draws of signs: 0.125 standard deviation


def test_input_gradient_matches_finite_differences() -> None:
    model = build_model(load_build("cnn5"), (32, 32, 1), 15)
    rng = np.random.default_rng(0)
    images, weights = (
        rng.uniform(0, 255, (2, 32, 32, 1)).astype(np.float32),
        rng.normal(size=(2, 15, 2)).astype(np.float32),
    )
    gradient = input_gradient(model)(images, weights)
    step = gradient / np.linalg.norm(gradient)

    def total(at: Float32) -> float:
        return float((np.asarray(model(at, training=False), np.float64) * weights).sum())

    assert (total(images + step) - total(images - step)) / 2 == pytest.approx(np.linalg.norm(gradient), rel=0.02)


def test_input_gradient_is_zero_for_a_network_that_takes_integers() -> None:
    images = keras.Input((8, 8, 1), dtype="uint8")
    model = keras.Model(images, points(keras.layers.Rescaling(1.0)(images)))
    gradient = input_gradient(model)(np.zeros((1, 8, 8, 1), np.float32), np.ones((1, 15, 2), np.float32))
    assert gradient.shape == (1, 8, 8, 1)
    assert not gradient.any()


def test_input_gradient_rejects_an_unsupported_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    with pytest.raises(InputError, match=r"KERAS_BACKEND=torch: .*TensorFlow or JAX"):
        input_gradient(nested())


def test_occlusion_moves_only_keypoints_that_depend_on_the_covered_pixels() -> None:
    """The x of the first keypoint is the value of one pixel, white among black; 32 px, covers of 4 px."""
    face = np.zeros((32, 32, 1), np.uint8)
    face[9, 21] = 255

    def predict(images: UInt8) -> Float32:
        output = np.zeros((len(images), 3, 2), np.float32)
        output[:, 0, 0] = images[:, 9, 21, 0]
        return output

    first, both, other = occlusion(predict, face, [(0,), (0, 1), (2,)])
    covering = np.abs(cover_middles(32) - 9.5) < 2, np.abs(cover_middles(32) - 21.5) < 2
    assert [int(axis.sum()) for axis in covering] == [2, 2]
    np.testing.assert_array_equal(first > 0, np.outer(*covering))
    assert set(first[first > 0]) == {255.0}  # the face's mean, 0.25, is rounded to 0
    np.testing.assert_array_equal(both, first / 2)
    assert other.shape == (COVERS, COVERS)
    assert not other.any()


def save_model(
    out: Path, model: keras.Model, sources: tuple[int, ...] = (0,), mean_face: Float64 | None = None
) -> Path:
    """Writes a model folder as training does; its default mean face has two eyes, all other keypoints coincide."""
    shape = model.input_shape[1:]
    if mean_face is None:
        eyes = FACE15.normalizers[-1]
        mean_face = np.tile([0.5 * shape[1], 0.6 * shape[0]], (len(FACE15), 1))
        mean_face[list(eyes.first), 0], mean_face[list(eyes.second), 0] = 0.65 * shape[1], 0.35 * shape[1]
        mean_face[[*eyes.first, *eyes.second], 1] = 0.35 * shape[0]
    crop = Crop(shape[0], shape[1], shape[2], tuple((x, y) for x, y in mean_face.tolist()))
    spec = ModelSpec(FACE15, sources, model.output_shape[-1] == 3, crop)
    with stage_folder(out, TRAIN) as folder:
        model.save(folder / "model.keras")
        write_manifest(folder, TRAIN, {"network": "own"}, {}, {}, time.time(), {"model": to_json(spec)})
    return out


REDUCTIONS = {  # of the stages of our networks on 96 x 96 px
    "base": [1, 2, 4, 8],
    "v1": [1, 2, 4, 8],
    "v2": [2, 4, 8, 16, 8],  # down and up again
    "vgg16": [1, 2, 4, 8, 16, 32],  # the head's convolution leaves one value per channel
    "naimishnet": [1, 2, 4, 8, 16],
    "cnn5": [1, 2, 4, 8, 16, 32],
}


@pytest.mark.parametrize("network", network_names())
def test_stages_of_the_built_in_networks(network: str) -> None:
    model = build_model(load_build(network), (96, 96, 1), 15)
    taken = steps(model, random_image((96, 96, 1))[None])
    assert [stage.reduction for stage in stages(taken, (96, 96, 1))] == REDUCTIONS[network]
    assert len(convolutions(taken)) == sum("Conv2D" in type(layer).__name__ for layer in model.layers)


@pytest.fixture(autouse=True)
def fewer_samples(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Fewer samples make the stage faster and do not change what these tests check."""
    if "run_inspect" in request.fixturenames:
        monkeypatch.setattr("evaluation.inspection.sensitivity.SAMPLES", 1)
        monkeypatch.setattr("evaluation.inspection.sensitivity.COVERS", 2)


@pytest.fixture
def run_inspect() -> Callable[..., None]:
    return lambda *arguments: inspect.main([str(argument) for argument in arguments])


def test_inspect_writes_all_figures(tmp_path: Path, run_inspect: Callable[..., None]) -> None:
    model = build_model(load_build("v2"), (48, 64, 1), 17)
    run_inspect(save_model(tmp_path / "v2", model, sources=(0, 1)), "--out", tmp_path / "out")
    manifest = read_manifest(tmp_path / "out", INSPECT)
    assert set(manifest["files"]) == FIGURES
    assert manifest["metrics"]["convolutions"] == 18
    assert manifest["metrics"]["stages"]["attention_logits"] == [6, 8, 17]
    assert manifest["notes"] == []
    for name in FIGURES:
        assert read_picture(tmp_path / "out" / name).std() > 10  # not blank


def test_inspect_reports_missing_convolutions_and_gradient(
    tmp_path: Path, run_inspect: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    images = keras.Input((32, 32, 1), dtype="uint8")
    save_model(tmp_path / "dense", keras.Model(images, points(keras.layers.Rescaling(1 / 255)(images))))
    run_inspect(tmp_path / "dense", "--out", tmp_path / "out")
    assert set(read_manifest(tmp_path / "out", INSPECT)["files"]) == {"saliency.png"}
    printed = capsys.readouterr().out
    assert "dense has no convolution: there are no kernels and no feature maps to show\n" in printed
    assert "no gradient reaches the picture in" in printed


def test_model_file_without_manifest_gets_the_whole_picture(
    tmp_path: Path, run_inspect: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """Also a network that returns 2K numbers in a row."""
    images = keras.Input((32, 48, 3))
    flat = keras.layers.Dense(136)(keras.layers.Flatten()(conv(2, 7, "first")(images)))
    keras.Model(images, flat).save(tmp_path / "theirs.keras")
    write_picture(tmp_path / "half.png", np.repeat(np.array([[[255, 0, 0], [0, 0, 255]]], np.uint8), 10, axis=0))
    face = inspected_face(load_model(tmp_path / "theirs.keras"), tmp_path / "half.png", detect=True)
    assert face.shape == (32, 48, 3)
    assert face[:, 0].tolist() == [[255, 0, 0]] * 32
    assert face[:, -1].tolist() == [[0, 0, 255]] * 32
    run_inspect(tmp_path / "theirs.keras", tmp_path / "half.png", "--out", tmp_path / "out")
    assert "does not describe its crop" in capsys.readouterr().out


def test_drawn_face_has_its_eyes_where_the_mean_training_face_has_them(tmp_path: Path) -> None:
    """Here the eyes are as far apart as in the drawn picture, so it is only shifted."""
    drawn, output_points = drawn_face(**DRAWN)
    mean_face = np.tile([48.0, 60.0], (15, 1))
    mean_face[:2] = output_points[:2] + (5, 3)
    images = keras.Input((96, 96, 1))
    save_model(tmp_path / "m", keras.Model(images, points(conv(1, 3, "first", strides=3)(images))), mean_face=mean_face)
    face = inspected_face(load_model(tmp_path / "m"), None, detect=True)
    np.testing.assert_array_equal(face[3:, 5:, 0], drawn[:-3, :-5])


@pytest.fixture
def small(tmp_path: Path) -> Path:
    images = keras.Input((32, 32, 1))
    return save_model(tmp_path / "small", keras.Model(images, points(conv(2, 3, "first")(images))))


def test_picture_without_a_face_is_rejected_and_nothing_is_written(small: Path, tmp_path: Path) -> None:
    write_picture(tmp_path / "flat.png", np.full((60, 80, 3), 90, np.uint8))
    with pytest.raises(InputError, match=r"flat\.png: no face is found in it; .*--no-detect"):
        inspect.main([str(small), str(tmp_path / "flat.png"), "--out", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


def test_face_is_chosen_over_a_false_detection_with_a_higher_score(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = np.pad(drawn_faces(1, 1).picture, ((0, 0), (0, 200), (0, 0)), constant_values=90)
    picture[40:200, 300:460] += np.random.default_rng(0).integers(0, 60, (160, 160, 1), np.uint8)
    write_picture(tmp_path / "two.png", picture)
    given = np.array([[300, 40, 160, 160], [40, 40, 192, 192]], np.float64)
    boxes = Boxes(given, np.array([9.0, 1.0]), np.zeros(2), EYES)
    monkeypatch.setattr(FaceFinder, "__call__", lambda *_: boxes)
    face = inspected_face(load_model(V2), tmp_path / "two.png", detect=True)
    predictor = Predictor("v2", threads=1)
    (found,) = predictor.predict(picture)
    assert found.box[0] < 200
    assert np.abs(face - crops.crop_faces(picture, found.crop[None], predictor.spec)[0].astype(int)).mean() < 5


def test_without_detection_the_whole_picture_is_padded_to_the_crop(small: Path, tmp_path: Path) -> None:
    """80 x 60 px become 32 x 24 px in the crop of 32 x 32 px; the edges are repeated above and below."""
    picture = np.full((60, 80, 3), 90, np.uint8)
    picture[:, 40:] = 200
    write_picture(tmp_path / "cut.png", picture)
    face = inspected_face(load_model(small), tmp_path / "cut.png", detect=False)
    assert face.shape == (32, 32, 1)
    assert set(face[:, :15].ravel()) == {90}
    assert set(face[:, 17:].ravel()) == {200}


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((15, 4), r"gives \(N, 15, 4\), not x and y of keypoints"),
        ((17, 1), "model folder"),
    ],
)
def test_model_file_that_predicts_no_keypoints_is_rejected(
    shape: tuple[int, int], message: str, tmp_path: Path
) -> None:
    images = keras.Input((16, 16, 1))
    x = keras.layers.Dense(shape[0] * shape[1])(keras.layers.Flatten()(images))
    keras.Model(images, keras.layers.Reshape(shape)(x)).save(tmp_path / "odd.keras")
    with pytest.raises(InputError, match=message):
        inspect.main([str(tmp_path / "odd.keras"), "--out", str(tmp_path / "out")])

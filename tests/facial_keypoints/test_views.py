"""Several views of a face: each maps back to the same positions, and the predictor returns their weighted mean."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from data_prep.synthetic import dataset
from facial_keypoints import InputError, Predictor
from facial_keypoints.__main__ import main
from facial_keypoints.array_types import Float32, UInt8
from facial_keypoints.codec import mean_output
from facial_keypoints.crops import crop_faces
from facial_keypoints.geometry import inverse, transform
from facial_keypoints.keypoint_set import FACE15, FACE68
from facial_keypoints.pictures import write_picture
from facial_keypoints.spec import Crop, ModelSpec
from facial_keypoints.views import max_views, outputs_of_views, views

SPEC = ModelSpec(FACE15, (0,), False, Crop(96, 96, 1, ((48.0, 48.0),) * 15))
LEFT_EYE, RIGHT_EYE = 0, 1
EYES_PX = {LEFT_EYE: (62, 40), RIGHT_EYE: (35, 44)}  # the person's left eye is on the right of the picture


@pytest.fixture(scope="module")
def images() -> UInt8:
    return dataset.read(4, seed=3).images


def dots(images: UInt8) -> Float32:
    """A network that finds two bright dots exactly; the dot on the right is the left eye."""
    output = np.zeros((len(images), 15, 3), np.float32)
    output[..., 2] = 1
    for face, image in zip(output, images, strict=True):
        _, _, _, centers = cv2.connectedComponentsWithStats((image[..., 0] > 60).astype(np.uint8))
        right, left = sorted(centers[1:], key=lambda center: center[0])
        face[LEFT_EYE, :2], face[RIGHT_EYE, :2] = left, right
    return output


def test_outputs_of_all_views_are_mapped_back_to_the_same_positions() -> None:
    picture = np.zeros((96, 96, 1), np.uint8)
    for center in EYES_PX.values():
        cv2.circle(picture, center, 4, 255, -1)
    ten_views = views(10, 96, mirror=True)
    output = outputs_of_views(dots, picture, np.eye(2, 3), SPEC, SPEC.output_points, ten_views)
    assert output.shape == (10, 15, 3)
    for eye, center in EYES_PX.items():
        np.testing.assert_allclose(output[:, eye, :2], np.tile(center, (10, 1)), atol=0.5)
    assert output[:, 0, 2].tolist() == pytest.approx(2 * [1, 1, 1, 1 / 0.9, 1 / 1.08])


def test_first_view_is_the_crop_itself_and_mirrored_views_come_last() -> None:
    matrices, mirrored = views(6, 96, mirror=True)
    np.testing.assert_allclose(matrices[[0, 5]], [np.eye(2, 3)] * 2, atol=1e-12)
    assert mirrored.tolist() == 5 * [False] + [True]
    matrices, mirrored = views(5, 96, mirror=False)
    assert len(matrices) == 5
    assert not mirrored.any()
    assert (max_views(mirror=True), max_views(mirror=False)) == (10, 5)


def test_view_with_half_the_expected_error_has_four_times_the_weight() -> None:
    outputs = np.array([[[0, 0, 2]], [[10, 20, 1]]], np.float32)
    np.testing.assert_allclose(mean_output(outputs), [[8, 16, 6 / 5]])
    np.testing.assert_allclose(mean_output(outputs[..., :2]), [[5, 10]])


def test_two_views_give_the_weighted_mean_of_the_crop_and_a_rotated_crop(images: UInt8) -> None:
    one = Predictor("v2", threads=1)
    (_, rotated), _ = views(2, 96, mirror=True)
    outputs = []
    for matrix in (np.eye(2, 3), rotated):
        crops = np.stack([crop_faces(image, matrix[None], one.spec)[0] for image in images])
        points, errors = one.predict_crops(crops)
        assert errors is not None
        outputs.append(np.concatenate([transform(points, inverse(matrix)), errors[..., None]], axis=-1))
    expected = mean_output(np.stack(outputs))
    points, errors = Predictor("v2", threads=1, views=2).predict_crops(images)
    np.testing.assert_allclose(points, expected[..., :2], atol=1e-3)
    assert errors is not None
    np.testing.assert_allclose(errors, expected[..., 2], atol=1e-3)
    assert np.abs(points - outputs[0][..., :2]).max() > 0.05


def test_views_are_averaged_in_picture_coordinates(images: UInt8) -> None:
    picture = np.repeat(cv2.resize(images[0], (192, 192))[..., None], 3, axis=-1)
    (one,) = Predictor("v2", threads=1).predict(picture, boxes=[(10, 10, 172, 172)])
    (ten,) = Predictor("v2", threads=1, views=10).predict(picture, boxes=[(10, 10, 172, 172)])
    np.testing.assert_allclose(ten.keypoints, one.keypoints, atol=8)
    assert np.abs(ten.keypoints - one.keypoints).max() > 0.05
    np.testing.assert_array_equal(ten.box, one.box)


def test_mirrored_views_are_left_out_for_biased_label_sources() -> None:
    """Averaging with the mirror image would cancel the bias of such a label source."""
    five, ten = (Predictor("v2-68", threads=1, views=count) for count in (5, 10))
    (biased,) = FACE68.biased_label_sources
    name, rng = FACE68.label_sources[biased].name, np.random.default_rng(0)
    images = rng.integers(0, 256, (1, *five.spec.crop.shape), dtype=np.uint8)
    np.testing.assert_allclose(ten.predict_crops(images, name)[0], five.predict_crops(images, name)[0], atol=1e-3)
    assert np.abs(ten.predict_crops(images)[0] - five.predict_crops(images)[0]).max() > 0.05


@pytest.mark.parametrize("count", [0, -1, 11])
def test_number_of_views_outside_1_to_10_is_refused(count: int) -> None:
    with pytest.raises(InputError, match=f"views: is {count}, expected 1 to 10"):
        Predictor("v2", views=count)


def test_command_refuses_0_views_and_writes_nothing(tmp_path: Path) -> None:
    write_picture(tmp_path / "face.png", np.zeros((96, 96, 3), np.uint8))
    with pytest.raises(InputError, match="views: is 0, expected 1 to 10"):
        main(["predict", str(tmp_path / "face.png"), "--out", str(tmp_path / "out"), "--views", "0"])
    assert not (tmp_path / "out").exists()

"""The predictor on whole pictures: drawn ones, whose keypoints are known, and real ones."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from facial_keypoints import InputError, Predictor
from facial_keypoints.array_types import Float64, UInt8
from facial_keypoints.boxes import Boxes, given_boxes, join_boxes, sure
from facial_keypoints.crops import box_of, crop_of, crop_of_boxes
from facial_keypoints.detectors.haar import Haar
from facial_keypoints.drawing import draw_faces
from facial_keypoints.face import Face, uncertainty, without_duplicates
from facial_keypoints.keypoint_set import FACE15, FACE68
from facial_keypoints.measures import measures
from facial_keypoints.pictures import read_picture, write_picture
from facial_keypoints.spec import Crop, ModelSpec
from tests.conftest import ROOT
from tests.facial_keypoints.drawn import Drawn, drawn_faces
from tests.facial_keypoints.small_models import means_of_channels

PHOTOS = ROOT.parent / "shared" / "photos"
MAX_ERROR = 0.09  # mean error on drawn faces as a share of the eye distance; the network was trained on photographs


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor(threads=1)


@pytest.fixture(scope="module")
def drawn() -> Drawn:
    return drawn_faces()


def errors(faces: list[Face], drawn: Drawn) -> Float64:
    """Returns the mean error of each drawn face's nearest prediction as a share of its eye distance, float64 (F,)."""
    off = np.array([np.linalg.norm(face.keypoints - drawn.keypoints, axis=-1) for face in faces])
    eyes = np.linalg.norm(drawn.keypoints[:, 0] - drawn.keypoints[:, 1], axis=-1)
    return np.asarray(np.nanmean(off, axis=-1).min(axis=0) / eyes)


def true_boxes(drawn: Drawn) -> Callable[[UInt8], Boxes]:
    return lambda picture: given_boxes(drawn.boxes)


def test_predict_finds_exactly_the_drawn_faces_ordered_by_uncertainty(predictor: Predictor, drawn: Drawn) -> None:
    faces = predictor.predict(drawn.picture)
    assert len(faces) == len(drawn.boxes)
    assert errors(faces, drawn).mean() < MAX_ERROR
    assert [uncertainty(face) for face in faces] == sorted(uncertainty(face) for face in faces)
    for face in faces:
        x, y, width, height = face.box
        assert ((face.keypoints > (x, y)) & (face.keypoints < (x + width, y + height))).all()
        assert face.box == box_of(face.crop, predictor.spec)
        assert face.keypoints.dtype == np.float32
        assert face.expected_error is not None
        assert face.expected_error.shape == (15,)


def test_unsure_boxes_are_used_only_by_networks_with_expected_errors(
    predictor: Predictor, drawn: Drawn, tmp_path: Path
) -> None:
    boxes = given_boxes(drawn.boxes)._replace(scores=np.array([0.95, 0.9, *[0.6] * 4]), sure_score=0.9)
    assert len(predictor.predict(drawn.picture, detector=lambda _: boxes)) == 6
    spec = ModelSpec(FACE15, (0,), False, Crop(4, 5, 1, tuple((m % 4, m / 5) for m in range(15))))
    without = Predictor(means_of_channels(tmp_path / "means.onnx", 1, spec))
    faces = without.predict(drawn.picture, detector=lambda _: boxes)
    assert [face.score for face in faces] == [0.95, 0.9]
    tilted = join_boxes([boxes, boxes._replace(scores=boxes.scores / 2)])
    assert sure(tilted).scores.tolist() == [0.95, 0.9]


def test_given_boxes_all_give_a_face_in_their_order(predictor: Predictor, drawn: Drawn) -> None:
    empty = [[0.0, 0.0, 30.0, 30.0]]
    faces = predictor.predict(drawn.picture, boxes=np.concatenate([drawn.boxes, empty, drawn.boxes[:1]]))
    assert len(faces) == len(drawn.boxes) + 2
    centers = np.array([face.keypoints.mean(axis=0) for face in faces])[: len(drawn.boxes)]
    np.testing.assert_allclose(centers, drawn.boxes[:, :2] + drawn.boxes[:, 2:] / 2, atol=30)
    np.testing.assert_array_equal(faces[0].keypoints, faces[-1].keypoints)
    assert uncertainty(faces[-2]) > 2 * uncertainty(faces[0])
    assert predictor.predict(drawn.picture, boxes=[]) == []


def test_false_and_duplicate_detections_are_dropped(predictor: Predictor, drawn: Drawn) -> None:
    def detect_too_many(picture: UInt8) -> Boxes:
        return given_boxes([*drawn.boxes, *(drawn.boxes + 4), [0, 0, 40, 40], [225, 100, 60, 60], [-90, 300, 80, 80]])

    assert len(predictor.predict(drawn.picture, detector=detect_too_many)) == len(drawn.boxes)


@pytest.mark.parametrize("degrees", [-45, 30, 45])
def test_rotated_faces_are_predicted_as_accurately_as_upright_ones(
    predictor: Predictor, drawn: Drawn, degrees: float
) -> None:
    upright = errors(predictor.predict(drawn.picture, detector=true_boxes(drawn)), drawn).mean()
    height, width = drawn.picture.shape[:2]
    matrix = np.asarray(cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1), np.float64)
    matrix[:, 2] += 200
    picture = cv2.warpAffine(drawn.picture, matrix, (width + 400, height + 400), borderValue=(150,) * 3)
    middles = (drawn.boxes[:, :2] + drawn.boxes[:, 2:] / 2) @ matrix[:, :2].T + matrix[:, 2]
    boxes = np.column_stack([middles - drawn.boxes[:, 2:] / 2, drawn.boxes[:, 2:]])
    turned = drawn._replace(keypoints=(drawn.keypoints @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32))
    faces = predictor.predict(np.asarray(picture, np.uint8), boxes=boxes)
    assert errors(faces, turned).mean() < 1.15 * upright


def test_default_detector_finds_a_tilted_face_that_haar_misses(predictor: Predictor) -> None:
    one = drawn_faces(1, 1)
    height, width = one.picture.shape[:2]
    matrix = np.asarray(cv2.getRotationMatrix2D((width / 2, height / 2), 32, 1), np.float64)
    picture = np.asarray(cv2.warpAffine(one.picture, matrix, (width, height), borderValue=(150,) * 3), np.uint8)
    tilted = one._replace(keypoints=(one.keypoints @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32))
    assert predictor.predict(picture, detector=Haar()) == []
    faces = predictor.predict(picture)
    assert len(faces) == 1
    assert errors(faces, tilted).mean() < MAX_ERROR


def test_exact_crop_needs_one_pass_and_a_shifted_one_improves_with_more(predictor: Predictor, drawn: Drawn) -> None:
    known = predictor.predict(drawn.picture, boxes=drawn.boxes)
    crops = crop_of([face.keypoints for face in known], predictor.spec)
    again = predictor.predict_at(drawn.picture, crops, passes=1)
    np.testing.assert_allclose([face.crop for face in again], crops)
    assert errors(again, drawn).mean() < MAX_ERROR
    shifted = crops.copy()
    shifted[:, 0, 2] += 15  # px of a crop of 96
    once, three_times = (predictor.predict_at(drawn.picture, shifted, passes=passes) for passes in (1, 3))
    distances_px = [
        np.mean([abs(b.box[0] - a.box[0]) for a, b in zip(known, faces, strict=True)]) for faces in (once, three_times)
    ]
    assert distances_px[1] < distances_px[0] / 4


def test_predict_accepts_gray_pictures_and_a_label_source(predictor: Predictor, drawn: Drawn) -> None:
    color = predictor.predict(drawn.picture, boxes=drawn.boxes[:1])[0]
    for gray in (drawn.picture[..., 0], drawn.picture[..., :1]):
        face = predictor.predict(gray, boxes=drawn.boxes[:1])[0]
        np.testing.assert_allclose(face.keypoints, color.keypoints, atol=0.01)
    sparse = predictor.predict(drawn.picture, boxes=drawn.boxes[:1], label_source="sparse")[0]
    assert tuple(np.flatnonzero((sparse.keypoints != color.keypoints).any(axis=1))) == FACE15.label_sources[1].own
    np.testing.assert_array_equal(sparse.crop, color.crop)


@pytest.mark.parametrize(
    "corner", [(0, 0), (-60, 0), (0, -60), (250, 0)], ids=["inside", "left", "top", "far right of a narrow one"]
)
def test_faces_partly_outside_the_picture_have_finite_keypoints(
    predictor: Predictor, drawn: Drawn, corner: tuple[int, int]
) -> None:
    x, y, width, height = drawn.boxes[0].astype(int)
    left, top = max(0, x - corner[0] if corner[0] < 0 else x), max(0, y - corner[1] if corner[1] < 0 else y)
    part = drawn.picture[top : top + 150, left : left + 150]
    (face,) = predictor.predict(part, boxes=np.array([[x - left, y - top, width, height]]))
    assert np.isfinite(face.keypoints).all()
    assert np.isfinite(face.box).all()


def test_one_pixel_picture_has_no_faces_and_accepts_any_box(predictor: Predictor) -> None:
    dot = np.zeros((1, 1, 3), np.uint8)
    assert predictor.predict(dot) == []
    faces = predictor.predict(dot, boxes=[[0.0, 0.0, 1.0, 1.0], [-1e4, 1e4, 300.0, 200.0], [0.0, 0.0, 1e-3, 1e-3]])
    assert all(np.isfinite(face.keypoints).all() for face in faces)


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (
            np.zeros((4, 4, 3), np.float32),
            r"picture: is float32, expected uint8 \(0 black to 255 white\); convert .* \(picture \* 255\)\.round",
        ),
        (np.zeros((4, 4, 3), bool), "picture: is bool, expected uint8"),
        ("a.jpg", r"a\.jpg: no such file; give a picture"),
        ([[0, 0]], "picture: is list, expected a path, a numpy array of uint8 or a PIL image"),
        (np.zeros((4, 4, 4), np.uint8), r"picture: has shape \(4, 4, 4\), expected \(H, W, 3\) RGB, or"),
        (np.zeros((0, 4, 3), np.uint8), r"picture: has shape \(0, 4, 3\)"),
        (np.zeros((0, 4), np.uint8), r"picture: has shape \(0, 4\)"),
    ],
)
def test_pictures_of_wrong_type_or_shape_are_refused(predictor: Predictor, picture: UInt8, message: str) -> None:
    with pytest.raises(InputError, match=message):
        predictor.predict(picture)
    with pytest.raises(InputError, match=message):
        predictor.predict_at(picture, np.eye(2, 3)[None])


def test_path_array_and_pil_image_give_the_same_faces(predictor: Predictor, drawn: Drawn, tmp_path: Path) -> None:
    path = tmp_path / "faces.png"
    write_picture(path, drawn.picture)
    expected_faces = predictor.predict(drawn.picture)
    gray = Image.fromarray(drawn.picture).convert("L")  # the drawing is gray
    for picture in (path, str(path), Image.fromarray(drawn.picture), Image.open(path), gray):
        for face, expected in zip(predictor.predict(picture), expected_faces, strict=True):
            np.testing.assert_allclose(face.keypoints, expected.keypoints, atol=0.01)
    np.testing.assert_array_equal(draw_faces(path, expected_faces), draw_faces(drawn.picture, expected_faces))


def test_damaged_pil_image_is_refused(predictor: Predictor, drawn: Drawn, tmp_path: Path) -> None:
    path = tmp_path / "faces.png"
    write_picture(path, drawn.picture)
    path.write_bytes(path.read_bytes()[:5000])
    with Image.open(path) as image, pytest.raises(InputError, match="picture: cannot be decoded"):
        predictor.predict(image)


def test_keypoints_are_looked_up_by_name(predictor: Predictor, drawn: Drawn) -> None:
    (face,) = predictor.predict(drawn.picture, boxes=drawn.boxes[:1])
    assert predictor.keypoint_names == FACE15.names
    assert face["nose_tip"] == tuple(face.keypoints[10].tolist())
    for kind in (InputError, KeyError):
        with pytest.raises(kind, match=r"^'ear': no such keypoint; the face has left_eye_center, right_eye_center, "):
            face["ear"]


def test_roles_of_any_keypoint_set_have_the_names_of_face15() -> None:
    points = np.arange(136, dtype=np.float32).reshape(68, 2)
    face = Face((0, 0, 9, 9), points, None, np.eye(2, 3), FACE68)
    assert face.role("nose_tip") == (60, 61)
    assert face.role("left_eye_center") == ((84 + 94) / 2, (85 + 95) / 2)
    with pytest.raises(InputError, match="needs tail, which the keypoint set face68 lacks"):
        face.role("tail")


def test_measures_of_a_face_are_those_of_its_keypoints(predictor: Predictor, drawn: Drawn) -> None:
    face = predictor.predict(drawn.picture)[0]
    found = face.measures()
    assert found == measures(face.keypoints, FACE15)
    eye_distance_px = np.hypot(*np.subtract(face["left_eye_center"], face["right_eye_center"]))
    assert found.pupil_distance_px == pytest.approx(float(eye_distance_px))


def test_face_is_converted_to_json_values(predictor: Predictor, drawn: Drawn) -> None:
    (face,) = predictor.predict(drawn.picture, boxes=drawn.boxes[:1])
    values = json.loads(json.dumps(face.to_dict()))
    assert tuple(values["keypoints"]) == FACE15.names
    assert values["keypoints"]["nose_tip"] == pytest.approx(face["nose_tip"], abs=6e-4)
    assert face.expected_error is not None
    assert list(values["expected_error"].values()) == pytest.approx(face.expected_error.tolist(), abs=6e-4)
    assert values["box"] == pytest.approx(face.box, abs=6e-4)
    assert values["score"] == 1
    assert replace(face, expected_error=None).to_dict()["expected_error"] is None


def test_predictor_can_be_shared_by_threads(predictor: Predictor) -> None:
    small = drawn_faces(1, 1)
    alone = predictor.predict(small.picture)[0].keypoints
    with ThreadPoolExecutor(4) as pool:
        for faces in pool.map(predictor.predict, [small.picture] * 8):
            np.testing.assert_array_equal(faces[0].keypoints, alone)


def test_first_of_coinciding_faces_is_kept() -> None:
    def face(x: float, size: float) -> Face:
        keypoints = np.array([[x, 0], [x, size]], np.float32)
        return Face((x, 0, size, size), keypoints, None, np.eye(2, 3), FACE15)

    first, duplicate, smaller, beside = face(0, 100), face(10, 100), face(60, 10), face(60, 100)
    assert without_duplicates([first, duplicate, beside, smaller]) == [first, beside, smaller]
    assert without_duplicates([]) == []
    assert uncertainty(first) == 0


def test_draw_faces_returns_a_copy_of_the_picture(predictor: Predictor, drawn: Drawn) -> None:
    before = drawn.picture.copy()
    faces = predictor.predict(drawn.picture, boxes=drawn.boxes)
    overlay = draw_faces(drawn.picture, faces)
    np.testing.assert_array_equal(drawn.picture, before)
    x, y = np.round(faces[0].keypoints[FACE15.index("nose_tip")]).astype(int)
    assert overlay[y, x].tolist() == [255, 0, 255]
    assert (overlay[:5] == before[:5]).all()  # pixels away from the faces are unchanged
    np.testing.assert_array_equal(draw_faces(drawn.picture, []), before)


@cache
def photo(name: str) -> UInt8:
    if not (PHOTOS / name).is_file():
        pytest.skip("the real photos are not here")
    return read_picture(PHOTOS / name)


@pytest.mark.parametrize(("name", "count"), [("six_faces.jpg", 6), ("two_faces.jpg", 2), ("one_face.png", 1)])
def test_predict_finds_exactly_the_faces_of_real_photos(predictor: Predictor, name: str, count: int) -> None:
    faces = predictor.predict(photo(name))
    assert len(faces) == count
    for face in faces:
        left_eye, right_eye, nose = face.keypoints[[0, 1, 10]]
        assert right_eye[0] < nose[0] < left_eye[0]  # left is the person's own left
        assert box_of(crop_of_boxes(given_boxes([face.box]), predictor.spec)[0], predictor.spec) == pytest.approx(
            face.box
        )

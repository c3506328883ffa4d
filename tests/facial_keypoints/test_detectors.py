"""Detectors: what they find in drawn and in real pictures, and on turned copies."""

import copy
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facial_keypoints.array_types import UInt8
from facial_keypoints.boxes import Boxes, Detector, EyesInBox, eye_places
from facial_keypoints.detectors.haar import EYES, Haar
from facial_keypoints.detectors.turned import Turned
from facial_keypoints.detectors.yunet import YuNet
from facial_keypoints.errors import InputError
from tests.conftest import ROOT
from tests.facial_keypoints.drawn import Drawn, drawn_faces

YUNET_FILE = ROOT.parent / "shared" / "detectors" / "face_detection_yunet.onnx"


@pytest.fixture(scope="module")
def drawn() -> Drawn:
    return drawn_faces(1, 2)


def found(boxes: Boxes, drawn: Drawn) -> int:
    """Returns how many drawn faces have a box whose eyes are where theirs are, within a quarter of their distance."""
    eyes = drawn.keypoints[:, [1, 0]]
    apart = np.linalg.norm(eyes[:, 0] - eyes[:, 1], axis=-1)
    off = np.linalg.norm(eye_places(boxes)[:, None] - eyes, axis=-1).mean(axis=-1)
    return int((off.min(axis=0) < apart / 4).sum())


def test_haar_finds_the_drawn_faces_in_color_and_gray_and_threads_share_it(drawn: Drawn) -> None:
    haar = Haar()
    boxes = haar(drawn.picture)
    assert found(boxes, drawn) == len(drawn.boxes)
    assert (boxes.turns == 0).all()
    np.testing.assert_array_equal(haar(drawn.picture[..., :1]).xywh, boxes.xywh)
    with ThreadPoolExecutor(4) as pool:
        for other in pool.map(haar, [drawn.picture] * 4):
            np.testing.assert_array_equal(other.xywh, boxes.xywh)


@pytest.mark.parametrize(
    "make",
    [
        Haar,
        lambda: Turned(Haar(profile=True), (-25, 25)),
        pytest.param(lambda: YuNet(YUNET_FILE), marks=pytest.mark.skipif(not YUNET_FILE.is_file(), reason="no YuNet")),
    ],
)
def test_a_detector_that_has_worked_is_copied_and_pickled(drawn: Drawn, make: Callable[[], Detector]) -> None:
    detector = make()
    boxes = detector(drawn.picture)
    for again in (pickle.loads(pickle.dumps(detector)), copy.deepcopy(detector)):
        np.testing.assert_array_equal(again(drawn.picture).xywh, boxes.xywh)


def test_boxes_are_in_px_of_the_picture_however_large_it_is(drawn: Drawn) -> None:
    large = np.asarray(cv2.resize(drawn.picture, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC), np.uint8)
    assert found(Haar()(large), drawn._replace(keypoints=drawn.keypoints * 3)) == len(drawn.boxes)


def test_haar_with_profiles_finds_what_it_finds_without(drawn: Drawn) -> None:
    assert found(Haar(profile=True)(drawn.picture), drawn) == len(drawn.boxes)


@pytest.mark.parametrize("shape", [(1, 1, 3), (5, 700, 3), (20, 20, 1)])
def test_pictures_too_small_for_a_face_have_none(shape: tuple[int, ...]) -> None:
    assert len(Haar()(np.zeros(shape, np.uint8)).xywh) == 0


def marked_at(picture: UInt8) -> Boxes:
    """A detector of one thing: a white square, whose box is 20 wide and 40 high, if it is upright."""
    ys, xs = np.nonzero(picture[..., 0] > 128)
    xywh = np.array([[xs.mean() - 10, ys.mean() - 20, 20, 40]])
    return Boxes(xywh, np.ones(1), np.zeros(1), EyesInBox(0.5, 0.25, 0.5))


@settings(max_examples=15)
@given(st.integers(9, 90), st.integers(9, 50), st.sampled_from([4, 8]))
def test_what_is_found_in_turned_copies_lies_where_it_is_in_the_picture(x: int, y: int, copies: int) -> None:
    picture = np.zeros((60, 100, 3), np.uint8)
    picture[y - 2 : y + 3, x - 2 : x + 3] = 255
    boxes = Turned(marked_at, range(0, 360, 360 // copies))(picture)
    np.testing.assert_allclose(boxes.xywh, [[x - 10, y - 20, 20, 40]] * copies, atol=1)
    np.testing.assert_allclose(boxes.turns, np.arange(copies) * 360 / copies)
    # The eyes are 10 px above the middle of an upright face; turned by a quarter clockwise, right of it.
    eyes = eye_places(boxes).mean(axis=1)
    np.testing.assert_allclose(eyes[0], (x, y - 10), atol=1)
    np.testing.assert_allclose(eyes[copies // 4], (x + 10, y), atol=1)


def bright(picture: UInt8) -> Boxes:
    """A detector of one bright square, whose box is as large as it is."""
    ys, xs = np.nonzero(picture[..., 0] > 128)
    side = np.sqrt(len(xs))
    return Boxes(np.array([[xs.mean() - side / 2, ys.mean() - side / 2, side, side]]), np.ones(1), np.zeros(1), EYES)


@pytest.mark.parametrize("degrees", [0, 25, 90])
def test_a_large_picture_is_made_smaller_before_it_is_turned(degrees: float) -> None:
    picture = np.zeros((4000, 6000, 3), np.uint8)
    picture[900:1300, 4700:5100] = 255
    searched: list[int] = []

    def noted(copy: UInt8) -> Boxes:
        searched.append(max(copy.shape))
        return bright(copy)

    boxes = Turned(noted, [degrees])(picture)
    np.testing.assert_allclose(boxes.xywh, [[4700, 900, 400, 400]], atol=6)
    assert searched == [pytest.approx(1280 / 0.7, abs=2)]  # of which the detectors search 1,280 px, as of a larger one


def test_a_picture_longer_than_opencv_can_turn_has_its_faces_all_the_same() -> None:
    picture = np.zeros((60, 40_000, 3), np.uint8)
    picture[:, 30_000:30_060] = 255
    (x, y, width, height), *_ = Turned(bright, [0, 25, -25])(picture).xywh
    assert (x, y) == (pytest.approx(30_000, abs=30), pytest.approx(0, abs=30))
    assert width == height == pytest.approx(60, abs=30)
    assert len(Turned(Haar(), [-25, 25])(picture).xywh) == 0


def test_faces_on_their_side_and_upside_down(drawn: Drawn) -> None:
    haar = Turned(Haar(), range(0, 360, 90))
    height = drawn.picture.shape[0]
    turned = np.ascontiguousarray(np.rot90(drawn.picture, -1))  # clockwise
    keypoints = np.stack([height - 1 - drawn.keypoints[..., 1], drawn.keypoints[..., 0]], axis=-1)
    assert found(haar(turned), drawn._replace(keypoints=keypoints)) == len(drawn.boxes)


@pytest.fixture(scope="module")
def yunet() -> YuNet:
    if not YUNET_FILE.is_file():
        pytest.skip("YuNet's file is not here")
    return YuNet(YUNET_FILE)


def test_yunet_finds_drawn_faces(yunet: YuNet, drawn: Drawn) -> None:
    assert found(yunet(drawn.picture), drawn) == len(drawn.boxes)


def test_yunet_s_file_is_missing_or_another(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file; give YuNet's"):
        YuNet(tmp_path / "a.onnx")
    for content in (b"hello", b"", (ROOT / "artifacts/pretrained/v2/model.onnx").read_bytes()):
        (tmp_path / "a.onnx").write_bytes(content)
        with pytest.raises(InputError, match=r"a\.onnx: is no YuNet model that OpenCV can run"):
            YuNet(tmp_path / "a.onnx")

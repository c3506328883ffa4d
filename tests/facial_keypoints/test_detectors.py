"""Detectors on drawn pictures and turned copies, and the cache of downloaded detector files."""

import copy
import hashlib
import pickle
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facial_keypoints.array_types import UInt8
from facial_keypoints.boxes import Boxes, Detector, EyesInBox, eyes_in
from facial_keypoints.detectors import yunet as yunet_module
from facial_keypoints.detectors.cache import RemoteFile, cache_folder, cached_path
from facial_keypoints.detectors.choose import chosen_detector
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


def count_found(boxes: Boxes, drawn: Drawn) -> int:
    """Returns how many drawn faces have a box whose eyes are within a quarter of the eye distance of theirs."""
    eyes = drawn.keypoints[:, [1, 0]]
    distance = np.linalg.norm(eyes[:, 0] - eyes[:, 1], axis=-1)
    errors = np.linalg.norm(eyes_in(boxes)[:, None] - eyes, axis=-1).mean(axis=-1)
    return int((errors.min(axis=0) < distance / 4).sum())


def test_haar_finds_drawn_faces_in_color_and_gray_and_in_threads(drawn: Drawn) -> None:
    haar = Haar()
    boxes = haar(drawn.picture)
    assert count_found(boxes, drawn) == len(drawn.boxes)
    assert (boxes.turns == 0).all()
    np.testing.assert_array_equal(haar(drawn.picture[..., :1]).xywh, boxes.xywh)
    with ThreadPoolExecutor(4) as pool:
        for from_thread in pool.map(haar, [drawn.picture] * 4):
            np.testing.assert_array_equal(from_thread.xywh, boxes.xywh)


@pytest.mark.parametrize(
    "make",
    [
        Haar,
        lambda: Turned(Haar(profile=True), (-25, 25)),
        pytest.param(lambda: YuNet(YUNET_FILE), marks=pytest.mark.skipif(not YUNET_FILE.is_file(), reason="no YuNet")),
    ],
)
def test_used_detector_can_be_copied_and_pickled(drawn: Drawn, make: Callable[[], Detector]) -> None:
    detector = make()
    boxes = detector(drawn.picture)
    for duplicate in (pickle.loads(pickle.dumps(detector)), copy.deepcopy(detector)):
        np.testing.assert_array_equal(duplicate(drawn.picture).xywh, boxes.xywh)


def test_boxes_of_a_large_picture_are_in_its_own_pixels(drawn: Drawn) -> None:
    large = np.asarray(cv2.resize(drawn.picture, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC), np.uint8)
    assert count_found(Haar()(large), drawn._replace(keypoints=drawn.keypoints * 3)) == len(drawn.boxes)


def test_haar_with_profiles_still_finds_frontal_faces(drawn: Drawn) -> None:
    assert count_found(Haar(profile=True)(drawn.picture), drawn) == len(drawn.boxes)


@pytest.mark.parametrize("shape", [(1, 1, 3), (5, 700, 3), (20, 20, 1)])
def test_haar_finds_no_face_in_tiny_pictures(shape: tuple[int, ...]) -> None:
    assert len(Haar()(np.zeros(shape, np.uint8)).xywh) == 0


def detect_white_square(picture: UInt8) -> Boxes:
    """A detector of one white square; its upright box is 20 px wide and 40 px high."""
    ys, xs = np.nonzero(picture[..., 0] > 128)
    xywh = np.array([[xs.mean() - 10, ys.mean() - 20, 20, 40]])
    return Boxes(xywh, np.ones(1), np.zeros(1), EyesInBox(0.5, 0.25, 0.5))


@settings(max_examples=15)
@given(st.integers(9, 90), st.integers(9, 50), st.sampled_from([4, 8]))
def test_boxes_from_turned_copies_are_in_picture_coordinates(x: int, y: int, copies: int) -> None:
    picture = np.zeros((60, 100, 3), np.uint8)
    picture[y - 2 : y + 3, x - 2 : x + 3] = 255
    boxes = Turned(detect_white_square, range(0, 360, 360 // copies))(picture)
    np.testing.assert_allclose(boxes.xywh, [[x - 10, y - 20, 20, 40]] * copies, atol=1)
    np.testing.assert_allclose(boxes.turns, np.arange(copies) * 360 / copies)
    # The eyes are 10 px above the middle of an upright face; turned by a quarter clockwise, right of it.
    eyes = eyes_in(boxes).mean(axis=1)
    np.testing.assert_allclose(eyes[0], (x, y - 10), atol=1)
    np.testing.assert_allclose(eyes[copies // 4], (x + 10, y), atol=1)


def detect_bright_square(picture: UInt8) -> Boxes:
    """A detector of one bright square, whose box has the size of the square."""
    ys, xs = np.nonzero(picture[..., 0] > 128)
    side = np.sqrt(len(xs))
    return Boxes(np.array([[xs.mean() - side / 2, ys.mean() - side / 2, side, side]]), np.ones(1), np.zeros(1), EYES)


@pytest.mark.parametrize("degrees", [0, 25, 90])
def test_large_picture_is_scaled_down_before_it_is_turned(degrees: float) -> None:
    picture = np.zeros((4000, 6000, 3), np.uint8)
    picture[900:1300, 4700:5100] = 255
    sides_px: list[int] = []

    def detect(turned_copy: UInt8) -> Boxes:
        sides_px.append(max(turned_copy.shape))
        return detect_bright_square(turned_copy)

    boxes = Turned(detect, [degrees])(picture)
    np.testing.assert_allclose(boxes.xywh, [[4700, 900, 400, 400]], atol=6)
    assert sides_px == [pytest.approx(1280 / 0.7, abs=2)]  # the detectors scale larger pictures to 1,280 px anyway


def test_turned_finds_faces_in_pictures_too_long_for_opencv_to_warp() -> None:
    picture = np.zeros((60, 40_000, 3), np.uint8)
    picture[:, 30_000:30_060] = 255
    (x, y, width, height), *_ = Turned(detect_bright_square, [0, 25, -25])(picture).xywh
    assert (x, y) == (pytest.approx(30_000, abs=30), pytest.approx(0, abs=30))
    assert width == height == pytest.approx(60, abs=30)
    assert len(Turned(Haar(), [-25, 25])(picture).xywh) == 0


def test_turned_haar_finds_faces_lying_on_their_side(drawn: Drawn) -> None:
    haar = Turned(Haar(), range(0, 360, 90))
    height = drawn.picture.shape[0]
    turned = np.ascontiguousarray(np.rot90(drawn.picture, -1))  # clockwise
    keypoints = np.stack([height - 1 - drawn.keypoints[..., 1], drawn.keypoints[..., 0]], axis=-1)
    assert count_found(haar(turned), drawn._replace(keypoints=keypoints)) == len(drawn.boxes)


@pytest.fixture(scope="module")
def yunet() -> YuNet:
    if not YUNET_FILE.is_file():
        pytest.skip("YuNet's file is not here")
    return YuNet(YUNET_FILE)


def test_yunet_finds_drawn_faces(yunet: YuNet, drawn: Drawn) -> None:
    assert count_found(yunet(drawn.picture), drawn) == len(drawn.boxes)


def test_missing_or_wrong_yunet_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file; give YuNet's"):
        YuNet(tmp_path / "a.onnx")
    for content in (b"hello", b"", (ROOT / "artifacts/pretrained/v2/model.onnx").read_bytes()):
        (tmp_path / "a.onnx").write_bytes(content)
        with pytest.raises(InputError, match=r"a\.onnx: is not a YuNet model that OpenCV can run"):
            YuNet(tmp_path / "a.onnx")


class Site:
    """A local web server with one file."""

    def __init__(self, folder: Path, content: bytes) -> None:
        self.requests = 0

        def handler(*arguments: Any) -> SimpleHTTPRequestHandler:
            self.requests += 1
            return QuietHandler(*arguments, directory=str(folder))

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        (folder / "detector.onnx").write_bytes(content)
        url = f"http://127.0.0.1:{self.server.server_port}/detector.onnx"
        self.file = RemoteFile(url, hashlib.sha256(content).hexdigest(), len(content))


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Prints nothing."""


CONTENT = b"a detector" * 1000


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FACIAL_KEYPOINTS_CACHE", str(tmp_path / "cache" / "folder"))
    return tmp_path / "cache" / "folder"


@pytest.fixture
def site(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Site]:
    folder = tmp_path / "site"
    folder.mkdir()
    site = Site(folder, getattr(request, "param", CONTENT))
    thread = threading.Thread(target=site.server.serve_forever)
    thread.start()
    yield site
    site.server.shutdown()
    thread.join()
    site.server.server_close()


def test_remote_file_is_fetched_once_and_again_if_damaged(site: Site, cache: Path) -> None:
    path = cached_path(site.file)
    assert path == cache / "detector.onnx"
    assert path.read_bytes() == CONTENT
    assert cached_path(site.file) == path
    assert site.requests == 1
    path.write_bytes(CONTENT[:-1])
    assert cached_path(site.file).read_bytes() == CONTENT
    assert site.requests == 2
    assert list(cache.iterdir()) == [path]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sha256": "0" * 64}, "is not the expected file (its SHA-256 differs); fetch detector.onnx yourself and give"),
        ({"size_bytes": 5}, "is not the expected file"),
        ({"size_bytes": len(CONTENT) + 1}, "is not the expected file"),
        ({"url": "{site}/missing.onnx"}, "cannot be fetched (File not found); fetch missing.onnx"),
        ({"url": "http://127.0.0.1:9/detector.onnx"}, "cannot be fetched ([Errno"),
    ],
    ids=["hash", "longer", "shorter", "missing", "offline"],
)
def test_wrong_or_unreachable_remote_file_is_an_error_and_is_not_stored(
    site: Site, cache: Path, change: dict[str, Any], message: str
) -> None:
    if "url" in change:
        change = {"url": change["url"].format(site=site.file.url.rpartition("/")[0])}
    file = site.file._replace(**change)
    with pytest.raises(InputError) as error:
        cached_path(file)
    assert str(error.value).startswith(f"{file.url}: {message}")
    assert "--detector FILE.onnx" in str(error.value)
    assert not cache.exists()


def test_unwritable_cache_is_an_error_that_names_the_variable(site: Site, cache: Path) -> None:
    cache.parent.write_text("a file", encoding="utf-8")
    with pytest.raises(InputError, match=r"cannot be written .*; set FACIAL_KEYPOINTS_CACHE to another folder"):
        cached_path(site.file)


def test_cache_folder_follows_the_environment_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FACIAL_KEYPOINTS_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert cache_folder() == Path.home() / ".cache" / "facial-keypoints"
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert cache_folder() == Path("/caches/facial-keypoints")
    monkeypatch.setenv("FACIAL_KEYPOINTS_CACHE", "/mine")
    assert cache_folder() == Path("/mine")


YUNET = YUNET_FILE.read_bytes() if YUNET_FILE.is_file() else b""


@pytest.mark.skipif(not YUNET, reason="YuNet's file is not here")
@pytest.mark.parametrize("site", [YUNET], indirect=True, ids=["yunet"])
def test_yunet_fetches_its_file_when_none_is_given(
    site: Site, cache: Path, monkeypatch: pytest.MonkeyPatch, drawn: Drawn
) -> None:
    assert (site.file.sha256, site.file.size_bytes) == (yunet_module.FILE.sha256, yunet_module.FILE.size_bytes)
    monkeypatch.setattr(yunet_module, "FILE", site.file)
    for detector in (YuNet(), chosen_detector("yunet")):
        assert detector is not None
        assert count_found(detector(drawn.picture), drawn) == len(drawn.boxes)
    assert site.requests == 1

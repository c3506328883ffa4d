"""The project's own face detector: detections, decoding calculated by hand, and unusual pictures and values."""

import copy
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from facial_keypoints import FaceFinder, Predictor, read_picture
from facial_keypoints.__main__ import main as facial_keypoints
from facial_keypoints.array_types import Float32, UInt8
from facial_keypoints.boxes import USUAL_EYES, eyes_in
from facial_keypoints.detectors.choose import chosen_detector
from facial_keypoints.detectors.finder import OUTPUTS, STRIDES_PX, SURE_SCORE, decode, one_per_face, pad, search_scales
from facial_keypoints.detectors.five_points import MEAN, boxes_of
from facial_keypoints.errors import InputError
from facial_keypoints.pretrained import find, shipped, shipped_finder
from tests.conftest import ROOT
from tests.facial_keypoints.drawn import drawn_faces

EXAMPLE, FACES = ROOT / "docs" / "example.jpg", 3  # drawn faces


@pytest.fixture(scope="module")
def finder() -> FaceFinder:
    return FaceFinder()


@pytest.fixture(scope="module")
def example() -> UInt8:
    return read_picture(EXAMPLE)


def empty_grids(rows: int = 4) -> list[Float32]:
    """Returns grids of a square picture without faces; `rows` is the number of rows of the coarsest grid."""
    sides = [rows * STRIDES_PX[-1] // stride for stride in STRIDES_PX]
    grids = [np.zeros((side, side, OUTPUTS), np.float32) for side in sides]
    for grid in grids:
        grid[..., 0] = -9
    return grids


def test_face_finder_finds_the_faces_of_the_example_picture(finder: FaceFinder, example: UInt8) -> None:
    faces = Predictor("v2").predict(example, detector=finder)
    assert len(faces) == FACES
    points, scores = finder.points(example)
    assert (np.diff(scores) <= 0).all()
    for face in faces:
        eyes = np.array([face["right_eye_center"], face["left_eye_center"]])
        eye_distance = np.linalg.norm(eyes[1] - eyes[0])
        assert (
            np.linalg.norm(points[:, :2] - eyes, axis=-1).mean(axis=-1).min() < 0.2 * eye_distance
        )  # it was trained on photographs, not drawings


def test_exact_boxes_need_no_more_passes_for_the_same_keypoints(
    finder: FaceFinder, example: UInt8, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor, boxes = Predictor("v2"), finder(example)
    run, counts = predictor._run, {True: 0, False: 0}
    faces = {}
    for exact in (True, False):

        def counted(images: UInt8, exact: bool = exact) -> Float32:
            counts[exact] += len(images)
            return run(images)

        monkeypatch.setattr(predictor, "_run", counted)
        variant = boxes._replace(exact=exact)
        found = predictor.predict(example, detector=lambda _, variant=variant: variant)  # type: ignore[misc]
        faces[exact] = sorted(found, key=lambda face: face.box)
    assert boxes.exact
    assert FACES <= counts[True] <= counts[False]
    for with_exact, without in zip(faces[True], faces[False], strict=True):
        assert np.abs(with_exact.keypoints - without.keypoints).max() < 0.05 * with_exact.box[2]


def test_path_and_gray_and_color_arrays_give_the_same_boxes(finder: FaceFinder, example: UInt8) -> None:
    gray = cv2.cvtColor(example, cv2.COLOR_RGB2GRAY)
    for picture in (EXAMPLE, gray, gray[..., None]):
        np.testing.assert_allclose(finder(picture).xywh, finder(example).xywh, atol=0.5)


def test_boxes_of_an_enlarged_picture_are_in_its_own_pixels(finder: FaceFinder, example: UInt8) -> None:
    large = cv2.resize(example, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    small, enlarged = finder(example).xywh, finder(large).xywh
    nearest = np.abs(enlarged[:, None] / 3 - small[None]).max(axis=-1).min(axis=0)
    assert (nearest < 0.1 * small[:, 2]).all()


def test_smallest_px_sets_the_size_of_the_faces_that_are_found(example: UInt8) -> None:
    wide = np.full((600, 2400, 3), 127, np.uint8)
    small = cv2.resize(example, None, fx=0.2, fy=0.2, interpolation=cv2.INTER_AREA)
    wide[200 : 200 + small.shape[0], 1000 : 1000 + small.shape[1]] = small
    assert len(FaceFinder(smallest_px=60)(wide).scores) == 0
    assert len(FaceFinder(smallest_px=6)(wide).scores) == FACES


@pytest.mark.parametrize(
    ("shape", "smallest_px", "scales"),
    [
        ((240, 320), None, [6 / 9]),
        ((3000, 4000), None, [6 / 24, 192 / 4000]),
        ((240, 320), 6.0, [1.0, 0.6]),
        ((240, 320), 1.0, [1.0, 0.6]),
        ((240, 320), 60.0, [0.1]),
        ((100, 10_000), 6.0, [0.256, 0.0192]),
    ],
)
def test_search_scales_depend_on_picture_size_and_smallest_face(
    shape: tuple[int, int], smallest_px: float | None, scales: list[float]
) -> None:
    assert search_scales(shape, smallest_px) == pytest.approx(scales)


def test_padding_extends_the_sides_to_multiples_of_32() -> None:
    picture = np.full((33, 64), 9, np.uint8)
    filled = pad(picture)
    assert filled.shape == (64, 64)
    assert (filled[:33] == 9).all()
    assert (filled[33:] == 127).all()
    assert pad(filled) is filled


# --- Decoding, by hand ------------------------------------------------------------------------------------------------


def test_cell_is_decoded_as_a_face_around_its_center() -> None:
    grids = empty_grids()
    face = (MEAN - 0.5) * 4  # in cells: a box of 4 cells, which is 64 px
    grids[1][2, 5] = np.concatenate([[3.0], face.ravel()])
    points, scores = decode(grids, 0.5)
    np.testing.assert_allclose(points[0], (MEAN - 0.5) * 64 + (5 * 16 + 7.5, 2 * 16 + 7.5), atol=1e-4)
    np.testing.assert_allclose(scores, [1 / (1 + np.exp(-3))])
    boxes = boxes_of(points, scores)
    np.testing.assert_allclose(boxes.xywh, [[87.5 - 32, 39.5 - 32, 64, 64]], atol=1e-4)
    np.testing.assert_allclose(eyes_in(boxes)[0], points[0, :2], atol=1e-4)


def test_one_per_face_keeps_the_best_cell_of_each_face() -> None:
    # Two cells of the first face's size and one for its upper left quarter, then one cell of a face beside it.
    cells = [(100, 60, 50), (104, 60, 50), (87.5, 47.5, 25), (140, 60, 50)]
    points = np.array([(MEAN - 0.5) * side + (x, y) for x, y, side in cells])
    found, scores = one_per_face(points, np.array([0.9, 0.6, 0.55, 0.5]))
    np.testing.assert_array_equal(found, points[[0, 3]])
    assert scores.tolist() == [0.9, 0.5]


@pytest.mark.parametrize("degrees", [-40, 10, 170])
def test_turned_face_has_a_turned_box_with_the_same_eyes(degrees: float) -> None:
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = ((MEAN - 0.5) * 80 @ turn.T + (300, 200))[None]
    boxes = boxes_of(points, np.ones(1))
    np.testing.assert_allclose(boxes.turns, degrees)
    np.testing.assert_allclose(eyes_in(boxes), points[:, :2])
    assert boxes.eyes == USUAL_EYES


# --- Unusual pictures and values --------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 1), (1, 10_000), (10_000, 1), (31, 33)])
def test_tiny_and_narrow_pictures_have_no_faces(finder: FaceFinder, shape: tuple[int, int]) -> None:
    assert finder(np.full((*shape, 3), 120, np.uint8)).xywh.shape == (0, 4)


def test_faces_are_found_in_a_picture_of_40_million_pixels(finder: FaceFinder, example: UInt8) -> None:
    picture = np.zeros((5000, 8000, 3), np.uint8)
    face = cv2.resize(example, None, fx=5, fy=5, interpolation=cv2.INTER_LINEAR)
    picture[500 : 500 + face.shape[0], 700 : 700 + face.shape[1]] = face
    assert (finder(picture).scores > SURE_SCORE).sum() == (finder(example).scores > SURE_SCORE).sum() == 3


def test_picture_of_stripes_has_no_faces(finder: FaceFinder) -> None:
    stripes = np.tile(np.repeat(np.arange(0, 256, 32).astype(np.uint8), 16), (200, 2))
    assert len(finder(stripes).scores) == 0


def test_two_hundred_faces_are_found_in_one_picture() -> None:
    face = cv2.resize(drawn_faces(1, 1).picture, (80, 80), interpolation=cv2.INTER_AREA)
    boxes = FaceFinder(smallest_px=10)(np.tile(face, (10, 20, 1)))
    assert len(boxes.scores) == 200


@pytest.mark.parametrize("smallest_px", [0, -3, float("nan"), float("inf")])
def test_invalid_smallest_px_is_refused(smallest_px: float) -> None:
    with pytest.raises(InputError, match=r"smallest_px: is .*, expected a distance between the eyes above 0 px"):
        FaceFinder(smallest_px=smallest_px)


@pytest.mark.parametrize("smallest", ["0", "-3", "nan", "inf"])
def test_command_refuses_an_invalid_smallest_option(smallest: str, tmp_path: Path) -> None:
    command = ["predict", str(EXAMPLE), "--detector", "face-finder", f"--smallest={smallest}", "--out"]
    with pytest.raises(InputError, match=r"^--smallest \S+: give a distance between the eyes above 0 px$"):
        facial_keypoints([*command, str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


def test_smallest_option_is_refused_for_other_detectors() -> None:
    with pytest.raises(InputError, match="--smallest 20: is for --detector face-finder only; leave it out"):
        chosen_detector("haar", smallest_px=20)


@pytest.mark.parametrize(
    "damage",
    [lambda content: b"", lambda content: content[: len(content) // 2], lambda content: content[:-9] + b"123456789"],
)
def test_damaged_model_file_is_refused(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    folder = tmp_path / "finder"
    shutil.copytree(shipped_finder(), folder)
    file = folder / "model.onnx"
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(InputError, match=r"model\.onnx: is cut off or altered; export it again with") as error:
        FaceFinder(folder)
    assert "\n" not in str(error.value)


def test_folder_without_a_face_finder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such folder; give one that `python -m detection\.train` wrote"):
        FaceFinder(tmp_path / "missing")
    with pytest.raises(InputError, match=r"model\.onnx: no such file; write it with `python -m detection\.export"):
        FaceFinder(tmp_path)
    with pytest.raises(InputError, match=r"is not a face finder|fails on a picture"):
        FaceFinder(find("v2"))
    with pytest.raises(InputError, match="threads: is 0, expected at least 1"):
        FaceFinder(threads=0)


def test_face_finder_is_not_offered_as_a_keypoint_model() -> None:
    assert shipped_finder().name not in shipped()
    with pytest.raises(InputError, match="no such model; give one of v2, v2-68"):
        Predictor("face-finder")


def test_copied_and_pickled_face_finders_give_the_same_boxes(finder: FaceFinder, example: UInt8) -> None:
    own = FaceFinder(shipped_finder(), smallest_px=20, threads=1)
    for one in (finder, own):
        for other in (copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
            np.testing.assert_array_equal(other(example).xywh, one(example).xywh)


def test_int8_model_finds_the_same_faces(finder: FaceFinder, example: UInt8) -> None:
    assert len(FaceFinder(int8=True)(example).scores) == len(finder(example).scores)

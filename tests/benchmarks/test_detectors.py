"""Which faces count as found, how pictures are changed, and hand calculations of MediaPipe's anchors."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import mediapipe_detectors
from benchmarks.detectors import (
    Counts,
    conditions_report,
    count,
    faces_report,
    is_found,
    main,
    matches,
    rotated_by,
    with_eyes,
)
from data_prep.faces import SPLITS
from detection.scenes import read_scenes
from facial_keypoints import Predictor
from facial_keypoints.array_types import Float64
from facial_keypoints.boxes import USUAL_EYES, Boxes, Detector
from facial_keypoints.detectors.five_points import boxes_of, fitted_boxes
from facial_keypoints.errors import InputError
from facial_keypoints.pictures import read_picture
from tests.detection.scenes import mean_face, write_scenes


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scenes(tmp_path_factory.mktemp("data") / "scenes", 2)


def at(points: Float64) -> Detector:
    """Returns a detector that finds faces at these points in every picture."""
    return lambda _: boxes_of(points, np.ones(len(points)))


@pytest.mark.parametrize(
    ("x", "side", "found"), [(100, 50, True), (114, 50, True), (116, 50, False), (100, 79, True), (100, 81, False)]
)
def test_face_is_found_by_a_box_of_similar_position_and_size(x: float, side: float, found: bool) -> None:
    middle, sides, _ = fitted_boxes(mean_face(x, 100, side))
    assert matches(mean_face(100, 100, 50), middle, sides).tolist() == [[found]]
    assert is_found(boxes_of(mean_face(x, 100, side), np.ones(1)), mean_face(100, 100, 50)) == found


def test_boxes_are_compared_by_the_position_of_their_eyes() -> None:
    points = mean_face(100, 100, 50)
    (left, right) = points[0, :2]
    apart = right[0] - left[0]
    box = Boxes(np.array([[left[0], left[1] - 30, apart, 60]]), np.ones(1), np.zeros(1), USUAL_EYES)
    assert not is_found(box, points)  # its eyes would be only a third as far apart
    assert is_found(box._replace(eyes=USUAL_EYES._replace(apart=1.0, middle_y=0.5)), points)


def test_found_missed_and_false_faces_are_counted(folder: Path) -> None:
    predictor = Predictor("v2", threads=1)
    scene, _, none = read_scenes(folder)
    counts = Counts()
    count(scene, read_picture(scene.file), predictor, at(scene.points), counts)
    assert (counts.marked, counts.further, len(counts.false)) == (1, 0, 0)
    assert counts.errors[0] < 20
    count(scene, read_picture(scene.file), predictor, at(np.zeros((0, 5, 2))), counts)
    assert counts.marked == 1
    elsewhere = read_picture(scene.file)
    count(none, elsewhere, predictor, at(scene.points), counts)  # the same points in a picture without a face
    assert [file.name for file, _ in counts.false] == ["noise.png"]
    assert counts.whole > 0


def test_tables_have_a_row_or_a_column_for_each_detector(folder: Path, tmp_path: Path) -> None:
    scenes = read_scenes(folder)[:1]
    detectors: dict[str, Detector] = {"right": at(scenes[0].points), "none": at(np.zeros((0, 5, 2)))}
    text = faces_report(scenes, detectors, Predictor("v2", threads=1), tmp_path / "false")
    assert "| right | 1 | 0 | 0 |" in text
    assert "| none | 0 | 0 | 0 |" in text
    assert "| as they are | 100.0 % | 0.0 % |" in conditions_report(scenes, detectors)


def test_changing_a_picture_moves_its_points() -> None:
    picture = np.zeros((200, 300, 3), np.uint8)
    points = mean_face(100, 100, 100)
    for eyes in (10, 70):
        changed, moved = with_eyes(eyes, picture, points)
        assert fitted_boxes(moved)[1][0] * USUAL_EYES.apart == pytest.approx(eyes, rel=0.02)
        assert changed.shape[1] == pytest.approx(300 * eyes / 35, abs=1)
    changed, moved = rotated_by(90, picture, points)
    assert changed.shape == (300, 200, 3)
    assert fitted_boxes(moved)[2][0] == pytest.approx(90)


def test_folder_without_pictures_of_the_split_is_rejected(tmp_path: Path) -> None:
    folder = write_scenes(tmp_path / "scenes", 0)
    assert [split for split in SPLITS if read_scenes(folder, split)] == ["train"]
    with pytest.raises(InputError, match="has no pictures in the test split; give another --split"):
        main([str(folder), "--detector", "haar"])


def test_mediapipe_anchors_and_points_match_hand_calculation() -> None:
    anchors = mediapipe_detectors.anchors_of(mediapipe_detectors.SHORT)
    assert anchors.shape == (896, 2)
    assert anchors[:3].tolist() == [[4, 4], [4, 4], [12, 4]]
    assert len(mediapipe_detectors.anchors_of(mediapipe_detectors.FULL)) == 2304
    values, logits = np.zeros((896, 16), np.float32), np.full(896, -9, np.float32)
    values[2, 2:4], logits[2] = 40, 5
    values[3, 2:4], logits[3] = 40, 3  # the same face
    values[2, 4:12] = [-8, -6, 8, -6, 0, 0, 0, 9]
    points, scores = mediapipe_detectors.decode_faces(values, logits, anchors)
    assert points.tolist() == [[[4, -2], [20, -2], [12, 4], [12, 13]]]
    assert scores == pytest.approx(1 / (1 + np.exp(-5)))


def test_picture_is_centered_in_the_mediapipe_input() -> None:
    picture = np.full((100, 200, 3), 255, np.uint8)
    image, back = mediapipe_detectors.network_input(picture, 128)
    assert image.shape == (1, 128, 128, 3)
    assert image[0, 64, 64, 0] == 1
    assert image[0, 10, 64, 0] == -1
    np.testing.assert_allclose(back @ (64, 64, 1), (100, 50))

"""Aligned crops: five keypoints are moved to the template from any position, rotation and size."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from facial_keypoints.__main__ import main
from facial_keypoints.aligning import TEMPLATE_PX, align, alignment_matrix
from facial_keypoints.errors import InputError
from facial_keypoints.face import Face
from facial_keypoints.geometry import crop, transform
from facial_keypoints.keypoint_set import FACE15, from_names
from facial_keypoints.pictures import read_picture
from facial_keypoints.predictor import Predictor
from tests.conftest import ROOT

PHOTO = ROOT.parent / "shared" / "photos" / "six_faces.jpg"
CHOSEN = [FACE15.index(name) for name in TEMPLATE_PX]


def face_at(five: np.ndarray) -> Face:
    """Returns a face with these five template keypoints, (5, 2)."""
    keypoints = np.full((15, 2), 9.0, np.float32)
    keypoints[CHOSEN] = five
    return Face((0, 0, 100, 100), keypoints, None, np.eye(2, 3), FACE15)


TEMPLATE = np.array(list(TEMPLATE_PX.values()))


@given(st.floats(0.1, 10), st.floats(-3.1, 3.1), st.floats(-300, 300), st.sampled_from([112, 224]))
def test_alignment_moves_keypoints_to_the_template_from_any_position(
    scale: float, turn: float, shift: float, size_px: int
) -> None:
    step = scale * np.exp(1j * turn)
    moved = transform(TEMPLATE, np.array([[step.real, -step.imag, shift], [step.imag, step.real, -shift]]))
    found = transform(moved, alignment_matrix(face_at(moved), size_px))
    np.testing.assert_allclose((found + 0.5) * 112 / size_px - 0.5, TEMPLATE, atol=0.01)


def test_alignment_needs_five_roles_and_names_a_missing_one() -> None:
    five = from_names("five", list(TEMPLATE_PX), "five.csv")
    face = Face((0, 0, 100, 100), TEMPLATE.astype(np.float32), None, np.eye(2, 3), five)
    np.testing.assert_allclose(alignment_matrix(face), np.eye(2, 3), atol=1e-4)
    four = Face(
        (0, 0, 100, 100), np.zeros((4, 2), np.float32), None, np.eye(2, 3), from_names("four", five.names[:4], "f")
    )
    with pytest.raises(InputError, match="alignment needs mouth_left_corner, which the keypoint set four lacks"):
        alignment_matrix(four)


def test_margin_scales_down_around_the_middle_of_the_crop() -> None:
    matrix = alignment_matrix(face_at(TEMPLATE), 112, margin=0.5)  # 112 px more in total: half the scale
    np.testing.assert_allclose(matrix, [[0.5, 0, 27.75], [0, 0.5, 27.75]], atol=1e-4)
    np.testing.assert_allclose(matrix @ (55.5, 55.5, 1), (55.5, 55.5), atol=1e-4)


def test_align_returns_square_rgb_crops_of_the_requested_size() -> None:
    gray = np.full((300, 200), 90, np.uint8)
    crops = align(gray, [face_at(TEMPLATE), face_at(TEMPLATE + 20)], 64)
    assert crops.shape == (2, 64, 64, 3)
    assert (crops == 90).all()
    assert align(gray, [], 64).shape == (0, 64, 64, 3)


def test_align_command_writes_level_faces_and_their_matrices(tmp_path: Path) -> None:
    if not PHOTO.is_file():
        pytest.skip("no photos")
    out = tmp_path / "out"
    main(["align", str(PHOTO), "--size", "160", "--margin", "0.1", "--out", str(out)])
    with (out / "crops.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["crop"] for row in rows] == [f"six_faces.jpg.{number}.png" for number in range(6)]
    picture = read_picture(PHOTO)
    for row, face in zip(rows, Predictor(threads=1).predict(picture), strict=True):
        matrix = np.array([float(row[name]) for name in ("xx", "xy", "x0", "yx", "yy", "y0")]).reshape(2, 3)
        cropped = np.asarray(Image.open(out / row["crop"]), int)
        assert (cropped == align(PHOTO, [face], 160, 0.1)[0]).all()
        assert np.abs(cropped - crop(picture, matrix, 160, 160)).max() <= 1
        found = transform(face.keypoints[CHOSEN], matrix)
        assert abs(found[0, 1] - found[1, 1]) < 6  # eyes are level
        assert np.linalg.norm(found.mean(axis=0) - ((TEMPLATE + 0.5) / 112 + 0.1).mean(axis=0) / 1.2 * 160) < 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--size", "0"], "--size 0: must be 1 to 4096 px"),
        (["--margin", "-1"], "--margin -1.0: must be 0 to 2"),
        (["--margin", "nan"], "--margin nan: must be 0 to 2"),
    ],
)
def test_bad_options_and_clips_are_refused_and_nothing_is_written(
    tmp_path: Path, options: list[str], message: str
) -> None:
    picture = tmp_path / "gray.png"
    Image.new("L", (50, 50)).save(picture)
    with pytest.raises(InputError, match=message):
        main(["align", str(picture), "--out", str(tmp_path / "out"), *options])
    clip = tmp_path / "clip.mp4"
    with pytest.raises(InputError, match="is a clip"):
        main(["align", str(clip), "--out", str(tmp_path / "out")])
    assert list(tmp_path.iterdir()) == [picture]


def test_picture_without_faces_gives_an_empty_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "gray.png"
    Image.new("L", (50, 50)).save(picture)
    main(["align", str(picture), "--out", str(tmp_path / "out")])
    assert "0 faces in 1 picture" in capsys.readouterr().out
    assert (tmp_path / "out" / "crops.csv").read_text(encoding="utf-8") == "file,face,crop,xx,xy,x0,yx,yy,y0\n"

"""Filters follow their anchors and blend without fringes, and a blur makes a face unrecognizable."""

import functools
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from facial_keypoints.__main__ import main
from facial_keypoints.array_types import UInt8
from facial_keypoints.cli import filter as filter_command
from facial_keypoints.errors import InputError
from facial_keypoints.face import Face
from facial_keypoints.filters.apply import apply_filter, fit_filter
from facial_keypoints.filters.files import FOLDER, load_filter, names
from facial_keypoints.geometry import fit_similarity, transform
from facial_keypoints.keypoint_set import FACE15, FACE68, as_face15, from_names
from facial_keypoints.pictures import read_picture
from facial_keypoints.predictor import Predictor
from facial_keypoints.video import clips
from tests.conftest import ROOT

PHOTOS = ROOT.parent / "shared" / "photos"
EYES_AND_NOSE = {"left_eye_center": (9.5, 0.5), "right_eye_center": (0.5, 0.5), "nose_tip": (5, 7)}


def face_at(positions: dict[str, tuple[float, float]], **more: Any) -> Face:
    """Returns a face with these keypoints; the values of the others do not matter."""
    keypoints = np.full((15, 2), 3.0, np.float32)
    for name, position in positions.items():
        keypoints[FACE15.index(name)] = position
    values: dict[str, Any] = {"box": (0, 0, 10, 10), "keypoints": keypoints, "expected_error": None}
    return Face(**values | {"crop": np.eye(2, 3), "keypoint_set": FACE15} | more)


load_cached = functools.cache(load_filter)


def anchor(name: str, x: float, y: float, depth: float = 0) -> dict[str, Any]:
    return {"keypoints": [name], "x": x, "y": y, "depth": depth}


def write_filter(folder: Path, rgba: UInt8, anchors: Sequence[dict[str, Any]], **more: str) -> Path:
    path = folder / "mine.png"
    Image.fromarray(rgba).save(path)
    path.with_suffix(".json").write_text(json.dumps({"anchors": anchors, **more}), encoding="utf-8")
    return path


def flat_anchors(scale: float = 1) -> list[dict[str, Any]]:
    return [anchor(name, x * scale, y * scale) for name, (x, y) in EYES_AND_NOSE.items()]


@pytest.mark.parametrize("name", names())
def test_fit_of_each_filter_recovers_the_transform_of_its_anchors(name: str) -> None:
    filter = load_cached(name)
    moved = np.array([[0.3, -0.2, 50], [0.2, 0.3, -20]])
    face = face_at({})
    for group, position in zip(filter.anchors, filter.positions, strict=True):
        face.keypoints[list(group)] = moved @ (position[0], position[1], 1)
    np.testing.assert_allclose(fit_filter(filter, face), moved, atol=1e-3)
    assert (FOLDER / f"{name}.png").stat().st_size < 100_000


@given(st.integers(0, 2**32 - 1))
def test_fit_without_depth_is_the_least_squares_similarity(seed: int) -> None:
    clown = load_cached("clown")
    flat = replace(clown, positions=clown.positions * (1, 1, 0))
    face = face_at({}, keypoints=np.random.default_rng(seed).uniform(0, 500, (15, 2)).astype(np.float32))
    targets = face.keypoints[[group[0] for group in flat.anchors]]
    np.testing.assert_allclose(fit_filter(flat, face), fit_similarity(flat.positions[:, :2], targets)[0], atol=1e-3)


@pytest.mark.parametrize("fit", ["similarity", "affine"])
def test_filter_behind_the_face_moves_against_the_nose(tmp_path: Path, fit: str) -> None:
    """The nose tip is 4 px in front of eyes and mouth and 12 px in front of the hat; it moves 2 px, the hat -4 px."""
    positions = {"left_eye_center": (9.0, 0.0), "right_eye_center": (0.0, 0.0), "mouth_left_corner": (8.0, 10.0)}
    positions |= {"mouth_right_corner": (1.0, 10.0), "nose_tip": (4.5, 6.0)}
    depths = dict.fromkeys(positions, 8) | {"nose_tip": 12}
    anchors = [anchor(name, *position, depths[name]) for name, position in positions.items()]
    hat = load_filter(write_filter(tmp_path, np.full((4, 4, 4), 255, np.uint8), anchors, fit=fit))
    turned = face_at(positions | {"nose_tip": (6.5, 6.0)})
    np.testing.assert_allclose(fit_filter(hat, turned), [[1, 0, -4], [0, 1, 0]], atol=1e-6)


def test_colors_blend_by_alpha_and_other_pixels_are_unchanged(tmp_path: Path) -> None:
    rgba = np.zeros((10, 10, 4), np.uint8)
    rgba[2, 3] = (200, 100, 0, 255)
    rgba[2, 4] = (200, 100, 0, 51)  # a fifth
    mine = load_filter(write_filter(tmp_path, rgba, flat_anchors()))
    picture: UInt8 = np.full((12, 14, 3), 50, np.uint8)
    positions = {name: (x + 4, y + 1) for name, (x, y) in EYES_AND_NOSE.items()}  # 4 px to the right, 1 px down
    painted = apply_filter(picture, [face_at(positions)], mine)
    expected = picture.copy()
    expected[3, 7], expected[3, 8] = (200, 100, 0), (80, 60, 40)
    np.testing.assert_array_equal(painted, expected)
    assert (picture == 50).all()


def test_edges_have_no_fringe_of_the_transparent_color(tmp_path: Path) -> None:
    y, x = np.mgrid[:101, :101]
    rgba: UInt8 = np.zeros((101, 101, 4), np.uint8)
    rgba[..., 1] = 255  # green where it is transparent
    rgba[np.hypot(y - 50, x - 50) < 40] = (255, 0, 0, 255)
    mine = load_filter(write_filter(tmp_path, rgba, flat_anchors(scale=10.1)))
    for size in (1, 3.7, 30):  # from a tenth to three times the PNG's size
        positions = {name: (x * size + 0.3, y * size + 0.6) for name, (x, y) in EYES_AND_NOSE.items()}
        painted = apply_filter(np.zeros((200, 200, 3), np.uint8), [face_at(positions)], mine)
        assert painted[..., 0].max() == 255
        assert painted[..., 1:].max() == 0


@pytest.mark.parametrize("scale", [0.02, 0.13, 0.4, 0.5])
@pytest.mark.parametrize("turn", [0, 0.4, 3])
def test_fine_pattern_becomes_its_mean_when_shrunk(tmp_path: Path, scale: float, turn: float) -> None:
    board = np.indices((256, 256)).sum(axis=0) % 2 * 255
    rgba = np.stack([board, board, board, np.full_like(board, 255)], axis=-1).astype(np.uint8)
    points = np.array([[0, 0], [255, 0], [0, 255]])
    step = scale * np.exp(1j * turn)
    matrix = np.array([[step.real, -step.imag, 100], [step.imag, step.real, 100]])
    anchors = [anchor(name, x, y) for name, (x, y) in zip(EYES_AND_NOSE, points.tolist(), strict=True)]
    mine = load_filter(write_filter(tmp_path, rgba, anchors))
    positions = transform(points[None], matrix)[0]
    painted = apply_filter(
        np.full((200, 200, 3), 128, np.uint8), [face_at(dict(zip(EYES_AND_NOSE, positions, strict=True)))], mine
    )
    assert np.abs(painted.astype(int) - 128).max() <= 8  # 2.5 x 2.5 squares are not exactly half white


def test_larger_face_is_painted_in_front(tmp_path: Path) -> None:
    rgba = np.full((10, 10, 4), 255, np.uint8)
    rgba[:, :5, 1:3] = 0  # red on the left, white on the right
    mine = load_filter(write_filter(tmp_path, rgba, flat_anchors()))
    large = face_at({name: (4 * x, 4 * y) for name, (x, y) in EYES_AND_NOSE.items()}, box=(0, 0, 40, 40))
    small = face_at({name: (x + 2, y + 2) for name, (x, y) in EYES_AND_NOSE.items()}, box=(0, 0, 10, 10))
    for faces in ([large, small], [small, large]):
        painted = apply_filter(np.zeros((50, 50, 3), np.uint8), faces, mine)
        assert (painted[4:10, 4:15] == (255, 0, 0)).all()


def test_filter_is_painted_alike_on_68_and_15_keypoints() -> None:
    points = np.random.default_rng(0).uniform(60, 140, (68, 2)).astype(np.float32)
    face68 = face_at({}, keypoints=points, keypoint_set=FACE68)
    face15 = face_at({}, keypoints=as_face15(points))
    picture = np.zeros((200, 200, 3), np.uint8)
    for name in ("hat", "sunglasses"):
        painted = [apply_filter(picture, [face], load_filter(name)) for face in (face68, face15)]
        assert painted[0].any()
        np.testing.assert_allclose(painted[0], painted[1], atol=1)


def test_filter_needs_only_its_own_keypoints_and_refuses_sets_without_them() -> None:
    points = np.random.default_rng(0).uniform(60, 140, (15, 2)).astype(np.float32)
    sunglasses, picture = load_filter("sunglasses"), np.zeros((200, 200, 3), np.uint8)
    used = sorted({k for group in sunglasses.anchors for k in group})
    smaller_set = from_names("some", [FACE15.names[k] for k in used], "some.csv")
    painted = apply_filter(picture, [face_at({}, keypoints=points[used], keypoint_set=smaller_set)], sunglasses)
    np.testing.assert_array_equal(painted, apply_filter(picture, [face_at({}, keypoints=points)], sunglasses))
    few = face_at({}, keypoints=points[:2], keypoint_set=from_names("two", FACE15.names[:2], "two.csv"))
    with pytest.raises(InputError, match=r"the filter needs .*, which the keypoint set two lacks; .*keypoints\.toml"):
        apply_filter(picture, [few], "moustache")


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("keypoints", [np.full((15, 2), 7), np.full((15, 2), -1e6), np.arange(30).reshape(15, 2) * 1e4])
def test_implausible_keypoints_raise_no_error(name: str, keypoints: np.ndarray) -> None:
    picture = np.zeros((20, 30, 3), np.uint8)
    face = face_at({}, keypoints=keypoints.astype(np.float32), box=(-1e6, -1e6, 1, 1))
    assert apply_filter(picture, [face], load_cached(name)).shape == picture.shape


# A face that looks at the camera, eye distance 100 px: eye centers, nose tip, mouth corners.
FRONTAL = {"left_eye_center": (250.0, 150.0), "right_eye_center": (150.0, 150.0), "nose_tip": (200.0, 205.0)}
BOX = (70.0, 50.0, 260.0, 260.0)
FRONTAL |= {"mouth_left_corner": (243.0, 252.0), "mouth_right_corner": (157.0, 252.0)}


def test_blur_removes_detail_from_the_forehead_to_the_chin() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (450, 400, 3)).astype(np.uint8)
    blurred = apply_filter(noise, [face_at(FRONTAL, box=BOX)], load_cached("blur"))
    for x, y in ((200, 50), (200, 150), (95, 160), (305, 160), (110, 240), (290, 240), (200, 320)):
        around = blurred[y - 6 : y + 6, x - 6 : x + 6].astype(float)
        assert around.std(axis=(0, 1)).max() < 6, (x, y)  # 74 before the blur
    np.testing.assert_array_equal(blurred[:, :10], noise[:, :10])


def test_blur_keeps_too_few_values_to_identify_a_person() -> None:
    """A blurred face holds at most 36 values: its rows and columns span no more than 6 dimensions each."""
    noise = np.random.default_rng(1).integers(0, 256, (450, 400, 3)).astype(np.uint8)
    inside = apply_filter(noise, [face_at(FRONTAL, box=BOX)], load_cached("blur"))[60:320:3, 110:290:3, 0].astype(float)
    values = np.linalg.svd(inside, compute_uv=False)
    assert values[6] < 0.003 * values[0]  # rounding errors


def test_blur_covers_the_whole_box_and_grows_with_expected_errors() -> None:
    noise = np.random.default_rng(2).integers(0, 256, (450, 400, 3)).astype(np.uint8)

    def changed(**more: Any) -> np.ndarray:
        blurred = apply_filter(noise, [face_at(FRONTAL, **more)], load_cached("blur"))
        return np.asarray((blurred != noise).any(axis=-1))

    assert changed(box=(0, 350, 90, 90))[360:430, 10:80].mean() > 0.95
    assert changed(expected_error=np.full(15, 20, np.float32)).sum() > 1.1 * changed().sum()


def test_blurred_faces_of_a_photo_are_not_detected() -> None:
    path = PHOTOS / "six_faces.jpg"
    if not path.is_file():
        pytest.skip("no photos")
    predictor, picture = Predictor(threads=1), read_picture(path)
    faces = predictor.predict(picture)
    assert len(faces) == 6
    x, y, width, height = np.array([face.box for face in faces]).T
    for found in predictor.predict(apply_filter(picture, faces, load_cached("blur"))):  # others elsewhere are allowed
        center = np.array(found.box[:2]) + np.array(found.box[2:]) / 2
        assert not ((x < center[0]) & (center[0] < x + width) & (y < center[1]) & (center[1] < y + height)).any()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("{", "does not list anchors"),
        ({}, "does not list anchors"),
        ({"anchors": [{"keypoints": ["nose_tip"], "x": 1}]}, "does not list anchors"),
        ({"anchors": [{"keypoints": ["nose_tip"], "x": "left", "y": 2}]}, "does not list anchors"),
        ({"anchors": flat_anchors(), "fits": "affine"}, "'fits', which is not a known key"),
        ({"anchors": flat_anchors(), "fit": "tight"}, "fit must be one of similarity, affine"),
        ({"anchors": [anchor("nose", 1, 2)]}, "anchor 1 has the unknown keypoint 'nose'; known: left_eye_center"),
        ({"anchors": [{"keypoints": [], "x": 1, "y": 2}]}, "anchor 1 has no keypoint"),
        ({"anchors": []}, "0 anchors are too few or coincide; a fit of kind similarity needs 2"),
        ({"anchors": flat_anchors()[:1]}, "1 anchors are too few"),
        ({"anchors": flat_anchors()[:2], "fit": "affine"}, "a fit of kind affine needs 3"),
        ({"anchors": flat_anchors(scale=0)}, "at different points"),
        ({"anchors": [anchor(name, x, 0) for name, (x, _) in EYES_AND_NOSE.items()], "fit": "affine"}, "on one line"),
        ({"anchors": [anchor("nose_tip", float("nan"), 0)]}, "must be numbers"),
    ],
)
def test_invalid_anchors_are_refused_with_the_name_of_the_file(tmp_path: Path, values: Any, message: str) -> None:
    path = write_filter(tmp_path, np.zeros((5, 5, 4), np.uint8), [])
    path.with_suffix(".json").write_text(values if isinstance(values, str) else json.dumps(values), encoding="utf-8")
    with pytest.raises(InputError, match=message) as caught:
        load_filter(path)
    assert str(caught.value).startswith(str(path.with_suffix(".json")))


def test_missing_or_invalid_filter_png_or_json_is_refused(tmp_path: Path) -> None:
    path = write_filter(tmp_path, np.zeros((5, 5, 3), np.uint8), flat_anchors())
    with pytest.raises(InputError, match=r"mine.png: has no alpha"):
        load_filter(path)
    path.write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"mine.png: is not a readable PNG"):
        load_filter(path)
    Image.new("RGBA", (5000, 1)).save(path)
    with pytest.raises(InputError, match=r"is 5000 x 1 px; make its sides at most 4096"):
        load_filter(path)
    Image.new("RGBA", (5, 5)).save(path)
    path.with_suffix(".json").unlink()
    with pytest.raises(InputError, match=r"mine.json: cannot be read"):
        load_filter(path)
    with pytest.raises(InputError, match=r"other.png: no such file"):
        load_filter(tmp_path / "other.png")
    with pytest.raises(InputError, match=r"wig: no such filter; give one of blur, .*, sunglasses, or a .png file"):
        load_filter("wig")


def test_filter_command_paints_pictures_and_clips_and_skips_bad_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if not PHOTOS.is_dir():
        pytest.skip("no photos")
    face = read_picture(PHOTOS / "one_face.png")
    folder = tmp_path / "in"
    folder.mkdir()
    Image.fromarray(face).save(folder / "face.png")
    Image.fromarray(np.full_like(face, 90)).save(folder / "gray.png")
    (folder / "bad.png").write_bytes(b"")
    clip = clips.Clip(tmp_path / "film.mp4", face.shape[1], face.shape[0], 10.0, 3)
    clips.write_clip(clip.path, clip, [face] * 3)
    no_face_clip = clip._replace(path=tmp_path / "nobody.mp4")
    clips.write_clip(no_face_clip.path, no_face_clip, [np.full_like(face, 90)] * 3)
    out = tmp_path / "out"
    command = [
        "filter",
        str(folder),
        str(clip.path),
        str(no_face_clip.path),
        "--filter",
        "hat",
        "--filter",
        "clown",
        "--out",
        str(out),
    ]
    with pytest.raises(InputError, match=r"unread\.csv: 1 of 3 pictures could not be read"):
        main(command)
    printed = capsys.readouterr()
    assert "1 face in 2 pictures; no face found in 1 of them, written unchanged" in printed.out
    assert "; 2 clips of 6 frames, no face found in 3 of them, written unchanged" in printed.out
    assert "skipped:" in printed.err
    painted = read_picture(out / "face.png")
    (found,) = Predictor(threads=1).predict(face)
    (eye, other), (x, y) = found.keypoints[:2], found.keypoints[FACE15.index("nose_tip")].astype(int)
    nose, hat = painted[y, x].astype(int), painted[int(y - 2.8 * abs(eye - other)[0]), x]
    assert nose[0] > 150 > 2 * nose[1]
    assert hat.max() < 110  # black
    assert (read_picture(out / "gray.png") == 90).all()
    frames = [frame.picture for frame in clips.read_frames(clips.read_clip(out / "film.mp4"))]
    assert len(frames) == 3
    changed = np.abs(painted.astype(int) - face).max(axis=-1) > 60
    for frame in frames:  # lossy compression
        assert np.abs(frame[changed].astype(int) - painted[changed]).mean() < 15
        assert np.abs(frame[changed].astype(int) - face[changed]).mean() > 60
    with pytest.raises(InputError, match="exists already"):
        main(command)


@pytest.mark.parametrize("bad", ["bad.png", "bad.mp4"])
def test_filter_command_writes_nothing_if_no_input_is_readable(tmp_path: Path, bad: str) -> None:
    (tmp_path / bad).write_text("hello", encoding="utf-8")
    with pytest.raises(InputError, match=bad):
        main(["filter", str(tmp_path / bad), "--filter", "hat", "--out", str(tmp_path / "out")])
    assert [path.name for path in tmp_path.iterdir()] == [bad]


def test_bad_clip_is_refused_before_a_picture_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pictures are never read, so a folder of thousands costs no time."""
    Image.new("RGB", (90, 60)).save(tmp_path / "gray.png")
    (tmp_path / "bad.mp4").write_text("hello", encoding="utf-8")
    monkeypatch.setattr(filter_command, "read_picture", lambda path: pytest.fail(f"{path} was read"))
    paths = [str(tmp_path / name) for name in ("gray.png", "bad.mp4")]
    with pytest.raises(InputError, match=r"bad\.mp4: cannot be decoded as a clip"):
        main(["filter", *paths, "--filter", "hat", "--out", str(tmp_path / "out")])
    assert {path.name for path in tmp_path.iterdir()} == {"gray.png", "bad.mp4"}

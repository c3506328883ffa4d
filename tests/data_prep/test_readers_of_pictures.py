"""The layouts of labelled pictures: what is read from each, and a one-line error for each fault."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from data_prep.inputs import read_pictures
from data_prep.prepare import input_hashes
from data_prep.readers import frames as frames_reader
from data_prep.readers import imglab, pictures_csv, pts
from data_prep.readers.labelled_pictures import TEST, TRAINING, UNSPLIT, picture_id
from data_prep.readers.pictures import read_picture
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15, FACE68
from tests.data_prep.pictures import (
    face_68,
    imglab_text,
    pts_text,
    save_five,
    save_frames,
    save_picture,
    save_pts,
)

TRAINING_CSV = "training_frames_keypoints.csv"


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    names = {"training": ["Ann_van_Lee_10.jpg", "Ann_van_Lee_11.jpg"], "test": ["Bo_1.jpg"]}
    return save_frames(tmp_path / "frames", names)


def test_frames_have_the_split_and_the_person_of_their_path(frames: Path) -> None:
    save_picture(frames / "test" / "nobody_labelled_me_1.jpg")
    read = frames_reader.read(frames)
    assert [face.file.relative_to(frames).as_posix() for face in read.faces] == [
        "training/Ann_van_Lee_10.jpg",
        "training/Ann_van_Lee_11.jpg",
        "test/Bo_1.jpg",
    ]
    assert [face.person for face in read.faces] == ["yt:Ann_van_Lee", "yt:Ann_van_Lee", "yt:Bo"]
    assert [face.split for face in read.faces] == [TRAINING, TRAINING, TEST]
    assert read.label_source is not None
    assert FACE68.label_sources[read.label_source].name == "frames"
    assert read.description == "training: 2 pictures, 2 of them labelled; test: 2 pictures, 1 of them labelled"
    np.testing.assert_array_equal(read.faces[2].keypoints, face_68())


@pytest.mark.parametrize("head", ["version: 1\nn_points: 68\n{\n", "{\n", ""])
def test_pts_points_count_from_1_with_or_without_a_header(tmp_path: Path, head: str) -> None:
    lines = pts_text(face_68()).partition("{\n")[2]
    (tmp_path / "a.pts").write_text(head + (lines if head else lines.replace("}", "")), encoding="utf-8")
    np.testing.assert_allclose(pts.read_points(tmp_path / "a.pts")[0], face_68(), atol=1e-5)


def test_merl_rav_pts_marks_unlabelled_and_occluded_points(tmp_path: Path) -> None:
    """`-1 -1` means unlabelled; two other negative coordinates mean an occluded keypoint at the positive position."""
    points = face_68()
    text = pts_text(points).replace("21.0 31.0", "-1 -1.000").replace("81.0 101.0", "-81.0 -101.0")
    text = text.replace("36.0 51.0", "-3.5 51.0", 1)  # a label outside the picture, as in the ibug set
    (tmp_path / "a.pts").write_text(text, encoding="utf-8")
    read, occluded = pts.read_points(tmp_path / "a.pts")
    assert np.isnan(read[0]).all()
    assert read[8].tolist() == points[8].tolist() == [80, 100]
    assert read[36].tolist() == [-4.5, 50]
    assert np.flatnonzero(occluded).tolist() == [8]
    others = np.setdiff1d(np.arange(68), [0, 36])
    np.testing.assert_allclose(read[others], points[others], atol=1e-5)


def test_postscript_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n")
    with pytest.raises(InputError, match=r"a\.jpg: cannot be decoded"):
        read_picture(tmp_path / "a.jpg", color=False)


def test_spaces_around_a_name_are_ignored(tmp_path: Path) -> None:
    folder = save_five(tmp_path / "five", {"a.jpg": "yt:Ann", "b.jpg": " yt:Ann "})
    assert {face.person for face in pictures_csv.read(folder).faces} == {"yt:Ann"}


def test_faces_of_one_photo_count_as_one_person(tmp_path: Path) -> None:
    folder = save_pts(tmp_path / "afw68", ["111_1", "111_2", "222_1", "image_0001", "image_0002"])
    read = pts.read(folder)
    assert [face.person for face in read.faces] == ["afw:111", "afw:111", "afw:222", "afw:image_0001", "afw:image_0002"]
    assert {face.split for face in read.faces} == {UNSPLIT}
    assert picture_id("12_3_mirror") == "12"
    assert (picture_id("12_3"), picture_id("image_0001"), picture_id("a")) == ("12", "image_0001", "a")


def test_folders_of_300_w_give_the_split_of_a_face(tmp_path: Path) -> None:
    save_pts(tmp_path / "helen" / "trainset", ["1_1"])
    save_pts(tmp_path / "helen" / "testset", ["2_1"])
    assert [(face.person, face.split) for face in pts.read(tmp_path / "helen").faces] == [
        ("helen:1", TRAINING),
        ("helen:2", TEST),
    ]


def test_imglab_points_count_from_0_and_ignored_boxes_are_skipped(tmp_path: Path) -> None:
    save_picture(tmp_path / "pictures" / "7_1.jpg")
    text = imglab_text(["pictures/7_1.jpg"]).replace("</image>", "<box ignore='1'/></image>")
    (tmp_path / "faces.xml").write_text(text, encoding="utf-8")
    (face,) = imglab.read(tmp_path / "faces.xml").faces
    assert face.person == "faces:7"
    np.testing.assert_allclose(face.keypoints, face_68(), rtol=1e-6)


def test_missing_part_in_an_imglab_file_is_unlabelled(tmp_path: Path) -> None:
    save_picture(tmp_path / "a.jpg")
    save_picture(tmp_path / "b.jpg")
    text = imglab_text(["a.jpg", "b.jpg"])
    for part in ("08", "67"):
        before, _, after = text.partition(f"<part name='{part}'")
        text = before + after.partition("/>")[2]
    (tmp_path / "faces.xml").write_text(text, encoding="utf-8")
    first, second = imglab.read(tmp_path / "faces.xml").faces
    assert np.flatnonzero(np.isnan(first.keypoints).any(axis=1)).tolist() == [8, 67]
    assert np.isfinite(second.keypoints).all()


def test_empty_cells_in_a_frames_csv_are_unlabelled(frames: Path) -> None:
    rewrite(frames / TRAINING_CSV, ",20.0,30.0,", ",,,")
    first, second, _ = frames_reader.read(frames).faces
    assert np.flatnonzero(np.isnan(first.keypoints).any(axis=1)).tolist() == [0]
    assert np.isfinite(second.keypoints).all()


def test_input_hash_of_an_imglab_file_covers_its_pictures(tmp_path: Path) -> None:
    """The pipeline runs again if a picture has changed, not only if the file that lists it has."""
    (tmp_path / "faces.xml").write_text(imglab_text(["a.png"]), encoding="utf-8")
    hashes = []
    for gray in (10, 20, 20):
        cv2.imwrite(str(tmp_path / "a.png"), np.full((40, 40), gray, np.uint8))
        hashes.append(input_hashes([str(tmp_path / "faces.xml")], None, 0))
    assert hashes[0] != hashes[1] == hashes[2]


def test_five_points_are_a_label_source_of_face15(tmp_path: Path) -> None:
    folder = save_five(tmp_path / "five", {"a.jpg": "yt:Ann", "b.jpg": "yt:Bo"})
    read = pictures_csv.read(folder)
    assert read.label_source is not None
    assert (read.keypoint_set, read.keypoint_set.label_sources[read.label_source].name) == (FACE15, "five")
    assert [face.person for face in read.faces] == ["yt:Ann", "yt:Bo"]
    assert read.faces[0].keypoints[FACE15.index("nose_tip")].tolist() == [50, 70]
    assert np.isnan(read.faces[0].keypoints).all(axis=1).sum() == 10


@pytest.mark.parametrize(("channels", "color", "shape"), [(4, False, 1), (4, True, 3), (1, True, 3), (3, False, 1)])
def test_pictures_are_read_as_gray_or_rgb_without_alpha(tmp_path: Path, channels: int, color: bool, shape: int) -> None:
    save_picture(tmp_path / "a.png", 20, 30, channels)
    assert read_picture(tmp_path / "a.png", color).shape == (20, 30, shape)


def test_real_sets_are_read_completely(real_data: Path) -> None:
    found = {}
    for name in ("youtube68", "lfpw68", "helen68", "afw68", "faces5"):
        if (real_data / name).is_dir():
            pictures = read_pictures(real_data / name)
            assert pictures is not None
            found[name] = len(pictures.faces), len({face.person for face in pictures.faces})
    expected = {
        "youtube68": (3653, 300),
        "lfpw68": (805, 805),
        "helen68": (810, 736),
        "afw68": (337, 185),
        "faces5": (9965, 9965),
    }
    assert found == {name: expected[name] for name in found}
    assert found


def rewrite(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


FRAMES_FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a missing picture": (
        lambda f: (f / "training" / "Ann_van_Lee_11.jpg").unlink(),
        r"training_frames_keypoints\.csv: row 1 \(line 3\): the picture .*Ann_van_Lee_11\.jpg is missing; add it",
    ),
    "a name twice": (
        lambda f: rewrite(f / TRAINING_CSV, "Lee_11", "Lee_10"),
        r"row 1 \(line 3\): labels .*Lee_10\.jpg again, after .*row 0 \(line 2\); remove one of them",
    ),
    "135 values": (
        lambda f: (f / TRAINING_CSV).write_text("," * 135 + "\na.jpg" + ",1" * 135 + "\n", encoding="utf-8"),
        r"has 135 columns after the file names, expected 136",
    ),
    "a row of 135 values": (
        lambda f: rewrite(f / TRAINING_CSV, "20.0,30.0,", "20.0,"),
        r"line 2: has 136 cells where the header has 137",
    ),
    "text for a number": (
        lambda f: rewrite(f / TRAINING_CSV, "20.0", "left"),
        r"row 0 \(line 2\): has 'left' as jaw_1_x, which is not a number of px; correct it, or empty the cell",
    ),
    "too large a number": (lambda f: rewrite(f / TRAINING_CSV, "20.0", "1e40"), r"has '1e40' as jaw_1_x, which is no"),
    "a name that leads out": (
        lambda f: rewrite(f / TRAINING_CSV, "Ann_van_Lee_11", "../../Ann_van_Lee_11"),
        r"row 1 \(line 3\): names the picture '\.\./\.\./Ann_van_Lee_11\.jpg', which is not a name in .*training",
    ),
    "no name": (
        lambda f: rewrite(f / TRAINING_CSV, "Ann_van_Lee_11.jpg", "."),
        r"names the picture '\.', which is not a name",
    ),
    "a number for no label": (
        lambda f: rewrite(f / TRAINING_CSV, "20.0,30.0", "0,0"),
        r"row 0 \(line 2\): has 0, 0 as jaw_1, which often stands for a missing label; empty both cells if",
    ),
    "too long a name": (
        lambda f: rewrite(f / TRAINING_CSV, "Lee_11", "e" * 300),
        r"row 1 \(line 3\): the picture .*e is missing",
    ),
    "an absolute name": (
        lambda f: rewrite(f / TRAINING_CSV, "Ann_van_Lee_11", "/etc/passwd"),
        r"names the picture '/etc/passwd\.jpg', which is not a name in",
    ),
}


@pytest.mark.parametrize("fault", FRAMES_FAULTS)
def test_bad_frames_csv_gives_a_one_line_error(frames: Path, fault: str) -> None:
    break_it, message = FRAMES_FAULTS[fault]
    break_it(frames)
    with pytest.raises(InputError, match=message) as error:
        frames_reader.read(frames)
    assert "\n" not in str(error.value)


PTS_FAULTS: dict[str, tuple[str | bytes, str]] = {
    "nan": (pts_text(face_68()).replace("21.0 31.0", "nan 31.0"), r"b\.pts: x of point 1 of 68 is 'nan', not a number"),
    "text": (pts_text(face_68()).replace("21.0 31.0", "21.0 up"), r"b\.pts: y of point 1 of 68 is 'up', not a number"),
    "no text": (b"\x81{", r"b\.pts: is not a \.pts file, or neither UTF-8 nor Windows-1252"),
    "zeros": (pts_text(face_68()).replace("21.0 31.0", "0 0"), r"b\.pts: point 1 of 68 is 0 0, which often stands for"),
    "a point too few": (pts_text(face_68()[:67]), r"b\.pts: holds 67 points, most files here hold 68"),
    "cut off": (pts_text(face_68())[:-30], r"b\.pts: holds \d+ numbers, expected x and y of 68 points; download it"),
    "half a point": ("{ 1 2 3 }", r"b\.pts: holds 3 numbers, expected x and y of 1 points"),
    "no point": ("version: 1", r"b\.pts: holds 0 numbers, expected x and y of each point"),
    "no picture": (pts_text(face_68()), r"b\.pts: no picture b\.jpg or \.png in its folder"),
}


@pytest.mark.parametrize("fault", PTS_FAULTS)
def test_bad_pts_file_gives_a_one_line_error(tmp_path: Path, fault: str) -> None:
    content, message = PTS_FAULTS[fault]
    folder = save_pts(tmp_path / "set", ["a"] if fault == "no picture" else ["a", "b"])
    (folder / "b.pts").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=message) as error:
        pts.read(folder)
    assert "\n" not in str(error.value)


XML_FAULTS: dict[str, tuple[str, str]] = {
    "a face without parts": (
        imglab_text(["a.jpg"], parts=0),
        r"faces\.xml: no box has a part with a name; label the keypoints of each face as parts",
    ),
    "a part twice": (imglab_text(["a.jpg"]).replace("'67'", "'66'"), r"has a face with two parts 66; remove one"),
    "a number for none": (
        imglab_text(["a.jpg"]).replace("x='20.0' y='30.0'", "x='-1' y='-1'"),
        r"has -1, -1 as jaw_1, which often stands for a missing label; remove the part if it is not labelled",
    ),
    "text": (
        imglab_text(["a.jpg"]).replace("x='20.0'", "x='left'"),
        r"\(a\.jpg\): x of part 00 is 'left', not a number of px",
    ),
    "cut off": (imglab_text(["a.jpg"])[:200], r"faces\.xml: is not a complete XML file"),
    "a picture twice": (imglab_text(["a.jpg", "a.jpg"]), r"picture 2 \(a\.jpg\) is repeated"),
    "no face": ("<dataset><images/></dataset>", r"faces\.xml: has no face in images/image/box"),
    "a name that leads out": (imglab_text(["../a.jpg"]), r"picture 1: names the picture '\.\./a\.jpg'"),
}


@pytest.mark.parametrize("fault", XML_FAULTS)
def test_bad_imglab_file_gives_a_one_line_error(tmp_path: Path, fault: str) -> None:
    content, message = XML_FAULTS[fault]
    save_picture(tmp_path / "set" / "a.jpg")
    (tmp_path / "set" / "faces.xml").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message) as error:
        imglab.read(tmp_path / "set" / "faces.xml")
    assert "\n" not in str(error.value)


FIVE_FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "nobody named": (lambda f: rewrite(f, "yt:Bo", ""), r"keypoints\.csv: row 1 \(line 3\): names no person"),
    "text": (lambda f: rewrite(f, ",65,", ",left,"), r"row 0 \(line 2\): has 'left' as left_eye_center_x"),
    "a name twice": (lambda f: rewrite(f, "b.jpg", "a.jpg"), r"row 1 \(line 3\): labels .*a\.jpg again"),
    "a number for no label": (
        lambda f: rewrite(f, ",65,50,", ",-1,-1,"),
        r"has -1, -1 as left_eye_center, which often",
    ),
    "another column": (lambda f: rewrite(f, "nose_tip_x", "nose_x"), r"keypoints\.csv: the header \(line 1\)"),
    "no rows": (
        lambda f: f.write_text(f.read_text(encoding="utf-8").partition("\n")[0] + "\n", encoding="utf-8"),
        r"has a header but no rows",
    ),
}


@pytest.mark.parametrize("fault", FIVE_FAULTS)
def test_bad_five_point_csv_gives_a_one_line_error(tmp_path: Path, fault: str) -> None:
    break_it, message = FIVE_FAULTS[fault]
    folder = save_five(tmp_path / "five", {"a.jpg": "yt:Ann", "b.jpg": "yt:Bo"})
    break_it(folder / "keypoints.csv")
    with pytest.raises(InputError, match=message) as error:
        pictures_csv.read(folder)
    assert "\n" not in str(error.value)


def test_folder_without_a_known_layout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none of the known layouts is in this folder"):
        read_pictures(tmp_path)

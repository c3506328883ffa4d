"""Custom keypoints: which set is found, how its faces are cropped, what the data folder holds."""

from pathlib import Path

import numpy as np
import pytest

from data_prep import arrays
from data_prep.crop import CropOptions, by_box
from data_prep.inputs import LabelOptions, read
from data_prep.prepare import main
from data_prep.readers import imglab, pts
from data_prep.readers.keypoint_sets import description, given_set, set_of_count, set_of_names
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15, FACE68, from_names
from tests.data_prep.pictures import face_68, imglab_text, pts_text, save_picture

CAT = ["left_ear", "right_ear", "nose", "chin"]
TOML = 'keypoints = ["nose", "chin", "left_ear", "right_ear"]\nskeleton = [["nose", "chin"]]\n'


def save_cats(folder: Path, count: int = 12, names: list[str] = CAT) -> Path:
    """Writes `cats.csv` and `photos/`: keypoints around (50, 60), each face a little larger than the last, up to 60."""
    header = ["file", *(f"{name}_{axis}" for name in names for axis in "xy")]
    shape = np.random.default_rng(0).uniform(-1, 1, (len(names), 2))
    lines = [",".join(header)]
    for row in range(count):
        save_picture(folder / "photos" / f"{row}.png")
        points = (50, 60) + (20 + row % 60) * shape
        lines.append(",".join([f"{row}.png", *(f"{value:.1f}" for value in points.ravel())]))
    (folder / "cats.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "cats.csv"


def prepared(path: Path, *options: str) -> Path:
    main([str(path), "--images", str(path.parent / "photos"), "--out", str(path.parent / "data"), *options])
    return path.parent / "data"


def test_custom_names_become_the_keypoint_set_of_the_data_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = prepared(save_cats(tmp_path))
    found = arrays.load_keypoint_set(arrays.load_data_manifest(out), out)
    assert found == from_names("custom_4", CAT, "")
    text = capsys.readouterr().out
    assert "keypoint set custom_4: 4 keypoints (left_ear, right_ear, nose and 1 more)" in text
    assert "mirror pairs: left_ear - right_ear" in text
    assert "no eyes" in text
    assert "(keypoints.png)" in (out / "report.md").read_text(encoding="utf-8")
    train = arrays.load_split(out, "train", found)
    assert train.images.shape == (9, 128, 128, 1)
    low, high = train.keypoints.min(axis=1), train.keypoints.max(axis=1)
    np.testing.assert_allclose((high - low).max(axis=1), 128 / 1.2, rtol=1e-3)  # the box times 1.2 fills the crop


@pytest.mark.parametrize(
    ("count", "few"), [(12, "val has 1 face and test has 2 faces"), (91, "val has 9 faces"), (96, "")]
)
def test_splits_too_small_for_reliable_figures_are_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], count: int, few: str
) -> None:
    out = prepared(save_cats(tmp_path, count), "--size", "16")
    printed, report = capsys.readouterr().out, (out / "report.md").read_text(encoding="utf-8")
    line = f"{few}, too few for reliable figures: add labelled faces, or prepare with several --seed"
    assert ("too few" in printed, "too few" in report) == (bool(few), bool(few))
    assert (f"\n{line}" in printed, f"**{line}" in report) == (bool(few), bool(few))


def test_small_all_test_folder_is_not_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prepared(save_cats(tmp_path, 3), "--split", "all-test", "--size", "16")
    assert "too few" not in capsys.readouterr().out


def test_keypoints_option_overrides_the_toml_file_beside_the_labels(tmp_path: Path) -> None:
    path = save_cats(tmp_path)
    (tmp_path / "keypoints.toml").write_text(TOML, encoding="utf-8")
    faces, _ = read([str(path)], None, 0, CropOptions(), label_options=LabelOptions(images=tmp_path / "photos"))
    assert (faces.keypoint_set.name, faces.keypoint_set.names) == ("keypoints", ("nose", "chin", *CAT[:2]))
    other = tmp_path / "other.toml"
    other.write_text(TOML.replace('"nose", "chin",', '"chin", "nose", "tail",', 1), encoding="utf-8")
    faces, _ = read(
        [str(path)], None, 0, CropOptions(), label_options=LabelOptions(given_set(str(other)), tmp_path / "photos")
    )
    assert faces.keypoint_set.names == ("chin", "nose", "tail", *CAT[:2])
    assert faces.labelled.all(axis=0).tolist() == [True, True, False, True, True]


def test_names_of_a_built_in_set_or_label_source_give_that_set() -> None:
    five = [FACE15.names[k] for k in FACE15.label_sources[2].keypoints]
    assert set_of_names(five, "a.csv", None) == FACE15
    assert set_of_names(FACE68.names[::-1], "a.csv", None) == FACE68
    assert set_of_names(five[:3], "a.csv", None).name == "custom_3"
    assert given_set("face68") == FACE68


def test_keypoint_count_alone_gives_a_set() -> None:
    assert set_of_count(68, "a.pts", None) == FACE68
    assert set_of_count(3, "a.pts", None).names == ("0", "1", "2")
    with pytest.raises(InputError, match="has 5 points, the keypoint set face15 has 15 keypoints"):
        set_of_count(5, "a.pts", FACE15)


def test_description_of_a_set_states_what_is_unknown() -> None:
    lines = description(from_names("hand", [str(k) for k in range(21)], ""))
    assert lines[0] == "keypoint set hand: 21 keypoints (0, 1, 2 and 18 more)"
    assert any("mirror pairs are not known, so training does not mirror faces" in line for line in lines)
    assert any("no eyes" in line for line in lines)
    assert any("errors are divided by: box diagonal" in line for line in lines)
    wrong = ["nose_tpi" if name == "nose_tip" else name for name in FACE15.names]
    assert "  note: 14 of the names are those of face15, but not nose_tpi" in description(from_names("x", wrong, ""))
    assert description(FACE15) == ["keypoint set face15: 15 keypoints"]


@pytest.mark.parametrize("count", [1, 5, 68, 100])
def test_pts_files_with_any_number_of_points_are_read(tmp_path: Path, count: int) -> None:
    points = np.resize(face_68(), (count, 2))
    for stem in "abc":
        save_picture(tmp_path / f"{stem}.png")
        (tmp_path / f"{stem}.pts").write_text(pts_text(points), encoding="utf-8")
    found = pts.read(tmp_path)
    names = FACE68.names if count == 68 else tuple(map(str, range(count)))
    assert found.keypoint_set.names == names
    assert len(found.faces) == 3
    for face in found.faces:
        np.testing.assert_allclose(face.keypoints, points, atol=1e-5)


@pytest.mark.parametrize("parts", [5, 68, 100])
def test_imglab_files_with_any_number_of_parts_are_read(tmp_path: Path, parts: int) -> None:
    points = np.resize(face_68(), (parts, 2)) + 1
    tags = "".join(f"<part name='{k:02}' x='{x}' y='{y}'/>" for k, (x, y) in enumerate(points))
    save_picture(tmp_path / "a.jpg")
    box = f"<box top='10' left='20' width='90' height='50'>{tags}</box>"
    text = f"<dataset><images><image file='a.jpg'>{box}</image></images></dataset>"
    (tmp_path / "faces.xml").write_text(text, encoding="utf-8")
    found = imglab.read(tmp_path / "faces.xml")
    assert found.keypoint_set == FACE68 if parts == 68 else found.keypoint_set.names == tuple(map(str, range(parts)))
    np.testing.assert_allclose(found.faces[0].keypoints, points, atol=1e-5)
    assert found.faces[0].box == (None if parts == 68 else (20, 10, 90, 50))  # 68 points have crops of their own


def test_imglab_part_names_become_keypoint_names(tmp_path: Path) -> None:
    save_picture(tmp_path / "a.jpg")
    text = (
        imglab_text(["a.jpg"], parts=3).replace("'00'", "'nose'").replace("'01'", "'l_eye'").replace("'02'", "'r_eye'")
    )
    (tmp_path / "faces.xml").write_text(text, encoding="utf-8")
    assert imglab.read(tmp_path / "faces.xml").keypoint_set.names == ("nose", "l_eye", "r_eye")
    given = from_names("given", ["r_eye", "l_eye", "nose", "chin"], "")
    found = imglab.read(tmp_path / "faces.xml", given=given)
    np.testing.assert_allclose(found.faces[0].keypoints[:3], face_68()[[2, 1, 0]], atol=1e-5)
    assert np.isnan(found.faces[0].keypoints[3]).all()
    with pytest.raises(InputError, match=r"faces\.xml: has l_eye, r_eye, not among the 2 keypoints of two"):
        imglab.read(tmp_path / "faces.xml", given=from_names("two", ["nose", "chin"], ""))


def test_crop_follows_the_box_and_grows_to_hold_the_labels() -> None:
    points = np.array([[30, 40], [50, 80], [np.nan, np.nan]], np.float32)
    of_labels = by_box(points, "a.csv", 48)
    np.testing.assert_allclose(of_labels[0, 0], 48 / (1.2 * 40))
    of_box = by_box(points, "a.csv", 48, (30, 40, 100, 20))  # from 30 to 130, and down to the label at 80
    np.testing.assert_allclose(of_box[:, :2], np.eye(2) * 48 / (1.2 * 100))
    np.testing.assert_allclose(of_box @ (80, 60, 1), (23.5, 23.5))


def test_single_keypoint_needs_a_box_or_whole_pictures(tmp_path: Path) -> None:
    path = save_cats(tmp_path, names=["nose"])
    with pytest.raises(InputError, match=r"row 0 \(line 2\): its keypoint is at one point, .* give its box, or take"):
        read([str(path)], None, 0, CropOptions(), label_options=LabelOptions(images=tmp_path / "photos"))
    faces, _ = read(
        [str(path)], None, 0, CropOptions(crop="whole"), label_options=LabelOptions(images=tmp_path / "photos")
    )
    assert faces.keypoints.shape == (12, 1, 2)
    with_boxes = [
        line + ("10,20,60,70" if row else "box_x,box_y,box_w,box_h")
        for row, line in enumerate(f"{line}," for line in path.read_text(encoding="utf-8").splitlines())
    ]
    path.write_text("\n".join(with_boxes) + "\n", encoding="utf-8")
    faces, _ = read([str(path)], None, 0, CropOptions(), label_options=LabelOptions(images=tmp_path / "photos"))
    assert faces.keypoint_set.names == ("nose",)
    assert faces.crops is not None
    np.testing.assert_allclose(faces.crops[0, 0, 0], 128 / (1.2 * 70))
    path.write_text(path.read_text(encoding="utf-8").replace("10,20,60,70", "10,20,60,0", 1), encoding="utf-8")
    with pytest.raises(InputError, match=r"row 0 \(line 2\): has a box without area; correct it, or empty its four"):
        read([str(path)], None, 0, CropOptions(), label_options=LabelOptions(images=tmp_path / "photos"))


@pytest.mark.long
def test_1000_keypoints_are_prepared(tmp_path: Path) -> None:
    out = prepared(save_cats(tmp_path, names=[f"p{k}" for k in range(1000)]), "--size", "32")
    assert arrays.load_split(out, "train").keypoints.shape == (9, 1000, 2)


BAD_USE = {
    "two keypoints with the same name": (
        'keypoints = ["nose", "nose"]',
        r"mine\.toml: 2 keypoints have the name 'nose'",
    ),
    "a pair of one keypoint": (TOML + 'mirror = [["nose"]]', r"mine\.toml: mirror has \['nose'\]; expected pairs"),
    "a pair twice": (
        TOML + 'mirror = [["nose", "chin"], ["chin", "nose"]]',
        r"mine\.toml: mirror has .*; expected pairs",
    ),
    "unknown keypoints": (
        TOML + 'mirror = [["nose", "tail"]]',
        r"mine\.toml: mirror has 'tail', which is not one of the 4",
    ),
    "other keypoints": (
        'keypoints = ["nose", "chin"]',
        r"cats\.csv: has left_ear, right_ear, not among the 2 keypoints",
    ),
    "not TOML": ("keypoints =", r"mine\.toml: is not a readable TOML file"),
}


@pytest.mark.parametrize(("text", "message"), BAD_USE.values(), ids=BAD_USE)
def test_bad_toml_gives_a_one_line_error_and_writes_nothing(tmp_path: Path, text: str, message: str) -> None:
    path = save_cats(tmp_path)
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message) as error:
        prepared(path, "--keypoints", str(tmp_path / "mine.toml"))
    assert "\n" not in str(error.value)
    assert not (tmp_path / "data").exists()


def test_options_that_do_not_fit_the_input_are_refused(tmp_path: Path) -> None:
    path = save_cats(tmp_path)
    with pytest.raises(InputError, match=r"--keypoints none\.toml: no such file, and not one of face15, face68"):
        prepared(path, "--keypoints", "none.toml")
    with pytest.raises(InputError, match=r"has the keypoint set custom_4; --as 15 takes 68 points"):
        prepared(path, "--as", "15")
    with pytest.raises(InputError, match=r"--images .*: is for label files that name pictures; synthetic is none"):
        main(["synthetic", "--images", str(tmp_path), "--out", str(tmp_path / "data")])
    with pytest.raises(InputError, match="synthetic: always has its own keypoint set; leave out --keypoints"):
        main(["synthetic", "--count", "20", "--keypoints", "face68", "--out", str(tmp_path / "data")])
    with pytest.raises(InputError, match=r"cats\.csv: there is no folder pictures beside it"):
        main([str(path), "--out", str(tmp_path / "data")])

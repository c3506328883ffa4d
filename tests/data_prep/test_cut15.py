"""Faces of 68 keypoints cut like those of a data folder: the keypoints by hand, the real cuts, the stage end to end."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from common.hashes import path_hash
from common.stage import MANIFEST, read_manifest, write_manifest
from data_prep import arrays, cut15, prepare, read_68, read_npz
from data_prep.cut15 import keypoints_of
from data_prep.labels import read_keypoints
from facial_keypoints.array_types import Float32
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15

NOSE, LIP = FACE15.index("nose_tip"), FACE15.index("mouth_center_bottom_lip")
EYES = [0, 1]


def test_the_two_sources_mark_noses_and_lower_lips_at_their_own_points() -> None:
    points = np.stack([np.arange(68), 100 + np.arange(68)], axis=-1).astype(np.float32)
    first, second = (keypoints_of(points, source) for source in (0, 1))
    assert [first[k, 0] for k in (NOSE, LIP)] == [30, 57]
    assert [second[k, 0] for k in (NOSE, LIP)] == [33, 66]
    assert first[EYES].tolist() == second[EYES].tolist() == [[44.5, 144.5], [38.5, 138.5]]  # mean of six each
    assert np.isfinite(first).all()
    marked = [name for name, there in zip(FACE15.names, np.isfinite(second[:, 0]), strict=True) if there]
    assert marked == ["left_eye_center", "right_eye_center", "nose_tip", "mouth_center_bottom_lip"]


def test_a_mirrored_face_has_the_mirrored_keypoints() -> None:
    """Left and right of the 68 points: brows 17 to 26, the eyes' corners and lids, the mouth's corners."""
    pairs = {**{k: 43 - k for k in range(17, 22)}, 36: 45, 37: 44, 38: 43, 39: 42, 40: 47, 41: 46, 48: 54}
    mirror = np.arange(68)
    for right, left in pairs.items():
        mirror[[right, left]] = left, right
    points = np.random.default_rng(0).uniform(0, 90, (68, 2)).astype(np.float32)
    for source in (0, 1):
        straight = keypoints_of(points, source)[list(FACE15.mirror)]
        np.testing.assert_allclose(keypoints_of(points[mirror], source), straight, rtol=1e-6)


def test_the_real_keypoints_are_those_of_their_frames_turned_scaled_and_shifted(real_data: Path) -> None:
    """The first rows of each source, except pictures that occur twice, whose labels were disturbed on purpose."""
    keypoints, _ = read_keypoints(real_data / "faces15" / read_npz.KEYPOINTS)
    origins = pd.read_csv(real_data / "faces15" / read_npz.GROUPS)["origin"]
    marked = [face for name in ("youtube68", "lfpw68") for face in read_68.read(real_data / name)]
    points_of = {str(face.picture.relative_to(real_data)): face.points for face in marked}
    once = ~origins.duplicated(keep=False).to_numpy()
    for source, rows in ((0, np.arange(2284)), (1, np.arange(2284, len(keypoints)))):
        chosen = rows[once[rows] & (np.isfinite(keypoints[rows]).all(axis=-1).sum(axis=1) >= 4)][:50]
        assert len(chosen) == 50
        for row in chosen:
            distance = distance_from_a_similarity(keypoints_of(points_of[origins[row]], source), keypoints[row])
            assert distance < 0.02, f"row {row}, source {source}"


def distance_from_a_similarity(origin: Float32, target: Float32) -> float:
    """Returns the largest distance in px that the best turn, scale and shift of the points leaves."""
    seen = np.isfinite(target).all(axis=-1)
    before, after = (points[seen].astype(float) @ [1, 1j] for points in (origin, target))
    inputs = np.stack([before, np.ones_like(before)], axis=1)
    return float(np.abs(inputs @ np.linalg.lstsq(inputs, after, rcond=None)[0] - after).max())


FRAMES = ("Ann_Lee_10.png", "Ann_Lee_11.png", "Bo_Ray_10.png", "Cy_Oh_10.png")


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Frames of three people; eyes at (45, 50) and (75, 50), all else between and below them."""
    folder = tmp_path / "clips"
    (folder / "training").mkdir(parents=True)
    rng = np.random.default_rng(0)
    points = rng.uniform(40, 80, (len(FRAMES), 68, 2))
    points[:, 36:42] = (45, 50)
    points[:, 42:48] = (75, 50)
    table = pd.DataFrame(points.reshape(len(FRAMES), -1).round(2), index=list(FRAMES))
    table.to_csv(folder / "training_frames_keypoints.csv")
    for name in FRAMES:
        cv2.imwrite(str(folder / "training" / name), rng.integers(0, 256, (120, 130), np.uint8))
    return folder


@pytest.fixture
def people(data_folder: Path, tmp_path: Path) -> Path:
    """Who is in the 80 faces of `data_folder`: Ann in a test face, Bo in a training face, nobody knows the others."""
    names = np.array([f"somebody {row}" for row in range(80)], object)
    names[arrays.load_part(data_folder, "test").rows[3]] = "yt:Ann_Lee"
    names[arrays.load_part(data_folder, "train").rows[3]] = "yt:Bo_Ray"
    pd.DataFrame({"row": range(80), "person": names}).to_csv(tmp_path / "people.csv", index=False)
    return tmp_path / "people.csv"


def test_a_folder_cut_like_another_can_be_prepared_to_train_beside_it(
    clips: Path, data_folder: Path, people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "cut"
    cut15.main([str(clips), "--like", str(data_folder), "--people", str(people), "--out", str(out), "--cuts", "3"])
    assert "6 pictures cut from 2; 2 left out" in capsys.readouterr().out  # both frames of Ann
    manifest = read_manifest(out, "cut15")
    assert manifest["metrics"] == {"pictures": 6, "left_out": 2}
    like = arrays.data_hash(arrays.load_data_manifest(data_folder))
    assert manifest["inputs"]["like"] == like
    assert pd.read_csv(out / read_npz.GROUPS)["person"].tolist() == (["yt:Bo_Ray"] * 3 + ["yt:Cy_Oh"] * 3) * 2

    prepare.main([str(out), "--split", "all-test", "--out", str(tmp_path / "more")])
    assert arrays.load_data_manifest(tmp_path / "more")["inputs"] == {str(out): path_hash(out), "like": like}
    part = arrays.load_parts(tmp_path / "more")["test"]
    assert part.sources.tolist() == [0] * 6 + [1] * 6
    assert part.images.shape == (12, 96, 96, 1)
    np.testing.assert_array_equal(part.images[:6], part.images[6:])
    assert part.labelled[:6].all()
    assert part.labelled[6:].sum(axis=1).tolist() == [4] * 6
    assert (np.abs(part.keypoints[:6, NOSE] - part.keypoints[6:, NOSE]).max(axis=-1) > 0.1).all()

    train = arrays.load_part(data_folder, "train")
    known = train.keypoints[train.labelled[:, EYES].all(axis=1)][:, EYES]
    for eyes in part.keypoints[:, EYES]:
        assert np.abs(known - eyes).max(axis=(1, 2)).min() < 1e-3  # where some training face has them


@pytest.mark.parametrize(
    ("people_text", "more", "message"),
    [
        ("row,person\n0,ann\n", [], r"people\.csv: has 1 rows, not one for each face"),
        ("row,name\n" + "0,ann\n" * 80, [], r"people\.csv: lacks the column person"),
        (None, ["--cuts", "0"], "--cuts 0: .* must be at least 1"),
    ],
)
def test_bad_use_is_told_in_one_line_and_leaves_nothing(
    clips: Path,
    data_folder: Path,
    people: Path,
    tmp_path: Path,
    people_text: str | None,
    more: list[str],
    message: str,
) -> None:
    if people_text is not None:
        people.write_text(people_text)
    out = tmp_path / "out"
    with pytest.raises(InputError, match=message) as error:
        cut15.main([str(clips), "--like", str(data_folder), "--people", str(people), "--out", str(out), *more])
    assert "\n" not in str(error.value)
    assert not list(tmp_path.glob("*out*"))


def test_where_nobody_or_nothing_may_be_used_it_is_told(
    clips: Path, data_folder: Path, people: Path, tmp_path: Path
) -> None:
    names = pd.read_csv(people)
    held_out = arrays.load_part(data_folder, "val").rows[:2]
    names.loc[held_out, "person"] = ["yt:Bo_Ray", "yt:Cy_Oh"]
    names.to_csv(people, index=False)
    common = [str(clips), "--people", str(people), "--out", str(tmp_path / "out")]
    with pytest.raises(InputError, match=r"people\.csv: everybody in the folders is in val or test of .*; bring more"):
        cut15.main([*common, "--like", str(data_folder)])
    prepare.main(["synthetic", "--count", "80", "--split", "all-test", "--out", str(tmp_path / "all-test")])
    with pytest.raises(InputError, match="no training face has both eyes labelled"):
        cut15.main([*common, "--like", str(tmp_path / "all-test")])


@pytest.fixture
def cut_them(clips: Path, data_folder: Path, people: Path, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Cuts the clips and further folders, with further options, and returns the manifest."""

    def run(*more: object) -> dict[str, Any]:
        out = tmp_path / "cut"
        command = [clips, *more, "--like", data_folder, "--people", people, "--out", out]
        cut15.main([str(word) for word in command])
        return read_manifest(out, "cut15")

    return run


def test_a_folder_of_which_no_name_is_known_may_only_hold_strangers(
    cut_them: Callable[..., dict[str, Any]], clips: Path, tmp_path: Path
) -> None:
    """The clips hold known names; the photos show people of one picture each, named after folder and file."""
    photos = tmp_path / "photos68"
    photos.mkdir()
    first = read_68.read(clips)[0]
    (photos / "a.jpg").write_bytes(first.picture.read_bytes())
    lines = [f"{x} {y}" for x, y in first.points + 1]
    (photos / "a.pts").write_text("\n".join(["{", *lines, "}"]))
    with pytest.raises(InputError, match=r"photos68: nobody there \(photos:a, \.\.\.\) is named in .*people\.csv"):
        cut_them(photos)
    assert not (tmp_path / "cut").exists()
    manifest = cut_them(photos, "--strangers")
    assert manifest["metrics"] == {"pictures": 6, "left_out": 2}  # whoever is known is left out all the same
    assert manifest["parameters"]["strangers"] is True


def test_the_manifest_tells_other_labels_and_other_pictures(
    cut_them: Callable[..., dict[str, Any]], clips: Path
) -> None:
    seen = [cut_them()["inputs"][str(clips)]]
    (clips / "training" / "notes.txt").write_text("not read")
    assert cut_them()["inputs"][str(clips)] == seen[0]
    cv2.imwrite(str(clips / "training" / "Cy_Oh_10.png"), np.zeros((120, 130), np.uint8))
    seen.append(cut_them()["inputs"][str(clips)])
    labels = clips / "training_frames_keypoints.csv"
    table = pd.read_csv(labels, index_col=0)
    table.iloc[3, 0] += 1
    table.to_csv(labels)
    seen.append(cut_them()["inputs"][str(clips)])
    assert len(set(seen)) == 3


def test_eyes_in_one_place_are_told(cut_them: Callable[..., dict[str, Any]], clips: Path) -> None:
    labels = clips / "training_frames_keypoints.csv"
    table = pd.read_csv(labels, index_col=0)
    table.iloc[2, 84:96:2] = 45.5  # x of points 42 to 47, the left eye; the right is at 45
    table.to_csv(labels)
    with pytest.raises(InputError, match=r"Bo_Ray_10\.png: its eyes are labelled 0\.50 px apart; mend"):
        cut_them()


def test_a_damaged_picture_is_told(cut_them: Callable[..., dict[str, Any]], clips: Path) -> None:
    picture = clips / "training" / "Bo_Ray_10.png"
    picture.write_bytes(picture.read_bytes()[:20] + b"\xff\xff\xff\xff" + picture.read_bytes()[24:])  # its height
    with pytest.raises(InputError, match=r"Bo_Ray_10\.png: .*; fetch it again"):
        cut_them()


def test_a_cut_folder_that_says_less_than_it_must_is_no_source(
    cut_them: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    cut_them()
    out, arguments = tmp_path / "cut", [str(tmp_path / "cut"), "--split", "all-test", "--out", str(tmp_path / "more")]
    with (out / read_npz.GROUPS).open("a") as file:
        file.write("\n")
    with pytest.raises(InputError, match=r"groups\.csv: is cut off or altered"):
        prepare.main(arguments)
    (out / MANIFEST).unlink()
    write_manifest(out, "cut15", {}, {}, {}, time.time())  # as before `like` was recorded
    with pytest.raises(InputError, match="cut: does not say whose people it leaves out; make it again"):
        prepare.main(arguments)
    (out / MANIFEST).write_text("anybody's own notes")
    assert prepare.source_hash(str(out), None, 0) == {str(out): path_hash(out)}

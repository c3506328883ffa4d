"""Several inputs in one data folder: joined, split by person or by the official split, with their origins."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from common.stage import read_manifest
from data_prep import arrays
from data_prep.arrays import PREPARE
from data_prep.faces import SPLITS
from data_prep.faces_csv import held_out_people
from data_prep.prepare import main
from data_prep.readers import npz
from facial_keypoints import geometry
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15, FACE68
from tests.data_prep.pictures import face_68, save_five, save_frames, save_pts

PEOPLE = [f"Person_{letter}" for letter in "abcdefghij"]


def frame_names(people: Sequence[str]) -> list[str]:
    return [f"{person}_{number}.jpg" for person in people for number in (1, 2)]


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    """Two frames of each of ten people for training; a third one of three of them for test."""
    test = [f"{person}_3.jpg" for person in PEOPLE[:3]]
    return save_frames(tmp_path / "frames", {"training": frame_names(PEOPLE), "test": test})


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return save_pts(tmp_path / "photos68", [f"{number}_1" for number in range(7)])


def test_joined_inputs_keep_people_in_one_split_and_record_origins(
    frames: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "data"
    main([str(frames), str(photos), "--out", str(out)])
    text = capsys.readouterr().out
    assert "training: 20 pictures, 20 of them labelled; test: 3 pictures, 3 of them labelled" in text
    assert "7 pictures with a .pts file" in text
    manifest = arrays.load_data_manifest(out)
    assert arrays.load_keypoint_set(manifest, out) == FACE68
    assert set(manifest["inputs"]) == {str(frames), str(photos)}

    faces = pd.read_csv(out / "faces.csv", keep_default_na=False)
    assert sorted(faces["row"]) == list(range(30))
    assert (faces.groupby("person")["split"].nunique() == 1).all()
    pairs = set(zip(faces["origin"], faces["label_source"], strict=True))
    assert pairs == {(str(frames), "frames"), (str(photos), "pictures")}
    for name, split in arrays.load_splits(out, FACE68).items():
        rows = faces[faces["split"] == name]
        assert rows["row"].tolist() == split.rows.tolist()
        assert [FACE68.label_sources[source].name for source in split.label_sources] == rows["label_source"].tolist()
        assert split.crops is not None
        back = geometry.transform(split.keypoints, geometry.inverse(split.crops))
        np.testing.assert_allclose(back, np.tile(face_68(), (len(split), 1, 1)), atol=1e-3)
        files = zip(rows["origin"], rows["file"], strict=True)
        assert all((Path(origin) / file).is_file() for origin, file in files)


def test_official_split_tests_on_people_who_are_also_in_training(frames: Path, tmp_path: Path) -> None:
    main([str(frames), "--split", "official", "--out", str(tmp_path / "data")])
    faces = pd.read_csv(tmp_path / "data" / "faces.csv")
    assert faces.groupby("split").size().to_dict() == {"train": 17, "val": 3, "test": 3}
    assert faces[faces["split"] == "test"]["file"].tolist() == [f"test/{person}_3.jpg" for person in PEOPLE[:3]]
    assert set(faces[faces["split"] == "test"]["person"]) <= set(faces[faces["split"] != "test"]["person"])


def test_leave_out_removes_people_held_out_in_another_data_folder(frames: Path, tmp_path: Path) -> None:
    """The same people by name in a set of another kind: none of those held out becomes a training face."""
    data, extra = tmp_path / "data", tmp_path / "extra"
    people = {f"{person}.jpg": f"yt:{person}" for person in PEOPLE}
    main([str(save_five(tmp_path / "five", people)), "--out", str(data)])
    main([str(frames), "--as", "15", "--split", "all-test", "--leave-out", str(data), "--out", str(extra)])
    here, there = (pd.read_csv(folder / "faces.csv") for folder in (data, extra))
    held_out = set(here[here["split"] != "train"]["person"])
    assert len(held_out) == 2
    assert set(there["person"]) == set(here["person"]) - held_out
    expected = arrays.data_hash(arrays.load_data_manifest(data))
    assert read_manifest(extra, PREPARE)["inputs"]["leave_out"] == expected


def test_leave_out_accepts_several_data_folders(
    frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    people = {f"{person}.jpg": f"yt:{person}" for person in PEOPLE}
    for seed, folder in enumerate(folders):
        five = save_five(tmp_path / f"five_{seed}", people)
        main([str(five), "--seed", str(seed), "--out", str(folder)])
    held_out = [held_out_people(folder) for folder in folders]
    assert held_out[1] - held_out[0]
    capsys.readouterr()
    leave_out = [text for folder in folders for text in ("--leave-out", str(folder))]
    main([str(frames), "--split", "all-test", *leave_out, "--out", str(tmp_path / "extra")])
    printed = capsys.readouterr().out
    assert f"{2 * len(held_out[1] - held_out[0])} faces left out: they are in val or test of {folders[1]}" in printed
    there = set(pd.read_csv(tmp_path / "extra" / "faces.csv")["person"])
    assert there == set(people.values()) - held_out[0] - held_out[1]
    hashes = [arrays.data_hash(arrays.load_data_manifest(folder)) for folder in folders]
    assert read_manifest(tmp_path / "extra", PREPARE)["inputs"]["leave_out"].split() == hashes


def test_cropped_faces_and_pictures_of_one_size_can_be_joined(frames: Path, tmp_path: Path) -> None:
    """Faces that were already cropped have the identity as their crop."""
    drawn = tmp_path / "drawn"
    drawn.mkdir()
    np.savez(drawn / npz.IMAGES, face_images=np.zeros((96, 96, 12), np.uint8))
    labels = pd.DataFrame(np.random.default_rng(0).uniform(0, 95, (12, 30)), columns=FACE15.columns)
    upright = {"left_eye_center": (65, 35), "right_eye_center": (30, 35), "nose_tip": (48, 60)}
    for name, place in upright.items():
        labels[[f"{name}_x", f"{name}_y"]] = place
    labels.to_csv(drawn / npz.KEYPOINTS, index=False)
    out = tmp_path / "data"
    main([str(drawn), str(frames), "--as", "15", "--split", "random", "--out", str(out)])
    for split in arrays.load_splits(out, FACE15).values():
        already_cropped = split.rows < 12
        assert split.crops is not None
        assert (split.crops[already_cropped] == np.eye(2, 3)).all()
        assert (np.abs(split.crops[~already_cropped] - np.eye(2, 3)).max(axis=(1, 2)) > 0.1).all()


def test_skipped_picture_is_counted_and_listed(
    frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (frames / "training" / "Person_a_1.jpg").write_bytes(b"no picture")
    command = [str(frames), "--out", str(tmp_path / "data")]
    with pytest.raises(InputError, match=r"Person_a_1\.jpg: cannot be decoded"):
        main(command)
    assert not (tmp_path / "data").exists()
    main([*command, "--skip-bad"])
    reason = f"{frames}/training/Person_a_1.jpg: cannot be decoded as a picture"
    assert f"skipped 1 face that cannot be used:\n  {reason}" in capsys.readouterr().out
    manifest = read_manifest(tmp_path / "data", PREPARE)
    assert [line.partition(";")[0] for line in manifest["metrics"]["skipped"]] == [reason]
    assert f"- {reason}" in (tmp_path / "data" / "report.md").read_text(encoding="utf-8")
    assert sum(manifest["metrics"][split] for split in SPLITS) == 22


def test_inputs_without_names_of_people_are_reported(
    frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each picture without a person's name counts as another person, which may be wrong."""
    save_pts(tmp_path / "pts", list("abcdefghijkl"))
    for sources, named in (([frames], True), ([frames, tmp_path / "pts"], False)):
        main([*map(str, sources), "--out", str(tmp_path / "data")])
        printed, report = capsys.readouterr().out, (tmp_path / "data" / "report.md").read_text(encoding="utf-8")
        assert (f"no people are named in {tmp_path / 'pts'}: one person may be" in printed) != named
        assert ("no people are named in" in report) != named
        assert ("| people |" in report) == named


def test_face_of_unknown_size_is_skipped_on_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = save_five(tmp_path / "five", {f"{name}.jpg": f"yt:{name}" for name in "abcdefghijklm"})
    table = folder / "keypoints.csv"
    table.write_text(
        table.read_text(encoding="utf-8").replace("b.jpg,yt:b,65,50", "b.jpg,yt:b,,").replace("c,65,", "c,9999,"),
        encoding="utf-8",
    )
    command = [str(folder), "--out", str(tmp_path / "data")]
    with pytest.raises(InputError, match=r"row 2 .*: has left_eye_center at 9999, 50, which lies outside its picture"):
        main(command)
    main([*command, "--skip-bad"])
    printed = capsys.readouterr().out
    assert "skipped 2 faces that cannot be used:\n" in printed
    assert "row 1 (line 3): its eye centers are unlabelled" in printed


FAULTS = {
    "left is not the person's own": (["swapped"], r"swapped: 12 of 12 faces have the left eye on the left of the"),
    "a label far outside": (
        ["far"],
        r"a\.pts: has jaw_1 at 9998, 11, which lies outside its picture of 130 x 120 px by more than half the size",
    ),
    "two keypoint sets": (
        ["frames", "five"],
        r"five: has the keypoint set face15, frames has face68 \(only face15 has .*; join",
    ),
    "one source twice": (["frames", "frames"], r"frames: is given twice"),
    "both sources of 68 points": (
        ["frames", "--both-label-sources"],
        r"--both-label-sources: needs --as 15",
    ),
    "both sources of 15 points": (
        ["five", "--as", "15", "--both-label-sources"],
        r"--both-label-sources: no input has the 68",
    ),
    "too many drawn": (["synthetic", "--count", "100000000000000"], r"--count 1000+: .* at most 1,000,000"),
    "no cuts": (["frames", "--crops-per-face", "0"], r"--crops-per-face 0: .* must be at least 1"),
    "too small": (["frames", "--size", "8"], r"--size 8: give 16 to 1024 px"),
    "no official split": (["many", "--split", "official"], r"--split official: not all faces are in an official"),
    "cropped faces": (
        ["synthetic", "--count", "20", "--size", "64"],
        r"synthetic: its faces are already cropped",
    ),
    "few in training": (["test_only", "--split", "official"], r"--split official: fewer than 10 faces are in the"),
    "68 cuts of one": (["frames", "--crops-per-face", "2"], r"--crops-per-face 2: these crops would all be the same"),
    "the same folder": (["frames", "frames/"], r"frames: is given twice"),
    "nobody named": (
        ["frames", "--leave-out", "nameless"],
        r"nameless: names no people in its val",
    ),
    "no data folder": (["frames", "--leave-out", "five"], r"five: .*prepare"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_bad_arguments_give_a_one_line_error_and_write_nothing(
    frames: Path, tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments, message = FAULTS[fault]
    save_five(tmp_path / "five", {"a.jpg": "yt:Ann", "b.jpg": "yt:Bo"})
    save_pts(tmp_path / "many", list("abcdefghijkl"))
    swapped = save_five(tmp_path / "swapped", {f"{name}.jpg": "yt:Ann" for name in "abcdefghijkl"}) / "keypoints.csv"
    swapped.write_text(
        swapped.read_text(encoding="utf-8").replace("left", "L").replace("right", "left").replace("L", "right"),
        encoding="utf-8",
    )
    far = save_pts(tmp_path / "far", ["a"]) / "a.pts"
    far.write_text(
        far.read_text(encoding="utf-8").replace(far.read_text(encoding="utf-8").splitlines()[3], "9999 12"),
        encoding="utf-8",
    )
    save_frames(tmp_path / "test_only", {"test": frame_names(PEOPLE)})
    if "nameless" in arguments:
        source = tmp_path / "cut"
        source.mkdir()
        images = np.random.default_rng(0).integers(0, 256, (32, 32, 20), np.uint8)
        np.savez(source / npz.IMAGES, face_images=images)
        labels = pd.DataFrame(np.full((20, 30), 9), columns=FACE15.columns)
        labels.to_csv(source / npz.KEYPOINTS, index=False)
        main([str(source), "--out", str(tmp_path / "nameless")])
    before = sorted(path.name for path in tmp_path.iterdir())
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message) as error:
        main([*arguments, "--out", "out"])
    assert "\n" not in str(error.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == before

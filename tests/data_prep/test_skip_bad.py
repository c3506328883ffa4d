"""`--skip-bad` skips, counts and lists each face that cannot be used; a fault of the whole file still ends the run."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from common.stage import read_manifest
from data_prep.arrays import PREPARE
from data_prep.crop import CropOptions
from data_prep.inputs import read
from data_prep.prepare import main
from data_prep.readers import npz as npz_reader
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15
from tests.data_prep.pictures import face_68, imglab_text, pts_text, save_five, save_frames, save_picture, save_pts

FACES = 12


def edit(path: Path, row: int, change: Callable[[str], str]) -> None:
    """Changes the line of a row, from 0, of a table with a header."""
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[row + 1] = change(lines[row + 1])
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def five(folder: Path) -> tuple[Path, list[str]]:
    source = save_five(folder / "five", {f"{number}.png": f"p{number}" for number in range(FACES)})
    table = source / "keypoints.csv"
    edit(table, 0, lambda line: line.replace("65", "left"))
    edit(table, 1, lambda line: line + ",7")
    edit(table, 2, lambda line: line.replace("65,50", "-1,-1"))
    edit(table, 3, lambda line: line.replace("60,85", "60,850"))
    edit(table, 4, lambda line: line.replace("p4", ""))
    edit(table, 5, lambda line: line.replace("5.png", "4.png").replace("p5", "p4"))
    edit(table, 6, lambda line: line.replace("65,50", ","))
    (source / "pictures" / "7.png").unlink()
    (source / "pictures" / "8.png").write_bytes(b"no picture")
    return source, [
        "row 0 (line 2): has 'left' as left_eye_center_x",
        "line 3: has 13 cells where the header has 12",
        "row 2 (line 4): has -1, -1 as left_eye_center",
        "row 4 (line 6): names no person",
        "row 7 (line 9): the picture",
        "8.png: cannot be decoded",
        "row 3 (line 5): has mouth_left_corner at 60, 850, which lies outside",
        "row 6 (line 8): its eye centers are unlabelled",
    ]


def frames(folder: Path) -> tuple[Path, list[str]]:
    source = save_frames(folder / "frames", {"training": [f"P{number}_1.jpg" for number in range(FACES)]})
    table = source / "training_frames_keypoints.csv"
    edit(table, 0, lambda line: line.replace("20.0", "left"))
    edit(table, 1, lambda line: line.replace("80.0", "8000.0"))
    edit(table, 2, lambda line: line.replace("P2_", "P3_"))
    return source, [
        "row 0 (line 2): has 'left' as jaw_1_x",
        "row 3 (line 5): labels",
        "row 1 (line 3): has jaw_9 at 8000, 100",
    ]


def pts(folder: Path) -> tuple[Path, list[str]]:
    source = save_pts(folder / "pts", [f"{number:02}" for number in range(FACES)])
    (source / "00.pts").write_text(pts_text(face_68()[:67]), encoding="utf-8")
    (source / "01.jpg").unlink()
    (source / "02.pts").write_text(pts_text(np.full((68, 2), -2)), encoding="utf-8")
    return source, ["01.pts: no picture 01.jpg", "00.pts: holds 67 points", "02.pts: has no label"]


def imglab(folder: Path) -> tuple[Path, list[str]]:
    names = [f"{number:02}.png" for number in range(FACES)]
    for name in names:
        save_picture(folder / "xml" / name)
    text = imglab_text([*names, "lost.png"]).replace("x='20.0'", "x='left'", 1)
    (folder / "xml" / "faces.xml").write_text(text, encoding="utf-8")
    return folder / "xml" / "faces.xml", ["picture 1 (00.png): x of part 00 is 'left'", "picture 13: the picture"]


def cropped_faces(folder: Path) -> Path:
    source, rng = folder / "cut", np.random.default_rng(0)
    source.mkdir()
    np.savez(source / npz_reader.IMAGES, face_images=rng.integers(0, 256, (24, 24, FACES), np.uint8))
    header = ",".join(name for name in FACE15.columns)
    shape = "16.5,8,8.5,8," + ",".join(map(str, range(1, 23))) + ",12,18,12,20"
    (source / npz_reader.KEYPOINTS).write_text("\n".join([header, *[shape] * FACES]) + "\n", encoding="utf-8")
    return source


def npz(folder: Path) -> tuple[Path, list[str]]:
    source = cropped_faces(folder)
    (source / npz_reader.GROUPS).write_text(
        "\n".join(["row,person", *(f"{row},p{row}" for row in range(FACES))]) + "\n", encoding="utf-8"
    )
    edit(source / npz_reader.KEYPOINTS, 0, lambda line: line.replace("16.5", "left"))
    edit(source / npz_reader.KEYPOINTS, 2, lambda line: line.replace("16.5,8", "0,0"))
    edit(source / npz_reader.KEYPOINTS, 4, lambda line: line.replace("16.5", "165"))
    edit(source / npz_reader.GROUPS, 4, lambda line: "0,")
    edit(source / npz_reader.GROUPS, 5, lambda line: "0,")
    return source, [
        "row 0 (line 2): has 'left' as left_eye_center_x",
        "row 2 (line 4): has 0, 0 as left_eye_center",
        "row 4 (line 6): has left_eye_center at 165, 8",
        "row 5 (line 7): names no person",
    ]


def training_csv(folder: Path) -> tuple[Path, list[str]]:
    header, *rows = (cropped_faces(folder) / npz_reader.KEYPOINTS).read_text(encoding="utf-8").splitlines()
    pixels = np.random.default_rng(0).integers(0, 256, (FACES, 24 * 24))
    lines = [f"{row},{' '.join(map(str, of))}" for row, of in zip(rows, pixels, strict=True)]
    path = folder / "training.csv"
    path.write_text("\n".join([f"{header},Image", *lines]) + "\n", encoding="utf-8")
    edit(path, 0, lambda line: line.replace("16.5", "left"))
    edit(path, 1, lambda line: line[:-30])
    edit(path, 2, lambda line: line.replace(",", ";"))
    edit(path, 3, lambda line: line.replace("16.5,8", "-1,-1"))
    return path, [
        "row 0 (line 2): has 'left' as left_eye_center_x",
        "row 1 (line 3): has",
        "row 2 (line 4): has 1 fields where the header has 31",
        "row 3 (line 5): has -1, -1 as left_eye_center",
    ]


SETS = (five, frames, pts, imglab, npz, training_csv)


@pytest.mark.parametrize("make", SETS)
def test_unusable_faces_are_skipped_and_listed(tmp_path: Path, make: Callable[[Path], tuple[Path, list[str]]]) -> None:
    source, messages = make(tmp_path)
    with pytest.raises(InputError) as error:
        read([str(source)], None, 0, CropOptions())
    assert messages[0] in str(error.value) or make in (imglab, five)  # their first error is not about the first row
    faces, _ = read([str(source)], None, 0, CropOptions(), skip_bad=True)
    assert len(faces.skipped) == len(messages)
    for line, message in zip(faces.skipped, messages, strict=True):
        assert message in line
    assert len(faces) == FACES - len(messages) + (make is imglab)  # its file lists one more picture
    assert len(faces.images) == len(faces.keypoints) == len(faces.rows) == len(faces)
    assert np.isfinite(faces.keypoints).any(axis=(1, 2)).all()


def test_rows_of_cropped_faces_keep_their_numbers(tmp_path: Path) -> None:
    faces, _ = read([str(npz(tmp_path)[0])], None, 0, CropOptions(), skip_bad=True)
    assert faces.rows.tolist() == [1, 3, 6, 7, 8, 9, 10, 11]
    assert faces.groups.tolist() == [f"p{row}" for row in faces.rows]
    images = np.load(tmp_path / "cut" / npz_reader.IMAGES)["face_images"]
    np.testing.assert_array_equal(faces.images[..., 0], np.moveaxis(images, -1, 0)[faces.rows])


def test_summary_shows_some_skipped_faces_and_the_report_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, messages = five(tmp_path)
    main([str(source), "--skip-bad", "--split", "all-test", "--out", str(tmp_path / "data")])
    printed, report = capsys.readouterr().out, (tmp_path / "data" / "report.md").read_text(encoding="utf-8")
    assert "skipped 8 faces that cannot be used:\n  " in printed
    assert "  and 3 more, see report.md" in printed
    assert "- Skipped 8 faces that cannot be used, listed at the end of this report." in report
    listed = report.partition("## Skipped faces\n\n")[2].splitlines()
    assert len(listed) == len(read_manifest(tmp_path / "data", PREPARE)["metrics"]["skipped"]) == 8
    for line, message in zip(listed, messages, strict=True):
        assert message in line


WHOLE: dict[str, Callable[[Path], object]] = {
    "another column": lambda table: table.write_text(
        table.read_text(encoding="utf-8").replace("nose_tip_x", "nose_x"), encoding="utf-8"
    ),
    "decimal commas and points": lambda table: table.write_text(
        table.read_text(encoding="utf-8").replace(",", ";").replace("60;85", "60,5;8.5"), encoding="utf-8"
    ),
    "two encodings": lambda table: table.write_bytes(
        table.read_bytes().replace(b"p1", "é".encode()).replace(b"p2", b"\xe9")
    ),
    "every row": lambda table: table.write_text(
        table.read_text(encoding="utf-8").replace(",65,", ",left,"), encoding="utf-8"
    ),
}


@pytest.mark.parametrize("fault", WHOLE)
def test_a_fault_of_the_whole_file_still_ends_the_run(tmp_path: Path, fault: str) -> None:
    source = save_five(tmp_path / "five", {f"{number}.png": f"p{number}" for number in range(3)})
    WHOLE[fault](source / "keypoints.csv")
    with pytest.raises(InputError, match=r"keypoints\.csv") as error:
        read([str(source)], None, 0, CropOptions(), skip_bad=True)
    assert "\n" not in str(error.value)

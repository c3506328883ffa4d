"""`facial-keypoints predict`: its files, messages, how it resumes, and the input it refuses."""

import csv
import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from facial_keypoints.__main__ import main
from facial_keypoints.array_types import UInt8
from facial_keypoints.cli import filter, predict
from facial_keypoints.errors import InputError, run
from facial_keypoints.face import Face
from facial_keypoints.keypoint_set import FACE15
from facial_keypoints.measures import COLUMNS
from facial_keypoints.pictures import read_picture, write_picture
from facial_keypoints.predictor import Predictor
from facial_keypoints.results import face_values, row
from tests.conftest import ROOT
from tests.facial_keypoints.drawn import SIDE_PX, drawn_faces

BOXES = ["--box", "40,40,192,192", "--box", "272,40,192,192"]


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """Two drawn faces."""
    write_picture(tmp_path / "two.png", drawn_faces(1, 2).picture)
    return tmp_path / "two.png"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four pictures of one drawn face each, one of them in a subfolder, a text file and a hidden file."""
    faces = drawn_faces(2, 2)
    for name, (x, y, _, _) in zip(["a.png", "b.jpg", "deep/a.png", "c.gif"], faces.boxes.astype(int), strict=True):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        write_picture(tmp_path / "in" / name, faces.picture[y : y + SIDE_PX, x : x + SIDE_PX])
    (tmp_path / "in" / "notes.txt").write_text("no picture", encoding="utf-8")
    (tmp_path / "in" / ".hidden.png").touch()
    return tmp_path / "in"


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "keypoints.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def files(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def error_message(*arguments: object) -> str:
    with pytest.raises(InputError) as error:
        main(["predict", *map(str, arguments)])
    assert "\n" not in str(error.value)
    return str(error.value)


def test_predict_command_writes_tables_and_overlay_of_a_picture(picture: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "facial_keypoints", "predict", str(picture), "--out", str(tmp_path / "out")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{tmp_path / 'out'}: 2 faces in 1 picture\n"
    assert sorted(files(tmp_path / "out")) == ["keypoints.csv", "keypoints.json", "overlays/two.png"]
    assert {path.name for path in tmp_path.iterdir()} == {"out", "two.png"}


def test_tables_and_overlay_match_the_predictor(picture: Path, tmp_path: Path) -> None:
    main(["predict", str(picture), "--out", str(tmp_path / "out"), *BOXES])
    faces = Predictor().predict(read_picture(picture), boxes=[[40, 40, 192, 192], [272, 40, 192, 192]])
    table = rows(tmp_path / "out")
    errors = [f"{name}_expected_error" for name in FACE15.names]
    assert list(table[0]) == ["file", "face", "box_x", "box_y", "box_w", "box_h", *FACE15.columns, *errors]
    written = json.loads((tmp_path / "out" / "keypoints.json").read_bytes())
    assert written["keypoints"] == list(FACE15.names)
    (of_picture,) = written["pictures"]
    assert (of_picture["file"], of_picture["width_px"], of_picture["height_px"]) == ("two.png", 504, 272)
    for number, (face, of_face, values) in enumerate(zip(faces, table, of_picture["faces"], strict=True)):
        assert (of_face["file"], of_face["face"]) == ("two.png", str(number))
        keypoints = np.array([float(of_face[column]) for column in FACE15.columns]).reshape(15, 2)
        np.testing.assert_allclose(keypoints, face.keypoints, atol=2e-3)
        np.testing.assert_allclose([float(of_face[f"box_{side}"]) for side in "xywh"], face.box, atol=2e-3)
        np.testing.assert_array_equal(values["keypoints"], keypoints)
        assert face.expected_error is not None
        np.testing.assert_allclose([float(of_face[name]) for name in errors], face.expected_error, atol=2e-3)
    x, y = np.round(faces[0].keypoints[10]).astype(int)
    assert read_picture(tmp_path / "out" / "overlays" / "two.png")[y, x].tolist() == [255, 0, 255]


def test_results_of_a_folder_are_in_order_for_any_number_of_workers(folder: Path, tmp_path: Path) -> None:
    for workers in ("1", "3"):
        main(["predict", str(folder), "--no-detect", "--out", str(tmp_path / workers), "--workers", workers])
    assert [row["file"] for row in rows(tmp_path / "1")] == ["a.png", "b.jpg", "c.gif", "deep/a.png"]
    overlays = ["overlays/a.png", "overlays/b.jpg", "overlays/c.gif.jpg", "overlays/deep/a.png"]
    assert sorted(files(tmp_path / "1")) == ["keypoints.csv", "keypoints.json", *overlays]
    for one, three in zip(rows(tmp_path / "1"), rows(tmp_path / "3"), strict=True):
        assert float(one["nose_tip_x"]) == pytest.approx(float(three["nose_tip_x"]), abs=2e-3)


def test_picture_without_a_face_is_reported_and_is_not_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_picture(tmp_path / "gray.png", np.full((120, 160, 3), 128, np.uint8))
    main(["predict", str(tmp_path / "gray.png"), "--out", str(tmp_path / "out")])
    assert capsys.readouterr().out == f"{tmp_path / 'out'}: 0 faces in 1 picture; no face found in gray.png\n"
    assert rows(tmp_path / "out") == []
    assert json.loads((tmp_path / "out" / "keypoints.json").read_bytes())["pictures"][0]["faces"] == []


def test_bad_files_of_a_folder_are_listed_and_the_others_are_predicted(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "bad.jpg").write_text("hello", encoding="utf-8")
    (folder / "empty.png").touch()
    out = tmp_path / "out"
    assert (
        error_message(folder, "--no-detect", "--out", out) == f"{out / 'unread.csv'}: 2 of 6 pictures could not be read"
    )
    assert len(rows(out)) == 4
    with (out / "unread.csv").open(encoding="utf-8") as file:
        assert [row["file"] for row in csv.DictReader(file)] == ["bad.jpg", "empty.png"]
    assert f"skipped: {folder / 'bad.jpg'}: is not a readable picture" in capsys.readouterr().err


def unread(out: Path) -> dict[str, str]:
    with (out / "unread.csv").open(encoding="utf-8") as file:
        return {row["file"]: row["reason"] for row in csv.DictReader(file)}


@pytest.mark.parametrize(
    ("name", "listed", "reason"),
    [
        (b"caf\xe9.png", "caf\\udce9.png", "its name is not valid UTF-8; rename it"),
        (b"x" * 250 + b".gif", "x" * 250 + ".gif", "the name of its output would be too long"),
    ],
    ids=["not UTF-8", "too long"],
)
def test_picture_with_an_unusable_name_is_listed_and_the_others_predicted(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: bytes, listed: str, reason: str
) -> None:
    try:
        (folder / os.fsdecode(name)).write_bytes((folder / "c.gif").read_bytes())
    except OSError:
        pytest.skip("a file system that takes no such names")
    out = tmp_path / "out"
    assert error_message(folder, "--no-detect", "--out", out).endswith("1 of 5 pictures could not be read")
    assert len(rows(out)) == 4
    assert list(unread(out)) == [listed]
    assert reason in unread(out)[listed]
    assert reason in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--out", "--model", "picture"])
def test_too_long_path_is_a_one_line_error(
    picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    given = {"--out": str(tmp_path / "out"), "--model": "v2", "picture": str(picture)} | {option: "x" * 300}
    with pytest.raises(SystemExit) as stopped:
        run(lambda: main(["predict", given["picture"], "--out", given["--out"], "--model", given["--model"]]))
    assert stopped.value.code == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert "name too long; give a shorter name" in printed
    assert list(tmp_path.iterdir()) == [picture]


def test_picture_whose_overlay_name_is_taken_is_listed_as_unread(folder: Path, tmp_path: Path) -> None:
    (folder / "c.gif.jpg").write_bytes((folder / "b.jpg").read_bytes())
    out = tmp_path / "out"
    assert error_message(folder, "--no-detect", "--out", out).endswith("1 of 5 pictures could not be read")
    assert [row["file"] for row in rows(out)] == ["a.png", "b.jpg", "c.gif.jpg", "deep/a.png"]
    reason = "would be written as c.gif.jpg, the name of another picture; rename one"
    assert unread(out) == {"c.gif": f"{folder / 'c.gif'}: {reason}"}


@pytest.mark.parametrize("command", [["predict", "--no-detect"], ["filter", "--filter", "hat"]], ids=lambda c: c[0])
def test_clips_in_a_folder_are_skipped_with_a_warning(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, command: list[str]
) -> None:
    for name in ("walk.mp4", "deep/run.MOV"):
        (folder / name).touch()
    main([*command, str(folder), "--out", str(tmp_path / "out")])
    clips_warning = "skipped 2 clips (deep/run.MOV, walk.mp4); give a clip itself to process it"
    files_warning = "skipped 1 file (notes.txt) without the extension of a picture"
    assert caplog.messages[0] == f"{folder}: {clips_warning}"
    assert caplog.messages[1].startswith(f"{folder}: {files_warning} (.bmp, ")
    for path in folder.glob("**/*.*"):
        if path.suffix in (".png", ".jpg", ".gif"):
            path.unlink()
    assert error_message(folder, "--out", tmp_path / "other").endswith(f".webp); {clips_warning}")


def test_wildcard_that_the_shell_did_not_expand_is_refused(tmp_path: Path) -> None:
    message = error_message(tmp_path / "*.jpg", "--out", tmp_path / "out")
    assert message.startswith(
        f"{tmp_path / '*.jpg'}: no such file; the shell did not expand the wildcard, or nothing matches it"
    )
    assert message.endswith(f"give the folder, or in PowerShell (Get-Item {tmp_path / '*.jpg'})")
    assert list(tmp_path.iterdir()) == []


def test_file_with_a_wildcard_in_its_name_is_predicted(picture: Path, tmp_path: Path) -> None:
    picture.rename(tmp_path / "two[1].png")
    main(["predict", str(tmp_path / "two[1].png"), *BOXES, "--out", str(tmp_path / "out")])
    assert [line["file"] for line in rows(tmp_path / "out")] == ["two[1].png"] * 2


def test_linked_and_unreadable_subfolders_are_skipped_with_a_warning(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    (folder / "private").mkdir()
    scandir = os.scandir

    def scandir_without_permission(path: str) -> Any:
        if Path(path).name == "private":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scandir_without_permission)  # simulated, since root may open any folder
    main(["predict", "--no-detect", str(folder), "--out", str(tmp_path / "out")])
    warning = "skipped 2 folders (link, private), links or without permission to open; give such a folder itself"
    assert caplog.messages[0] == f"{folder}: {warning} to process it"


def record_reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Returns a list to which the name of each picture is added when it is read."""
    names: list[str] = []

    def recording_read(path: Path) -> UInt8:
        names.append(path.name)
        return read_picture(path)

    for module in (filter, predict):
        monkeypatch.setattr(module, "read_picture", recording_read)
    return names


@pytest.mark.parametrize("command", [["predict", "--no-detect"], ["filter", "--filter", "hat"]], ids=lambda c: c[0])
def test_killed_run_resumes_and_writes_the_same_bytes_as_a_full_run(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    arguments = [*command, str(folder), "--workers", "2", "--out"]
    main([*arguments, str(tmp_path / "unbroken")])
    code = (  # the thread that reads the last picture waits
        "import sys, threading\n"
        "from facial_keypoints.cli import filter, predict\n"
        "from facial_keypoints.__main__ import main\n"
        "from facial_keypoints.cli.resume import Unfinished\n"
        "read, keep = predict.read_picture, Unfinished.keep\n"
        "def waiting(path):\n"
        "    if path.parent.name == 'deep':\n"
        "        threading.Event().wait()\n"
        "    return read(path)\n"
        "def reporting(self, key, record):\n"
        "    keep(self, key, record)\n"
        "    print('kept', flush=True)\n"
        "filter.read_picture = predict.read_picture = waiting\n"
        "Unfinished.keep = reporting\n"
        "main(sys.argv[1:])"
    )
    killed = [sys.executable, "-c", code, *arguments, str(tmp_path / "out")]
    with subprocess.Popen(killed, cwd=ROOT, stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        assert [run.stdout.readline() for _ in range(3)] == [b"kept\n"] * 3
        run.send_signal(signal.SIGKILL)
    assert not (tmp_path / "out").exists()

    read_again = record_reads(monkeypatch)
    main([*arguments, str(tmp_path / "out")])
    assert read_again == ["a.png"]  # the one in the subfolder
    assert files(tmp_path / "out") == files(tmp_path / "unbroken")


def test_resumed_run_repeats_a_picture_that_has_changed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["predict", str(folder), "--no-detect", "--workers", "1", "--out", str(tmp_path / "out")]

    def interrupted(path: Path) -> UInt8:
        if path.name == "c.gif":
            raise KeyboardInterrupt
        return read_picture(path)

    monkeypatch.setattr(predict, "read_picture", interrupted)
    with pytest.raises(KeyboardInterrupt):
        main(arguments)
    os.utime(folder / "a.png", ns=(0, 0))
    read_again = record_reads(monkeypatch)
    main(arguments)
    assert sorted(read_again) == ["a.png", "a.png", "c.gif"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{in}/missing.jpg"], "missing.jpg: no such file; give a picture"),
        (["{in}/notes.txt"], "notes.txt: is not a readable picture"),
        (["{in}/none"], "none: holds no pictures"),
        (["{in}/a.png", "{in}/deep/a.png"], "a.png: 2 inputs would have this name in --out"),
        (["{in}/clip.avi", "{in}/clip.avi.mp4"], "clip.avi.mp4: 2 inputs would have this name in --out"),
        (["{in}", "--box", "1,2,3,4"], "--box: needs exactly one picture; for several give --boxes FILE"),
        (["{in}/a.png", "--box", "1,2,3,4", "--no-detect"], "--box, --boxes, --no-detect: give one"),
        (["{in}/a.png", "--box", "1,2,0,4"], "boxes: [(1.0, 2.0, 0.0, 4.0)] are not x, y, width, height"),
        (["{in}/a.png", "--box", "0,0,1e200,1e200"], "the last two above 0, none beyond 1,000,000"),
        (["{in}/a.png", "--model", "v9"], "v9: no such model; give one of"),
        (["{in}/a.png", "--model", "{in}/net.keras"], "net.keras: is a Keras file; run `python -m training.export"),
        (["{in}/a.png", "--detector", "{in}/y.onnx"], "y.onnx: no such file; give YuNet's"),
        (
            ["{in}/a.png", "--detector", "hog"],
            "--detector hog: no such detector; give face-finder, yunet, haar, haar-profile,",
        ),
        (["{in}/a.png", "--workers", "0"], "--workers 0: must be 1 to 1024"),
        (["{in}/a.png", "--workers", "99999999999"], "--workers 99999999999: must be 1 to 1024"),
        (["{in}/a.png", "clip.mp4", "--no-detect"], "clip.mp4: is a clip, in which faces must be detected"),
        (["{in}/clip.mp4"], "clip.mp4"),
    ],
)
def test_bad_input_is_a_one_line_error_and_nothing_is_written(
    folder: Path, tmp_path: Path, arguments: Sequence[str], message: str
) -> None:
    (folder / "none").mkdir()
    (folder / "clip.mp4").write_text("hello", encoding="utf-8")
    (folder / "net.keras").write_text("PK", encoding="utf-8")
    before = {path.name for path in tmp_path.iterdir()}
    error = error_message(*[text.replace("{in}", str(folder)) for text in arguments], "--out", tmp_path / "out")
    assert message in error
    assert {path.name for path in tmp_path.iterdir()} == before


def test_earlier_result_is_replaced_only_with_overwrite(picture: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = [picture, "--out", out, *BOXES]
    main(["predict", *map(str, arguments)])
    assert "holds an earlier result; choose another --out, or replace it with --overwrite" in error_message(*arguments)
    main(["predict", *map(str, arguments[:-2]), "--overwrite"])
    assert len(rows(out)) == 1
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").write_text("dear", encoding="utf-8")
    message = "mine: holds diary.txt, which predict did not write; choose an empty or new --out"
    assert message in error_message(picture, "--out", tmp_path / "mine", "--overwrite")
    assert "is a file, not a folder" in error_message(picture, "--out", picture)
    assert (tmp_path / "mine" / "diary.txt").read_text(encoding="utf-8") == "dear"


@pytest.mark.parametrize(
    "file", ["diary.txt", "overlays/holiday.jpg", "walk.mp4", "walk.mp4.csv", "deep/keypoints.csv", "unread.csv/a"]
)
def test_output_folder_with_a_foreign_file_is_refused_and_unchanged(picture: Path, tmp_path: Path, file: str) -> None:
    out = tmp_path / "out"
    main(["predict", str(picture), "--out", str(out), *BOXES])
    (out / file).parent.mkdir(exist_ok=True)
    (out / file).write_text("time,place", encoding="utf-8")
    before = files(out)
    message = error_message(picture, "--out", out, "--overwrite")
    assert message == f"{out}: holds {file}, which predict did not write; choose an empty or new --out"
    assert files(out) == before


def test_foreign_keypoints_json_is_kept_and_file_manager_files_are_ignored(picture: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for content in ("{}", "[1]", '{"pictures": [{"file": 1}]}', "hello"):
        (out / "keypoints.json").write_text(content, encoding="utf-8")
        assert "holds keypoints.json, which predict did not write" in error_message(
            picture, "--out", out, "--overwrite"
        )
    (out / "keypoints.json").unlink()
    (out / ".DS_Store").touch()
    assert "holds an earlier result" in error_message(picture, "--out", out)
    main(["predict", str(picture), "--out", str(out), *BOXES, "--overwrite"])
    assert sorted(files(out)) == ["keypoints.csv", "keypoints.json", "overlays/two.png"]


def test_input_inside_the_output_folder_is_refused(picture: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    main(["predict", str(picture), "--out", str(out), *BOXES])
    for source in (out, out / "overlays", out / "overlays" / "two.png"):
        message = error_message(source, "--out", out, "--overwrite")
        assert message == f"{source}: lies inside --out {out}; choose another --out"
    assert len(rows(out)) == 2


def test_command_with_other_inputs_does_not_resume_a_killed_run(
    folder: Path, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["--no-detect", "--workers", "1", "--out", str(tmp_path / "out")]

    def interrupted(path: Path) -> UInt8:
        if path.name == "c.gif":
            raise KeyboardInterrupt
        return read_picture(path)

    with monkeypatch.context() as patched:
        patched.setattr(predict, "read_picture", interrupted)
        with pytest.raises(KeyboardInterrupt):
            main(["predict", str(folder), *arguments])
    assert (tmp_path / ".out.unfinished" / "overlays" / "a.png").is_file()
    main(["predict", str(picture), *arguments])
    assert sorted(files(tmp_path / "out")) == ["keypoints.csv", "keypoints.json", "overlays/two.png"]


@pytest.mark.parametrize("box", ["-1e6,1e6,1,1", "1e6,0,1e6,1e6", "0,0,1e6,1e-3", "-1e4,9,1e-3,1e-3"])
def test_extreme_boxes_give_finite_keypoints(picture: Path, tmp_path: Path, box: str) -> None:
    main(["predict", str(picture), f"--box={box}", "--out", str(tmp_path / "out")])
    (face,) = rows(tmp_path / "out")
    assert all(np.isfinite(float(face[column])) for column in FACE15.columns)


def test_single_bad_picture_is_a_one_line_error(
    tmp_path: Path, run_stage: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    (tmp_path / "bad.jpg").write_text("hello", encoding="utf-8")
    done = run_stage("facial_keypoints", "predict", tmp_path / "bad.jpg", "--out", tmp_path / "out")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith(f"error: {tmp_path / 'bad.jpg'}: is not a readable picture")


def test_overlay_of_a_picture_too_wide_for_jpeg_is_a_png(tmp_path: Path) -> None:
    write_picture(tmp_path / "wide.bmp", np.full((4, 65_501, 3), 90, np.uint8))
    write_picture(tmp_path / "wide.png", np.full((4, 65_501, 3), 90, np.uint8))
    (tmp_path / "wide.png").rename(tmp_path / "named.jpg")  # the format is recognized by the content
    wide = [str(tmp_path / name) for name in ("wide.bmp", "named.jpg")]
    for _ in range(2):
        main(["predict", *wide, "--no-detect", "--out", str(tmp_path / "out"), "--overwrite"])
    for name in ("wide.bmp.png", "named.jpg.png"):
        assert read_picture(tmp_path / "out" / "overlays" / name).shape == (4, 65_501, 3)


def test_results_inside_the_input_folder_are_not_read_as_input(folder: Path) -> None:
    for _ in range(2):
        main(["predict", str(folder), "--no-detect", "--out", str(folder / "out"), "--overwrite"])
        assert len(rows(folder / "out")) == 4


def test_box_option_must_be_four_numbers(picture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for box in ("1,2,3", "a,b,c,d", ""):
        with pytest.raises(SystemExit) as stopped:
            main(["predict", str(picture), "--out", "x", "--box", box])
        assert stopped.value.code == 2
        assert "--box" in capsys.readouterr().err


def test_row_of_a_face_without_expected_errors_ends_with_its_keypoints() -> None:
    face = Face((0, 0, 1, 1), np.full((15, 2), (1, 2), np.float32), None, np.eye(2, 3), FACE15)
    assert row(face_values(face)) == [0, 0, 1, 1, *[1, 2] * 15]


def test_measures_option_adds_columns_that_are_empty_if_not_defined(picture: Path, tmp_path: Path) -> None:
    main(["predict", str(picture), "--out", str(tmp_path / "out"), *BOXES, "--measures"])
    faces = Predictor().predict(read_picture(picture), boxes=[[40, 40, 192, 192], [272, 40, 192, 192]])
    written = json.loads((tmp_path / "out" / "keypoints.json").read_bytes())["pictures"][0]["faces"]
    for face, of_face, values in zip(faces, rows(tmp_path / "out"), written, strict=True):
        assert list(of_face)[-7:] == list(COLUMNS)
        assert list(values["measures"]) == list(COLUMNS)
        for name, measured in face.measures()._asdict().items():
            expected = None if measured is None else pytest.approx(measured, abs=0.02)
            assert values["measures"][name] == expected
            assert (float(of_face[name]) if of_face[name] else None) == expected
        assert of_face["mouth_openness"] == ""
        assert of_face["yaw_deg"] != ""


def test_measures_option_adds_columns_to_the_table_of_a_clip(tmp_path: Path) -> None:
    frame = drawn_faces(1, 1).picture
    writer = cv2.VideoWriter(str(tmp_path / "walk.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 25, frame.shape[1::-1])
    for _ in range(2):
        writer.write(frame)
    writer.release()
    main(["predict", str(tmp_path / "walk.avi"), "--out", str(tmp_path / "out"), "--measures", "--model", "v2-68"])
    with (tmp_path / "out" / "walk.avi.csv").open(encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert len(table) == 2
    assert all(0 < float(row[name]) < 1 for row in table for name in COLUMNS if "eye" in name)


def test_clip_and_picture_are_predicted_in_one_run(
    picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = drawn_faces(1, 1).picture
    size = (frame.shape[1], frame.shape[0])
    writer = cv2.VideoWriter(str(tmp_path / "walk.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 25, size)
    for _ in range(3):
        writer.write(frame)
    writer.release()
    out = tmp_path / "out"
    main(["predict", str(tmp_path / "walk.avi"), "--out", str(out)])
    assert sorted(files(out)) == ["walk.avi.csv", "walk.avi.mp4"]
    main(["predict", str(tmp_path / "walk.avi"), str(picture), "--out", str(out), "--overwrite"])
    assert set(files(out)) == {"keypoints.csv", "keypoints.json", "overlays/two.png", "walk.avi.csv", "walk.avi.mp4"}
    assert capsys.readouterr().out == f"{out}: 1 clip of 3 frames\n{out}: 2 faces in 1 picture; 1 clip of 3 frames\n"

"""Label files as spreadsheets, pandas and macOS write them give the same faces as the plain file."""

import shutil
import unicodedata
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data_prep.inputs import read_pictures
from data_prep.prepare import input_hashes
from data_prep.readers import frames as frames_reader
from data_prep.readers import imglab, npz, pictures_csv, training_csv
from data_prep.readers import pts as pts_reader
from data_prep.readers.labelled_pictures import LabelledPictures
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15
from tests.data_prep.pictures import imglab_text, save_five, save_frames, save_picture, save_pts

SIDE = 16


def rewrite(path: Path, change: Callable[[str], str], encoding: str = "utf-8") -> None:
    path.write_bytes(change(path.read_text("utf-8")).encode(encoding))


def semicolons(text: str) -> str:
    return text.replace(",", ";").replace(".5", ",5")


def with_index(text: str) -> str:
    header, *lines = text.splitlines()
    return "\n".join(["," + header, *(f"{row},{line}" for row, line in enumerate(lines))]) + "\n"


FORMS: dict[str, tuple[Callable[[str], str], str]] = {
    "semicolons and decimal commas": (semicolons, "utf-8-sig"),
    "tabs in UTF-16": (lambda text: text.replace(",", "\t"), "utf-16"),
    "Windows-1252": (str, "cp1252"),
    "an index": (with_index, "utf-8"),
    "all of it": (lambda text: semicolons(with_index(text)), "cp1252"),
}
PEOPLE = {"Zoë.png": "Zoë Ünal", "Jose.png": "José", "a.png": "Ann"}


def assert_same_faces(ours: LabelledPictures, theirs: LabelledPictures) -> None:
    assert [(face.file, face.person) for face in ours.faces] == [(face.file, face.person) for face in theirs.faces]
    for one, other in zip(ours.faces, theirs.faces, strict=True):
        np.testing.assert_array_equal(one.keypoints, other.keypoints)


@pytest.mark.parametrize("form", FORMS)
def test_other_forms_of_a_pictures_csv_give_the_same_faces(tmp_path: Path, form: str) -> None:
    folder = save_five(tmp_path / "five", PEOPLE)
    rewrite(folder / "keypoints.csv", lambda text: text.replace(",65,50", ",65.5,50"))
    plain = pictures_csv.read(folder)
    assert plain.faces[0].keypoints[0].tolist() == [65.5, 50]
    rewrite(folder / "keypoints.csv", *FORMS[form])
    assert_same_faces(pictures_csv.read(folder), plain)


@pytest.mark.parametrize("form", FORMS)
def test_other_forms_of_a_frames_csv_give_the_same_faces(tmp_path: Path, form: str) -> None:
    folder = save_frames(tmp_path / "frames", {"training": ["Zoë_1.png", "Bo_1.png"]})
    path = folder / "training_frames_keypoints.csv"
    rewrite(path, lambda text: text.replace("20.0", "20.5"))
    plain = frames_reader.read(folder)
    assert plain.faces[0].keypoints[0].tolist() == [20.5, 30]
    change, encoding = FORMS[form]
    if change is semicolons:  # all their digits
        change = lambda text: text.replace(",", ";").replace(".", ",").replace(",png", ".png")  # noqa: E731
    elif form == "all of it":
        change = lambda text: with_index(text).replace(",", ";")  # noqa: E731
    rewrite(path, change, encoding)
    assert_same_faces(frames_reader.read(folder), plain)


def save_cropped_faces(folder: Path) -> Path:
    """Writes three faces in the layout of the re-upload, with labels that end in .5."""
    folder.mkdir()
    images = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    np.savez(folder / npz.IMAGES, face_images=images)
    lines = [",".join(f"{(row + k) % 12 + 1}.5" for k in range(30)) for row in range(3)]
    (folder / npz.KEYPOINTS).write_text("\n".join([",".join(FACE15.columns), *lines]) + "\n", encoding="utf-8")
    (folder / npz.GROUPS).write_text("person,note\nZoë,\nJosé,\nAnn,\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize("form", FORMS)
def test_other_forms_of_labels_of_cropped_faces_give_the_same_faces(tmp_path: Path, form: str) -> None:
    folder = save_cropped_faces(tmp_path / "faces")
    plain = npz.read(folder)
    rewrite(folder / npz.KEYPOINTS, *FORMS[form])
    rewrite(folder / npz.GROUPS, *FORMS[form])
    faces = npz.read(folder)
    np.testing.assert_array_equal(faces.keypoints, plain.keypoints)
    assert faces.groups.tolist() == ["Zoë", "José", "Ann"]


@pytest.mark.parametrize("name", [npz.KEYPOINTS, npz.GROUPS])
def test_index_that_does_not_count_up_is_refused_if_row_order_matters(tmp_path: Path, name: str) -> None:
    folder = save_cropped_faces(tmp_path / "faces")
    rewrite(folder / name, lambda text: with_index(text).replace("\n0,", "\n5,"))
    with pytest.raises(InputError, match=rf"{name}: the first column has no name and does not count 0, 1, 2, \.\.\."):
        npz.read(folder)


def save_training_csv(folder: Path) -> Path:
    faces = npz.read(save_cropped_faces(folder / "faces"))
    lines = [",".join([*FACE15.columns, "Image"])]
    for image, keypoints in zip(faces.images, faces.keypoints, strict=True):
        lines.append(",".join([*map(str, keypoints.ravel()), " ".join(map(str, image.ravel()))]))
    path = folder / "training.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("form", [form for form in FORMS if form != "tabs in UTF-16"])
def test_other_forms_of_training_csv_give_the_same_faces(
    tmp_path: Path, form: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = save_training_csv(tmp_path)
    plain = training_csv.read(path)
    rewrite(path, *FORMS[form])
    faces = training_csv.read(path)
    np.testing.assert_array_equal(faces.keypoints, plain.keypoints)
    np.testing.assert_array_equal(faces.images, plain.images)
    assert len(caplog.messages) == ("index" in form or "all" in form)
    rewrite(path, lambda text: "sep=" + ("," if form in ("Windows-1252", "an index") else ";") + "\n" + text)
    np.testing.assert_array_equal(training_csv.read(path).keypoints, plain.keypoints)


@pytest.mark.parametrize(
    ("change", "encoding", "message"),
    [
        (str, "utf-16", r"training\.csv: seems to be UTF-16; save it as UTF-8"),
        (str, "utf-16-le", r"training\.csv: seems to be UTF-16; save it as UTF-8"),
        (lambda text: text.replace(",", " "), "utf-8", r"the header \(line 1\) lacks Image; "),
        (
            lambda text: text.replace(",", ";", 30),
            "utf-8",
            r"row 0 \(line 2\): has 1 fields where the header has 31, sep",
        ),
        (
            lambda text: with_index(text).replace("\n1,", "\nb,"),
            "utf-8",
            r"row 1 .*: has 'b' in a column without a name",
        ),
        (lambda text: text.replace("\n", "\r") + "1 " * 70_000, "utf-8", r"has no line end in 65,536 bytes"),
    ],
)
def test_unsupported_forms_of_training_csv_give_a_one_line_error(
    tmp_path: Path, change: Callable[[str], str], encoding: str, message: str
) -> None:
    path = save_training_csv(tmp_path)
    rewrite(path, change, encoding)
    with pytest.raises(InputError, match=message) as error:
        training_csv.read(path)
    assert "\n" not in str(error.value)


def test_error_about_a_missing_picture_names_the_assumed_encoding(tmp_path: Path) -> None:
    """Mac Roman writes ë as a byte that is a quotation mark in Windows-1252."""
    folder = save_five(tmp_path / "five", {"Zoë.png": "Ann"})
    rewrite(folder / "keypoints.csv", str, "mac-roman")
    with pytest.raises(InputError, match=r"row 0 \(line 2, read as Windows-1252\): the picture .*Zo.\.png is missing"):
        pictures_csv.read(folder)


def composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def decomposed(name: str) -> str:
    return unicodedata.normalize("NFD", name)


@pytest.mark.parametrize(("in_file", "on_disk"), [(composed, decomposed), (decomposed, composed)])
def test_file_names_are_found_in_either_unicode_form(
    tmp_path: Path, in_file: Callable[[str], str], on_disk: Callable[[str], str]
) -> None:
    names = ["Zoë_1.png", "김민수_1.png", "a_1.png"]
    five = save_five(tmp_path / "five", {on_disk(f"café/{name}"): "x" for name in names})
    rewrite(five / "keypoints.csv", in_file)
    frames = save_frames(tmp_path / "frames", {"training": [on_disk(name) for name in names]})
    rewrite(frames / "training_frames_keypoints.csv", in_file)
    pts = save_pts(tmp_path / "pts", [on_disk(name.removesuffix(".png")) for name in names])
    for path in list(pts.glob("*.pts")):
        path.rename(path.with_name(in_file(path.name)))
    for name in names:
        save_picture(tmp_path / "xml" / on_disk(name))
    (tmp_path / "xml" / "faces.xml").write_text(imglab_text([in_file(name) for name in names]), encoding="utf-8")
    for folder in (five, frames, pts, tmp_path / "xml" / "faces.xml"):
        read = read_pictures(folder)
        assert read is not None
        assert sorted(composed(face.file.stem) for face in read.faces) == sorted(name[:-4] for name in names)
        assert all(face.file.is_file() for face in read.faces)
        assert all(face.person == composed(face.person) for face in read.faces)
    assert len(imglab.files(tmp_path / "xml" / "faces.xml")) == 4


def test_two_files_that_differ_in_unicode_form_are_kept_apart(tmp_path: Path) -> None:
    names = [composed("é.png"), decomposed("é.png")]
    folder = save_five(tmp_path / "five", dict.fromkeys(names, "x"))
    assert [face.file.name for face in pictures_csv.read(folder).faces] == names
    (folder / "pictures" / names[1]).unlink()
    with pytest.raises(InputError, match=r"row 1 \(line 3\): labels .*é\.png again, after .*row 0"):
        pictures_csv.read(folder)


def test_hidden_files_are_ignored(tmp_path: Path) -> None:
    """macOS writes a `._` file beside each file on foreign disks and in zips."""
    pts = save_pts(tmp_path / "pts", ["a", "b"])
    frames = save_frames(tmp_path / "frames", {"training": ["Ann_1.jpg"]})
    before = input_hashes([str(pts), str(frames)], None, 0)
    for path in (*pts.iterdir(), *(frames / "training").iterdir()):
        path.with_name(f"._{path.name}").write_bytes(b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X")
    shutil.copytree(pts, pts / "__MACOSX")
    assert [face.file.name for face in pts_reader.read(pts).faces] == ["a.jpg", "b.jpg"]
    assert frames_reader.read(frames).description == "training: 1 pictures, 1 of them labelled"
    assert input_hashes([str(pts), str(frames)], None, 0) == before
    for name in ("a.pts", "b.pts"):
        (pts / name).unlink()
    with pytest.raises(InputError, match="none of the known layouts is in this folder"):
        read_pictures(pts)


def test_hidden_files_in_a_zip_are_ignored(tmp_path: Path) -> None:
    path = save_training_csv(tmp_path)
    with zipfile.ZipFile(tmp_path / "training.zip", "w") as archive:
        archive.write(path, "training.csv")
        for name in ("__MACOSX/._training.csv", "._training.csv", ".cache/old.csv"):
            archive.writestr(name, b"\x00\x05\x16\x07")
    assert len(training_csv.read(tmp_path / "training.zip")) == 3

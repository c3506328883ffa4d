"""Submissions from files in the competition's layout, and the one-line error for each fault of such files."""

from pathlib import Path

import numpy as np
import pytest

from evaluation import submit
from facial_keypoints.errors import EXIT_BAD_INPUT, InputError, run
from facial_keypoints.keypoint_set import FACE15, FACE68
from tests.evaluation.conftest import save_model

SPARSE_COLUMNS = [FACE15.columns[2 * k + axis] for k in FACE15.label_sources[1].keypoints for axis in (0, 1)]
NOSE, LIP = "nose_tip_x", "mouth_center_bottom_lip_y"
# Image 1 is requested in full, image 2 with the coordinates that the sparse source labels, image 3 with one of
# these, image 4 with one that the sparse source never labels.
REQUESTED = {1: FACE15.columns, 2: SPARSE_COLUMNS, 3: [NOSE], 4: [NOSE, "mouth_left_corner_x"]}


def write_test(path: Path, images: int = 4) -> Path:
    rng = np.random.default_rng(0)
    lines = [f"{number}," + " ".join(map(str, rng.integers(0, 256, 96 * 96))) for number in range(1, images + 1)]
    path.write_text("\n".join(["ImageId,Image", *lines]) + "\n", encoding="utf-8")
    return path


def write_lookup(path: Path, requested: dict[int, list[str]] = REQUESTED) -> Path:
    pairs = [(number, feature) for number, features in requested.items() for feature in features]
    lines = [f"{row},{number},{feature}," for row, (number, feature) in enumerate(pairs, start=1)]
    path.write_text("\n".join(["RowId,ImageId,FeatureName,Location", *lines]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def model(data_folder: Path, tmp_path: Path) -> Path:
    """Output point m lies at (10 m - 20, m): the 15 keypoints, then nose and lower lip of the sparse source."""
    output = np.array([(10 * m - 20, m) for m in range(17)], np.float32)
    return save_model(tmp_path / "v2", data_folder, output, sources=(0, 1))


def test_each_row_gets_the_coordinate_for_the_label_source_of_its_image(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "submission.csv"
    test, lookup = write_test(tmp_path / "test.csv"), write_lookup(tmp_path / "IdLookupTable.csv")
    submit.main([str(model), str(test), str(lookup), "--out", str(out)])
    header, *lines = out.read_text(encoding="utf-8").splitlines()
    assert header == "RowId,Location"
    assert [line.split(",")[0] for line in lines] == [str(row) for row in range(1, 30 + 8 + 1 + 2 + 1)]
    pairs = [(number, feature) for number, features in REQUESTED.items() for feature in features]
    location = dict(zip(pairs, (float(line.split(",")[1]) for line in lines), strict=True))

    nose, lip = FACE15.index("nose_tip"), FACE15.index("mouth_center_bottom_lip")
    assert location[1, "nose_tip_y"] == nose
    assert location[1, LIP] == lip
    assert location[2, "nose_tip_y"] == 15  # the output point of the sparse source
    assert location[2, LIP] == 16
    assert location[2, "right_eye_center_y"] == 1
    assert location[1, "left_eye_center_x"] == 0  # clipped from -20
    assert location[1, NOSE] == 10 * nose - 20
    assert 95.999 < location[1, "mouth_center_top_lip_x"] < 96  # clipped from 110
    assert 95.999 < location[3, NOSE] < 96  # sparse: clipped from 130
    assert location[4, NOSE] == 80  # complete


def test_rows_may_come_in_any_order_and_keep_it(model: Path, tmp_path: Path) -> None:
    test, lookup, out = write_test(tmp_path / "test.csv", 2), tmp_path / "lookup.csv", tmp_path / "out.csv"
    lookup.write_text(f"FeatureName,RowId,ImageId\n{NOSE},7,2\n{LIP},3,1\n{LIP},5,2\n", encoding="utf-8")
    for _ in range(2):  # a submission may be overwritten
        submit.main([str(model), str(test), str(lookup), "--out", str(out)])
        assert out.read_text(encoding="utf-8") == "RowId,Location\n7,95.99999\n3,16.0\n5,16.0\n"


GOOD_TEST = "ImageId,Image\n1,0 1 2 3\n2,4 5 6 7\n"
BAD_TESTS = {
    "missing": (None, "no such file"),
    "empty": ("", "is empty"),
    "no images": ("ImageId,Image\n", "no images"),
    "no column": ("Id,Image\n1,0\n", "has 0 columns ImageId"),
    "training.csv": ("nose_tip_x,Image\n1,0\n", "has 0 columns ImageId"),
    "column twice": ("ImageId,Image,Image\n1,0,0\n", "has 2 columns Image"),
    "number": (GOOD_TEST.replace("\n2,", "\ntwo,"), r"line 3: ImageId 'two' is not a whole number"),
    "number twice": (GOOD_TEST.replace("\n2,", "\n1,"), r"line 3: repeats ImageId 1 of line 2"),
    "no square": (GOOD_TEST.replace(" 7", ""), r"line 3 \(ImageId 2\): has 3 pixels where the first .* 4"),
    "another size": (GOOD_TEST.replace("4 5 6 7", "4"), r"line 3 \(ImageId 2\): has 1 pixels where the first .* 4"),
    "no picture": (GOOD_TEST.replace("4 5 6 7", ""), r"line 3 \(ImageId 2\): has 0 pixels"),
    "gray value": (GOOD_TEST.replace(" 7", " 256"), r"line 3 \(ImageId 2\): has '256' as pixel 4, outside 0\.\.255"),
    "cut off": (GOOD_TEST.replace(",4 5 6 7", ""), r"line 3: has 1 cells where the header has 2"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD_TESTS)
def test_bad_test_csv_is_a_one_line_error(tmp_path: Path, kind: str) -> None:
    text, message = BAD_TESTS[kind]
    path = tmp_path / "test.csv"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"test\.csv.*" + message) as error:
        submit.read_test(path)
    assert "\n" not in str(error.value)


def test_pixels_are_read_row_by_row(tmp_path: Path) -> None:
    path = tmp_path / "test.csv"
    path.write_text(GOOD_TEST, encoding="utf-8")
    ids, images = submit.read_test(path)
    assert (ids, images[..., 0].tolist()) == ([1, 2], [[[0, 1], [2, 3]], [[4, 5], [6, 7]]])


def test_files_saved_by_a_spreadsheet_or_pandas_are_read(tmp_path: Path) -> None:
    test, lookup = tmp_path / "test.csv", tmp_path / "IdLookupTable.csv"
    test.write_bytes(GOOD_TEST.replace(",", ";").encode("utf-16"))
    assert submit.read_test(test)[0] == [1, 2]
    lookup.write_text(
        "Unnamed: 0;RowId;ImageId;FeatureName;Location\n0;1,0;2;nose_tip_x;\n1;2,0;1;nose_tip_y;\n", encoding="utf-8"
    )
    rows, faces, columns = submit.read_lookup(lookup, [1, 2])
    assert (rows, faces.tolist()) == ([1, 2], [1, 0])
    assert [FACE15.columns[column] for column in columns] == ["nose_tip_x", "nose_tip_y"]


GOOD_LOOKUP = "RowId,ImageId,FeatureName,Location\n1,1,nose_tip_x,\n2,2,nose_tip_y,\n"
BAD_LOOKUPS = {
    "missing": (None, "no such file"),
    "no rows": ("RowId,ImageId,FeatureName,Location\n", "no rows"),
    "no column": (GOOD_LOOKUP.replace("FeatureName", "Feature"), "has 0 columns FeatureName"),
    "unknown image": (GOOD_LOOKUP.replace("2,2,", "2,9,"), "line 3: asks for ImageId 9, which test.csv lacks"),
    "unknown feature": (GOOD_LOOKUP.replace("tip_y", "tip_z"), "line 3: asks for the FeatureName 'nose_tip_z', which"),
    "asked twice": (GOOD_LOOKUP.replace("2,2,nose_tip_y", "2,1,nose_tip_x"), "line 3: .* again, after line 2"),
    "row twice": (GOOD_LOOKUP.replace("2,2,", "1,2,"), "line 3: repeats RowId 1 of line 2"),
    "row": (GOOD_LOOKUP.replace("2,2,", "2.5,2,"), r"line 3: RowId '2\.5' is not a whole number"),
    "image": (GOOD_LOOKUP.replace("2,2,", "2,,"), "line 3: ImageId '' is not a whole number"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD_LOOKUPS)
def test_bad_lookup_table_is_a_one_line_error(tmp_path: Path, kind: str) -> None:
    text, message = BAD_LOOKUPS[kind]
    path = tmp_path / "IdLookupTable.csv"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"IdLookupTable\.csv.*" + message) as error:
        submit.read_lookup(path, [1, 2])
    assert "\n" not in str(error.value)


def test_unsuitable_input_is_a_one_line_error_and_writes_nothing(
    data_folder: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    test, lookup = write_test(tmp_path / "test.csv"), write_lookup(tmp_path / "IdLookupTable.csv")
    small = tmp_path / "small.csv"
    small.write_text("ImageId,Image\n" + "".join(f"{number},0 1 2 3\n" for number in REQUESTED), encoding="utf-8")
    of_68 = save_model(tmp_path / "v2-68", data_folder, np.zeros((68, 2)), keypoint_set=FACE68)
    out, theirs = tmp_path / "out.csv", tmp_path / "theirs.csv"
    theirs.write_text("RowId,Location of mine\n", encoding="utf-8")
    for arguments, message in (
        ((of_68, test, lookup, "--out", out), "predicts face68, the data has face15"),
        ((model, small, lookup, "--out", out), r"takes images of (N, 96, 96, 1), the data has (N, 2, 2, 1)"),
        ((model, test, lookup, "--out", theirs), "theirs.csv: exists and is not a submission file"),
        ((model, test, lookup, "--out", tmp_path), "is a folder"),
    ):
        with pytest.raises(SystemExit) as stop:
            run(lambda words=arguments: submit.main([str(word) for word in words]))  # type: ignore[misc]
        assert stop.value.code == EXIT_BAD_INPUT
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1
        assert message in lines[0]
        assert not out.exists()
        assert not list(tmp_path.glob(".*partial"))
    assert theirs.read_text(encoding="utf-8") == "RowId,Location of mine\n"

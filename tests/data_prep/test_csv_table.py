"""CSV files that people bring: what is read of them, each fault told with its line."""

from pathlib import Path

import pytest

from data_prep.csv_table import read_lines, row_number
from facial_keypoints.errors import InputError


def write(folder: Path, text: str) -> Path:
    path = folder / "table.csv"
    path.write_bytes(text.encode())
    return path


def test_lines_keep_their_numbers_over_blank_and_broken_ones(tmp_path: Path) -> None:
    text = '\ufeffrow, name \r\n\r\n3,"Lee,\r\nAnn"\r\n,\r\n \r\n4,Bo'  # with the byte order mark of a spreadsheet
    header, body = read_lines(write(tmp_path, text))
    assert header == ["row", "name"]
    assert body == [(4, ["3", "Lee,\r\nAnn"]), (7, ["4", "Bo"])]
    _, body = read_lines(write(tmp_path, text), skip_empty=False)
    assert [line for line, _ in body] == [4, 5, 7]


BAD: dict[str, tuple[str | bytes | None, str]] = {
    "missing": (None, r"table\.csv: no such file; give"),
    "empty": ("", r"table\.csv: is empty"),
    "blank lines alone": ("\n  \n", r"table\.csv: is empty"),
    "ragged": ("a,b\n1,2\n\n1,2,3\n", r"table\.csv, line 4: has 3 cells where the header has 2"),
    "not text": (b"\xff\xfe\x00a", r"table\.csv: is not a CSV file"),
    "an endless cell": ('a,b\n1,"' + "x" * 200_000, r"table\.csv: is not a CSV file"),
}


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD)
def test_a_bad_file_is_one_line(tmp_path: Path, content: str | bytes | None, message: str) -> None:
    path = tmp_path / "table.csv"
    if content is not None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(InputError, match=message) as error:
        read_lines(path)
    assert "\n" not in str(error.value)


def test_a_folder_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        read_lines(tmp_path)


@pytest.mark.parametrize(("text", "row"), [("7", 7), (" 7 ", 7), ("7.0", 7), ("-1", -1)])
def test_a_row_is_a_whole_number(tmp_path: Path, text: str, row: int) -> None:
    assert row_number(tmp_path, 2, text) == row


@pytest.mark.parametrize("text", ["", "x", "1.5", "nan", "inf", "1e999"])
def test_any_other_text_is_no_row(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"table\.csv, line 9: row '.*' is no whole number"):
        row_number(tmp_path / "table.csv", 9, text)
